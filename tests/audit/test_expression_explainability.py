"""Masks after Ekman, Otsu, overlap and the published table, against what the authors' code gave."""

import base64
import json
import math
import os
import re
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import explaining_cases as cases
from likeness.audit import ekman, overlap
from likeness.audit.canonical_warp import CANONICAL, with_border
from likeness.audit.expression_explainability import compare, report, stretched_mean

ROOT = Path(__file__).parents[2]
GOLDEN = json.loads((ROOT / "tests/checkpoints/expression_explainability/golden.json").read_text())
AUTHORS = Path(os.environ.get("EKMAN_EXPRESSIONS", ROOT.parent / "ekman_expressions"))
FOLDS = 5


def unpacked(text: str, *shape: int) -> torch.Tensor:
    bits = np.unpackbits(np.frombuffer(zlib.decompress(base64.b64decode(text)), np.uint8))
    return torch.from_numpy(bits[: math.prod(shape)].reshape(shape).astype(bool))


def read(path: Path) -> torch.Tensor:
    return torch.from_numpy(np.array(Image.open(path).convert("L")))


@pytest.fixture(scope="module")
def authors():
    if not (AUTHORS / "heatmaps/GRAY").is_dir():
        pytest.skip(
            f"no heat maps in {AUTHORS}: lay a checkout of https://github.com/Xavi3398/ekman_expressions there, or "
            "name one in EKMAN_EXPRESSIONS, and the published table is made again"
        )
    return AUTHORS


def test_the_canonical_points_are_the_authors():
    assert with_border(CANONICAL).tolist() == GOLDEN["points"]


@pytest.mark.parametrize("expression", ekman.EXPRESSIONS)
def test_a_mask_is_the_authors_but_for_the_line_that_they_draw_around_it(expression):
    """Measured IoU: 0.989, 0.989, 0.991, 0.977, 0.984, 0.985, in the order of the expressions."""
    ours, theirs = ekman.canonical_mask(expression) > 0, unpacked(GOLDEN["masks"][expression], 275, 224)
    found = overlap.overlap(ours, theirs)
    assert found.precision == 1
    assert found.iou > 0.975


def test_an_expression_that_is_none_of_the_six_is_answered_with_them():
    with pytest.raises(ValueError, match=r"among anger, .*surprise, got contempt"):
        ekman.canonical_mask("contempt")


def test_otsu_and_overlap_are_the_authors():
    rows = zip(cases.heat_maps(), cases.masks(), GOLDEN["overlaps"], strict=True)
    for heat, mask, (at, *expected, alike) in rows:
        level = torch.from_numpy(heat)
        hot, cut = overlap.threshold(level.float() / 255)
        assert round(cut * 255) == at
        assert torch.equal(hot, level > at)
        found = overlap.overlap(hot, torch.from_numpy(mask))
        assert [found.iou, found.f1, found.precision, found.recall] == pytest.approx(expected)
        assert overlap.correlation(level, torch.from_numpy(mask)) == pytest.approx(alike, abs=1e-6)


def test_every_level_of_a_picture_survives_a_float():
    level = torch.arange(256)
    assert torch.equal(overlap.levels(level.float() / 255), level)
    assert torch.equal(overlap.levels((level.float() / 255).half()), level)


def test_a_flat_map_is_nowhere_hot_and_its_shares_are_unknown():
    for value in (0.0, 0.5, 1.0):
        hot, _ = overlap.threshold(torch.full((8, 8), value))
        assert not hot.any()
    found = overlap.overlap(hot, torch.ones(8, 8, dtype=torch.bool))
    assert math.isnan(found.precision)
    assert (found.iou, found.recall, found.f1) == (0, 0, 0)
    assert math.isnan(overlap.correlation(torch.ones(4, 4), torch.rand(4, 4)))


def test_the_published_tables_are_made_again(authors):
    """72 cells each of IoU, F1, precision and recall, the mean of five folds, to four decimals."""
    names = [name.title() for name in ekman.EXPRESSIONS]
    published: dict[str, list[list[float]]] = {}
    for line in (authors / "README.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip(" *") for cell in line.strip().strip("|").split("|")]
        if re.fullmatch(r"\w+", cells[0]) and re.fullmatch(r"\d[.,]\d{4}", cells[-1]):
            published.setdefault(cells[0], []).append([float(cell.replace(",", ".")) for cell in cells[1:]])
    assert len(published) == 12
    masks = torch.stack([read(authors / f"heatmaps/GROUND_TRUTH/{name}_gt.png") for name in names]) / 255
    folder, checked = authors / "heatmaps/GRAY/heatmaps_by_cv", 0
    for net, (first, second) in published.items():
        for number, name in enumerate(names):
            folds = [read(folder / f"{net}_CV{fold + 1}_{name}_heatmap.png") for fold in range(FOLDS)]
            fold_names = [f"{net} {fold}" for fold in range(FOLDS)]
            rows = compare(torch.stack(folds) / 255, masks[number : number + 1], fold_names, [name], False, None)
            means = [np.mean([getattr(r.overlap, key) for r in rows]) for key in ("iou", "f1", "precision", "recall")]
            expected = [*first[2 * number : 2 * number + 2], *second[2 * number : 2 * number + 2]]
            assert means == pytest.approx(expected, abs=0.5001e-4), (net, name)
            checked += 1
    assert checked == 72


def test_every_published_heat_map_is_cut_as_opencv_cut_it(authors):
    files = sorted((authors / "heatmaps/GRAY").glob("*/*.png"))
    different = [
        file.name
        for file in files
        if not torch.equal(
            overlap.threshold(read(file) / 255)[0],
            read(authors / "heatmaps/THRESHOLD" / file.parent.name / file.name) > 0,
        )
    ]
    assert len(files) == 438
    assert different == []


def test_our_masks_give_nearly_the_published_table(authors):
    """With masks drawn here, not theirs, the largest of the 72 IoU moves by 0.010."""
    worst = 0.0
    for name in ekman.EXPRESSIONS:
        pair = torch.stack(
            [ekman.canonical_mask(name), read(authors / f"heatmaps/GROUND_TRUTH/{name.title()}_gt.png") / 255]
        )
        for file in sorted((authors / "heatmaps/GRAY/heatmaps_by_net").glob(f"*_{name.title()}_heatmap.png")):
            ours, theirs = compare(read(file)[None] / 255, pair, [file.stem], ["ours", "theirs"], True, None)
            worst = max(worst, abs(ours.overlap.iou - theirs.overlap.iou))
    assert worst < 0.015


def heats() -> torch.Tensor:
    return torch.stack([torch.from_numpy(heat) for heat in cases.heat_maps()[:3]]) / 255


def test_pairs_go_one_by_one_or_each_with_each():
    heat, masks = heats(), torch.stack([torch.from_numpy(mask) for mask in cases.masks()[:3]]).float()
    names, mask_names = ["a", "b", "c"], ["x", "y", "z"]
    assert [(r.heat, r.mask) for r in compare(heat, masks, names, mask_names, False, None)] == [
        ("a", "x"),
        ("b", "y"),
        ("c", "z"),
    ]
    every = compare(heat, masks, names, mask_names, True, 0.5)
    assert len(every) == 9
    assert {row.at for row in every} == {0.5}
    assert [row.mask for row in compare(heat, masks[:1], names, ["x"], False, None)] == ["x"] * 3


def test_masks_of_another_size_or_number_are_refused():
    heat = heats()
    with pytest.raises(ValueError, match=r"of one size, got 44 x 55 and 8 x 9: bring both"):
        compare(heat, torch.zeros(1, 9, 8), ["a"] * 3, ["x"], False, None)
    with pytest.raises(ValueError, match=r"1 or 3 masks for 3 heat maps, got 2: compare each with each"):
        compare(heat, torch.zeros(2, 55, 44), ["a"] * 3, ["x", "y"], False, None)


def test_the_report_has_the_pairs_the_likeness_of_heat_maps_and_its_limits():
    heat = torch.cat([heats(), torch.zeros(1, 55, 44)])
    names = ["a", "b", "c", "flat"]
    mask = torch.from_numpy(cases.masks()[0]).float()[None]
    made = report(compare(heat, mask, names, ["x"], False, None), heat, names)
    text = made.markdown()
    assert made.table.names[:4] == ("heat map", "mask", "IoU", "F1")
    assert "Flat, nothing is hot: flat." in text
    assert "cut by Otsu" in text
    alike = made.sections[1].table
    assert [alike[name][row] for row, name in enumerate(names[:3])] == pytest.approx([1, 1, 1])
    assert made.figure(600).shape[-1] == 3


def test_the_mean_of_many_maps_is_stretched():
    mean = stretched_mean(heats())
    assert mean.shape == (1, 55, 44)
    assert (mean.min(), mean.max()) == (0, 1)
