"""RTNet on seeded weights, as the authors' code gave it; its labels on pictures, by a network that knows colours."""

import json
from pathlib import Path

import pytest
import torch
from torch import nn

import factories
import golden
import roi_cases
import seeding
from likeness import parse
from likeness.geometry import move
from likeness.parse import rtnet
from likeness.parse.rtnet import CLASSES, RTNet, hparams, squares, warp
from likeness.roi_tanh import roi_tanh_polar_restore, roi_tanh_polar_warp
from likeness.types import Faces, ParsingMap
from likeness.weights import UnsupportedCheckpointError, build

CHECKPOINT = Path(__file__).parents[1] / "checkpoints/rtnet"
RTNET50, RTNET101 = (3, 4, 6, 3), (3, 4, 23, 3)
RELEASES = {
    "ibug_rtnet50_fcn_11": {"classes": 11, "depths": RTNET50, "detail": False},
    "ibug_rtnet50_fcn_14": {"classes": 14, "depths": RTNET50, "detail": False},
    "ibug_rtnet101_fcn_14": {"classes": 14, "depths": RTNET101, "detail": False},
    "ibug_resnet50_fcn_14": {"classes": 14, "depths": None, "detail": False},
    "ibug_resnet50_deeplabv3plus_14": {"classes": 14, "depths": None, "detail": True},
}
# An asymmetric face: what is where, and of which colour.
COLOURS = {"skin": (0.9, 0.8, 0.2), "left_eye": (1, 0, 0), "right_eye": (0, 0, 1), "left_brow": (0, 1, 0)}
COLOURS |= {"right_brow": (0, 1, 1), "hair": (0.4, 0, 0.4), "left_ear": (1, 0, 1)}


class KnowsColours(nn.Module):
    """In the place of a network: a pixel is of the class whose colour it has, black is background."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        colours = torch.tensor([COLOURS.get(name, (9.0, 9, 9)) for name in CLASSES])
        colours[0] = 0
        self.bgr = colours.flip(-1) * 2 - 1

    def forward(self, x: torch.Tensor, rois: torch.Tensor) -> torch.Tensor:
        return -30 * (x[:, None] - self.bgr[None, :, :, None, None]).square().sum(2)


@pytest.fixture
def colours():
    with torch.device("meta"):
        network = RTNet(14)
    known = KnowsColours()
    network.forward = known.forward
    network.encoder, network.decoder = known, nn.Identity()
    return network


def faces(*boxes: tuple[float, ...], size: tuple[int, int], image: tuple[int, ...] = ()) -> Faces:
    box, index = torch.tensor(boxes).reshape(-1, 4), torch.arange(len(boxes))
    where = torch.tensor(image or (0,) * len(boxes), dtype=torch.int64)
    return Faces(size, max(image, default=0) + 1, index, where, box, torch.ones(len(boxes)))


def drawn(height: int, width: int, *corners: tuple[int, int, int]) -> torch.Tensor:
    """(1, H, W, 3) black, with a face at each corner and of each width."""
    image = torch.zeros(1, height, width, 3)
    for left, top, side in corners:
        parts = {"hair": (-0.2, -0.3, 1.2, 1.0), "skin": (0, 0, 1, 1), "left_ear": (-0.15, 0.3, 0, 0.6)}
        parts |= {"left_eye": (0.1, 0.35, 0.4, 0.5), "right_eye": (0.65, 0.35, 0.85, 0.45)}
        parts |= {"left_brow": (0.1, 0.15, 0.4, 0.25), "right_brow": (0.6, 0.15, 0.9, 0.25)}
        for name, (x1, y1, x2, y2) in parts.items():
            rows = slice(max(round(top + y1 * side), 0), round(top + y2 * side))
            columns = slice(max(round(left + x1 * side), 0), max(round(left + x2 * side), 0))
            image[:, rows, columns] = torch.tensor(COLOURS[name])
    return image


def truth(image: torch.Tensor, name: str) -> torch.Tensor:
    return (image == torch.tensor(COLOURS[name])).all(-1)


def on_picture(parsing: ParsingMap) -> torch.Tensor:
    """(N, H, W) the labels nearest to the pixels of the picture, background where none are."""
    height, width = parsing.faces.image_size
    pixels = torch.stack(torch.meshgrid(torch.arange(width), torch.arange(height), indexing="xy"), -1).float()
    x, y = move(parsing.alignment.matrix, pixels.reshape(1, -1, 2)).round().long().unbind(-1)
    inside = (x >= 0) & (y >= 0) & (x < parsing.alignment.size) & (y < parsing.alignment.size)
    last = parsing.alignment.size - 1
    found = parsing.labels[torch.arange(len(x))[:, None], y.clamp(0, last), x.clamp(0, last)]
    return (found * inside).reshape(-1, height, width)


def overlap(mask: torch.Tensor, other: torch.Tensor) -> float:
    return float(torch.minimum(mask, other.float()).sum() / torch.maximum(mask, other.float()).sum())


@pytest.mark.parametrize("name", ["ibug_rtnet50_fcn_11", "ibug_resnet50_deeplabv3plus_14"])
def test_a_network_is_the_authors(name):
    network = golden.network(CHECKPOINT / f"{name}.tsv", parse.SYSTEMS)
    x = seeding.noise("pictures", torch.Size([1, 3, 97, 129])).float()
    with torch.inference_mode():
        logits = network(x, torch.tensor([[20.0, 12, 70, 91]]))
    assert golden.difference(CHECKPOINT / f"{name}.json", "logits", logits) < 1e-4


@pytest.mark.parametrize("name", RELEASES)
def test_a_release_shows_its_depths_classes_and_decoder(name):
    layout, _ = seeding.read_layout(CHECKPOINT / f"{name}.tsv")
    assert hparams(layout) == RELEASES[name]
    with torch.device("meta"):
        assert RTNet(**hparams(layout)).classes == CLASSES[: RELEASES[name]["classes"]]


def test_only_the_proportions_of_a_box_count_in_the_network():
    network = golden.network(CHECKPOINT / "ibug_rtnet50_fcn_11.tsv", parse.SYSTEMS)
    x = seeding.noise("pictures", torch.Size([1, 3, 65, 65])).float()
    with torch.inference_mode():
        some, same, other = (
            network(x, torch.tensor([box])) for box in ((0.0, 0, 20, 30), (7.0, 9, 11, 15), (0.0, 0, 30, 20))
        )
    torch.testing.assert_close(some, same, atol=1e-3, rtol=1e-3)
    assert (some - other).abs().max() > 0.1


def test_a_network_sees_blue_green_red_from_minus_1_to_1_and_black_outside():
    red = torch.tensor([1.0, 0.5, 0]).expand(90, 80, 3)
    x = warp(red, torch.tensor([50.0, 30, 70, 50]))
    assert x.shape == (1, 3, 513, 513)
    assert x[0, :, 0, 0].tolist() == pytest.approx([-1, 0, 1])
    assert x[0, :, 0, 512].tolist() == [-1, -1, -1]  # farther to the right than the picture goes


def test_an_asymmetric_face_has_its_left_on_the_left(colours):
    image = drawn(200, 240, (80, 60, 80))
    parsing = colours.parse(image, faces((80, 60, 160, 140), size=(200, 240)))
    for name in COLOURS:
        assert overlap(parse.to_mask(parsing, name)[0], truth(image, name)[0]) > 0.7, name
    assert parse.to_mask(parsing, "left_eye")[0].nonzero()[:, 1].max() < 120
    assert parse.to_mask(parsing, "right_brow")[0].nonzero()[:, 1].min() > 120
    assert overlap(parse.to_mask(parsing, "background")[0], (image == 0).all(-1)[0]) > 0.95


def test_a_mirrored_picture_has_mirrored_labels(colours):
    image = drawn(200, 241, (80, 60, 80))
    straight = colours.parse(image, faces((80, 60, 160, 140), size=(200, 241)))
    mirrored = colours.parse(image.flip(2), faces((80, 60, 160, 140), size=(200, 241)))
    assert (straight.labels[0, :200] == mirrored.labels[0, :200].flip(1)).float().mean() > 0.995


def test_labels_are_the_authors_on_the_whole_picture(colours):
    """Softmax, the background turned over before restoring and after, the largest: as FaceParser.restore_warp does."""
    image, box = factories.photo(150, 200, 3)[None], torch.tensor([[60.0, 40, 130, 120]])
    x = roi_tanh_polar_warp(image.flip(-1).movedim(-1, 1), box, 513, 513, keep_aspect_ratio=True) * 2 - 1
    share = colours(x, box).softmax(1)
    share[:, 0] = 1 - share[:, 0]
    share = roi_tanh_polar_restore(share, box, 200, 150, keep_aspect_ratio=True)
    share[:, 0] = 1 - share[:, 0]
    parsing = colours.parse(image, faces((60, 40, 130, 120), size=(150, 200)))
    assert parsing.alignment.matrix[0].tolist() == [[1, 0, 0], [0, 1, 0]]
    assert (parsing.labels[0, :150, :200] == share.argmax(1)[0]).float().mean() > 0.9999  # where two classes are equal


def test_a_photo_is_parsed_as_the_authors_parser_parses_it(colours):
    """With one linear map for a network on both sides; theirs rounds the warped picture to bytes."""
    colours.forward = lambda x, rois: roi_cases.linear_logits(x)
    parsing = colours.parse(factories.read_photo("astronaut"), faces(*roi_cases.PHOTO_BOXES, size=(512, 512)))
    labels = on_picture(parsing)
    shares = torch.stack([(labels == number).double().mean((1, 2)) for number in range(14)], 1)
    theirs = json.loads((CHECKPOINT / "parsing.json").read_text())["outputs"]
    assert golden.difference(CHECKPOINT / "parsing.json", "shares", shares) < 0.005
    seen = labels[:, ::5, ::7].flatten()[:: theirs["labels"]["step"]]
    assert len(seen.unique()) > 3
    assert (seen.double() == torch.tensor(theirs["labels"]["values"])).double().mean() > 0.95


def test_several_faces_of_one_picture_are_parsed_each_by_itself(colours):
    image = drawn(300, 500, (60, 80, 80), (340, 100, 60))
    two = faces((60, 80, 140, 160), (340, 100, 400, 160), size=(300, 500))
    parsing = colours.parse(image, two)
    assert len(parsing) == 2
    for name in ("left_eye", "right_eye", "skin"):
        mask = parse.to_mask(parsing, name)[0]
        assert overlap(mask, truth(image, name)[0]) > 0.7, name
    assert colours.parse(image, two.select(torch.tensor([1]))).mask("skin")[0].any()


def test_no_face_is_no_row_and_an_empty_mask(colours):
    parsing = colours.parse(torch.zeros(2, 40, 50, 3), Faces.empty((40, 50), 2))
    assert (len(parsing), parsing.classes) == (0, CLASSES)
    assert parse.to_mask(parsing, "hair").shape == (2, 40, 50)


def test_a_face_across_the_border_is_parsed_as_far_as_it_is_seen(colours):
    image = drawn(200, 200, (-40, 150, 80))
    parsing = colours.parse(image, faces((-40, 150, 40, 230), size=(200, 200)))
    assert overlap(parse.to_mask(parsing, "skin")[0], truth(image, "skin")[0]) > 0.9
    assert not parse.to_mask(parsing, "left_eye").any()


def test_a_face_of_8_pixels_in_a_large_picture_is_labelled_finely(colours):
    image = drawn(600, 900, (700, 300, 8))
    parsing = colours.parse(image, faces((700, 300, 708, 308), size=(600, 900)))
    mask = parse.to_mask(parsing, "hair", "skin", "eyes", "brows", "ears")[0]
    assert overlap(mask, (image[0] > 0).any(-1)) > 0.7
    assert parsing.alignment.size == 900
    assert parsing.alignment.matrix[0, 0, 0] > 20  # pixels of labels for each of the picture


@pytest.mark.parametrize("box", [(100.0, 100, 140, 150), (480.0, 20, 520, 70), (0.0, 0, 400, 500), (5.0, 5, 6, 400)])
def test_the_square_that_is_labelled_holds_all_that_can_be_more_than_background(box):
    class Everything(KnowsColours):
        def forward(self, x, rois):
            return torch.nn.functional.one_hot(torch.full(x[:, 0].shape, 1), 14).movedim(-1, 1) * 50.0

    everywhere = Everything()(torch.zeros(1, 3, 513, 513), None).softmax(1)
    restored = roi_tanh_polar_restore(everywhere[:, 1:2], torch.tensor([box]), 560, 520, keep_aspect_ratio=True)[0, 0]
    points = (restored > 0.5).nonzero().flip(-1).float()
    alignment = squares(faces(box, size=(520, 560)))
    inside = points @ alignment.matrix[0, :, :2].T + alignment.matrix[0, :, 2]
    assert inside.min() > -1
    assert inside.max() < alignment.size
    assert (inside.amax(0) - inside.amin(0)).max() > 0.9 * alignment.size or box[2] > 300


def test_a_box_without_extent_and_a_file_of_another_network_are_refused(colours):
    with pytest.raises(ValueError, match="a width and a height, got 5, 5, 5, 9 for face 1"):
        colours.parse(torch.zeros(1, 40, 50, 3), faces((5, 5, 5, 9), size=(40, 50)))
    with pytest.raises(UnsupportedCheckpointError, match=r"Not a checkpoint of .*rtnet"):
        build({"backbone.conv1.weight": torch.zeros(64, 3, 7, 7)}, parse.SYSTEMS)


def test_a_whole_parsing_with_the_network_of_50_layers(monkeypatch):
    monkeypatch.setattr(rtnet, "SIDE", 65)
    network = golden.network(CHECKPOINT / "ibug_rtnet50_fcn_14.tsv", parse.SYSTEMS)
    image = factories.read_photo("astronaut")
    with torch.inference_mode():
        parsing = network.parse(image, faces((179, 63, 270, 174), size=(512, 512)))
    assert parsing.labels.shape == (1, 512, 512)
    assert len(parsing.labels.unique()) > 1
