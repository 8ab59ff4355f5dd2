"""Each operator of the torch engine against onnxruntime, on a graph of its own."""

import numpy as np
import pytest
import torch

from likeness.onnx.graph import Graph
from likeness.onnx.network import Network
from likeness.onnx.operators import OPERATORS
from likeness.onnx.proto import parse

onnx = pytest.importorskip("onnx", reason="pip install onnx: it makes the graphs")
onnxruntime = pytest.importorskip("onnxruntime", reason="pip install onnxruntime: it is what we compare with")


def floats(*shape: int, low: float = -1.0, high: float = 1.0, seed: int = 0) -> np.ndarray:
    return np.random.RandomState(seed).uniform(low, high, shape).astype(np.float32)


def ints(*numbers: int) -> np.ndarray:
    return np.array(numbers, dtype=np.int64)


def scalar(number: float) -> np.ndarray:
    return np.array(number, dtype=np.int64 if isinstance(number, int) else np.float32)


def bools(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.RandomState(seed).uniform(size=shape) > 0.5


def model(op: str, inputs: list, attributes: dict, opset: int, outputs: int, fixed: bool) -> tuple[bytes, dict]:
    """A graph of one node, and what to feed it; ``fixed``: all but its first input are weights."""
    names = ["" if value is None else f"x{at}" for at, value in enumerate(inputs)]
    held = [(name, value) for name, value in zip(names, inputs, strict=True) if name]
    free = held[:1] if fixed else held
    made = [f"y{at}" for at in range(outputs)]
    socket = lambda name, value: onnx.helper.make_tensor_value_info(  # noqa: E731
        name, onnx.helper.np_dtype_to_tensor_dtype(value.dtype), value.shape
    )
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node(op, names, made, **attributes)],
        "one",
        [socket(name, value) for name, value in free],
        [onnx.helper.make_empty_tensor_value_info(name) for name in made],
        [onnx.numpy_helper.from_array(value, name) for name, value in held[len(free) :]],
    )
    imports = [onnx.helper.make_opsetid("", opset)]
    return onnx.helper.make_model(graph, opset_imports=imports, ir_version=8).SerializeToString(), dict(free)


X = floats(2, 3, 6, 8)
POSITIVE = floats(2, 3, 6, 8, low=0.1, high=2)
FEW = np.array([0.3], np.float32)
COUNTS = np.arange(-12, 12).reshape(2, 3, 4)
PLAIN = [
    "Abs", "Atan", "Asinh", "Ceil", "Cos", "Cosh", "Erf", "Exp", "Floor", "HardSwish", "Identity", "Neg", "Reciprocal",
    "Relu", "Round", "Sigmoid", "Sign", "Sin", "Sinh", "Softplus", "Softsign", "Tan", "Tanh", "Shape", "Size",
    "GlobalAveragePool", "GlobalMaxPool", "Transpose", "Flatten", "LeakyRelu", "Elu", "Celu", "Selu", "HardSigmoid",
    "ThresholdedRelu", "Clip", "ReduceL1", "ReduceL2", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin",
    "ReduceProd", "ReduceSum", "ReduceSumSquare", "Softmax", "LogSoftmax", "ArgMax", "ArgMin", "NonZero", "Dropout",
    "LpNormalization", "Asin", "Acos", "Atanh",
]  # fmt: skip
PAIRS = ["Add", "Sub", "Mul", "Div", "Max", "Min", "Sum", "Mean"]
COMPARISONS = ["Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"]
RESIZES = [
    {"mode": mode, "coordinate_transformation_mode": how, **more}
    for mode, extras in {
        "nearest": [{"nearest_mode": n} for n in ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")],
        "linear": [{}],
        "cubic": [{}, {"cubic_coeff_a": -0.5}, {"exclude_outside": 1}],
    }.items()
    for how in ("half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners")
    for more in extras
]
CASES = [
    *((op, [X], {}, 17) for op in PLAIN),
    *((op, [X, floats(3, 1, 8, seed=1)], {}, 17) for op in PAIRS),
    *((op, [np.round(X), np.round(floats(3, 1, 8, seed=1))], {}, 17) for op in COMPARISONS),
    *((op, [bools(3, 4), bools(3, 4, seed=1)], {}, 17) for op in ("And", "Or", "Xor")),
    ("Not", [bools(3, 4)], {}, 17),
    ("Acosh", [POSITIVE + 1], {}, 17),
    ("Log", [POSITIVE], {}, 17),
    ("Sqrt", [POSITIVE], {}, 17),
    ("Mish", [X], {}, 18),
    ("Gelu", [X], {}, 20),
    ("Gelu", [X], {"approximate": "tanh"}, 20),
    ("IsNaN", [np.array([0, np.nan, 1], np.float32)], {}, 17),
    ("Pow", [POSITIVE, floats(1)], {}, 17),
    ("Pow", [X, scalar(2)], {}, 17),
    ("Div", [COUNTS, ints(5)], {}, 17),
    ("Mod", [COUNTS, ints(5)], {}, 17),
    ("Mod", [X, floats(1)], {"fmod": 1}, 17),
    ("Sum", [X, X, X], {}, 17),
    ("Where", [bools(2, 3, 6, 8), X, floats(8)], {}, 17),
    ("Clip", [X, scalar(-0.5)], {}, 17),
    ("Clip", [X, scalar(-0.5), scalar(0.5)], {}, 17),
    ("Clip", [X, None, scalar(0.5)], {}, 17),
    ("Clip", [X], {"min": -0.5, "max": 0.5}, 7),
    ("Cast", [X * 9], {"to": 7}, 17),
    ("Cast", [COUNTS], {"to": 1}, 17),
    ("Cast", [np.round(X)], {"to": 9}, 17),
    ("CastLike", [COUNTS, X], {}, 17),
    ("PRelu", [X, floats(3, 1, 1)], {}, 17),
    ("PRelu", [X, floats(1)], {}, 17),
    ("PRelu", [X, floats(3, 6, 8)], {}, 17),
    ("PRelu", [floats(2, 5), floats(5)], {}, 17),
    ("LeakyRelu", [X], {"alpha": 0.3}, 17),
    ("HardSigmoid", [X * 5], {"alpha": 1 / 6, "beta": 0.4}, 17),
    ("Selu", [X], {"alpha": 2.0, "gamma": 3.0}, 17),
    # shapes
    ("Shape", [X], {"start": 1, "end": -1}, 17),
    ("Reshape", [X, ints(0, -1, 4)], {}, 17),
    ("Flatten", [X], {"axis": 2}, 17),
    ("Flatten", [X], {"axis": -1}, 17),
    ("Flatten", [X], {"axis": 0}, 17),
    ("Squeeze", [floats(1, 3, 1), ints(0, -1)], {}, 17),
    ("Squeeze", [floats(1, 3, 1)], {}, 17),
    ("Squeeze", [floats(1, 3, 1)], {"axes": [2]}, 11),
    ("Unsqueeze", [floats(2, 3), ints(0, -1)], {}, 17),
    ("Unsqueeze", [floats(2, 3)], {"axes": [1, 3]}, 11),
    ("Transpose", [X], {"perm": [0, 2, 3, 1]}, 17),
    ("Concat", [X, X], {"axis": -2}, 17),
    ("Slice", [X, ints(1, -3), ints(9, -1), ints(2, 3)], {}, 17),
    ("Slice", [X, ints(1, 0), ints(5, 8), ints(2, 3), ints(2, 3)], {}, 17),
    ("Slice", [X, ints(-1), ints(-99), ints(3), ints(-1)], {}, 17),
    ("Slice", [X, ints(6), ints(0), ints(3), ints(-2)], {}, 17),
    ("Slice", [X, ints(0, 0, 1), ints(1, 2, 2**62)], {}, 17),
    ("Slice", [X], {"starts": [1], "ends": [3], "axes": [1]}, 9),
    ("Expand", [floats(3, 1, 8), ints(2, 1, 6, 1)], {}, 17),
    ("Tile", [floats(2, 3), ints(2, 3)], {}, 17),
    ("Pad", [X, ints(0, 0, 1, 2, 0, 0, 3, 0)], {}, 17),
    ("Pad", [X, ints(0, 1, 1, 2, 0, 0, 3, -1), scalar(0.7)], {}, 17),
    ("Pad", [X, ints(0, 0, 1, 2, 0, 0, 3, 4)], {"mode": "reflect"}, 17),
    ("Pad", [X, ints(0, 2, 1, 2, 0, 0, 3, 4)], {"mode": "edge"}, 17),
    ("Pad", [X, ints(1, 2, 3, 0), None, ints(2, 3)], {}, 18),
    ("Pad", [X, ints(0, 0, 1, 2, 0, 0, 3, 4)], {"mode": "wrap"}, 19),
    ("Pad", [X], {"pads": [0, 0, 1, 1, 0, 0, 1, 1], "value": 0.5}, 9),
    ("DepthToSpace", [floats(2, 12, 3, 4)], {"blocksize": 2}, 17),
    ("DepthToSpace", [floats(2, 12, 3, 4)], {"blocksize": 2, "mode": "CRD"}, 17),
    ("SpaceToDepth", [X], {"blocksize": 2}, 17),
    ("Trilu", [X], {"upper": 0}, 17),
    ("Trilu", [X, scalar(1)], {}, 17),
    ("Range", [scalar(2), scalar(11), scalar(3)], {}, 17),
    ("Range", [scalar(0.5), scalar(2.0), scalar(0.25)], {}, 17),
    ("ConstantOfShape", [ints(2, 3)], {}, 17),
    ("ConstantOfShape", [ints(2, 3)], {"value": ("int64", [7])}, 17),
    # indexing
    ("Gather", [X, ints(2, -1, 0)], {"axis": 2}, 17),
    ("Gather", [X, scalar(-1)], {"axis": 1}, 17),
    ("Gather", [X, np.array([[0, 1], [2, 0]])], {"axis": 1}, 17),
    ("GatherElements", [X, np.array([[[[0, -1, 2]]]])], {"axis": 3}, 17),
    ("GatherND", [X, np.array([[0, 1], [1, -1]])], {}, 17),
    ("GatherND", [X, np.array([[[0, 1]], [[2, -1]]])], {"batch_dims": 1}, 17),
    ("ScatterElements", [floats(3, 5), np.array([[1, -1]]), floats(1, 2)], {"axis": 1}, 17),
    ("ScatterElements", [floats(3, 5), np.array([[1, 1]]), floats(1, 2)], {"axis": 1, "reduction": "add"}, 17),
    ("ScatterND", [floats(4, 5), np.array([[0], [2]]), floats(2, 5)], {}, 17),
    ("ScatterND", [floats(4, 5), np.array([[0], [0]]), floats(2, 5)], {"reduction": "add"}, 17),
    ("OneHot", [ints(0, 2, -1), scalar(3), floats(2)], {}, 17),
    ("OneHot", [ints(0, 2), ints(3), floats(2)], {"axis": 0}, 17),
    ("TopK", [np.round(X * 3), ints(4)], {}, 17, 2),
    ("TopK", [X, ints(2)], {"axis": 1, "largest": 0}, 17, 2),
    ("ArgMax", [np.round(X)], {"axis": 3, "keepdims": 0}, 17),
    ("ArgMax", [np.round(X)], {"axis": 3, "select_last_index": 1}, 17),
    ("CumSum", [X, scalar(2)], {}, 17),
    ("CumSum", [X, scalar(-1)], {"exclusive": 1, "reverse": 1}, 17),
    ("NonMaxSuppression", [floats(2, 30, 4, low=0), floats(2, 2, 30, low=0), ints(5), FEW], {}, 17),
    ("NonMaxSuppression", [floats(1, 30, 4, low=0), floats(1, 1, 30, low=0), ints(9), FEW, FEW],
     {"center_point_box": 1}, 17),
    # sums
    ("ReduceMean", [X], {"axes": [2, 3], "keepdims": 0}, 13),
    ("ReduceMean", [X, ints(1, -1)], {}, 18),
    ("ReduceSum", [X, ints(1)], {"keepdims": 0}, 17),
    ("ReduceSum", [X, ints()], {"noop_with_empty_axes": 1}, 17),
    ("ReduceProd", [X], {"axes": [0, 2]}, 17),
    ("ReduceLogSum", [POSITIVE], {"axes": [1]}, 17),
    ("ReduceMax", [COUNTS], {"axes": [1]}, 17),
    ("Softmax", [X], {"axis": 1}, 17),
    ("Softmax", [X], {"axis": 2}, 11),
    ("Softmax", [X], {}, 11),
    ("LogSoftmax", [X], {}, 11),
    # layers
    ("MatMul", [floats(2, 3, 4), floats(4, 5)], {}, 17),
    ("Gemm", [floats(3, 4), floats(4, 5), floats(5)], {}, 17),
    ("Gemm", [floats(4, 3), floats(5, 4), floats(3, 1)], {"transA": 1, "transB": 1, "alpha": 0.5, "beta": 2.0}, 17),
    ("Gemm", [floats(3, 4), floats(4, 5)], {"alpha": 0.5}, 17),
    ("Einsum", [floats(2, 3, 4), floats(2, 4, 5)], {"equation": "bij,bjk->bik"}, 17),
    ("BatchNormalization", [X, floats(3), floats(3), floats(3), POSITIVE[0, :, 0, 0]], {"epsilon": 1e-3}, 17),
    ("InstanceNormalization", [X, floats(3), floats(3)], {"epsilon": 1e-3}, 17),
    ("LayerNormalization", [X, floats(8), floats(8)], {}, 17),
    ("LayerNormalization", [X, floats(6, 8)], {"axis": 2, "epsilon": 1e-3}, 17),
    ("GroupNormalization", [floats(2, 6, 4), floats(6), floats(6)], {"num_groups": 2}, 21),
    ("LpNormalization", [X], {"axis": 1, "p": 1}, 17),
    ("LRN", [floats(2, 7, 4, 4)], {"size": 3, "alpha": 0.2, "bias": 2.0}, 17),
    # convolutions and pooling
    ("Conv", [X, floats(4, 3, 3, 3), floats(4)], {"pads": [1, 1, 1, 1]}, 17),
    ("Conv", [X, floats(4, 3, 3, 3)], {"pads": [0, 1, 2, 0], "strides": [2, 1], "dilations": [1, 2]}, 17),
    ("Conv", [X, floats(3, 1, 3, 3)], {"group": 3, "auto_pad": "SAME_UPPER", "strides": [2, 2]}, 17),
    ("Conv", [X, floats(3, 1, 3, 3)], {"group": 3, "auto_pad": "SAME_LOWER", "strides": [2, 2]}, 17),
    ("Conv", [X, floats(3, 3, 2, 2)], {"auto_pad": "VALID"}, 17),
    ("Conv", [floats(2, 3, 9), floats(4, 3, 3)], {"pads": [1, 1]}, 17),
    ("Conv", [floats(1, 2, 5, 5, 5), floats(4, 2, 3, 3, 3)], {}, 17),
    ("ConvTranspose", [X, floats(3, 4, 3, 3), floats(4)], {"strides": [2, 2], "pads": [1, 1, 1, 1]}, 17),
    ("ConvTranspose", [X, floats(3, 4, 3, 3)], {"strides": [2, 2], "pads": [1, 0, 0, 1], "output_padding": [1, 0]}, 17),
    ("ConvTranspose", [X, floats(3, 2, 4, 4)], {"strides": [2, 2], "auto_pad": "SAME_UPPER"}, 17),
    ("ConvTranspose", [X, floats(3, 2, 5, 5)], {"strides": [2, 2], "auto_pad": "SAME_UPPER"}, 17),
    ("ConvTranspose", [X, floats(3, 2, 5, 5)], {"strides": [2, 2], "auto_pad": "SAME_LOWER"}, 17),
    ("ConvTranspose", [X, floats(3, 2, 3, 3)], {"strides": [2, 2], "output_shape": [12, 16]}, 17),
    ("ConvTranspose", [X, floats(3, 1, 3, 3)], {"group": 3, "dilations": [2, 2]}, 17),
    ("MaxPool", [X], {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}, 17),
    ("MaxPool", [X - 2], {"kernel_shape": [3, 2], "strides": [2, 2], "pads": [0, 0, 1, 1]}, 17),
    ("MaxPool", [X], {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1}, 17),
    ("MaxPool", [X], {"kernel_shape": [2, 2], "auto_pad": "SAME_UPPER"}, 17),
    ("MaxPool", [X], {"kernel_shape": [2, 2], "dilations": [2, 3]}, 17),
    ("AveragePool", [X], {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}, 17),
    ("AveragePool", [X], {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "count_include_pad": 1}, 17),
    ("AveragePool", [X], {"kernel_shape": [2, 3], "pads": [0, 1, 1, 0], "strides": [2, 1]}, 17),
    ("AveragePool", [X], {"kernel_shape": [2, 2], "auto_pad": "SAME_LOWER"}, 17),
    # between the pixels
    *(("Resize", [X, None, np.array([1, 1, 2, 2], np.float32)], how, 17) for how in RESIZES),
    *(("Resize", [X, None, None, ints(2, 3, 13, 5)], how, 17) for how in RESIZES),
    *(("Resize", [X, None, np.array([1, 1, 0.6, 1.7], np.float32)], how, 17) for how in RESIZES),
    ("Resize", [X, None, None, ints(2, 3, 3, 4)], {"mode": "linear", "antialias": 1}, 18),
    ("Resize", [X, None, None, ints(2, 3, 3, 4)], {"mode": "cubic", "antialias": 1}, 18),
    ("Resize", [X, None, None, ints(2, 3, 3, 4)], {"mode": "cubic", "antialias": 1, "exclude_outside": 1}, 18),
    ("Resize", [X, None, None, ints(12, 9)], {"mode": "linear", "axes": [2, 3]}, 18),
    ("Resize", [X, None, None, ints(12, 12)],
     {"mode": "linear", "axes": [2, 3], "keep_aspect_ratio_policy": "not_larger"}, 18),
    ("Resize", [X, None, np.array([1, 1, 0.6, 1.7], np.float32)],
     {"mode": "linear", "coordinate_transformation_mode": "half_pixel_symmetric"}, 19),
    ("Resize", [X, floats(0), np.array([1, 1, 2, 3], np.float32)],
     {"mode": "nearest", "coordinate_transformation_mode": "tf_half_pixel_for_nn"}, 12),
    ("Resize", [X, np.array([1, 1, 2, 3], np.float32)], {"mode": "nearest"}, 10),
    ("Resize", [X, np.array([1, 1, 2, 3], np.float32)], {"mode": "linear"}, 10),
    ("Upsample", [X, np.array([1, 1, 2, 3], np.float32)], {"mode": "linear"}, 9),
    ("Upsample", [X], {"scales": [1.0, 1.0, 2.0, 2.0]}, 7),
    *(
        ("GridSample", [X, floats(2, 5, 5, 2, low=-1.4, high=1.4)],
         {"mode": mode, "padding_mode": padding, "align_corners": corners}, 17)
        for mode in ("bilinear", "nearest", "bicubic")
        for padding in ("zeros", "border", "reflection")
        for corners in (0, 1)
    ),
    ("GridSample", [X, floats(2, 5, 5, 2)], {"mode": "cubic"}, 20),
    ("Constant", [], {"value_floats": [1.0, 2.0]}, 17),
    ("Constant", [], {"value_int": 3}, 17),
    ("Constant", [], {"value": ("float32", [[1.5, 2.5]])}, 17),
]  # fmt: skip
SAME = {"Scatter": "ScatterElements"}  # older names


def named(case: tuple) -> str:
    op, inputs, attributes, opset, *_ = case
    shapes = " ".join("-" if x is None else "x".join(map(str, x.shape)) for x in inputs)
    return f"{op}{opset} {shapes} {' '.join(f'{k}={v}' for k, v in attributes.items())}".strip()


def compare(data: bytes, feeds: dict) -> None:
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    expected = session.run(None, feeds)
    got = Network(Graph(data, parse(data)), "cpu")(*(torch.from_numpy(value) for value in feeds.values()))
    for want, have in zip(expected, got, strict=True):
        assert tuple(have.shape) == want.shape
        assert have.is_floating_point() == np.issubdtype(want.dtype, np.floating)
        np.testing.assert_allclose(have.numpy(), want, rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize("case", CASES, ids=named)
def test_it_computes_what_onnxruntime_computes(case):
    op, inputs, attributes, opset, *outputs = case
    if isinstance(attributes.get("value"), tuple):
        kind, numbers = attributes["value"]
        attributes = {**attributes, "value": onnx.numpy_helper.from_array(np.array(numbers, kind))}
    for fixed in (True, False) if len(inputs) > 1 else (False,):
        compare(*model(op, inputs, attributes, opset, outputs[0] if outputs else 1, fixed))


def test_split_gives_as_many_parts_as_are_asked_for():
    for inputs, attributes, opset, parts in [
        ([X], {"axis": 2}, 13, 3),
        ([X, ints(1, 5)], {"axis": 2}, 13, 2),
        ([X], {"axis": 3, "split": [3, 3, 2]}, 11, 3),
        ([X], {"axis": 3, "num_outputs": 3}, 18, 3),
    ]:
        compare(*model("Split", inputs, attributes, opset, parts, fixed=True))


def test_no_operator_goes_untested():
    tested = {SAME.get(op, op) for op, *_ in CASES} | {"Split"}
    assert {SAME.get(op, op) for op in OPERATORS} == tested


@pytest.mark.parametrize(
    ("op", "inputs", "attributes", "message"),
    [
        ("Det", [floats(3, 3)], {}, r"the ONNX operator Det: pip install onnxruntime \(onnxruntime-gpu for CUDA\)"),
        ("MaxPool", [X], {"kernel_shape": [2, 2], "strange": 1}, "operator MaxPool with the attribute strange"),
    ],
)
def test_what_it_does_not_know_is_named_with_the_way_out(op, inputs, attributes, message):
    data, _ = model(op, inputs, attributes, 17, 1, fixed=True)
    with pytest.raises(NotImplementedError, match=message):
        Network(Graph(data, parse(data)), "cpu")


def test_a_way_of_resizing_that_it_does_not_know_is_named():
    how = {"mode": "linear", "coordinate_transformation_mode": "tf_crop_and_resize"}
    data, feeds = model("Resize", [X, floats(8), np.array([1, 1, 2, 2], np.float32)], how, 17, 1, fixed=True)
    with pytest.raises(NotImplementedError, match="Resize with the coordinate_transformation_mode tf_crop_and_resize"):
        Network(Graph(data, parse(data)), "cpu")(*(torch.from_numpy(value) for value in feeds.values()))
