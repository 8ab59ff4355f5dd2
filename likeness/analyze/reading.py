"""What attributes say: as a table, as words for a prompt, as records for JSON, and whom a condition keeps."""

from __future__ import annotations

import operator
import re

import torch
from torch import Tensor

from ..types import Attributes, Faces, LabelSet

NOTE = "apparent, model output"  # beside race, gender and age
COMPARE = {">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le}
TERM = re.compile(r"(?P<no>not\s+)?(?P<name>.+?)\s*(?:(?P<sign>[<>]=?)\s*(?P<number>-?\d+(?:\.\d+)?))?", re.IGNORECASE)


def to_table(attributes: Attributes, threshold: float = 0.5) -> str:
    """A line per face and finding: of each set the likeliest label, or all from the threshold on; then the measures."""
    lines = ["image face set label probability note"]
    for whose, row, values in _rows(attributes):
        found = _found(attributes, row, threshold)
        for group, label, probability in found:
            note = f" {NOTE}" if label in group.apparent else ""
            lines.append(f"{whose} {group.name} {label} {probability:.3f}{note}")
        lines += [
            f"{whose} measure {name} {value:.2f}" for name, value in zip(attributes.measures, values, strict=True)
        ]
    return "\n".join(lines)


def to_tags(attributes: Attributes, threshold: float = 0.5, sets: str = "") -> str:
    """A line per face of words for a prompt, apart by commas.

    Args:
        attributes: Of these faces.
        threshold: From which probability a label is told; of a set of which one holds, the likeliest one.
        sets: Names of sets apart by commas; none: all but what tells race, gender or age.

    Raises:
        ValueError: There is no such set.
    """
    wanted = [name.strip() for name in sets.split(",") if name.strip()]
    for name in wanted:
        attributes.of(name)  # raises
    lines = []
    for _, row, _ in _rows(attributes):
        told = [
            group.phrase.format(label.replace("_", " ").lower())
            for group, label, probability in _found(attributes, row, threshold)
            if (group.name in wanted if wanted else label not in group.apparent)
            and group.phrase
            and probability >= threshold
        ]
        lines.append(", ".join(told))
    return "\n".join(lines)


def to_records(attributes: Attributes) -> list[dict[str, object]]:
    """A record per face, of plain numbers and words: all probabilities of all sets, and the measures."""
    records = []
    boxes = attributes.faces.bbox.tolist()
    for number, (whose, row, values) in enumerate(_rows(attributes)):
        image, face = map(int, whose.split())
        sets: dict[str, dict[str, float]] = {group.name: {} for group in attributes.sets}
        for (group, label), probability in zip(attributes.labels, row, strict=True):
            sets[group.name][label] = round(probability, 6)
        measures = dict(zip(attributes.measures, values, strict=True))
        about = {group.name: list(group.apparent) for group in attributes.sets if group.apparent}
        record = {"image": image, "face": face, "bbox": boxes[number], "sets": sets, "measures": measures}
        records.append({**record, NOTE: about})
    return records


def holds(attributes: Attributes, conditions: str, threshold: float = 0.5) -> Tensor:
    """(N,) bool, of which faces all conditions hold.

    Args:
        attributes: Of these faces.
        conditions: Apart by commas or lines: a label, "not" and a label, or a label or measure with >, >=, <, <= and a
            number. A label that two sets have is named with its set: "gender.male". Case does not matter, a blank is
            an underscore.
        threshold: From which probability a label without a number holds.

    Raises:
        ValueError: There is no condition, or one names nothing; says what there is.
    """
    terms = [term.strip() for term in conditions.replace("\n", ",").split(",") if term.strip()]
    if not terms:
        raise ValueError('Expected conditions, got none: write, for example, "smiling, not eyeglasses".')
    kept = torch.ones(len(attributes), dtype=torch.bool)
    for term in terms:
        match = TERM.fullmatch(term)
        if match is None:
            raise ValueError(f"Expected a label, or a name with a sign and a number, got {term!r}.")
        values, is_label = _column(attributes, match["name"])
        if match["sign"]:
            found = COMPARE[match["sign"]](values, float(match["number"]))
        elif is_label:
            found = values >= threshold
        else:
            raise ValueError(f"Expected a sign and a number after the measure {match['name']}, for example > 30.")
        kept &= ~found if match["no"] else found
    return kept


def _column(attributes: Attributes, name: str) -> tuple[Tensor, bool]:
    """The values of a label or measure, and whether it is a label."""
    asked = _plain(name)
    if asked in (measures := [_plain(measure) for measure in attributes.measures]) and attributes.values is not None:
        return attributes.values[:, measures.index(asked)], False
    full = [f"{group.name}.{label}" for group, label in attributes.labels]
    found = [
        number for number, (_, label) in enumerate(attributes.labels) if asked in (_plain(label), _plain(full[number]))
    ]
    if len(found) == 1:
        return attributes.probability[:, found[0]], True
    if found:
        raise ValueError(f"Expected one label, got {name}: write {' or '.join(full[number] for number in found)}.")
    known = ", ".join(
        [*attributes.measures, *(f"{group.name} ({', '.join(group.labels)})" for group in attributes.sets)]
    )
    raise ValueError(f"Expected a label or measure among {known}, got {name}: this analyzer does not tell it.")


def _plain(name: str) -> str:
    return name.strip().lower().replace(" ", "_")


def _found(attributes: Attributes, row: list[float], threshold: float) -> list[tuple[LabelSet, str, float]]:
    """What is told of a face: of each set the likeliest label, or all from the threshold on."""
    found, start = [], 0
    for group in attributes.sets:
        named = list(zip(group.labels, row[start : start + len(group.labels)], strict=True))
        start += len(named)
        told = [max(named, key=lambda pair: pair[1])] if group.exclusive else [p for p in named if p[1] >= threshold]
        found += [(group, *pair) for pair in told]
    return found


def _rows(attributes: Attributes) -> list[tuple[str, list[float], list[float]]]:
    """Of each face: image and number in words, the probabilities, the measures."""
    faces: Faces = attributes.faces
    values = [[]] * len(faces) if attributes.values is None else attributes.values.tolist()
    whose = [f"{i} {n}" for i, n in zip(faces.image_index.tolist(), faces.id.tolist(), strict=True)]
    return list(zip(whose, attributes.probability.tolist(), values, strict=True))
