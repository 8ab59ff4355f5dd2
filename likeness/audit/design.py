"""What faces to make when one thing is to change at a time: prompts, seeds, and a table that says which is which."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .table import Cell, Table, parse_words

BASE = "base"
PLACE = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Factor:
    """Something that a face can be asked to be, and its levels; the first is the base."""

    name: str
    levels: tuple[str, ...]


def parse_factors(text: str) -> tuple[Factor, ...]:
    """Factors from lines such as ``age: adult, child, old``.

    Raises:
        ValueError: A line is none, or names a factor or level twice.
    """
    factors = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        name, _, rest = line.partition(":")
        levels = tuple(level.strip() for level in rest.split(",") if level.strip())
        if not re.fullmatch(r"\w+", name.strip()) or not levels or len(set(levels)) < len(levels):
            raise ValueError(
                f"Expected a line such as 'age: adult, child, old', got {line.strip()!r} in line {number}: one word, a "
                "colon, and levels that differ."
            )
        factors.append(Factor(name.strip(), levels))
    names = [factor.name for factor in factors]
    if len(set(names)) < len(names):
        raise ValueError(f"Expected each factor once, got {', '.join(names)}: join the lines of one name.")
    return tuple(factors)


def design(prompt: str, groups: Sequence[Factor], factors: Sequence[Factor], seeds: Sequence[int]) -> Table:
    """All faces to make: per group and seed the base face, and then one factor at a time at each of its other levels.

    Args:
        prompt: With {name} where a group or factor goes.
        groups: Crossed with each other; a face's group is one combination.
        factors: Changed one at a time, the others at their base.
        seeds: Shared by all groups and levels, so that only one thing differs.

    Returns:
        Columns ``row``, ``identity``, ``seed``, ``group``, ``factor`` ("base" or what is changed), ``level``, ``step``
        (0 for the base), a column per group and factor, and ``prompt``.

    Raises:
        ValueError: No seed, a name twice, or a place in the prompt that nothing fills.
    """
    names = [one.name for one in (*groups, *factors)]
    kept = {"row", "identity", "seed", "group", "factor", "level", "step", "prompt"}
    if len(set(names)) < len(names) or kept & set(names):
        raise ValueError(f"Expected names of their own other than {', '.join(sorted(kept))}, got {', '.join(names)}.")
    if not seeds or len(set(seeds)) < len(seeds):
        raise ValueError(f"Expected seeds that differ, got {list(seeds)}: each is one identity per group.")
    if unknown := set(PLACE.findall(prompt)) - set(names):
        raise ValueError(f"Expected places among {', '.join(names) or 'none'}, got {{{min(unknown)}}} in the prompt.")
    rows: list[tuple[Cell, ...]] = []
    for chosen in itertools.product(*(group.levels for group in groups)):
        group = ", ".join(chosen) or "all"
        for seed in seeds:
            for factor, step, level, levels in _one_at_a_time(factors):
                filled = dict(zip(names, (*chosen, *levels), strict=True))
                text = PLACE.sub(lambda place, filled=filled: filled[place[1]], prompt)  # type: ignore[misc]
                about = (len(rows), f"{group}, {seed}", seed, group, factor, level, step)
                rows.append((*about, *chosen, *levels, text))
    columns = ["row", "identity", "seed", "group", "factor", "level", "step", *names, "prompt"]
    table = Table.of(columns, rows)
    for name in names:
        table = table.with_column(name, parse_words([str(cell) for cell in table[name]]))
    return table


def _one_at_a_time(factors: Sequence[Factor]) -> Iterator[tuple[str, int, str, tuple[str, ...]]]:
    """The factor that is changed, how many levels from its base, its level, and the levels of all factors."""
    base = tuple(factor.levels[0] for factor in factors)
    yield BASE, 0, BASE, base
    for place, factor in enumerate(factors):
        for step, level in enumerate(factor.levels[1:], 1):
            yield factor.name, step, level, (*base[:place], level, *base[place + 1 :])
