"""CRFR-P's patches: the authors' with the same draws, and what the method promises with any."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import fsfm_cases as cases
from likeness.embed.fsfm import windows
from likeness.parse import crfrp, to_mask
from likeness.types import Alignment, Faces, ParsingMap

THEIRS = json.loads((Path(__file__).parents[1] / "checkpoints/fsfm/crfrp.json").read_text())["masks"]


def parsed(labels: torch.Tensor, classes=cases.LAPA) -> ParsingMap:
    """Faces whose own crop, FSFM's, is the whole picture of 224 pixels."""
    count = len(labels)
    index = torch.arange(count)
    side = 223 / crfrp.RATIO  # any box whose square is the picture
    box = torch.tensor([[0.0, 0, side, side]]).expand(count, 4)
    faces = Faces((224, 224), count, index * 0, index, box, torch.ones(count))
    assert windows(faces).tolist() == [[0, 0, 224]] * count
    matrix = torch.eye(2, 3).expand(count, 2, 3)
    return ParsingMap(faces, Alignment(faces, matrix, "box", 224), classes, labels.to(torch.uint8))


@pytest.mark.parametrize("case", THEIRS)
def test_patches_are_the_authors(case):
    region, name = case.split()
    made = crfrp.mask_faces(parsed(cases.parsings()[name][None]), region, seed=cases.SEED)
    both = torch.cat([made.hidden, made.covered]).flatten().int().tolist()
    assert "".join(map(str, both)) == THEIRS[case]


@pytest.mark.parametrize("name", cases.parsings())
@pytest.mark.parametrize("region", ["random", *crfrp.COVERED])
@pytest.mark.parametrize("ratio", [0.3, 0.75])
def test_the_share_is_reached_and_the_region_hidden(name, region, ratio):
    made = crfrp.mask_faces(parsed(cases.parsings()[name].repeat(3, 1, 1)), region, ratio, seed=5)
    labels, _ = crfrp.to_crops(parsed(cases.parsings()[name][None]))
    groups = crfrp.find_patches(labels[0], 16)
    for row, chosen in enumerate(made.regions):
        assert int(made.hidden[row].sum()) == int(ratio * 196)
        assert not (made.covered[row] & ~made.hidden[row]).any()
        whole = groups[chosen].reshape(14, 14)
        if int(whole.sum()) <= int(ratio * 196):
            assert torch.equal(made.covered[row], whole)
        else:
            assert not (made.hidden[row] & ~whole).any()


def test_other_regions_are_hidden_in_proportion():
    labels, _ = crfrp.to_crops(parsed(cases.parsings()["face"][None]))
    hair = crfrp.find_patches(labels[0], 16)["hair"].reshape(14, 14)
    shares = [
        float(
            crfrp.mask_faces(parsed(cases.parsings()["face"][None]), "eyes", seed=seed).hidden[0][hair].float().mean()
        )
        for seed in range(20)
    ]
    assert 0.7 < sum(shares) / 20 < 0.8


def test_a_seed_gives_the_same_patches_and_faces_draw_for_themselves():
    two = parsed(cases.parsings()["face"].repeat(2, 1, 1))
    made, again, other = (crfrp.mask_faces(two, seed=seed) for seed in (3, 3, 4))
    assert torch.equal(made.hidden, again.hidden)
    assert not torch.equal(made.hidden, other.hidden)
    assert not torch.equal(made.hidden[0], made.hidden[1])
    first = crfrp.mask_faces(two.select(torch.tensor([0])), seed=3)
    assert torch.equal(first.hidden[0], made.hidden[0])
    drawn = {crfrp.mask_faces(two, seed=seed).regions[0] for seed in range(40)}
    assert drawn == set(crfrp.COVERED)


def test_a_mask_lies_on_what_it_hides():
    made = crfrp.mask_faces(parsed(cases.parsings()["face"][None]), "nose")
    nose = to_mask(parsed(cases.parsings()["face"][None]), "nose")[0] > 0.6
    assert bool((made.squares(made.covered)[0][nose] == 1).all())
    assert made.squares(made.hidden).shape == (1, 224, 224)
    assert made.squares(made.hidden).mean().item() == pytest.approx(0.75)


def test_what_the_parser_does_not_see_is_background():
    """A parser's crop that holds the middle of the face only."""
    whole = parsed(cases.parsings()["face"][None])
    inner = whole.labels[:, 56:168, 56:168]
    matrix = torch.tensor([[[1.0, 0, -56], [0, 1, -56]]])
    part = replace(whole, alignment=Alignment(whole.faces, matrix, "box", 112), labels=inner)
    crops, _ = crfrp.to_crops(part)
    expected, _ = crfrp.to_crops(whole)
    assert torch.equal(crops[:, 56:168, 56:168], expected[:, 56:168, 56:168])
    outside = crops.clone()
    outside[:, 56:168, 56:168] = crfrp.PARTS.index("background")
    assert bool((outside == crfrp.PARTS.index("background")).all())


def test_nobody_has_no_patches():
    made = crfrp.mask_faces(parsed(torch.zeros(0, 224, 224)))
    assert made.hidden.shape == (0, 14, 14)
    assert made.regions == ()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"region": "chin"}, "Expected a region among random, brows, .*, got chin"),
        ({"ratio": 1.0}, "above 0 and below 1, got 1"),
        ({"patch": 15}, "whose side divides 224, .* got 15"),
    ],
)
def test_what_cannot_be_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        crfrp.mask_faces(parsed(cases.parsings()["face"][None]), **given)


def test_a_parser_of_whole_people_is_refused():
    with pytest.raises(ValueError, match=r"it lacks skin, brows, eyes, nose, mouth\. Take FaceXFormer or RTNet"):
        crfrp.mask_faces(parsed(torch.zeros(1, 224, 224), ("background", "person")))
