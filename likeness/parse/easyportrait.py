"""EasyPortrait: parts of the face, teeth apart from lips, skin without beard; and whole people.

EasyPortrait: Face Parsing and Portrait Segmentation Dataset, WACV 2024. https://arxiv.org/abs/2304.13509
Weights: segformer-fp and segformer-ps of hukenovs/easyportrait, .pth and ONNX; Sber's public license with attribution
and conditions reserved: what is made of them is shared alike. The authors' head of the network may not be used
commercially; this network is written from SegFormer's paper, https://arxiv.org/abs/2105.15203, without a line of it.

It was trained on portraits, sent in whole: no crop, no face box. Left and right are the image's, as the authors' own
figures show. No tensor says at which size a file was trained: its manifest does, the graph, or who loads it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, relu

from .. import onnx
from ..types import Alignment, Faces, ParsingMap
from ..weights import OnnxSystem, StateDict, System, UnsupportedCheckpointError, count
from .selfie_segmentation import whole_pictures

SIZES = (224, 384, 512, 1024)  # pixels; sides of the squares that the published files were trained on
MEAN = (143.55267075, 132.96705975, 126.94924335)  # of red, green and blue in [0, 255]
SPREAD = (60.2625333, 60.32740275, 59.30988645)
CLASSES = {
    8: ("background", "skin", "left_brow", "right_brow", "left_eye", "right_eye", "lips", "teeth"),
    2: ("background", "person"),
}
STAGES = 4
EPS = 1e-6  # of every LayerNorm
HEAD = 32  # channels of an attention head


class PatchEmbed(nn.Module):
    """A map to the tokens of a coarser one, (B, L, C), and its height and width; patches overlap."""

    def __init__(self, width: int, out: int, side: int, stride: int) -> None:
        super().__init__()
        self.projection = nn.Conv2d(width, out, side, stride, side // 2)
        self.norm = nn.LayerNorm(out, EPS)

    def forward(self, x: Tensor) -> tuple[Tensor, int, int]:
        x = self.projection(x)
        return self.norm(x.flatten(2).mT), x.shape[2], x.shape[3]


class Attention(nn.Module):
    """All tokens look at those of a map that is coarser by ``reduction``."""

    def __init__(self, width: int, reduction: int) -> None:
        super().__init__()
        self.attn = nn.MultiheadAttention(width, width // HEAD, batch_first=True)
        self.reduction = reduction
        if reduction > 1:
            self.sr = nn.Conv2d(width, width, reduction, reduction)
            self.norm = nn.LayerNorm(width, EPS)

    def forward(self, x: Tensor, height: int, width: int) -> Tensor:
        seen = x
        if self.reduction > 1:
            seen = self.norm(self.sr(_map(x, height, width)).flatten(2).mT)
        looked: Tensor = self.attn(x, seen, seen, need_weights=False)[0]
        return looked


class FeedForward(nn.Module):
    """Each token by itself, and its neighbours once, which tells it where it is."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        place = nn.Conv2d(hidden, hidden, 3, padding=1, groups=hidden)
        # The published place of a dropout is kept, or the last one's name would be another.
        self.layers = nn.Sequential(
            nn.Conv2d(width, hidden, 1), place, nn.GELU(), nn.Identity(), nn.Conv2d(hidden, width, 1)
        )

    def forward(self, x: Tensor, height: int, width: int) -> Tensor:
        moved: Tensor = self.layers(_map(x, height, width))
        return moved.flatten(2).mT


def _map(tokens: Tensor, height: int, width: int) -> Tensor:
    """(B, C, height, width) of (B, L, C) tokens."""
    return tokens.mT.reshape(len(tokens), -1, height, width)


class Block(nn.Module):
    def __init__(self, width: int, hidden: int, reduction: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width, EPS), nn.LayerNorm(width, EPS)
        self.attn = Attention(width, reduction)
        self.ffn = FeedForward(width, hidden)

    def forward(self, x: Tensor, height: int, width: int) -> Tensor:
        x = x + self.attn(self.norm1(x), height, width)
        return x + self.ffn(self.norm2(x), height, width)


class Encoder(nn.Module):
    """(B, 3, H, W) to four maps, 4, 8, 16 and 32 times as coarse."""

    def __init__(self, stages: tuple[tuple[int, int, int, int, int], ...]) -> None:
        super().__init__()
        self.layers, before = nn.ModuleList(), 3
        for number, (width, depth, side, reduction, hidden) in enumerate(stages):
            patches = PatchEmbed(before, width, side, 2 if number else 4)
            blocks = nn.ModuleList(Block(width, hidden, reduction) for _ in range(depth))
            self.layers.append(nn.ModuleList([patches, blocks, nn.LayerNorm(width, EPS)]))
            before = width

    def forward(self, x: Tensor) -> list[Tensor]:
        maps = []
        for stage in self.layers:
            patches, blocks, norm = stage.children()
            x, height, width = patches(x)
            for block in blocks.children():
                x = block(x, height, width)
            x = _map(norm(x), height, width)
            maps.append(x)
        return maps


class ConvBlock(nn.Module):
    def __init__(self, width: int, out: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, out, 1, bias=False)
        self.bn = nn.BatchNorm2d(out)

    def forward(self, x: Tensor) -> Tensor:
        return relu(self.bn(self.conv(x)))


class Decoder(nn.Module):
    """Four maps to (B, K, H / 4, W / 4) logits."""

    def __init__(self, widths: tuple[int, ...], middle: int, classes: int) -> None:
        super().__init__()
        self.conv_seg = nn.Conv2d(middle, classes, 1)
        self.convs = nn.ModuleList(ConvBlock(width, middle) for width in widths)
        self.fusion_conv = ConvBlock(middle * len(widths), middle)

    def forward(self, maps: list[Tensor]) -> Tensor:
        finest = maps[0].shape[2:]
        grown = [
            interpolate(conv(x), finest, mode="bilinear", align_corners=False)
            for conv, x in zip(self.convs, maps, strict=True)
        ]
        logits: Tensor = self.conv_seg(self.fusion_conv(torch.cat(grown, 1)))
        return logits


class EasyPortrait(nn.Module):
    """(B, 3, H, W) RGB, normalised, to (B, K, H / 4, W / 4) logits.

    ``size`` is for who loads it to choose; see ``parse.choose_size``.
    """

    needs_faces = False
    sizes = SIZES

    def __init__(self, stages: tuple[tuple[int, int, int, int, int], ...], middle: int, classes: int) -> None:
        super().__init__()
        self.backbone = Encoder(stages)
        self.decode_head = Decoder(tuple(stage[0] for stage in stages), middle, classes)
        self.size = 0

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.decode_head(self.backbone(x))
        return logits

    def parse(self, image: Tensor, faces: Faces) -> ParsingMap:
        """What each pixel shows, as one row per image whatever faces were found.

        Args:
            image: (B, H, W, 3) RGB in [0, 1].
            faces: Not needed.
        """
        weight = self.decode_head.conv_seg.weight
        return parse_pictures(image, self.size, len(weight), lambda x: self(x.to(weight)))


class EasyPortraitGraph(nn.Module):
    needs_faces = False

    def __init__(self, model: onnx.Model) -> None:
        super().__init__()
        self.model = model
        side = (model.sockets[0].shape or [None] * STAGES)[-1]
        self.sizes = (side,) if side else SIZES
        self.size = 0

    def parse(self, image: Tensor, faces: Faces) -> ParsingMap:
        """What each pixel shows, as one row per image whatever faces were found.

        Args:
            image: (B, H, W, 3) RGB in [0, 1].
            faces: Not needed.
        """
        return parse_pictures(image, self.size, None, lambda x: self.model(x)["logits"])


def parse_pictures(image: Tensor, size: int, classes: int | None, run: Callable[[Tensor], Tensor]) -> ParsingMap:
    """What each pixel shows of whole pictures.

    Args:
        image: (B, H, W, 3) RGB in [0, 1].
        size: Side of the square that the network sees, pixels.
        classes: How many the network tells apart; None: its output says.
        run: (1, 3, size, size) RGB, normalised, to logits of any size.

    Raises:
        ValueError: The network tells other classes apart than the published ones.
    """
    x, matrix = fit(image, size)
    found = []
    for one in x:  # one by one: on a GPU a picture of this size fills it, too
        logits = run(one[None]).float().cpu()
        found.append(interpolate(logits, (size, size), mode="bilinear", align_corners=False).softmax(1))
    number = found[0].shape[1] if found else classes or min(CLASSES)
    if number not in CLASSES:
        raise ValueError(f"Expected a network of 8 classes, or 2 for people, got {number}: it is no EasyPortrait.")
    probability = torch.cat([torch.zeros(0, number, size, size), *found])
    pictures = whole_pictures(image)
    alignment = Alignment(pictures, matrix.expand(len(image), 2, 3), "picture", size)
    return ParsingMap(pictures, alignment, CLASSES[number], probability.argmax(1).to(torch.uint8), probability)


def fit(image: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """(B, 3, size, size) pictures in the middle of squares, normalised, the mean colour around them.

    Returns:
        The squares, and (2, 3) pixels of the image to theirs.
    """
    height, width = image.shape[1:3]
    scale = size / max(height, width)
    h, w = max(1, round(height * scale)), max(1, round(width * scale))
    left, top = (size - w) // 2, (size - h) // 2
    x = interpolate(image.movedim(-1, 1), (h, w), mode="bilinear", antialias=scale < 1, align_corners=False)
    mean, spread = (x.new_tensor(values)[:, None, None] for values in (MEAN, SPREAD))
    squares = x.new_zeros(len(x), 3, size, size)
    squares[..., top : top + h, left : left + w] = (x * 255 - mean) / spread
    by = torch.tensor([w / width, h / height])
    shift = by / 2 - 0.5 + torch.tensor([left, top])
    return squares, torch.cat([by.diag(), shift[:, None]], 1)


def hparams(state_dict: StateDict) -> dict[str, Any]:
    """The network's arguments, read off tensor shapes.

    Raises:
        UnsupportedCheckpointError: It is a SegFormer that tells other classes apart.
    """
    stages = []
    for number in range(STAGES):
        stage = f"backbone.layers.{number}"
        width, _, side, _ = state_dict[f"{stage}.0.projection.weight"].shape
        reduce = state_dict.get(f"{stage}.1.0.attn.sr.weight")
        hidden = state_dict[f"{stage}.1.0.ffn.layers.0.weight"].shape[0]
        depth = count(state_dict, f"{stage}.1")
        stages.append((width, depth, side, 1 if reduce is None else reduce.shape[-1], hidden))
    classes, middle = state_dict["decode_head.conv_seg.weight"].shape[:2]
    if classes not in CLASSES:
        raise UnsupportedCheckpointError(
            f"Expected EasyPortrait, of 8 or 2 classes, got a SegFormer of {classes}: take one of its own files."
        )
    return {"stages": tuple(stages), "middle": middle, "classes": classes}


KEYS = ("backbone.layers.0.0.projection.weight", "decode_head.convs.0.bn.weight", "decode_head.conv_seg.weight")
SYSTEM = System("easyportrait", KEYS, hparams, EasyPortrait)
ONNX_SYSTEM = OnnxSystem("easyportrait", ("image", "logits"), EasyPortraitGraph)
