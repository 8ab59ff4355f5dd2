"""A face classifier of your own: an ONNX graph that takes pictures and gives a number for each label."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from .. import onnx
from ..onnx.graph import CHANNELS

# Mean and deviation that pixels are brought to; of ImageNet, source: torchvision's models.
PIXELS = {
    "0 to 1": ((0.0,) * 3, (1.0,) * 3),
    "-1 to 1": ((0.5,) * 3, (0.5,) * 3),
    "0 to 255": ((0.0,) * 3, (1 / 255,) * 3),
    "ImageNet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
}
ORDERS = ("RGB", "BGR")
OUTPUTS = ("logits", "scores")
GREY = torch.tensor([0.299, 0.587, 0.114])
SIDE = 224  # pixels, where the graph takes any


class Classifier(nn.Module):
    """A graph with what its file does not say: its labels and how it takes pixels.

    Args:
        model: Its one input is a batch of square pictures, its first output a row of numbers for each.
        labels: In the order of these numbers.
        pixels: A key of ``PIXELS``.
        order: "RGB" or "BGR".
        output: "logits", which softmax makes probabilities of, or "scores", which are taken as they are.

    Raises:
        ValueError: The graph takes or gives something else, or has another number of labels.
    """

    def __init__(
        self,
        model: onnx.Model,
        labels: Sequence[str],
        pixels: str = "0 to 1",
        order: str = "RGB",
        output: str = "logits",
    ) -> None:
        super().__init__()
        for choice, known in ((pixels, PIXELS), (order, ORDERS), (output, OUTPUTS)):
            if choice not in known:
                raise ValueError(f"Expected one of {', '.join(known)}, got {choice}.")
        self.model, self.labels, self.pixels, self.order, self.output = model, tuple(labels), pixels, order, output
        self.last, self.channels, self.side = _layout(model)
        given = self._run(torch.zeros(1, self.side, self.side, 3))
        if given.ndim != 2 or given.shape[1] != len(self.labels):
            got = f"{len(self.labels)} ({', '.join(self.labels)})" if self.labels else "none"
            shape = ", ".join(map(str, given.shape[1:]))
            raise ValueError(
                f"Expected as many labels as the graph gives numbers for a picture ({shape}), got {got}: "
                "write them in the order that the classifier was trained with."
            )
        if output == "logits" and len(self.labels) == 1:
            raise ValueError(
                "Expected two labels or more for logits, got one, which softmax makes 1 always: set output to scores."
            )

    def index(self, label: str) -> int:
        """Which output a label is.

        Raises:
            ValueError: There is no such label; says which there are.
        """
        named = {name.lower(): number for number, name in enumerate(self.labels)}
        if label.strip().lower() not in named:
            raise ValueError(f"Expected a label among {', '.join(self.labels)}, got {label.strip()}.")
        return named[label.strip().lower()]

    def classify(self, pictures: Tensor) -> Tensor:
        """(M, K) how sure it is of each label.

        Args:
            pictures: (M, S, S, 3) RGB in [0, 1]; of another side they are resized.
        """
        given = self._run(pictures)
        return given.softmax(1) if self.output == "logits" else given

    def logits(self, pictures: Tensor) -> Tensor:
        """(M, K) as the graph gives it, for gradients."""
        return self._run(pictures)

    def _run(self, pictures: Tensor) -> Tensor:
        x = pictures.movedim(-1, 1)
        if x.shape[2:] != (self.side, self.side):
            x = interpolate(x, (self.side, self.side), mode="bilinear", align_corners=False, antialias=True)
        if self.channels == 1:
            grey = (x * GREY.to(x)[:, None, None]).sum(1, keepdim=True)
            x = grey * 255 if self.pixels == "0 to 255" else grey * 2 - 1 if self.pixels == "-1 to 1" else grey
        else:
            mean, deviation = (torch.tensor(values).to(x)[:, None, None] for values in PIXELS[self.pixels])
            x = (x - mean) / deviation
            x = x.flip(1) if self.order == "BGR" else x
        return next(iter(self.model(x.movedim(1, -1) if self.last else x).values()))


def parse_labels(text: str) -> list[str]:
    """Labels from text, commas or lines between.

    Raises:
        ValueError: One stands there twice.
    """
    labels = [word.strip() for word in text.replace("\n", ",").split(",") if word.strip()]
    low = [label.lower() for label in labels]
    if twice := next((label for label in labels if low.count(label.lower()) > 1), None):
        raise ValueError(f"Expected each label once, got {twice} twice.")
    return labels


def _layout(model: onnx.Model) -> tuple[bool, int, int]:
    """Whether channels come last, how many there are, and the side of the pictures that a graph takes."""
    shape = model.sockets[0].shape if len(model.sockets) == 1 else None
    if shape is None or len(shape) != 4:
        inputs = "; ".join(f"{socket.name} {socket.shape}" for socket in model.sockets)
        raise ValueError(f"Expected a graph of one input, a batch of pictures, got {inputs}: it is no face classifier.")
    last = shape[1] not in CHANNELS and shape[3] in CHANNELS
    channels, sizes = (shape[3], shape[1:3]) if last else (shape[1], shape[2:])
    known = [size for size in sizes if size is not None]
    if channels not in (None, 1, 3) or len(set(known)) > 1:
        raise ValueError(f"Expected square pictures of 1 or 3 channels, got a graph for {shape}.")
    return last, channels or 3, known[0] if known else SIDE
