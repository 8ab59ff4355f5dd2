"""The two engines: equal on what is shipped, chosen openly, and well-behaved under a memory manager."""

import os
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.nn.functional import interpolate

import factories
from likeness.onnx import Graph, Model, read
from likeness.onnx.network import Network
from likeness.onnx.proto import parse

SHIPPED = {path.stem: path for path in sorted((factories.STARTER / "weights").glob("*.onnx"))}
YUNET, DLIB = "face_detection_yunet_2023mar", "dlib_face_resnet_v1_fp16w"
RANGES = {YUNET: (0, 255), DLIB: (0, 255), "face_detection_short_range": (-1, 1)}  # of an input; the others 0 to 1
FACES = {"astronaut": (150, 40, 150), "grace_hopper": (210, 50, 220)}  # x, y and side of a square
MOST = 1e-4  # of an output's range


def views(graph: Graph, stem: str) -> list[torch.Tensor]:
    """Faces large, middling and small, as the graph takes them."""
    shape = [n or 1 for n in graph.shapes[graph.inputs[0]]]
    if len(shape) != 4:
        return [torch.rand(shape, generator=torch.Generator().manual_seed(seed)) for seed in range(3)]
    (low, high), last = RANGES.get(stem, (0, 1)), shape[3] == 3
    found = []
    for name, (x, y, side) in FACES.items():
        photo = factories.read_photo(name)[:, :512].movedim(-1, 1)
        for view in (photo[..., y : y + side, x : x + side], photo, photo.tile(4, 4)):
            size = shape[1:3] if last else shape[2:]
            image = interpolate(view, size, mode="bilinear", antialias=True, align_corners=False)
            found.append((image.movedim(1, -1) if last else image) * (high - low) + low)
    return found


def difference(a: Model, b: Model, inputs: list[torch.Tensor]) -> float:
    """The largest between two models' outputs, each measured by the range that it has over all inputs."""
    pairs = [(a(x), b(x)) for x in inputs]
    worst = 0.0
    for name in pairs[0][0]:
        left, right = (torch.cat([pair[side][name].flatten() for pair in pairs]) for side in (0, 1))
        worst = max(worst, float((left - right).abs().max() / (left.max() - left.min())))
    return worst


def small(*nodes: tuple, outputs: tuple = ("y",), opset: int = 17, **weights: np.ndarray) -> Graph:
    """A graph of (op, inputs, outputs, attributes) from an input x of 3 channels."""
    onnx = pytest.importorskip("onnx", reason="pip install onnx: it makes the graphs")
    made = onnx.helper.make_graph(
        [onnx.helper.make_node(op, ins.split(), outs.split(), **attributes) for op, ins, outs, attributes in nodes],
        "small",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["B", 3, "H", "W"])],
        [onnx.helper.make_empty_tensor_value_info(name) for name in outputs],
        [onnx.numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    imports = [onnx.helper.make_opsetid("", opset)]
    data = onnx.helper.make_model(made, opset_imports=imports, ir_version=8).SerializeToString()
    return Graph(data, parse(data))


def normed(conv: str, weight: np.ndarray, **attributes: object) -> Graph:
    random = np.random.RandomState(0)
    statistics = {name: random.uniform(0.5, 1.5, 4).astype(np.float32) for name in ("scale", "bias", "mean", "var")}
    return small(
        (conv, "x w", "c", attributes),
        ("BatchNormalization", "c scale bias mean var", "y", {"epsilon": 1e-2}),
        w=weight,
        **statistics,
    )


@pytest.mark.parametrize("stem", SHIPPED)
def test_both_engines_agree_on_every_starter_graph(stem):
    pytest.importorskip("onnxruntime")
    graph = read(SHIPPED[stem])
    assert difference(Model(graph, "onnxruntime"), Model(graph, "torch"), views(graph, stem)) < MOST


@pytest.mark.parametrize("stem", ["face_landmarks_detector", "face_blendshapes"])
def test_both_engines_agree_on_the_reference_graphs(stem):
    folder = os.environ.get("REFERENCE_GRAPHS")
    if not folder:
        pytest.skip("set REFERENCE_GRAPHS to a folder with MediaPipe's face_landmarker.task graphs as .onnx")
    graph = read(Path(folder) / f"{stem}.onnx")
    assert difference(Model(graph, "onnxruntime"), Model(graph, "torch"), views(graph, stem)) < MOST


def test_auto_takes_onnxruntime_where_it_serves_the_device_and_torch_elsewhere():
    pytest.importorskip("onnxruntime")
    graph = read(SHIPPED[YUNET])
    assert Model(graph).describe() == "onnxruntime, CPUExecutionProvider"
    assert Model(graph, "torch").describe() == "torch, cpu"
    assert Model(graph, "auto", "mps").describe() == "torch, mps"


def test_without_onnxruntime_auto_takes_torch(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    graph = read(SHIPPED[YUNET])
    assert Model(graph).describe() == "torch, cpu"
    with pytest.raises(RuntimeError, match=r"it is not installed: pip install onnxruntime .* engine to auto or torch"):
        Model(graph, "onnxruntime")


def test_onnxruntime_never_falls_to_the_cpu(monkeypatch):
    onnxruntime = pytest.importorskip("onnxruntime")
    graph = read(SHIPPED[YUNET])
    with pytest.raises(RuntimeError, match="a device among cpu, cuda for onnxruntime, got mps"):
        Model(graph, "onnxruntime", "mps")
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(RuntimeError, match=r"with CUDAExecutionProvider for cuda:0, got CPU.* install onnxruntime-gpu"):
        Model(graph, "onnxruntime", "cuda:0")
    fallen = SimpleNamespace(get_providers=lambda: ["CPUExecutionProvider"])  # what it does when CUDA does not start
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider"])
    monkeypatch.setattr(onnxruntime, "InferenceSession", lambda *args, **options: fallen)
    with pytest.raises(RuntimeError, match="to start CUDAExecutionProvider on cuda:0, it did not"):
        Model(graph, "onnxruntime", "cuda:0")
    assert Model(graph, "auto", "cuda:0").describe() == "torch, cuda:0"


def test_an_engine_that_is_none_is_named():
    with pytest.raises(ValueError, match="an engine among auto, onnxruntime, torch, got tensorrt"):
        Model(read(SHIPPED[YUNET]), "tensorrt")


@pytest.mark.parametrize("engine", ["onnxruntime", "torch"])
def test_another_shape_is_refused_before_it_runs(engine):
    if engine == "onnxruntime":
        pytest.importorskip("onnxruntime")
    model = Model(read(SHIPPED[DLIB]), engine)
    with pytest.raises(ValueError, match=r"Expected rgb of shape \(any, 3, 150, 150\), got \(2, 3, 112, 112\)"):
        model(torch.zeros(2, 3, 112, 112))
    with pytest.raises(ValueError, match="Expected 1 inputs, got 2"):
        model(torch.zeros(1, 3, 150, 150), torch.zeros(1))


def test_the_weights_are_parameters_whose_precision_can_be_halved():
    graph = read(SHIPPED[DLIB])
    model = Model(graph, "torch")
    assert {p.dtype for p in model.parameters()} == {torch.float32}  # stored as halves
    assert sum(p.numel() for p in model.parameters()) > 5.5e6
    assert not any(p.requires_grad for p in model.parameters())
    half, x = Model(graph, "torch").half(), views(graph, DLIB)
    assert half(x[0])["embedding"].dtype == torch.float32
    assert 1e-6 < difference(model, half, x) < 0.01


@pytest.mark.parametrize("stem", SHIPPED)
def test_it_computes_on_its_device_wherever_the_weights_lie_and_shapes_on_the_cpu(stem):
    graph = read(SHIPPED[stem])
    network = Network(graph, "meta")  # a device without numbers: a shape that is computed there cannot be read
    outputs = network(views(graph, stem)[0])
    assert {x.device.type for x in outputs} == {"meta"}
    assert {p.device.type for p in network.parameters()} == {"cpu"}
    for name, x in zip(graph.outputs, outputs, strict=True):
        assert all(n in (None, got) for n, got in zip(graph.shapes[name], x.shape, strict=True))


def test_shapes_that_depend_on_the_input_are_computed_beside_the_device():
    graph = small(
        ("Shape", "x", "s", {}),
        ("Gather", "s at", "h", {}),
        ("Unsqueeze", "h zero", "hs", {}),
        ("Concat", "hs less", "t", {"axis": 0}),
        ("Reshape", "x t", "r", {}),
        ("Gather", "r rows", "y", {"axis": 0}),
        at=np.array(2), zero=np.array([0]), less=np.array([-1]), rows=np.array([1, 0]),
    )  # fmt: skip
    assert Network(graph, "meta")(torch.zeros(1, 3, 5, 4))[0].shape == (2, 12)
    assert torch.equal(Network(graph, "cpu")(torch.arange(60.0).reshape(1, 3, 5, 4))[0][0], torch.arange(12.0, 24))


def test_a_file_in_another_float_type_computes_in_float32():
    graph = small(("Cast", "x", "h", {"to": 10}), ("Mul", "h w", "m", {}), ("Cast", "m", "y", {"to": 11}),
                  w=np.full(1, 1 / 3, np.float16))  # fmt: skip
    (y,) = Network(graph, "cpu")(torch.full((1, 3, 1, 1), 2049.0))
    assert y.dtype == torch.float32
    assert y[0, 0].item() == 2049 * float(np.float16(1 / 3))  # a half cannot hold 2049


@pytest.mark.parametrize(
    ("conv", "shape", "attributes", "steps"),
    [
        ("Conv", (4, 3, 3, 3), {}, 1),
        ("ConvTranspose", (3, 4, 3, 3), {}, 1),
        ("ConvTranspose", (3, 4, 3, 3), {"strides": [2, 2]}, 1),
    ],
)
def test_batch_norm_is_merged_into_the_convolution_before_it(conv, shape, attributes, steps):
    pytest.importorskip("onnxruntime")
    graph = normed(conv, np.random.RandomState(1).uniform(-1, 1, shape).astype(np.float32), **attributes)
    network, x = Network(graph, "cpu"), torch.rand(2, 3, 9, 9, generator=torch.Generator().manual_seed(0))
    assert len(network.steps) == steps
    torch.testing.assert_close(network(x)[0], Model(graph, "onnxruntime")(x)["y"], atol=1e-5, rtol=1e-5)


def test_batch_norm_is_kept_where_the_convolution_is_read_elsewhere_too():
    pytest.importorskip("onnxruntime")
    random = np.random.RandomState(0)
    graph = small(
        ("Conv", "x w", "c", {}),
        ("BatchNormalization", "c s s s s", "n", {}),
        ("Add", "c n", "y", {}),
        w=random.uniform(-1, 1, (4, 3, 3, 3)).astype(np.float32),
        s=random.uniform(0.5, 1.5, 4).astype(np.float32),
    )
    network, x = Network(graph, "cpu"), torch.rand(1, 3, 9, 9)
    assert len(network.steps) == 3
    torch.testing.assert_close(network(x)[0], Model(graph, "onnxruntime")(x)["y"], atol=1e-5, rtol=1e-5)


def test_what_does_not_depend_on_the_input_is_worked_out_once():
    graph = small(
        ("Cast", "w", "f", {"to": 1}),
        ("Mul", "f f", "square", {}),
        ("Exp", "x", "unused", {}),
        ("Add", "x square", "y", {}),
        ("Identity", "square", "z", {}),
        outputs=("y", "z"),
        w=np.array([3], np.float16),
    )
    network = Network(graph, "cpu")
    assert len(network.steps) == 1
    y, z = network(torch.zeros(1, 3, 1, 1))
    assert (y.max().item(), z.item()) == (9, 9)
