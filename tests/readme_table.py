"""The README's table of weights, from the manifest: ``python -m tests.readme_table`` writes it again."""

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


def table() -> str:
    """A line per set of weights whose system is built, those that come with the pack first."""
    rows = [row(system, model) for system in read_manifests() if system.module for model in system.models]
    rows.sort(key=lambda cells: (cells[-1] != PLACES["bundled"], cells))
    head = ("task", "system", "weights", "size", "licence of code / weights", "commercial use", "comes from")
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [head, ("--",) * len(head), *rows])


def row(system: Manifest, model: Model) -> tuple[str, ...]:
    sizes = [file.bytes for file in model.files]
    size = "not published" if None in sizes else f"{sum(sizes) / 1e6:.1f} MB"
    licences = f"{model.code_license} / {model.weights_license}"
    place = PLACES[model.files[0].sources[0].kind]
    return system.task, f"[{system.title}]({system.paper})", f"`{model.id}`", size, licences, model.commercial, place


def with_table(text: str) -> str:
    """The README with the table as it must be."""
    before, rest = text.split(START)
    return f"{before}{START}\n{table()}\n{END}{rest.split(END)[1]}"


if __name__ == "__main__":
    README.write_text(with_table(README.read_text(encoding="utf-8")), encoding="utf-8")
