"""The README's table of weights, from the manifest: ``python -m tests.readme_table`` writes it again."""

from collections.abc import Iterable
from pathlib import Path

from likeness.manifest import Manifest, Model, read_manifests

README = Path(__file__).parents[1] / "README.md"
START, END = "<!-- weights: written by tests/readme_table.py -->", "<!-- end of weights -->"
PLACES = {
    "bundled": "this pack",
    "hub": "Hugging Face",
    "https": "a download",
    "release": "a release",
    "manual": "you, by hand",
}


TASKS = ("detect", "landmark", "parse", "analyze", "embed", "adapt", "synth", "body")
TASKS += ("reenact", "talk", "swap", "head3d", "render", "audit")
STATUS = ("works", "works, not seen on real weights", "weights known", "nothing published")
SEEN = {"mtcnn"}  # on real weights that do not come with the pack, in a test


def table() -> str:
    """A line per system, by task, those that work first."""
    systems = sorted(read_manifests(), key=lambda it: (TASKS.index(it.task), STATUS.index(status(it)), it.title))
    head = ("task", "system", "status", "weights", "licence of code / weights", "commercial use", "comes from")
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [head, ("--",) * len(head), *map(row, systems)])


def status(system: Manifest) -> str:
    if system.module is None:
        return STATUS[2] if system.models else STATUS[3]
    files = [file for model in system.models for file in model.files]
    return STATUS[0] if system.system in SEEN or all(file.bundled for file in files) else STATUS[1]


def row(system: Manifest) -> tuple[str, ...]:
    models = system.models
    licences = joined(f"{model.code_license} / {model.weights_license}" for model in models)
    places = joined(PLACES[file.sources[0].kind] for model in models for file in model.files)
    weights = joined(f"`{model.id}`{size(model)}" for model in models) or system.published
    commercial = joined(model.commercial for model in models)
    name = f"[{system.title}]({system.paper})"
    return system.task, name, status(system), weights, licences, commercial, places


def size(model: Model) -> str:
    sizes = [file.download_bytes for file in model.files]
    return "" if None in sizes else f" {sum(sizes) / 1e6:.1f} MB"


def joined(words: Iterable[str]) -> str:
    return "<br>".join(dict.fromkeys(words))


def with_table(text: str) -> str:
    """The README with the table as it must be."""
    before, rest = text.split(START)
    return f"{before}{START}\n{table()}\n{END}{rest.split(END)[1]}"


if __name__ == "__main__":
    README.write_text(with_table(README.read_text(encoding="utf-8")), encoding="utf-8")
