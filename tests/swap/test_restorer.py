"""Restorers that users own: known by their shapes, fed the crop and the range that all of them take."""

import pytest
import torch

import editors
import factories
from likeness.onnx import Graph
from likeness.onnx.proto import parse
from likeness.swap import RESTORERS
from likeness.types import Faces
from likeness.weights import UnsupportedCheckpointError, build_onnx

BOX = torch.tensor([[179.0, 63, 270, 174]])
KPS = torch.tensor([[[206.0, 112], [243, 110], [226, 131], [209, 149], [242, 147]]])
MIDDLE = (slice(95, 150), slice(200, 250))


def restorer(operator: str = "Identity", side: int | None = 512, numbers: tuple[str, ...] = (), engine: str = "torch"):
    data = editors.graph(operator, side, numbers)
    return build_onnx(Graph(data, parse(data)), RESTORERS, engine)


@pytest.fixture(scope="module")
def photo():
    return factories.read_photo("astronaut")


def faces(*rows: int) -> Faces:
    """The astronaut's face in each of some images of three."""
    index, count = torch.tensor(rows, dtype=torch.int64), len(rows)
    return Faces((512, 512), 3, index * 0, index, BOX.expand(count, 4), torch.ones(count), KPS.expand(count, 5, 2))


@pytest.mark.parametrize("engine", ["torch", "onnxruntime"])
def test_a_restorer_sees_colours_from_minus_one_to_one(photo, engine):
    if engine == "onnxruntime":
        pytest.importorskip("onnxruntime")
    crops = factories.noise(torch.Size([2, 512, 512, 3]))
    torch.testing.assert_close(restorer(engine=engine).restore_crops(crops), crops, atol=1e-6, rtol=0)
    torch.testing.assert_close(restorer("Neg", engine=engine).restore_crops(crops), 1 - crops, atol=1e-6, rtol=0)


@pytest.mark.parametrize("rows", [(), (1,), (0, 2)])
def test_every_given_face_is_restored_and_the_rest_stays(photo, rows):
    image = photo.expand(3, -1, -1, -1)
    result, crops = restorer("Neg").restore(image, faces(*rows))
    changed = (result - image).abs().mean((1, 2, 3)) > 0
    assert changed.nonzero().flatten().tolist() == list(rows)
    assert crops.shape == (len(rows), 512, 512, 3)
    assert torch.equal(result[:, 300:], image[:, 300:])
    for row in rows:
        assert (result[row][MIDDLE] - (1 - image[row][MIDDLE])).abs().mean() < 0.01


def test_half_the_strength_is_half_way(photo):
    image = photo.expand(3, -1, -1, -1)
    result = restorer("Neg").restore(image, faces(0), strength=0.5)[0]
    assert (result[0][MIDDLE] - 0.5).abs().mean() < 0.01


def test_codeformers_number_is_given(photo):
    network = restorer(numbers=("weight",), engine="torch")
    asked = []
    network.model.forward = lambda picture, *numbers: asked.append(numbers) or {"output": picture}
    network.restore_crops(torch.rand(1, 512, 512, 3), fidelity=0.25)
    assert [float(number) for (number,) in asked] == [0.25]
    assert asked[0][0].shape == (1,)


@pytest.mark.parametrize(("side", "size"), [(256, 256), (1024, 1024), (None, 512)])
def test_the_crop_is_as_large_as_the_file_asks(side, size):
    assert restorer(side=side).size == size
    assert restorer(side=side).restore_crops(torch.rand(1, 64, 64, 3)).shape == (1, 64, 64, 3)


def test_another_graph_is_refused_with_what_is_expected():
    with pytest.raises(UnsupportedCheckpointError, match=r"Expected a face restorer, .* got input .*: choose an .onnx"):
        restorer(numbers=("latent", "weight"))
