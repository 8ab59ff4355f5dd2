"""DirectMHP against its authors' code on seeded weights: rows, boxes, and where heads turn by the house's signs."""

import json
import math

import pytest
import torch

import golden
import seeding
from likeness import detect
from likeness.detect.directmhp import GREY, choose, house_angles, letterbox
from likeness.landmark.procrustes import angles_to_rotation
from likeness.weights import UnsupportedCheckpointError, build

FOLDER = golden.FOLDER / "directmhp"
SIZES = ("s", "m")
THRESHOLD = 0.6
# The columns of a row, apart: an angle is small beside a place in pixels.
GROUPS = {"centre": slice(0, 2), "size": slice(2, 4), "surety": slice(4, 6), "pitch": 6, "yaw": 7, "roll": 8}


@pytest.fixture(scope="module", params=SIZES)
def proved(request):
    """A network, and its golden file."""
    layout = FOLDER / f"directmhp_agora_{request.param}.tsv"
    kept = layout.with_suffix(".json")
    return golden.network(layout, detect.SYSTEMS, kept), kept


@pytest.fixture(scope="module")
def network():
    layout = FOLDER / "directmhp_agora_s.tsv"
    return golden.network(layout, detect.SYSTEMS, layout.with_suffix(".json"))


@pytest.fixture(scope="module")
def picture():
    """(1, H, W, 3) in [0, 1]."""
    return ((seeding.noise("picture", torch.Size([80, 128, 3])) + 1) * 127.5).round().float()[None] / 255


def test_each_column_of_its_rows_is_the_authors(proved, picture):
    network, kept = proved
    x, _, _ = letterbox(picture[0], 128)
    with torch.inference_mode():
        rows = network(x[None])[0]
    apart = {name: golden.difference(kept, name, rows[:, columns]) for name, columns in GROUPS.items()}
    assert max(apart.values()) < 1e-4, apart


def test_its_boxes_and_angles_are_the_authors_and_pixel_centres_are_whole(proved, picture):
    """The authors count from the picture's corner."""
    network, kept = proved
    with torch.inference_mode():
        pose = network.heads(picture, THRESHOLD, 128)
        rows = choose(network(letterbox(picture[0], 128)[0][None])[0], THRESHOLD)
    assert golden.difference(kept, "boxes", pose.faces.bbox + 0.5) < 1e-4
    assert golden.difference(kept, "scores", pose.faces.score) < 1e-4
    assert golden.difference(kept, "angles", rows[:, 6:]) < 1e-4
    for got, angle in zip((pose.yaw, pose.pitch, pose.roll), house_angles(rows[:, 6:]), strict=True):
        assert torch.equal(got, angle)
    assert pose.faces.score.tolist() == sorted(pose.faces.score.tolist(), reverse=True)


def test_the_golden_names_its_source():
    for size in SIZES:
        source = json.loads((FOLDER / f"directmhp_agora_{size}.json").read_text())
        assert source["repository"].endswith("hnuzhy/DirectMHP")


def published(pitch: float, yaw: float, roll: float) -> torch.Tensor:
    """(1, 3) as the network gives angles in degrees."""
    return torch.tensor([[pitch / 180, yaw / 360, roll / 180]]) + 0.5


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ((0, 0, 0), (0, 0, 0)),
        ((0, -40, 0), (40, 0, 0)),  # theirs turns to the image's left
        ((25, 0, 0), (0, 25, 0)),
        ((0, 0, 30), (0, 0, 30)),
        ((0, 150, 0), (-150, 0, 0)),  # seen from behind
        ((0, 179, 10), (-179, 0, -10)),  # from behind the other way round
    ],
    ids=str,
)
def test_one_angle_alone_keeps_its_size(theirs, ours):
    """Ours: yaw nose right, pitch nose up, roll clockwise."""
    got = torch.cat(house_angles(published(*theirs)))
    torch.testing.assert_close(got, torch.tensor(ours, dtype=torch.float32), atol=0.2, rtol=0)


@pytest.mark.parametrize("triple", [(20, 60, 30), (-35, 120, -15), (10, -170, 40), (-60, -95, 5)], ids=str)
def test_several_angles_turn_the_axes_as_the_authors_draw_them(triple):
    """Their drawing: the head's x, y and nose axes in pixels right and down, for pitch p, yaw -y and roll r."""
    p, y, r = (math.radians(angle) for angle in (triple[0], -triple[1], triple[2]))
    drawn = torch.tensor(
        [
            [math.cos(y) * math.cos(r), math.cos(p) * math.sin(r) + math.cos(r) * math.sin(p) * math.sin(y)],
            [-math.cos(y) * math.sin(r), math.cos(p) * math.cos(r) - math.sin(p) * math.sin(y) * math.sin(r)],
            [math.sin(y), -math.cos(y) * math.sin(p)],
        ]
    )
    yaw, pitch, roll = house_angles(published(*triple))
    assert float(pitch.abs() + roll.abs()) <= 180
    axes = angles_to_rotation(yaw, pitch, roll)[0] @ torch.diag(torch.tensor([1.0, -1, 1]))  # y down
    torch.testing.assert_close((axes[:2] * torch.tensor([[1.0], [-1]])).T, drawn, atol=1e-5, rtol=0)


def test_a_mirrored_head_turns_the_other_way():
    angles = seeding.noise("angles", torch.Size([50, 3])).float() * 0.45 + 0.5
    yaw, pitch, roll = house_angles(angles)
    other = house_angles(torch.stack([angles[:, 0], 1 - angles[:, 1], 1 - angles[:, 2]], 1))
    for got, wanted in zip(other, (-yaw, pitch, -roll), strict=True):
        torch.testing.assert_close((got - wanted + 180) % 360, torch.full((50,), 180.0), atol=1e-2, rtol=0)
    assert yaw.abs().max() > 120
    for angle in (yaw, pitch, roll):
        assert bool(((angle >= -180) & (angle <= 180)).all())


def test_a_red_picture_has_its_red_first_and_grey_around_it():
    x, ratio, corner = letterbox(torch.tensor([1.0, 0, 0]).expand(40, 100, 3), 64)
    assert (tuple(x.shape), corner.tolist()) == ((3, 64, 64), [0, 19])
    assert ratio.tolist() == pytest.approx([100 / 64, 40 / 26])
    torch.testing.assert_close(x[:, 32, 32], torch.tensor([1.0, 0, 0]))
    torch.testing.assert_close(x[:, 0, 0], torch.full((3,), GREY))


def test_of_heads_that_overlap_the_surest_is_kept():
    rows = torch.zeros(4, 9)
    rows[:, :4] = torch.tensor([[10.0, 10, 8, 8], [11, 10, 8, 8], [40, 40, 8, 8], [70, 70, 8, 8]])
    rows[:, 4], rows[:, 5] = torch.tensor([0.9, 1.0, 0.8, 0.8]), torch.tensor([0.9, 0.9, 1.0, 0.5])
    kept = choose(rows, 0.6)
    assert kept[:, 4].tolist() == pytest.approx([0.9, 0.8])
    assert kept[:, 0].tolist() == [11, 40]


@pytest.mark.parametrize("size", [(0, 40, 30), (1, 1, 1), (2, 1, 90), (1, 8, 8)], ids=str)
def test_pictures_of_any_size_are_taken(network, size):
    with torch.inference_mode():
        pose = network.heads(torch.zeros(*size, 3), 0.999, 64)
    assert (pose.faces.image_count, pose.faces.image_size, pose.faces.kps) == (size[0], size[1:], None)


def test_frames_give_together_what_they_give_alone_and_boxes_stay_inside(network, picture):
    frames = torch.cat([picture, picture.flip(1)])
    with torch.inference_mode():
        both = network.heads(frames, THRESHOLD, 128)
        for index in range(2):
            alone = network.heads(frames[index : index + 1], THRESHOLD, 128)
            assert torch.equal(both.faces.images(index, index + 1).bbox, alone.faces.bbox)
            assert torch.equal(both.yaw[both.faces.image_index == index], alone.yaw)
    assert bool((both.faces.bbox >= -0.5).all())
    assert bool((both.faces.bbox <= torch.tensor([127.5, 79.5, 127.5, 79.5])).all())
    with torch.inference_mode():
        assert torch.equal(network.detect(frames, THRESHOLD, 128).bbox, both.faces.bbox)


def test_a_yolo_that_finds_something_else_is_refused():
    layout = FOLDER / "directmhp_agora_s.tsv"
    tensors = golden.state_dict(layout, layout.with_suffix(".json"))
    tensors |= {name: tensor[:18] for name, tensor in tensors.items() if name.startswith("model.33.m.")}
    with pytest.raises(UnsupportedCheckpointError, match="whose boxes have 9 numbers, got a YOLOv5 with 6"):
        build(tensors, detect.SYSTEMS)
