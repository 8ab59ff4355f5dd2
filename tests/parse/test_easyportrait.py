"""EasyPortrait against another SegFormer on its seeded weights, through both engines, and what it makes of pictures."""

import json

import pytest
import torch

import factories
import golden
import portrait_graphs
import seeding
from likeness import onnx, parse
from likeness.parse.easyportrait import CLASSES, MEAN, SPREAD, fit, parse_pictures
from likeness.types import Faces
from likeness.weights import UnsupportedCheckpointError, build, build_onnx

FOLDER = golden.FOLDER / "easyportrait"
LAYOUTS = {kind: FOLDER / f"easyportrait_segformer_b0_{kind}_512.tsv" for kind in ("fp", "ps")}
# Colours of the authors' figures by published label; in all of them a left brow and eye are on the image's left.
PALETTE = ((0, 0, 0), (160, 221, 255), (130, 106, 237), (200, 121, 255), (255, 183, 255), (0, 144, 193))
PALETTE += ((113, 137, 255), (230, 232, 230))


def load(kind: str, size: int = 64):
    layout = LAYOUTS[kind]
    network = golden.network(layout, parse.SYSTEMS, layout.with_suffix(".json"))
    parse.choose_size(network, 224)
    network.size = size  # smaller than any published: quicker
    return network


@pytest.fixture(scope="module", params=LAYOUTS)
def network(request):
    return load(request.param)


def run(network, image: torch.Tensor):
    with torch.inference_mode():
        return network.parse(image, Faces.empty(tuple(image.shape[1:3]), len(image)))


@pytest.mark.parametrize("kind", LAYOUTS)
def test_its_logits_are_those_of_another_segformer_and_a_wrong_eps_is_seen(kind):
    """A LayerNorm's eps of 1e-5 for 1e-6 moves them by no more than 2e-5: the bound lies below."""
    network, kept = load(kind), LAYOUTS[kind].with_suffix(".json")
    x = seeding.noise("picture", torch.Size([2, 3, 64, 96])).float() * 2
    with torch.inference_mode():
        assert golden.difference(kept, "logits", network(x)) < 1e-5
        for module in network.modules():
            if isinstance(module, torch.nn.LayerNorm):
                module.eps = 1e-5
        assert golden.difference(kept, "logits", network(x)) > 1e-5


def test_the_golden_names_its_source():
    for layout in LAYOUTS.values():
        assert json.loads(layout.with_suffix(".json").read_text())["class"] == "SegformerForSemanticSegmentation"


@pytest.mark.parametrize("engine", ["torch", "onnxruntime"])
def test_the_onnx_file_gives_what_the_pth_gives_and_knows_its_size(network, engine):
    if engine == "onnxruntime":
        pytest.importorskip("onnxruntime")
    kind = "fp" if len(network.decode_head.conv_seg.weight) == 8 else "ps"
    data = portrait_graphs.segformer(portrait_graphs.seeded(kind), 64)
    graph = build_onnx(onnx.Graph(data, onnx.proto.parse(data)), parse.SYSTEMS, engine)
    parse.choose_size(graph, None)
    assert graph.size == 64
    image = factories.photo(50, 64, 0)[None]
    ours, theirs = run(network, image), run(graph, image)
    torch.testing.assert_close(theirs.probability, ours.probability, atol=1e-4, rtol=0)
    assert theirs.classes == ours.classes


def test_the_seeded_graph_is_one():
    pytest.importorskip("onnx")
    import onnx as official

    model = official.load_from_string(portrait_graphs.segformer(portrait_graphs.seeded("ps"), 64))
    official.checker.check_model(model, full_check=True)


def test_classes_keep_their_published_order_in_the_vocabulary():
    assert CLASSES[8] == ("background", "skin", "left_brow", "right_brow", "left_eye", "right_eye", "lips", "teeth")
    assert CLASSES[2] == ("background", "person")
    assert {name for names in CLASSES.values() for name in names} <= set(parse.CLASSES)


def drawn(height: int, width: int) -> torch.Tensor:
    """(1, H, W, 3) a lopsided face in the colours of the authors' figures: a left brow as wide as the head allows."""
    image = torch.zeros(1, height, width, 3)
    parts = {1: (0.2, 0.2, 0.8, 0.9), 2: (0.22, 0.3, 0.48, 0.34), 3: (0.6, 0.28, 0.7, 0.34), 4: (0.3, 0.38, 0.45, 0.44)}
    parts |= {5: (0.6, 0.38, 0.75, 0.5), 6: (0.4, 0.7, 0.6, 0.8), 7: (0.45, 0.73, 0.55, 0.77)}
    for label, (left, top, right, bottom) in parts.items():
        rows, columns = (slice(round(a * n), round(b * n)) for a, b, n in ((top, bottom, height), (left, right, width)))
        image[:, rows, columns] = torch.tensor(PALETTE[label]) / 255
    return image


def read_colours(x: torch.Tensor) -> torch.Tensor:
    """Logits by the published label of each pixel's colour: a network that makes no mistake."""
    colours = x.movedim(1, -1) * torch.tensor(SPREAD) + torch.tensor(MEAN)
    return -(colours[:, None] - torch.tensor(PALETTE)[:, None, None].float()).square().mean(-1)


@pytest.mark.parametrize("size", [(240, 400), (400, 240), (256, 256)], ids=str)
def test_left_is_the_images_left_and_masks_lie_on_their_parts(size):
    image = drawn(*size)
    parsing = parse_pictures(image, 224, None, read_colours)
    for label, name in enumerate(parsing.classes[1:], 1):
        seen = (image[0] - torch.tensor(PALETTE[label]) / 255).abs().amax(-1) < 1e-3
        mask = parse.to_mask(parsing, name)[0] > 0.5
        assert float((mask & seen).sum() / seen.sum()) > 0.7, name
    columns = {name: parse.to_mask(parsing, name)[0].sum(0) @ torch.arange(size[1]).float() for name in CLASSES[8]}
    areas = {name: parse.to_mask(parsing, name).sum() for name in CLASSES[8]}
    middle = {name: float(columns[name] / areas[name]) / size[1] for name in CLASSES[8]}
    assert middle["left_brow"] == pytest.approx(0.35, abs=0.08)  # some borders have a brow's colour, too
    assert middle["right_brow"] == pytest.approx(0.65, abs=0.08)
    assert middle["left_eye"] < 0.5 < middle["right_eye"]
    assert areas["left_brow"] > 1.5 * areas["right_brow"]


@pytest.mark.parametrize("size", [(240, 401), (333, 240), (40, 30)], ids=str)
def test_a_spot_lies_where_the_matrix_says(size):
    x, y = 0.6 * size[1], 0.3 * size[0]
    far = (torch.arange(size[1]) - x).square() + (torch.arange(size[0])[:, None] - y).square()
    image = (-far / (0.04 * max(size)) ** 2).exp()[None, ..., None].expand(-1, -1, -1, 3)
    squares, matrix = fit(image, 224)
    seen = (squares[0, 0] * SPREAD[0] + MEAN[0]) * (squares[0, 0] != 0)
    columns, lines = seen.sum(0) @ torch.arange(224.0), seen.sum(1) @ torch.arange(224.0)
    place = torch.stack([columns, lines]) / seen.sum()
    torch.testing.assert_close(place, matrix @ torch.tensor([x, y, 1]), atol=0.02, rtol=0)


def test_where_the_picture_is_mirrored_the_mask_is():
    image = drawn(120, 200)
    for name in ("left_brow", "lips", "skin"):
        there = parse.to_mask(parse_pictures(image, 224, None, read_colours), name)
        back = parse.to_mask(parse_pictures(image.flip(2), 224, None, read_colours), name).flip(2)
        torch.testing.assert_close(back, there, atol=1e-3, rtol=0)


def test_a_red_picture_is_red_to_the_network_and_its_shape_is_kept():
    x, matrix = fit(torch.tensor([1.0, 0, 0]).expand(1, 100, 200, 3), 64)
    red = [(value - mean) / spread for value, mean, spread in zip((255, 0, 0), MEAN, SPREAD, strict=True)]
    torch.testing.assert_close(x[0, :, 32, 32], torch.tensor(red))
    assert x.shape == (1, 3, 64, 64)
    assert not x[:, :, :16].any()  # the mean colour above
    assert not x[:, :, 48:].any()
    torch.testing.assert_close(matrix, torch.tensor([[0.32, 0, -0.34], [0, 0.32, 15.66]]))


def test_several_people_are_one_row_and_every_pixel_has_shares(network):
    image = factories.people(2)[:, ::4, ::4].repeat(3, 1, 1, 1)
    parsing = run(network, image)
    assert len(parsing) == 3
    assert parsing.faces.image_index.tolist() == [0, 1, 2]
    torch.testing.assert_close(parsing.probability.sum(1), torch.ones(3, 64, 64))
    assert torch.equal(parsing.labels, parsing.probability.argmax(1).to(torch.uint8))
    mask = parse.to_mask(parsing, "all")
    assert mask.shape == image.shape[:3]
    assert 0 <= float(mask.min()) <= float(mask.max()) <= 1


@pytest.mark.parametrize("size", [(0, 40, 30), (1, 1, 1), (1, 1, 300), (2, 8, 8)], ids=str)
def test_pictures_of_any_size_are_taken(network, size):
    mask = parse.to_mask(run(network, torch.zeros(*size, 3)), "all")
    assert mask.shape == size


def test_a_size_is_chosen_where_nothing_says_it_and_only_there():
    network = load("ps")
    parse.choose_size(network, 384)
    assert network.size == 384
    with pytest.raises(ValueError, match="a size among 224, 384, 512, 1024 for EasyPortrait, got none: nothing in its"):
        parse.choose_size(network, None)
    with pytest.raises(ValueError, match="for EasyPortrait, got 100: it sees no other"):
        parse.choose_size(network, 100)
    with pytest.raises(ValueError, match="Expected auto for the size for Identity, got 512"):
        parse.choose_size(torch.nn.Identity(), 512)
    parse.choose_size(torch.nn.Identity(), None)


def test_a_segformer_of_other_classes_is_no_easyportrait():
    tensors = portrait_graphs.seeded("fp")
    for name in ("weight", "bias"):
        tensors[f"decode_head.conv_seg.{name}"] = tensors[f"decode_head.conv_seg.{name}"].repeat_interleave(19, 0)
    with pytest.raises(UnsupportedCheckpointError, match=r"Expected EasyPortrait, of 8 or 2 classes, got .* 152"):
        build(tensors, parse.SYSTEMS)
    with pytest.raises(ValueError, match="8 classes, or 2 for people, got 3"):
        parse_pictures(torch.zeros(1, 8, 8, 3), 64, None, lambda x: x)
