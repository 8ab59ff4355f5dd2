import pytest
import torch

from likeness.parse import CLASSES, GROUPS, find_classes, mesh_regions, rtnet, to_mask
from likeness.types import Alignment, Faces, ParsingMap

SPLIT = ("background", "skin", "upper_lip", "lower_lip", "left_eye", "left_iris")
WHOLE = ("background", "skin", "lips", "hair", "hat")


def parsing(labels: torch.Tensor, matrix: torch.Tensor, size: tuple[int, int]) -> ParsingMap:
    zero = torch.zeros(1, dtype=torch.int64)
    faces = Faces(size, 1, zero, zero, torch.zeros(1, 4), torch.ones(1))
    alignment = Alignment(faces, matrix[None], "here", labels.shape[-1])
    return ParsingMap(faces, alignment, ("background", "skin"), labels[None].to(torch.uint8))


def test_the_vocabulary_has_every_group_and_the_mesh_no_other_word():
    assert {name for group in GROUPS.values() for name in group} <= set(CLASSES)
    assert set(mesh_regions.NAMES) <= set(CLASSES)
    assert set(rtnet.CLASSES) <= set(CLASSES)


@pytest.mark.parametrize(
    ("names", "classes", "expected"),
    [
        (["lips"], SPLIT, ("upper_lip", "lower_lip")),
        (["lips"], WHOLE, ("lips",)),
        (["eyes", "left_eye"], SPLIT, ("left_eye", "left_iris")),
        (["left_eye"], SPLIT, ("left_eye",)),
        (["face"], WHOLE, ("skin", "lips")),
        (["all"], SPLIT, SPLIT[1:]),
        (["person"], WHOLE, ("skin", "lips", "hair", "hat")),
        (["person"], ("background", "person"), ("person",)),
        (["background"], WHOLE, ("background",)),
    ],
)
def test_a_name_asks_for_what_a_system_has_of_it(names, classes, expected):
    assert set(find_classes(names, classes)) == set(expected)


@pytest.mark.parametrize(
    ("name", "classes"), [("upper_lip", WHOLE), ("hair", SPLIT), ("person", SPLIT), ("chin", SPLIT)]
)
def test_a_class_is_never_split_by_guess(name, classes):
    with pytest.raises(ValueError, match=f"Expected regions among .*, got {name}: this parser does not tell it apart"):
        find_classes([name], classes)


def test_labels_come_back_to_where_they_were_cut():
    labels = torch.zeros(8, 8)
    labels[2:6, 2:6] = 1
    shifted = torch.tensor([[1.0, 0, -3], [0, 1, -5]])  # the square begins at (3, 5)
    mask = to_mask(parsing(labels, shifted, (20, 30)), "skin")
    assert mask.shape == (1, 20, 30)
    assert mask[0, 7:11, 5:9].min() > 0.5
    assert mask.sum() == pytest.approx(16, rel=0.15)
    assert not mask[0, :4].any()


def test_fine_labels_in_a_small_picture_cover_their_area():
    labels = torch.zeros(512, 512)
    labels[128:384, 128:384] = 1
    tenth = torch.tensor([[10.0, 0, 0], [0, 10, 0]])
    mask = to_mask(parsing(labels, tenth, (60, 60)), "skin")
    assert mask.sum() == pytest.approx(25.6**2, rel=0.03)


def test_a_square_outside_the_picture_leaves_it_empty():
    away = torch.tensor([[1.0, 0, -900], [0, 1, 0]])
    assert not to_mask(parsing(torch.ones(8, 8), away, (20, 30)), "skin").any()
