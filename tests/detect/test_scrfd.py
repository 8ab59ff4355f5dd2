"""SCRFD on seeded graphs with the published inputs, outputs and names, as the wheel of InsightFace gave them."""

import json
from pathlib import Path

import pytest
import torch

import factories
import graphs
from likeness import detect, onnx
from likeness.detect.scrfd import pick
from likeness.weights import UnsupportedCheckpointError, build_onnx

GOLDEN = Path(__file__).parents[1] / "checkpoints/scrfd/golden.json"
DOUBTS = {"few": 5.0, "many": 2.5}
ENGINES = ["torch", "onnxruntime"]


def graph(data: bytes) -> onnx.Graph:
    return onnx.Graph(data, onnx.proto.parse(data))


def detector(engine: str = "auto", doubt: float = 5.0):
    if engine == "onnxruntime":
        pytest.importorskip("onnxruntime")
    return build_onnx(graph(graphs.scrfd(doubt=doubt)), detect.SYSTEMS, engine)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", DOUBTS)
@pytest.mark.parametrize("photo", factories.PHOTOS)
def test_boxes_scores_and_points_are_those_of_the_wheel(engine, name, photo):
    kept = json.loads(GOLDEN.read_text())["outputs"][f"{name}.{photo}"]
    faces = detector(engine, DOUBTS[name]).detect(factories.read_photo(photo), 0.5, max(PIXELS[photo]))
    ours = torch.cat([faces.bbox, faces.score[:, None], faces.kps.flatten(1)], 1)
    assert list(ours.shape) == kept["shape"]
    torch.testing.assert_close(ours.flatten()[:: kept["step"]], torch.tensor(kept["values"]), atol=1e-2, rtol=0)
    assert float(ours.mean()) == pytest.approx(kept["mean"], abs=1e-3)
    assert faces.score.tolist() == sorted(faces.score.tolist(), reverse=True)


PIXELS = {name: factories.read_photo(name).shape[1:3] for name in factories.PHOTOS}


def test_the_seeded_graph_is_one():
    pytest.importorskip("onnx")
    import onnx as official

    for data in (graphs.scrfd(), graphs.small_arcface()):
        official.checker.check_model(official.load_from_string(data), full_check=True)


def test_boxes_touch_when_both_ends_of_a_side_count():
    """Of 3 x 3 and 3 x 2 pixels 6 are shared and 9 in all; by the corners alone it would be 2 of 4."""
    box = torch.tensor([[0.0, 0, 2, 2], [0, 0, 2, 1], [0, 0, 5, 5]])
    assert pick(box, torch.tensor([0.9, 0.8, 0.7])).tolist() == [0, 2]
    thin = torch.tensor([[0.0, 0, 9, 0], [0, 0, 9, 0]])
    assert pick(thin, torch.tensor([0.9, 0.8])).tolist() == [0]


def test_channels_are_red_green_blue_from_minus_1_to_1():
    class Spy(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
            self.seen = x
            cells = [2 * (x.shape[2] // stride) * (x.shape[3] // stride) for stride in (8, 16, 32)]
            sizes = [(count, numbers) for numbers in (1, 4, 10) for count in cells]
            return {str(i): torch.zeros(size) for i, size in enumerate(sizes)}

    network = detect.scrfd.SCRFD(Spy())
    faces = network.detect(torch.tensor([1.0, 0, 0]).expand(2, 100, 200, 3), size=320)
    assert (len(faces), faces.image_count) == (0, 2)
    assert network.model.seen.shape == (1, 3, 160, 320)
    assert network.model.seen[0].mean((1, 2)).tolist() == pytest.approx([127.5 / 128, -127.5 / 128, -127.5 / 128])


def test_a_point_is_where_it_is_at_every_size():
    """An anchor's own place, found at other sizes, stays in the middle of its pixels."""

    class Lone(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
            height, width = x.shape[2] // 32, x.shape[3] // 32
            cells = [2 * (x.shape[2] // stride) * (x.shape[3] // stride) for stride in (8, 16, 32)]
            out = [torch.zeros(count, numbers) for numbers in (1, 4, 10) for count in cells]
            out[2][2 * ((height // 2) * width + width // 2)] = 0.9
            out[5] += 1
            return {str(i): part for i, part in enumerate(out)}

    network = detect.scrfd.SCRFD(Lone())
    image = torch.zeros(1, 640, 640, 3)
    for size in (320, 640, 1280):
        faces = network.detect(image, size=size)
        middle = (320 * size / 640 + 0.5) * 640 / size - 0.5
        torch.testing.assert_close(faces.kps[0], torch.full((5, 2), middle))
        torch.testing.assert_close(faces.bbox[0, 2:] - faces.bbox[0, :2], torch.full((2,), 64.0 * 640 / size))


def test_frames_give_together_what_they_give_alone():
    network = detector()
    image = factories.read_photo("astronaut")[:, :256, :256]
    frames = torch.cat([image, torch.zeros_like(image), image.flip(2)])
    together = network.detect(frames, 0.5, 256)
    assert together.image_count == 3
    for index in range(3):
        alone = network.detect(frames[index : index + 1], 0.5, 256)
        torch.testing.assert_close(together.images(index, index + 1).kps, alone.kps)


def test_no_image_has_no_face():
    none = detector().detect(torch.zeros(0, 40, 30, 3))
    assert (len(none), none.image_count, none.image_size) == (0, 0, (40, 30))


def test_another_graph_is_no_scrfd():
    with pytest.raises(UnsupportedCheckpointError, match=r"of yunet, blazeface, scrfd: its outputs are 683"):
        build_onnx(graph(graphs.small_arcface()), detect.SYSTEMS)
