"""ArcFace's networks on seeded weights, as InsightFace's own gave them, and the ONNX files that people have."""

from pathlib import Path

import pytest
import torch

import factories
import golden
import graphs
import seeding
from likeness import embed, onnx
from likeness.embed.arcface import crop, hparams
from likeness.geometry import TEMPLATES, bbox_to_kps
from likeness.types import Faces
from likeness.weights import UnsupportedCheckpointError, build, build_onnx

CHECKPOINT = Path(__file__).parents[1] / "checkpoints/arcface"
DEPTHS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 14, 3), 100: (3, 13, 30, 3), 200: (6, 26, 60, 6)}


@pytest.fixture(scope="module")
def weights():
    """The seeded network of 18 layers."""
    return golden.state_dict(CHECKPOINT / "iresnet18.tsv")


def graph(data: bytes) -> onnx.Graph:
    return onnx.Graph(data, onnx.proto.parse(data))


def faces(*boxes: tuple[float, ...], size: tuple[int, int] = (200, 200), count: int = 1) -> Faces:
    box = torch.tensor(boxes).reshape(-1, 4)
    index = torch.arange(len(box))
    return Faces(size, count, index, index * 0, box, torch.ones(len(box)), bbox_to_kps(box))


@pytest.mark.parametrize("layers", [18, 50])
def test_the_network_is_insightfaces(layers):
    network = golden.network(CHECKPOINT / f"iresnet{layers}.tsv", embed.SYSTEMS)
    vectors = network(seeding.noise("crops", torch.Size([2, 3, 112, 112])).float())
    assert golden.difference(CHECKPOINT / f"iresnet{layers}.json", "vectors", vectors) < 1e-4  # BatchNorm, 50 times


@pytest.mark.parametrize("engine", ["torch", "onnxruntime"])
def test_its_export_is_the_same_network_in_a_space_of_its_own(weights, engine):
    if engine == "onnxruntime":
        pytest.importorskip("onnxruntime")
    network = build_onnx(graph(graphs.arcface(weights)), embed.SYSTEMS, engine)
    (vectors,) = network.model(seeding.noise("crops", torch.Size([2, 3, 112, 112])).float()).values()
    assert golden.difference(CHECKPOINT / "iresnet18.json", "vectors", vectors) < 1e-4
    assert network.space != build(weights, embed.SYSTEMS).space


@pytest.mark.parametrize("layers", DEPTHS)
def test_a_file_shows_its_depth(layers):
    layout, _ = seeding.read_layout(CHECKPOINT / f"iresnet{layers}.tsv")
    widths = (64, 64, 128, 256, 512)
    assert hparams(layout) == {"widths": widths, "depths": DEPTHS[layers], "side": 7, "size": 512}


def test_files_are_told_apart_by_their_weights_whatever_runs_them():
    files = {seed: graph(graphs.small_arcface(seed)) for seed in (1, 2)}
    spaces = [build_onnx(files[seed], embed.SYSTEMS, "torch").space for seed in (1, 2, 1)]
    assert spaces[0] == spaces[2] != spaces[1]
    pytest.importorskip("onnxruntime")
    assert build_onnx(files[1], embed.SYSTEMS, "onnxruntime").space == spaces[0]
    assert spaces[0].startswith("arcface-")


@pytest.mark.parametrize("count", [0, 1, 2])
def test_every_face_has_a_vector_and_no_threshold_is_claimed(count):
    network = build_onnx(graph(graphs.small_arcface()), embed.SYSTEMS, "torch")
    boxes = [(50.0, 50, 150, 150), (20.0, 30, 100, 110)][:count]
    found = network.embed(factories.photo(200, 200, 0)[None], faces(*boxes))
    assert found.embedding.shape == (count, 512)
    assert (found.metric, found.threshold) == ("cosine", None)


def test_a_graph_fixed_to_one_face_takes_them_one_by_one():
    fixed = graphs.small_arcface().replace(b"\x12\x04None", b"\x08\x01" * 3, 1)  # its first size, now a number
    network = build_onnx(graph(fixed), embed.SYSTEMS, "torch")
    assert network.model.sockets[0].shape[0] == 1
    two = faces((50, 50, 150, 150), (20, 30, 100, 110))
    assert network.embed(factories.photo(200, 200, 0)[None], two).embedding.shape == (2, 512)


def test_a_crop_is_red_green_blue_from_minus_1_to_1_and_in_float():
    red = torch.tensor([1.0, 0.5, 0]).expand(1, 200, 200, 3)
    x = crop(red, faces((50, 50, 150, 150)))
    assert x.shape == (1, 3, 112, 112)
    assert x[0].mean((1, 2)).tolist() == pytest.approx([1, 0, -1], abs=1e-5)
    assert len(crop(factories.photo(200, 200, 0)[None], faces((50, 50, 150, 150))).unique()) > 256


def test_the_points_lie_on_the_template():
    """A photo as large as a crop, with the template's points, is its own crop."""
    image = factories.photo(112, 112, 1)[None]
    one = faces((0, 0, 111, 111), size=(112, 112))
    upright = Faces((112, 112), 1, one.id, one.image_index, one.bbox, one.score, TEMPLATES["arcface112"][None])
    torch.testing.assert_close(crop(image, upright), image.movedim(-1, 1) * 2 - 1, atol=1e-4, rtol=0)


def test_a_mirrored_face_is_the_mirrored_crop():
    image, one = factories.photo(200, 200, 2)[None], faces((50, 50, 150, 150))
    points = one.kps[:, [1, 0, 2, 4, 3]] * torch.tensor([-1.0, 1]) + torch.tensor([199.0, 0])
    other = Faces((200, 200), 1, one.id, one.image_index, one.bbox, one.score, points)
    mirrored, whole = crop(image.flip(2), other), crop(image, one)
    # The template is not quite symmetric, so neither are the crops.
    assert (mirrored - whole.flip(3)).abs().mean() < 0.03 < 0.4 < (mirrored - whole).abs().mean()


def test_boxes_alone_are_not_enough():
    one = faces((50, 50, 150, 150))
    with pytest.raises(ValueError, match="Expected faces with five points, got boxes only"):
        crop(torch.zeros(1, 200, 200, 3), Faces((200, 200), 1, one.id, one.image_index, one.bbox, one.score))


def test_a_picture_of_nan_and_a_vector_of_zero_are_refused():
    network = build_onnx(graph(graphs.small_arcface()), embed.SYSTEMS, "torch")
    image = factories.photo(200, 200, 0)[None].clone()
    image[:, :45] = torch.nan
    both = faces((100, 100, 180, 180), (20, 20, 90, 90))
    with pytest.raises(ValueError, match=r"for each of 2 faces, got zero or NaN for face 2: check that its picture"):
        network.embed(image, both)
    with pytest.raises(ValueError, match=r"for each of 3 faces, got zero or NaN for face 1, 2, 3"):
        embed.vectors.vectors(lambda x: x * 0, torch.ones(3, 4), 4)


def test_an_encoder_of_an_unknown_make_is_refused():
    data = graphs.small_arcface().replace(b"layer1.0.bn1.running_mean", b"stage1_unit1_bn1_moving_m")
    with pytest.raises(UnsupportedCheckpointError, match=r"Not a graph of dlib_resnet, arcface: its outputs are 683"):
        build_onnx(graph(data), embed.SYSTEMS)
    with pytest.raises(UnsupportedCheckpointError, match=r"of arcface, facenet.*first are input_layer"):
        build({"input_layer.0.weight": torch.zeros(64, 3, 3, 3)}, embed.SYSTEMS)
