"""The README's table of weights, from the manifest: ``python tests/readme_table.py`` writes it again."""

import json
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
START, END = "<!-- weights: written by tests/readme_table.py -->", "<!-- end of weights -->"


def table() -> str:
    """A line per set of weights, those that come with the pack first."""
    lines = [
        "| task | system | weights | size | licence of code / weights | commercial use | comes from |",
        "|--" * 7 + "|",
    ]
    entries = [
        json.loads(path.read_text(encoding="utf-8")) for path in sorted((ROOT / "models_manifest").glob("*.json"))
    ]
    rows = [_row(entry, model) for entry in entries for model in entry["models"]]
    return "\n".join(
        [*lines, *(f"| {' | '.join(row)} |" for row in sorted(rows, key=lambda row: (row[-1] != PACK, row)))]
    )


PACK = "this pack"
PLACES = {"bundled": PACK, "hub": "Hugging Face", "https": "a download", "release": "a release", "manual": "you"}


def _row(entry: dict, model: dict) -> tuple[str, ...]:
    sizes = [file["bytes"] for file in model["files"]]
    size = f"{sum(sizes) / 1e6:.1f} MB" if None not in sizes else "not published"
    licences = f"{model['code_license']} / {model['weights_license']}"
    place = PLACES[model["files"][0]["sources"][0]["kind"]]
    title = f"[{entry['title']}]({entry['paper']})" if entry["paper"] else entry["title"]
    task = (entry["module"] or "").split("/")[0]
    return task, title, f"`{model['id']}`", size, licences, model["commercial"], place


def with_table(text: str) -> str:
    """The README with the table as it must be."""
    before, rest = text.split(START)
    return f"{before}{START}\n{table()}\n{END}{rest.split(END)[1]}"


if __name__ == "__main__":
    README.write_text(with_table(README.read_text(encoding="utf-8")), encoding="utf-8")
