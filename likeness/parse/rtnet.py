"""RTNet: faces parsed on the whole picture, hair and ears included, through a tanh-polar warp around each box.

RoI Tanh-polar Transformer Network for Face Parsing in the Wild, 2021. https://arxiv.org/abs/2102.02717
Networks: ibug/face_parsing of hhj1897/face_parsing (MIT). Weights: RTNet of 50 and 101 layers, and plain ResNets of 50
under the same warp, of 11 and 14 classes; in the same repository, without a licence of their own.

A box without margin is enough; nothing is aligned. The networks see blue, green, red from -1 to 1, black outside the
picture. "skin" includes the scalp. What the authors call left is the image's left: in their own pictures the class
"left_eye" lies there.

Beyond ``REACH`` radii of a box everything is background by construction, so a face is labelled on the square that holds
these: the whole picture where it is a portrait, else what is around the face.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, pad

from ..geometry import check_image
from ..roi_tanh import Boxes, read_boxes, restore, roi_tanh_polar_warp, unfold
from ..types import Alignment, Faces, ParsingMap
from ..weights import StateDict, System, count

SIDE = 513  # pixels that the networks see: angles by radii
REACH = math.atanh(1 - 1 / (2 * SIDE))  # radii; between there and the border warped pixels fade to less than half
LARGEST = 1024  # pixels; side of the squares that are labelled, as a picture's longer one up to here
CLASSES: tuple[str, ...] = (
    "background",
    "skin",
    "left_brow",
    "right_brow",
    "left_eye",
    "right_eye",
    "nose",
    "upper_lip",
    "mouth",
)
CLASSES += ("lower_lip", "hair", "left_ear", "right_ear", "eyeglasses")  # of 11 classes the first 11


class MixPad(nn.Module):
    """Padding of a polar picture: its angles go round, its radii end."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def forward(self, x: Tensor) -> Tensor:
        x = pad(x, (0, 0, self.width, self.width), mode="circular")
        return pad(x, (self.width, self.width, 0, 0), mode="replicate")


class Bottleneck(nn.Module):
    def __init__(self, width: int, middle: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, middle, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(middle)
        self.conv2 = nn.Conv2d(middle, middle, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(middle)
        self.conv3 = nn.Conv2d(middle, width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(width)

    def forward(self, x: Tensor, boxes: Boxes) -> Tensor:
        deep = self.bn1(self.conv1(x)).relu()
        deep = self.bn2(self.conv2(deep)).relu()
        return (self.bn3(self.conv3(deep)) + x).relu()


class HybridBlock(nn.Module):
    """Two branches side by side, one on the polar picture and, if ``hybrid``, one on the Cartesian picture of it."""

    def __init__(self, width: int, out: int, stride: int, dilation: int, hybrid: bool) -> None:
        super().__init__()
        middle = out // 8
        self.hybrid = hybrid
        self.conv1_a = nn.Conv2d(width, middle, 1, bias=False)
        self.bn1_a = nn.BatchNorm2d(middle)
        self.conv1_b = nn.Conv2d(width, middle, 1, bias=False)
        self.bn1_b = nn.BatchNorm2d(middle)
        polar = nn.Conv2d(middle, middle, 3, stride, dilation=dilation, bias=False)
        self.conv_polar = nn.Sequential(nn.Sequential(MixPad(dilation), polar), nn.BatchNorm2d(middle))
        cartesian = nn.Conv2d(middle, middle, 3, stride, dilation, dilation, bias=False)
        self.conv_cart = nn.Sequential(cartesian, nn.BatchNorm2d(middle))
        self.conv3 = nn.Conv2d(2 * middle, out, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out)
        shortcut = nn.Sequential(nn.Conv2d(width, out, 1, stride, bias=False), nn.BatchNorm2d(out))
        self.downsample = None if hybrid else shortcut

    def forward(self, x: Tensor, boxes: Boxes) -> Tensor:
        polar = self.conv_polar(self.bn1_a(self.conv1_a(x)).relu())
        cartesian = self.bn1_b(self.conv1_b(x)).relu()
        if self.hybrid:
            cartesian = self.conv_cart(convert(cartesian, boxes, "polar", "cartesian"))
            cartesian = convert(cartesian, boxes, "cartesian", "polar")
        else:
            cartesian = self.conv_cart(cartesian)
        deep = self.bn3(self.conv3(torch.cat([polar, cartesian], 1).relu()))
        return (deep + (x if self.downsample is None else self.downsample(x))).relu()


def convert(x: Tensor, boxes: Boxes, given: str, wanted: str) -> Tensor:
    """Features of a warped picture as another mode would show them; of the boxes only their proportions count."""
    return restore(given, x, boxes, unfold(wanted, boxes, x.shape[-1], x.shape[-2]))


class RTNetEncoder(nn.Module):
    """(N, 3, H, W) to features of a quarter of the side, from early on, and of an eighth."""

    def __init__(self, depths: tuple[int, ...]) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.pool = nn.MaxPool2d(3, 2, 1)
        # (features, stride, dilation of the first block, dilation of the others)
        plans = ((256, 1, 1, 1), (512, 2, 1, 1), (1024, 1, 1, 2), (2048, 1, 2, 4))
        width = 64
        for stage, (depth, (out, stride, first, others)) in enumerate(zip(depths, plans, strict=True), 1):
            blocks: list[nn.Module] = [HybridBlock(width, out, stride, first, hybrid=False)]
            for _ in range(depth - 1):
                blocks.append(Bottleneck(out, out // 4) if stage == 1 else HybridBlock(out, out, 1, others, True))
            self.add_module(f"layer{stage}", nn.ModuleList(blocks))
            width = out

    def forward(self, x: Tensor, boxes: Boxes) -> tuple[Tensor, Tensor]:
        x = self.pool(self.bn1(self.conv1(x)).relu())
        stages = []
        for stage in range(1, 5):
            for block in self.get_submodule(f"layer{stage}").children():
                x = block(x, boxes)
            stages.append(x)
        return stages[0], stages[-1]


class ResNetEncoder(nn.Module):
    """torchvision's ResNet of 50 layers, at an eighth of the side."""

    def __init__(self) -> None:
        from torchvision.models import resnet50  # takes longer to import than the pack

        super().__init__()
        self.body = resnet50(replace_stride_with_dilation=[False, True, True])
        del self.body.avgpool, self.body.fc

    def forward(self, x: Tensor, boxes: Boxes) -> tuple[Tensor, Tensor]:
        body = self.body
        early = body.layer1(body.maxpool(body.relu(body.bn1(body.conv1(x)))))
        return early, body.layer4(body.layer3(body.layer2(early)))


def fcn(classes: int) -> nn.Sequential:
    """The decoder that looks at late features alone."""
    norm, last = nn.BatchNorm2d(512), nn.Conv2d(512, classes, 1)
    return nn.Sequential(nn.Conv2d(2048, 512, 3, padding=1, bias=False), norm, nn.ReLU(), nn.Dropout(0.1), last)


class ConvBNReLU(nn.Module):
    def __init__(self, width: int, out: int, side: int = 3, padding: int = 1, dilation: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, out, side, padding=padding, dilation=dilation)
        self.bn = nn.BatchNorm2d(out)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.bn(self.conv(x)).relu()
        return out


class ASPP(nn.Module):
    """What lies near and far of each pixel, side by side."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = ConvBNReLU(2048, 256, 1, padding=0)
        self.conv2 = ConvBNReLU(2048, 256, padding=6, dilation=6)
        self.conv3 = ConvBNReLU(2048, 256, padding=12, dilation=12)
        self.conv4 = ConvBNReLU(2048, 256, padding=18, dilation=18)
        self.conv_out = ConvBNReLU(1024, 256, 1)  # padded: a pixel more on each side, as published

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.conv_out(torch.cat([self.conv1(x), self.conv2(x), self.conv3(x), self.conv4(x)], 1))
        return out


class DetailDecoder(nn.Module):
    """Late features, enlarged, beside early ones."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.conv_low = ConvBNReLU(256, 48, 1, padding=0)
        self.conv_cat = nn.Sequential(ConvBNReLU(304, 256), ConvBNReLU(256, 256))
        self.conv_out = nn.Conv2d(256, classes, 1, bias=False)

    def forward(self, early: Tensor, late: Tensor) -> Tensor:
        low = self.conv_low(early)
        late = interpolate(late, low.shape[-2:], mode="bilinear", align_corners=True)
        out: Tensor = self.conv_out(self.conv_cat(torch.cat([low, late], 1)))
        return out


class DeepLabV3Plus(nn.Module):
    def __init__(self, classes: int) -> None:
        super().__init__()
        self.aspp = ASPP()
        self.decoder = DetailDecoder(classes)

    def forward(self, early: Tensor, late: Tensor) -> Tensor:
        out: Tensor = self.decoder(early, self.aspp(late))
        return out


class RTNet(nn.Module):
    """(N, 3, H, W) tanh-polar pictures, BGR in [-1, 1], and their boxes, to (N, K, H, W) logits."""

    needs_faces = True

    def __init__(self, classes: int, depths: tuple[int, ...] | None = None, detail: bool = False) -> None:
        super().__init__()
        self.encoder = RTNetEncoder(depths) if depths else ResNetEncoder()
        self.detail = detail
        self.decoder = DeepLabV3Plus(classes) if detail else fcn(classes)
        self.classes = CLASSES[:classes]

    def forward(self, x: Tensor, rois: Tensor) -> Tensor:
        early, late = self.encoder(x, read_boxes(rois, keep=True))
        logits = self.decoder(early, late) if self.detail else self.decoder(late)
        return interpolate(logits, x.shape[-2:], mode="bilinear", align_corners=False)

    def parse(self, image: Tensor, faces: Faces) -> ParsingMap:
        """The regions of each face, hair and ears included.

        Args:
            image: (B, H, W, 3) RGB in [0, 1].
            faces: The faces in these images; boxes are enough.

        Raises:
            ValueError: A box has no width or height, or the faces belong to other images.
        """
        check_image(image, faces)
        alignment = squares(faces)
        labels = torch.zeros(len(faces), alignment.size, alignment.size, dtype=torch.uint8)
        like = next(self.parameters())
        for row, (index, box) in enumerate(zip(faces.image_index.tolist(), faces.bbox.float(), strict=True)):
            logits = self(warp(image[index], box).to(like), box[None].to(like))
            labels[row] = label(logits.float(), box.to(like.device), alignment.matrix[row], alignment.size).cpu()
        return ParsingMap(faces, alignment, self.classes, labels)


def warp(image: Tensor, box: Tensor) -> Tensor:
    """(1, 3, 513, 513) what the networks see of an (H, W, 3) RGB picture: BGR from -1 to 1, polar."""
    pixels = image.flip(-1).movedim(-1, 0)[None]
    return roi_tanh_polar_warp(pixels, box[None], SIDE, SIDE, keep_aspect_ratio=True) * 2 - 1


def squares(faces: Faces) -> Alignment:
    """The squares that are labelled: what is within reach of each face, or all of the picture where that is less."""
    longest = max(*faces.image_size, 1)
    size = min(longest, LARGEST)
    corner, side = faces.bbox[:, :2].float(), faces.bbox[:, 2:].float() - faces.bbox[:, :2]
    reach = side.amax(1, keepdim=True) * (REACH / math.pi**0.5)  # half a square's side
    whole = 2 * reach >= longest
    scale = torch.where(whole, size / longest, size / (2 * reach).clamp(min=1e-6))
    border = torch.where(whole, -0.5, corner + side / 2 - reach)  # left and upper
    matrix = torch.cat([torch.eye(2) * scale[..., None], (-border * scale - 0.5)[..., None]], -1)
    return Alignment(faces, matrix, "roi_tanh", size)


def label(logits: Tensor, box: Tensor, matrix: Tensor, size: int) -> Tensor:
    """(size, size) uint8 classes on a square, from (1, K, 513, 513) logits of the polar picture."""
    share = logits.softmax(1)
    share = torch.cat([1 - share[:, :1], share[:, 1:]], 1)  # what is not background: 0 outside, as all is there
    scale, shift = matrix[0, 0].to(box), matrix[:, 2].to(box)
    boxes = read_boxes((box * scale + shift.repeat(2))[None], keep=True)
    x, y = (torch.arange(size).to(box) for _ in range(2))
    points = x - boxes.x, y[:, None] - boxes.y
    restored = restore("polar", share, boxes, points)
    found: Tensor = torch.cat([1 - restored[:, :1], restored[:, 1:]], 1).argmax(1)[0]
    return found.to(torch.uint8)


def hparams(state_dict: StateDict) -> dict[str, Any]:
    """The network's arguments, read off tensor shapes."""
    detail = "decoder.decoder.conv_out.weight" in state_dict
    last = state_dict["decoder.decoder.conv_out.weight" if detail else "decoder.4.weight"]
    depths = tuple(count(state_dict, f"encoder.layer{stage}") for stage in range(1, 5))
    return {"classes": last.shape[0], "depths": depths if any(depths) else None, "detail": detail}


SYSTEM = System("rtnet", ("encoder.layer2.0.conv_polar.0.1.weight",), hparams, RTNet)
RESNET_SYSTEM = System("rtnet", ("encoder.body.layer4.2.conv3.weight",), hparams, RTNet)
