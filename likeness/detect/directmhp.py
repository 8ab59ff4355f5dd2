"""DirectMHP: heads seen from any side, the back included, and where each turns; no five points.

DirectMHP: Direct 2D Multi-Person Head Pose Estimation with Full-range Angles, 2023. https://arxiv.org/abs/2302.01110
Weights: agora_s and agora_m of HoyerChou/DirectMHP; trained on AGORA, for non-commercial use. The authors' code is
under the GPL; this is written anew, without a line of it.

A YOLOv5 of four scales whose cells say besides the box how the head turns. Its triples turn by roll first, then yaw,
then pitch, with yaw to the image's left; they are brought to the house's order and signs. Where a picture is searched
at its own size both give the same boxes; where it shrinks ours is smoothed first.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, max_pool2d, pad, pixel_unshuffle, silu
from torchvision.ops import nms

from ..landmark.procrustes import angles_to_rotation, rotation_to_angles
from ..types import Faces, HeadPose
from ..value import cat
from ..weights import StateDict, System, UnsupportedCheckpointError, count

SIZE = 1280  # pixels; the longer side of what the network sees
STRIDES = (8, 16, 32, 64)
STEP = STRIDES[-1]  # pixels; both sides are multiples of it
ANCHORS = 3  # a cell
NUMBERS = 9  # of an anchor: centre, size, whether there is something, whether it is a head, pitch, yaw, roll
RANGES = (180.0, 360.0, 180.0)  # degrees that pitch, yaw and roll go over
GREY = 114 / 255  # around a picture
IOU = 0.45
MOST = 300  # heads in a picture
CANDIDATES = 30000
EPS = 1e-3  # of every BatchNorm


class Conv(nn.Module):
    def __init__(self, width: int, out: int, side: int = 1, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, out, side, stride, side // 2, bias=False)
        self.bn = nn.BatchNorm2d(out, EPS)

    def forward(self, x: Tensor) -> Tensor:
        return silu(self.bn(self.conv(x)))


class Focus(nn.Module):
    """Every square of four pixels becomes one of four times the channels."""

    def __init__(self, out: int) -> None:
        super().__init__()
        self.conv = Conv(12, out, 3)

    def forward(self, x: Tensor) -> Tensor:
        # Published as column by column of the square, all colours of a pixel together.
        batch, colours, height, width = x.shape
        squares = pixel_unshuffle(x, 2).reshape(batch, colours, 2, 2, height // 2, width // 2)
        return self.conv(squares.permute(0, 3, 2, 1, 4, 5).flatten(1, 3))


class Bottleneck(nn.Module):
    def __init__(self, width: int, shortcut: bool) -> None:
        super().__init__()
        self.cv1, self.cv2 = Conv(width, width), Conv(width, width, 3)
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        deep = self.cv2(self.cv1(x))
        return x + deep if self.shortcut else deep


class C3(nn.Module):
    """One half of the channels goes through the bottlenecks, the other past them."""

    def __init__(self, width: int, out: int, depth: int, shortcut: bool = False) -> None:
        super().__init__()
        half = out // 2
        self.cv1, self.cv2, self.cv3 = Conv(width, half), Conv(width, half), Conv(2 * half, out)
        self.m = nn.Sequential(*(Bottleneck(half, shortcut) for _ in range(depth)))

    def forward(self, x: Tensor) -> Tensor:
        return self.cv3(torch.cat([self.m(self.cv1(x)), self.cv2(x)], 1))


class SPP(nn.Module):
    """Each cell beside the largest of its neighbourhoods of three sizes."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.cv1, self.cv2 = Conv(width, width // 2), Conv(2 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        x = self.cv1(x)
        return self.cv2(torch.cat([x, *(max_pool2d(x, side, 1, side // 2) for side in (3, 5, 7))], 1))


class Rows(nn.Module):
    """Four maps to (B, K, 9) rows: centre and size in pixels, the rest in [0, 1]."""

    anchors: Tensor
    anchor_grid: Tensor

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.m = nn.ModuleList(nn.Conv2d(width, ANCHORS * NUMBERS, 1) for width in widths)
        self.register_buffer("anchors", torch.zeros(len(STRIDES), ANCHORS, 2))  # in strides, for training
        self.register_buffer("anchor_grid", torch.zeros(len(STRIDES), 1, ANCHORS, 1, 1, 2))  # in pixels

    def forward(self, maps: list[Tensor]) -> Tensor:
        rows = []
        for stride, anchor, conv, x in zip(STRIDES, self.anchor_grid, self.m, maps, strict=True):
            height, width = x.shape[2:]
            y = conv(x).sigmoid().unflatten(1, (ANCHORS, NUMBERS)).movedim(2, -1)
            columns, lines = (torch.arange(n, device=y.device, dtype=y.dtype) for n in (width, height))
            cell = torch.stack(torch.meshgrid(columns, lines, indexing="xy"), -1)
            centre = (2 * y[..., :2] + cell - 0.5) * stride
            rows.append(torch.cat([centre, (2 * y[..., 2:4]).square() * anchor, y[..., 4:]], -1).flatten(1, 3))
        return torch.cat(rows, 1)


class DirectMHP(nn.Module):
    """(B, 3, H, W) RGB in [0, 1], sides multiples of 64, to (B, K, 9) rows; see ``Rows``."""

    def __init__(self, widths: tuple[int, ...], few: int, many: int) -> None:
        super().__init__()
        stem, w2, w3, w4, w5, w6 = widths
        none = nn.Identity  # where nothing is learned: maps grow, or are joined
        layers = [Focus(stem), Conv(stem, w2, 3, 2), C3(w2, w2, few, True)]
        layers += [Conv(w2, w3, 3, 2), C3(w3, w3, many, True), Conv(w3, w4, 3, 2), C3(w4, w4, many, True)]
        layers += [Conv(w4, w5, 3, 2), C3(w5, w5, few, True), Conv(w5, w6, 3, 2), SPP(w6), C3(w6, w6, few)]
        for above, width in ((w6, w5), (w5, w4), (w4, w3)):
            layers += [Conv(above, width), none(), none(), C3(2 * width, width, few)]
        for width, out in ((w3, w4), (w4, w5), (w5, w6)):
            layers += [Conv(width, width, 3, 2), none(), C3(2 * width, out, few)]
        self.model = nn.ModuleList([*layers, Rows((w3, w4, w5, w6))])

    def forward(self, x: Tensor) -> Tensor:
        layers, kept = self.model, []
        for number in range(12):
            x = layers[number](x)
            if number in (4, 6, 8):
                kept.append(x)
        waiting = []
        for first in (12, 16, 20):  # from the coarsest map to the finest
            x = layers[first](x)
            waiting.append(x)
            finer = interpolate(x, scale_factor=2.0, mode="nearest")
            x = layers[first + 3](torch.cat([finer, kept.pop()], 1))
        maps = [x]
        for first in (24, 27, 30):  # and back
            x = layers[first + 2](torch.cat([layers[first](x), waiting.pop()], 1))
            maps.append(x)
        rows: Tensor = layers[33](maps)
        return rows

    def detect(self, image: Tensor, threshold: float = 0.7, size: int = SIZE) -> Faces:
        """The heads of each image, the surest first; see ``heads``."""
        return self.heads(image, threshold, size).faces

    def heads(self, image: Tensor, threshold: float = 0.7, size: int = SIZE) -> HeadPose:
        """The heads of each image, the surest first, and where they turn; yaw beyond 90 degrees is seen from behind.

        Args:
            image: (B, H, W, 3) RGB in [0, 1].
            threshold: The least score, in [0, 1].
            size: The longer side that images are resized to first, pixels; the next multiple of 64 is taken.
        """
        image_size = (image.shape[1], image.shape[2])
        weight = next(self.parameters())
        parts = []
        for one in image:  # one by one: on a GPU a picture of this size fills it, too
            x, ratio, corner = letterbox(one, size)
            found = choose(self(x.to(weight)[None])[0].float().cpu(), threshold)
            parts.append(_heads(found, ratio, corner, image_size))
        return cat(parts, empty=_heads(torch.zeros(0, NUMBERS), torch.ones(2), torch.zeros(2), image_size, 0))


def letterbox(image: Tensor, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """(3, h, w) an (H, W, 3) image with sides of whole steps, grey around it.

    Returns:
        The picture, how much larger (x, y) the image is, and (x, y) where its corner lies.
    """
    height, width = image.shape[:2]
    size = math.ceil(size / STEP) * STEP
    scale = min(size / height, size / width)
    h, w = max(1, round(height * scale)), max(1, round(width * scale))
    x = image.movedim(-1, 0)[None]
    if (h, w) != (height, width):
        x = interpolate(x, (h, w), mode="bilinear", antialias=scale < 1, align_corners=False)
    left, top = -w % STEP // 2, -h % STEP // 2
    room = (left, -w % STEP - left, top, -h % STEP - top)
    return pad(x[0], room, value=GREY), torch.tensor([width / w, height / h]), torch.tensor([left, top])


def choose(rows: Tensor, threshold: float) -> Tensor:
    """The rows (K, 9) that are heads of their own, the surest first; their fifth number is the score."""
    score = rows[:, 4] * rows[:, 5]
    sure = (score > threshold).nonzero().flatten()
    sure = sure[score[sure].argsort(descending=True, stable=True)][:CANDIDATES]
    kept = sure[nms(corners(rows[sure]), score[sure], IOU)][:MOST]
    return torch.cat([rows[kept, :4], score[kept, None], rows[kept, 5:]], 1)


def corners(rows: Tensor) -> Tensor:
    """(K, 4) xyxy of rows that begin with centre and size."""
    half = rows[:, 2:4] / 2
    return torch.cat([rows[:, :2] - half, rows[:, :2] + half], 1)


def house_angles(published: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(N,) yaw, pitch and roll by the house's signs and order, in degrees.

    Two triples give one rotation: of these the one that tilts less is taken, so yaw goes all the way round.

    Args:
        published: (N, 3) pitch, yaw and roll as the network gives them, in [0, 1].
    """
    pitch, yaw, roll = ((published - 0.5) * published.new_tensor(RANGES)).unbind(-1)
    angles = rotation_to_angles(angles_to_rotation(yaw, -pitch, -roll).mT)
    front = torch.stack(angles)
    back = torch.stack([180 - angles[0], angles[1] + 180, angles[2] + 180])
    front, back = ((triple + 180) % 360 - 180 for triple in (front, back))
    chosen = torch.where(back[1:].abs().sum(0) < front[1:].abs().sum(0), back, front)
    return chosen[0], chosen[1], chosen[2]


def _heads(rows: Tensor, ratio: Tensor, corner: Tensor, size: tuple[int, int], images: int = 1) -> HeadPose:
    """The heads of one image, in its pixels."""
    number = len(rows)
    most = torch.tensor([size[1], size[0]]).repeat(2)
    box = ((corners(rows) - corner.repeat(2)) * ratio.repeat(2)).clamp(min=0).minimum(most) - 0.5
    faces = Faces(size, images, torch.arange(number), torch.zeros(number, dtype=torch.int64), box, rows[:, 4])
    return HeadPose(faces, *house_angles(rows[:, 6:]))


def hparams(state_dict: StateDict) -> dict[str, Any]:
    """The network's arguments, read off tensor shapes.

    Raises:
        UnsupportedCheckpointError: It is a YOLOv5 of the same build that finds something else.
    """
    numbers = state_dict["model.33.m.0.weight"].shape[0] / ANCHORS
    if numbers != NUMBERS:
        raise UnsupportedCheckpointError(
            f"Expected DirectMHP, whose boxes have {NUMBERS} numbers, got a YOLOv5 with {numbers:g}: it finds "
            "something else than heads with angles; take one of DirectMHP's own files."
        )
    convs = ("model.0.conv", *(f"model.{number}" for number in (1, 3, 5, 7, 9)))
    widths = tuple(state_dict[f"{name}.conv.weight"].shape[0] for name in convs)
    return {"widths": widths, "few": count(state_dict, "model.2.m"), "many": count(state_dict, "model.4.m")}


SYSTEM = System(
    name="directmhp",
    keys=("model.0.conv.conv.weight", "model.33.anchor_grid", "model.33.m.3.weight"),
    hparams=hparams,
    network=DirectMHP,
)
