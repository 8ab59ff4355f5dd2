"""ComfyUI's MediaPipe file: our port against ComfyUI's own modules on seeded weights, and against Google's graph."""

from pathlib import Path

import numpy as np
import pytest
import torch

import factories
import golden
import seeding
from likeness import detect, landmark, onnx
from likeness.landmark.mediapipe_face import NAMES, POINTS, Blendshapes, hparams
from likeness.types import Faces
from likeness.weights import build_onnx

CHECKPOINT = Path(__file__).parents[1] / "checkpoints/mediapipe_face"
REFERENCE = Path(__file__).parents[3] / "shared/starter/reference/face_blendshapes.onnx"  # Google's, never committed
WEIGHTS = factories.STARTER / "weights"


@pytest.fixture(scope="module")
def network():
    return golden.network(CHECKPOINT / "mediapipe_face_fp32.tsv", landmark.SYSTEMS)


def agrees(name: str, got: torch.Tensor) -> float:
    return golden.difference(CHECKPOINT / "golden.json", name, got)


def test_the_mesh_is_comfyuis(network):
    crops = seeding.noise("crops", torch.Size([2, 3, 192, 192])).float() / 2 + 0.5
    points, presence = network.mesh(crops)
    assert agrees("points", points) < 1e-4
    assert agrees("presence", presence) < 1e-4  # numbers of 17 that differ by 1: rounding counts


def test_the_blendshapes_are_comfyuis(network):
    points = seeding.noise("points", torch.Size([2, 146, 2])).float() * 50
    assert agrees("blendshapes", network.blendshapes(points)) < 1e-4


def test_the_file_shows_its_sizes():
    layout, _ = seeding.read_layout(CHECKPOINT / "mediapipe_face_fp32.tsv")
    found = hparams(layout)
    assert found["mesh"]["points"] == 478
    assert found["blendshapes"] | {"points": 146, "names": 52, "blocks": 4} == found["blendshapes"]
    assert (len(POINTS), len(set(POINTS)), len(NAMES), len(set(NAMES))) == (146, 146, 52, 52)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_landmarks_come_with_named_blendshapes(network, count):
    image = factories.read_photo("astronaut").expand(2, -1, -1, -1)
    index = torch.arange(count)
    box = torch.tensor([[179.0, 63, 270, 174]]).repeat(count, 1)
    found = network.landmarks(image, Faces((512, 512), 2, index, index, box, torch.ones(count)))
    assert found.points.shape == found.mesh.shape == (count, 478, 3)
    assert found.blendshapes.shape == (count, 52)
    assert found.blendshape_names[25] == "jawOpen"
    assert count == 0 or 0 <= float(found.blendshapes.min()) < float(found.blendshapes.max()) <= 1


def test_channels_are_red_green_blue(network):
    """The verb hands the crop on as it is: a pure red image differs from a pure blue one as in the bare mesh."""
    red, blue = (torch.zeros(1, 256, 256, 3).index_fill(3, torch.tensor(channel), 1.0) for channel in (0, 2))
    one = torch.zeros(1, dtype=torch.int64)
    faces = Faces((256, 256), 1, one, one, torch.tensor([[60.0, 60, 190, 190]]), torch.ones(1))
    for image in (red, blue):
        crop = image[:, :192, :192].movedim(-1, 1)
        torch.testing.assert_close(network.landmarks(image, faces).mesh, network.mesh(crop)[0], atol=1e-4, rtol=1e-4)


@pytest.fixture(scope="module")
def google():
    """Google's published graph, and our blendshapes filled with its weights, in the order of use."""
    if not REFERENCE.is_file():
        pytest.skip(f"Google's face_blendshapes.onnx is not at {REFERENCE}: the published weights were not compared")
    model = pytest.importorskip("onnx").load(str(REFERENCE))
    arrays = [np.asarray(onnx_array(tensor)) for tensor in model.graph.initializer]
    weights = [torch.from_numpy(array.astype(np.float32)) for array in arrays if array.dtype == np.float16]
    weights = [tensor for tensor in weights if tensor.numel() > 1]  # not the constants 0.5 and 1e-6
    ours = Blendshapes(146, 96, 64, 384, 256, 4, 52).eval().requires_grad_(False)
    for (name, tensor), theirs in zip(in_order_of_use(ours), weights, strict=True):
        assert tensor.numel() == theirs.numel(), name
        tensor.copy_(theirs.reshape(tensor.shape))
    return onnx.Model(onnx.read(REFERENCE), "onnxruntime"), ours


def onnx_array(tensor):
    from onnx import numpy_helper

    return numpy_helper.to_array(tensor)


def in_order_of_use(ours):
    parts = ("ln1", "token_mlp1", "token_mlp2", "ln2", "channel_mlp1", "channel_mlp2")
    blocks = [f"blocks.{i}.{part}" for i in range(4) for part in parts]
    named = dict(ours.named_parameters())
    for name in ("token_reduce", "token_embed", "cls_token", *blocks, "head"):
        yield from ((part, named[part]) for part in (name, f"{name}.weight", f"{name}.bias") if part in named)


def test_the_published_weights_give_what_googles_graph_gives(google):
    graph, ours = google
    for seed in ("a", "b", "c"):
        points = seeding.noise(seed, torch.Size([1, 146, 2])).float() * 100
        (theirs,) = graph(points).values()
        torch.testing.assert_close(ours(points)[0], theirs.flatten(), atol=1e-5, rtol=0)


@pytest.mark.parametrize(("name", "smiles"), [("astronaut", True), ("grace_hopper", False)])
def test_the_astronaut_smiles_and_hopper_does_not(google, name, smiles):
    """Google's blendshapes on the shipped mesh: the points are picked in the right order and bear the right names."""
    _, ours = google
    image = factories.read_photo(name)
    detector = build_onnx(onnx.read(WEIGHTS / "face_detection_yunet_2023mar.onnx"), detect.SYSTEMS)
    mesh = build_onnx(onnx.read(WEIGHTS / "face_landmark_with_attention.onnx"), landmark.SYSTEMS)
    found = mesh.landmarks(image, detector.detect(image)).mesh[:, list(POINTS), :2]
    smile = dict(zip(NAMES, ours(found)[0].tolist(), strict=True))
    assert (smile["mouthSmileLeft"] > 0.5) == (smile["mouthSmileRight"] > 0.5) == smiles
    assert smile["jawOpen"] < 0.3
