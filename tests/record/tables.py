"""Writes the shipped example tables, which are made up: ``python tests/record/tables.py``."""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))
from likeness.audit.table import Table, write_table

FOLDER = Path(__file__).parents[2] / "models_manifest/starter/tables"
GROUPS = {"group A": 0.75, "group B": 0.66}  # the similarity of two photos of one person


def slices(generator: np.random.Generator) -> Table:
    """Four videos each of 60 people: does each smile, what did a model say, did it find the face?"""
    rows = []
    for person in range(60):
        skin = 1 + person % 6 if person % 17 else None
        for number in range(4):
            light, smiles = ("day", "dark")[number % 2], bool(generator.random() < 0.5)
            score = (0.72 if smiles else 0.28) + generator.normal(0, 0.16 + 0.12 * (light == "dark"))
            said = "smiling" if score > 0.5 else "not smiling"
            found = bool(generator.random() < (0.99 if light == "day" else 0.9))
            truth = "smiling" if smiles else "not smiling"
            row = (
                f"{person:03}",
                f"{person:03}_{number}.mp4",
                skin,
                light,
                truth,
                said,
                smiles,
                round(score, 3),
                found,
            )
            rows.append(row)
    return Table.of(["subject", "file", "skin_type", "light", "truth", "prediction", "smiles", "score", "found"], rows)


def pairs(generator: np.random.Generator) -> Table:
    """Pairs of a made-up experiment: two groups, eight people each, a base face, two steps of age, one of light."""
    shots = (("base", 0), ("age", 1), ("age", 2), ("light", 1))
    rows = []
    for group, level in GROUPS.items():
        faces = [(f"{group}, {person}", *shot) for person in range(8) for shot in shots]
        for a, (first, one, steps) in enumerate(faces):
            for second, other, more in faces[a + 1 :]:
                same, base = first == second, (one == "base") != (other == "base")
                mean = level - 0.07 * (steps + more) if same else 0.12
                factor, step = (other, more) if one == "base" else (one, steps)
                changed = (factor, step) if same and base else (None, None)
                rows.append((first, second, group, same, round(float(mean + generator.normal(0, 0.1)), 4), *changed))
    return Table.of(["identity_a", "identity_b", "group", "same", "score", "factor", "step"], rows)


def spoofs(generator: np.random.Generator) -> Table:
    """Two frames each of 40 videos of three data sets, and how real each looked to a made-up detector."""
    rows = []
    for name, sharpness in (("set A", 1.8), ("set B", 1.1), ("set C", 0.6)):
        for video in range(40):
            real = video % 2 == 0
            level = generator.normal(sharpness if real else -sharpness, 1)
            for frame in range(2):
                score = 1 / (1 + np.exp(-(level + generator.normal(0, 0.4))))
                file = f"{name[-1].lower()}/{video:02}_{frame}.png"
                rows.append((name, f"{name[-1].lower()}_{video:02}", file, real, round(float(score), 4)))
    return Table.of(["set", "video", "file", "real", "score_real"], rows)


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    generator = np.random.default_rng(2026)
    write_table(slices(generator), FOLDER / "slices.csv")
    write_table(pairs(generator), FOLDER / "pairs.csv")
    astronaut, hopper = "likeness_astronaut.png", "likeness_grace_hopper.jpg"
    photos = [(astronaut, astronaut, True), (hopper, hopper, True), (astronaut, hopper, False)]
    write_table(Table.of(["a", "b", "same"], photos), FOLDER / "photo_pairs.csv")
    write_table(spoofs(np.random.default_rng(2027)), FOLDER / "spoofs.csv")
    write_table(Table.of(["file", "real"], [(astronaut, True), (hopper, True)]), FOLDER / "photos.csv")


if __name__ == "__main__":
    main()
