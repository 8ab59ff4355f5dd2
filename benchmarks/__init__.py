"""Ours against others', both in one run, as ratios: ``python -m benchmarks``.

A theme is a module with ``ROWS``, a tuple of ``race.Race`` and ``race.Measure``; add it to ``THEMES`` in
``__main__.py``. Peers that are packages of their own run in virtual environments below ``PEERS_PATH``, each named after
its peer; a peer that is not there gives a row "not run".
"""
