"""FAN: 68 landmarks in iBUG's order, in the plane, as the projection of 3D points, or in three dimensions.

How far are we from solving the 2D & 3D Face Alignment problem?, ICCV 2017. https://arxiv.org/abs/1703.07332
Weights: 2DFAN4-11f355bf06, 3DFAN4-7835d9f11d and depth-2a464da4ea of face-alignment (code BSD-3-Clause; the weights'
own terms are not stated, they were trained on research data).

Four stacked hourglasses turn a crop into 68 heatmaps. The 2D network follows the outline that is seen, the 3D one the
projection of the head's own points; with the depth network these have a third coordinate. No tensor shows which of the
two a file is: its id says it.
"""

from __future__ import annotations

import re
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, relu

from ..geometry import check_image
from ..types import Faces, Landmarks
from ..weights import StateDict, System, count
from .ibug import MIRRORED, POINTS
from .windows import SIDE, cut_windows, windows

CELLS = 64  # of a heatmap, a side
LEVELS = 4  # how often an hourglass halves its heatmap
RADIUS, SPREAD = 6, 0.25 * 13  # of the dots that the depth network is shown, pixels of the crop
TOGETHER = 8  # faces on a GPU; on a CPU one after the other is faster


class ConvBlock(nn.Module):
    """Three convolutions, each seeing the one before, side by side, beside a shortcut."""

    def __init__(self, width: int, out: int) -> None:
        super().__init__()
        self.bn1, self.conv1 = nn.BatchNorm2d(width), nn.Conv2d(width, out // 2, 3, padding=1, bias=False)
        self.bn2, self.conv2 = nn.BatchNorm2d(out // 2), nn.Conv2d(out // 2, out // 4, 3, padding=1, bias=False)
        self.bn3, self.conv3 = nn.BatchNorm2d(out // 4), nn.Conv2d(out // 4, out // 4, 3, padding=1, bias=False)
        widen = nn.Sequential(nn.BatchNorm2d(width), nn.ReLU(), nn.Conv2d(width, out, 1, bias=False))
        self.downsample = None if width == out else widen

    def forward(self, x: Tensor) -> Tensor:
        # In place where nobody else holds the tensor: a twelfth of the time.
        first: Tensor = self.conv1(self.bn1(x).relu_())
        second: Tensor = self.conv2(self.bn2(first).relu_())
        third: Tensor = self.conv3(self.bn3(second).relu_())
        return torch.cat([first, second, third], 1).add_(x if self.downsample is None else self.downsample(x))


class HourGlass(nn.Module):
    """A picture's features, mixed at every size from whole to a sixteenth."""

    def __init__(self, width: int) -> None:
        super().__init__()
        for level in range(1, LEVELS + 1):
            for part in ("b1", "b2", "b3"):
                self.add_module(f"{part}_{level}", ConvBlock(width, width))
        self.b2_plus_1 = ConvBlock(width, width)

    def forward(self, x: Tensor, level: int = LEVELS) -> Tensor:
        part = self.get_submodule
        low = part(f"b2_{level}")(avg_pool2d(x, 2))
        low = self.forward(low, level - 1) if level > 1 else self.b2_plus_1(low)
        fine = interpolate(part(f"b3_{level}")(low), scale_factor=2, mode="nearest")
        return fine.add_(part(f"b1_{level}")(x))


class FAN(nn.Module):
    """The networks, named as in the authors' files; the depth network's tensors begin with ``depth.``.

    ``flip`` and ``decode`` are for the user to choose; see ``landmark.choose``.
    """

    CHOICES: ClassVar = {"flip": ("on", "off"), "decode": ("subpixel", "reference")}

    def __init__(self, stacks: int, width: int, depth: tuple[int, ...] | None = None) -> None:
        super().__init__()
        self.flip, self.decode = "on", "subpixel"
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 7, 2, 3), nn.BatchNorm2d(64)
        self.conv2, self.conv3, self.conv4 = ConvBlock(64, 128), ConvBlock(128, 128), ConvBlock(128, width)
        self.stacks = stacks
        for number in range(stacks):
            self.add_module(f"m{number}", HourGlass(width))
            self.add_module(f"top_m_{number}", ConvBlock(width, width))
            self.add_module(f"conv_last{number}", nn.Conv2d(width, width, 1))
            self.add_module(f"bn_end{number}", nn.BatchNorm2d(width))
            self.add_module(f"l{number}", nn.Conv2d(width, POINTS, 1))
            if number < stacks - 1:
                self.add_module(f"bl{number}", nn.Conv2d(width, width, 1))
                self.add_module(f"al{number}", nn.Conv2d(POINTS, width, 1))
        self.depth = None if depth is None else Depth(depth)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 68, 64, 64) heatmaps of (N, 3, 256, 256) RGB in [0, 1]."""
        part = self.get_submodule
        x = x.contiguous(memory_format=torch.channels_last)  # so every layer is; a tenth of the time
        x = avg_pool2d(self.conv2(self.bn1(self.conv1(x)).relu_()), 2)
        x = self.conv4(self.conv3(x))
        for number in range(self.stacks):
            seen = part(f"top_m_{number}")(part(f"m{number}")(x))
            seen = part(f"bn_end{number}")(part(f"conv_last{number}")(seen)).relu_()
            heatmaps: Tensor = part(f"l{number}")(seen)
            if number < self.stacks - 1:
                x = x + part(f"bl{number}")(seen) + part(f"al{number}")(heatmaps)
        return heatmaps

    def landmarks(self, image: Tensor, faces: Faces) -> Landmarks:
        """68 points of each face, in pixels; z, where there is a depth network, negative towards the viewer.

        Args:
            image: (B, H, W, 3) RGB in [0, 1].
            faces: The faces in these images; boxes are enough, and are taken for upright.
        """
        check_image(image, faces)
        where, weight = windows(faces.bbox), self.conv1.weight
        together = 1 if weight.device.type == "cpu" else TOGETHER
        points, scores = [torch.zeros(0, POINTS, 2 if self.depth is None else 3)], [torch.zeros(0, POINTS)]
        for start in range(0, len(faces), together):
            rows = torch.arange(start, min(start + together, len(faces)))
            part = where.select(rows)
            crops = cut_windows(image, faces.image_index[rows], part).movedim(-1, 1).to(weight)
            heatmaps = self.heatmaps(crops).float().cpu()
            cells = peaks(heatmaps, self.decode)
            place = part.place_whole(cells / CELLS) if self.decode == "reference" else part.place(cells / CELLS)
            if self.depth is not None:
                z = self.depth(torch.cat([crops, dots(cells * (SIDE / CELLS)).to(crops)], 1)).float().cpu()
                place = torch.cat([place, -z[..., None] * (part.side / SIDE).float()[:, None, None]], -1)
            points.append(place)
            scores.append(heatmaps.amax((2, 3)).clamp(0, 1))
        return Landmarks(faces, "ibug68", torch.cat(points), torch.cat(scores))

    def heatmaps(self, crops: Tensor) -> Tensor:
        """What the network gives, or its mean with what it gives for the mirrored crops."""
        if self.flip == "off":
            return self.forward(crops)
        seen, mirrored = self.forward(torch.cat([crops, crops.flip(-1)])).chunk(2)
        return (seen + mirrored[:, list(MIRRORED)].flip(-1)) / 2


class Bottleneck(nn.Module):
    """ResNet's block of three convolutions beside a shortcut."""

    def __init__(self, width: int, inside: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(width, inside, 1, bias=False), nn.BatchNorm2d(inside)
        self.conv2, self.bn2 = nn.Conv2d(inside, inside, 3, stride, 1, bias=False), nn.BatchNorm2d(inside)
        self.conv3, self.bn3 = nn.Conv2d(inside, 4 * inside, 1, bias=False), nn.BatchNorm2d(4 * inside)
        widen = nn.Sequential(nn.Conv2d(width, 4 * inside, 1, stride, bias=False), nn.BatchNorm2d(4 * inside))
        self.downsample = widen if stride > 1 or width != 4 * inside else None

    def forward(self, x: Tensor) -> Tensor:
        deep = relu(self.bn2(self.conv2(relu(self.bn1(self.conv1(x))))))
        return relu(self.bn3(self.conv3(deep)) + (x if self.downsample is None else self.downsample(x)))


class Depth(nn.Module):
    """(N, 3 + 68, 256, 256) crops and a dot for each point to (N, 68) depths, pixels of the crop, towards the viewer.

    A ResNet, of 152 layers in the published file.
    """

    def __init__(self, layers: tuple[int, ...]) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3 + POINTS, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64)
        width = 64
        for stage, blocks in enumerate(layers):
            inside, made = 64 * 2**stage, []
            for block in range(blocks):
                made.append(Bottleneck(width, inside, 2 if stage and not block else 1))
                width = 4 * inside
            self.add_module(f"layer{stage + 1}", nn.Sequential(*made))
        self.fc = nn.Linear(width, POINTS)

    def forward(self, x: Tensor) -> Tensor:
        x = nn.functional.max_pool2d(relu(self.bn1(self.conv1(x))), 3, 2, 1)
        for stage in range(1, 5):
            x = self.get_submodule(f"layer{stage}")(x)
        # The authors look at the first 7 x 7 cells; a crop of 256 pixels has 8 x 8.
        depths: Tensor = self.fc(x[..., :7, :7].mean((2, 3)))
        return depths


def peaks(heatmaps: Tensor, decode: str) -> Tensor:
    """(N, P, 2) where (N, P, S, S) heatmaps are highest, in cells counted from the map's corner: a cell's middle is .5.

    Args:
        heatmaps: As the network gives them.
        decode: "subpixel" puts a parabola through the highest cell and its neighbours; "reference" moves a quarter of a
            cell towards the higher neighbour, as the authors do.
    """
    side = heatmaps.shape[-1]
    highest = heatmaps.flatten(2).argmax(-1)
    y, x = highest.div(side, rounding_mode="floor"), highest % side
    cell = torch.stack([x, y], -1)
    inside = ((cell > 0) & (cell < side - 1)).all(-1, keepdim=True)

    def at(dx: int, dy: int) -> Tensor:
        index = (y + dy).clamp(0, side - 1) * side + (x + dx).clamp(0, side - 1)
        return heatmaps.flatten(2).gather(-1, index[..., None])[..., 0]

    low, high = torch.stack([at(-1, 0), at(0, -1)], -1), torch.stack([at(1, 0), at(0, 1)], -1)
    if decode == "reference":
        shift = (high - low).sign() / 4
    else:
        bend = 2 * at(0, 0)[..., None] - low - high
        shift = torch.where(bend > 0, (high - low) / 2 / bend.clamp(min=1e-12), 0.0).clamp(-0.5, 0.5)
    return cell + 0.5 + torch.where(inside, shift, 0.0)


def dots(points: Tensor) -> Tensor:
    """(N, P, 256, 256) a soft dot at each of (N, P, 2) points of the crop, for the depth network.

    On whole pixels, and beside its place where the crop's left or upper border cuts it, as the authors draw it.
    """
    first = points.floor() - RADIUS
    last = (first + 2 * RADIUS).clamp(max=SIDE)
    pixel, begin = torch.arange(1.0, SIDE + 1), first.clamp(min=1)[..., None]
    place = pixel - begin + (-first).clamp(min=1)[..., None]  # in the dot, whose middle is RADIUS + 1
    lines = torch.exp(-(((place - RADIUS - 1) / SPREAD) ** 2) / 2)
    columns, rows = (lines * ((pixel >= begin) & (pixel <= last[..., None]))).unbind(2)
    return rows[..., None] * columns[:, :, None]


def hparams(state_dict: StateDict) -> dict[str, object]:
    deep = "depth.fc.weight" in state_dict
    return {
        "stacks": sum(bool(re.fullmatch(r"conv_last\d+\.weight", name)) for name in state_dict),
        "width": len(state_dict["conv_last0.weight"]),
        "depth": tuple(count(state_dict, f"depth.layer{stage}") for stage in range(1, 5)) if deep else None,
    }


SYSTEM = System(name="fan", keys=("m0.b2_plus_1.conv1.weight", "conv_last0.weight"), hparams=hparams, network=FAN)
