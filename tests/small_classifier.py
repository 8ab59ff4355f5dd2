"""A face classifier whose region is known, as an ONNX file: is the lower middle of the picture bright?"""

from pathlib import Path

import numpy as np
import pytest

SIDE = 64
TOP, BOTTOM, LEFT, RIGHT = 36, 56, 18, 46  # the region that it looks at
LABELS = "bright, dark"


def write(path: Path, last: bool = False, classes: int = 2) -> Path:
    """Write the graph: convolution, rectifier, the region, its mean, a number for each label.

    Args:
        path: Of the .onnx file.
        last: Channels come last, as Keras exports them.
        classes: How many numbers it gives.
    """
    onnx = pytest.importorskip("onnx", reason="pip install onnx: it makes the graph")
    weight = np.zeros((2, 3, 1, 1), np.float32)
    weight[0] = 1 / 3
    weight[1] = -1 / 3
    region = np.zeros((1, 1, SIDE, SIDE), np.float32)
    region[..., TOP:BOTTOM, LEFT:RIGHT] = 1
    rows = np.array([[20, -20], [-20, 20]], np.float32)[:classes]
    weights = {"w": weight, "b": np.array([0, 1], np.float32), "region": region, "rows": rows}
    nodes = [
        ("Conv", "picture w b", "features", {}),
        ("Relu", "features", "rectified", {}),
        ("Mul", "rectified region", "looked_at", {}),
        ("GlobalAveragePool", "looked_at", "mean", {}),
        ("Flatten", "mean", "flat", {}),
        ("Gemm", "flat rows", "logits", {"transB": 1}),
    ]
    shape = ["B", 3, SIDE, SIDE]
    if last:
        shape = ["B", SIDE, SIDE, 3]
        nodes = [("Transpose", "pictures", "picture", {"perm": [0, 3, 1, 2]}), *nodes]
    made = onnx.helper.make_graph(
        [onnx.helper.make_node(op, ins.split(), outs.split(), **more) for op, ins, outs, more in nodes],
        "small",
        [onnx.helper.make_tensor_value_info("pictures" if last else "picture", onnx.TensorProto.FLOAT, shape)],
        [onnx.helper.make_tensor_value_info("logits", onnx.TensorProto.FLOAT, ["B", classes])],
        [onnx.numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = onnx.helper.make_model(made, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model.SerializeToString())
    return path
