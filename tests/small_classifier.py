"""A face classifier whose region is known, as an ONNX file: is the lower middle of the picture bright?"""

from pathlib import Path

import numpy as np

from graphs import Builder

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
    weight = np.full((2, 3, 1, 1), 1 / 3, np.float32) * np.array([1, -1], np.float32).reshape(2, 1, 1, 1)
    region = np.zeros((1, 1, SIDE, SIDE), np.float32)
    region[..., TOP:BOTTOM, LEFT:RIGHT] = 1
    rows = np.array([[20, -20], [-20, 20]], np.float32)[:, :classes]
    make, picture = Builder(), "input.1"
    picture = make.node("Transpose", picture, perm=[0, 3, 1, 2]) if last else picture
    make.node("Conv", picture, make.weight(weight), make.weight(np.array([0, 1], np.float32)), to="features")
    make.node("Relu", "features", to="rectified")
    make.node("Mul", "rectified", make.weight(region), to="looked_at")
    make.node("Flatten", make.node("GlobalAveragePool", "looked_at"), to="flat", axis=1)
    make.node("MatMul", "flat", make.weight(rows), to="logits")
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = ["B", SIDE, SIDE, 3] if last else ["B", 3, SIDE, SIDE]
    path.write_bytes(make.model(shape, {"logits": ["B", classes]}))
    return path
