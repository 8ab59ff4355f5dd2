"""FAN against its authors' code on seeded weights, and its arithmetic number by number."""

import json
from pathlib import Path

import pytest
import torch

import golden
import seeding
from likeness import landmark
from likeness.landmark.canonical import IBUG68, mirror
from likeness.landmark.fan import dots, peaks
from likeness.landmark.ibug import MIRRORED
from likeness.landmark.windows import cut_windows, windows
from likeness.types import Faces
from likeness.weights import UnsupportedCheckpointError, build, join

CHECKPOINT = Path(__file__).parents[1] / "checkpoints/fan"
GOLDEN = CHECKPOINT / "golden.json"
# The faces of the golden, in pixels from the picture's corner; the second goes over its border.
FACES = torch.tensor([[120.3, 90.7, 240.3, 221.275], [-20.6, 30.4, 99.4, 160.975]], dtype=torch.float64)


def layout(name: str) -> dict[str, torch.Tensor]:
    return golden.state_dict(CHECKPOINT / f"{name}.tsv")


@pytest.fixture(scope="module")
def network():
    """With the depth network."""
    return build(join({"": layout("fan_3dfan4"), "depth": layout("fan_depth")}), landmark.SYSTEMS)


@pytest.fixture(scope="module")
def flat(network):
    """Without the depth network: the same tensors."""
    tensors = {name: tensor for name, tensor in network.state_dict().items() if not name.startswith("depth.")}
    return build(tensors, landmark.SYSTEMS)


@pytest.fixture(scope="module")
def arithmetic():
    return json.loads((CHECKPOINT / "arithmetic.json").read_text())


def picture() -> torch.Tensor:
    """(1, 300, 400, 3) of whole numbers of 255."""
    return ((seeding.noise("picture", torch.Size([300, 400, 3])) + 1) * 127.5).round().float()[None] / 255


def faces(box: torch.Tensor, size: tuple[int, int] = (300, 400)) -> Faces:
    """Faces whose boxes count from the picture's corner."""
    count = len(box)
    index = torch.arange(count)
    return Faces(size, 1, index, index * 0, (box - 0.5).float(), torch.ones(count))


def test_the_heatmaps_are_the_authors(flat):
    crops = seeding.noise("crops", torch.Size([1, 3, 64, 64])).float() / 2 + 0.5
    assert golden.difference(GOLDEN, "heatmaps", flat(crops)) < 1e-4


def test_the_depths_are_the_authors(network):
    assert network.depth.layer3[35].conv3.weight.shape == (1024, 256, 1, 1)
    dotted = seeding.noise("dotted", torch.Size([1, 71, 256, 256])).float() / 2 + 0.5
    assert golden.difference(GOLDEN, "depths", network.depth(dotted)) < 1e-4


def test_from_picture_to_points_it_is_the_authors(network):
    """Cut, mirrored, averaged, decoded on whole pixels, dotted and given depth; ours is negative towards the viewer."""
    landmark.choose(network, flip="on", decode="reference")
    found = network.landmarks(picture(), faces(FACES)).points
    assert found.dtype == torch.float32
    x, y, z = found.unbind(-1)
    assert golden.difference(GOLDEN, "x", x) < 1e-4
    assert golden.difference(GOLDEN, "y", y) < 1e-4
    assert golden.difference(GOLDEN, "z", -z) < 1e-4


def test_windows_are_cut_where_the_authors_cut_them(arithmetic):
    place, size = seeding.noise("boxes", torch.Size([2, 400, 2]))
    sides, middle = 8 * 150 ** ((size + 1) / 2), (place + 0.5) * 1000
    where = windows(torch.cat([middle - sides / 2, middle + sides / 2], -1) - 0.5)
    assert torch.cat([where.first, where.last], -1).tolist() == arithmetic["windows"]


def test_crops_are_the_authors_to_a_step_of_255(arithmetic):
    """Theirs are rounded to whole numbers; the second goes over two borders, the third is 16 pixels wide."""
    for kept in arithmetic["crops"]:
        box = torch.tensor([kept["box"]], dtype=torch.float64)
        crop = cut_windows(picture(), torch.zeros(1, dtype=torch.int64), windows(box - 0.5))[0] * 255
        assert list(crop.shape) == kept["shape"]
        torch.testing.assert_close(
            crop.flatten()[:: kept["step"]], torch.tensor(kept["values"]).float(), atol=1, rtol=0
        )


def test_peaks_are_the_authors(arithmetic):
    heatmaps = seeding.noise("peaks", torch.Size([6, 68, 64, 64])).float()
    assert (peaks(heatmaps, "reference") * 4).int().flatten().tolist() == arithmetic["peaks"]


def test_dots_are_drawn_where_the_authors_draw_them(arithmetic):
    """Beside their place at the left and upper border, as theirs are."""
    places = [(128.5, 100.25), (2.25, 3.75), (5.5, 5.0), (7.0, 6.5), (250.5, 253.25), (254.0, 128.0), (1.75, 254.0)]
    drawn = dots(torch.tensor([places]))[0]
    for dot, kept in zip(drawn, arithmetic["dots"], strict=True):
        for axis, first, sums in zip((0, 1), kept["first"], kept["sums"], strict=True):
            line = dot.sum(axis)
            assert (line > 0).nonzero()[[0, -1], 0].tolist() == [first, first + len(sums) - 1]
            torch.testing.assert_close(line[line > 0], torch.tensor(sums), atol=1e-4, rtol=1e-5)


def bumps(places: torch.Tensor, spread: float = 1.75) -> torch.Tensor:
    """(N, P, 64, 64) what a sure network gives for (N, P, 2) places, in cells from the map's corner."""
    cells = torch.arange(64) + 0.5
    x, y = (torch.exp(-(((cells - places[..., axis, None]) / spread) ** 2) / 2) for axis in (0, 1))
    return y[..., None] * x[:, :, None]


def test_points_between_pixels_are_found_nearer_than_the_authors_do():
    """The two errors of the help page, in thousandths of the window's side."""
    places = 10 + (seeding.noise("places", torch.Size([20, 68, 2])).float() + 1) * 22
    error = {
        how: float((peaks(bumps(places), how) - places).norm(dim=-1).mean() / 64 * 1000)
        for how in ("subpixel", "reference")
    }
    assert error["subpixel"] < 0.35
    assert 2.8 < error["reference"] < 3.2


def test_a_peak_at_the_border_stays_in_its_cell():
    heatmaps = torch.zeros(1, 2, 64, 64)
    heatmaps[0, 0, 0, 10], heatmaps[0, 1, 63, 63] = 1, 1
    for how in ("subpixel", "reference"):
        assert peaks(heatmaps, how)[0].tolist() == [[10.5, 0.5], [63.5, 63.5]]


def test_whole_pixels_differ_from_places_between_them_by_less_than_the_cut(network, flat):
    """The authors forget how the window was made whole: up to a pixel and a half of the picture here."""
    where = windows((FACES - 0.5).float())
    share = (seeding.noise("share", torch.Size([2, 68, 2])).float() + 1) / 2
    assert float((where.place(share) - where.place_whole(share)).abs().max()) < 2


def test_a_mirrored_crop_has_mirrored_heatmaps(flat):
    crops = seeding.noise("crops", torch.Size([1, 3, 64, 64])).float() / 2 + 0.5
    landmark.choose(flat, flip="on")
    there, back = flat.heatmaps(crops), flat.heatmaps(crops.flip(-1))[:, list(MIRRORED)].flip(-1)
    torch.testing.assert_close(there, back, atol=1e-4, rtol=1e-4)
    landmark.choose(flat, flip="off")
    assert torch.equal(flat.heatmaps(crops), flat(crops))
    landmark.choose(flat, flip="on")


def test_mirrored_points_are_those_of_the_mesh():
    assert [MIRRORED[i] for i in MIRRORED] == list(range(68))
    mesh = list(IBUG68)
    assert [mirror()[mesh[i]].item() for i in range(68)] == [mesh[i] for i in MIRRORED]


def test_channels_are_red_green_blue(flat):
    """The verb hands a crop on as it is."""
    landmark.choose(flat, flip="off")
    seen = []
    handle = flat.conv1.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    flat.landmarks(torch.tensor([1.0, 0, 0]).expand(1, 300, 400, 3), faces(FACES[:1]))
    handle.remove()
    landmark.choose(flat, flip="on")
    assert seen[0].amax((0, 2, 3)).tolist() == [1, 0, 0]


@pytest.mark.parametrize("count", [0, 1, 2])
def test_every_face_has_68_points_within_its_window(flat, count):
    landmark.choose(flat, flip="off", decode="subpixel")
    found = flat.landmarks(picture(), faces(FACES[:count]))
    assert (found.scheme, found.points.shape, found.score.shape) == ("ibug68", (count, 68, 2), (count, 68))
    where = windows((FACES[:count] - 0.5).float())
    assert bool((found.points >= where.first[:, None] - 0.5).all())
    assert bool((found.points <= where.last[:, None] - 0.5).all())
    assert count == 0 or 0 <= float(found.score.min()) <= float(found.score.max()) <= 1
    landmark.choose(flat, flip="on")


def test_a_face_of_8_pixels_one_outside_and_one_larger_than_the_picture_have_windows():
    box = torch.tensor([[200.0, 100, 208, 108], [-900, -900, -800, -800], [-500, -500, 900, 900], [50, 50, 50, 50]])
    crops = cut_windows(picture(), torch.zeros(4, dtype=torch.int64), windows(box))
    assert crops.shape == (4, 256, 256, 3)
    assert [bool(crop.any()) for crop in crops] == [True, False, True, True]


def test_boxes_that_are_no_numbers_are_refused():
    with pytest.raises(ValueError, match=r"Expected boxes in pixels, got \[nan"):
        windows(torch.tensor([[torch.nan, 0, 1, 1]]))


def test_a_choice_that_a_system_does_not_leave_is_refused(flat):
    with pytest.raises(ValueError, match="Expected auto or on, off for flip of FAN, got maybe"):
        landmark.choose(flat, flip="maybe")
    with pytest.raises(ValueError, match="Expected auto for decode of Linear, got reference: only FAN"):
        landmark.choose(torch.nn.Linear(1, 1), flip="auto", decode="reference")


def test_the_depth_file_alone_is_refused():
    with pytest.raises(UnsupportedCheckpointError, match="Not a checkpoint of mediapipe_face, fan"):
        build(
            {name: torch.zeros(1) for name in ("conv1.weight", "layer1.0.conv1.weight", "fc.weight")}, landmark.SYSTEMS
        )
