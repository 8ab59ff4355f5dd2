"""FaceXFormer: parsing, landmarks, head pose, attributes, visibility, age, gender and race in one pass.

FaceXFormer: A Unified Transformer for Facial Analysis, ICCV 2025. https://arxiv.org/abs/2403.12960
Weights: ckpts/model.pt of kartiknarayan/facexformer (code MIT; the weights' own terms are not stated, they were trained
on non-commercial data). The paper's heads for expression and recognition are in neither the code nor the weights.

A Swin transformer sees a crop at four sizes; in a decoder one token per task, and one per class of the parsing, asks
what it saw. The order of the classes and the signs of the head pose are nowhere written: which side is which was read
off the colours and axes of the authors' figure (docs/static/images/qualitative.png), drawn by their own inference.py.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, linear, relu

from ..geometry import check_image, invert, move
from ..types import Alignment, Attributes, Faces, HeadPose, Landmarks, ParsingMap
from ..weights import StateDict, System, count
from .analysis import Analysis
from .labels import CELEBA40, VISIBILITY29, apparent
from .two_way import TwoWayTransformer

SIDE = 224  # pixels of the crop
MARGIN = 0.25  # of a box, on each side, cut at the picture's border
MEAN, DEVIATION = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])  # ImageNet's
WINDOW = 7  # cells, of the backbone's attention; no tensor shows it
POINTS = 68
TOGETHER = 16  # faces on a GPU; on a CPU one after the other
CLASSES: tuple[str, ...] = ("background", "skin", "left_brow", "right_brow", "left_eye", "right_eye", "nose")
CLASSES += ("upper_lip", "mouth", "lower_lip", "hair")
AGES = apparent("age", ("0-9", "10-19", "20-29", "30-39", "40-49", "50-59", "60-69", "70+"), "{} years old")
GENDERS = apparent("gender", ("Male", "Female"))
# As the authors say it (issue 5 of their repository); UTKFace itself has Asian before Indian.
RACES = apparent("race", ("White", "Black", "Indian", "Asian", "Others"))
SETS = (CELEBA40, VISIBILITY29, AGES, GENDERS, RACES)


class Heads(NamedTuple):
    """What the network gives for N crops, as its authors have it."""

    landmarks: Tensor  # (N, 136) x and y in turn, from -1 to 1 over the crop
    pose: Tensor  # (N, 3) pitch, yaw, roll, radians
    attributes: Tensor  # (N, 40) logits
    visibility: Tensor  # (N, 29) logits of being hidden
    age: Tensor  # (N, 8) logits
    gender: Tensor  # (N, 2) logits
    race: Tensor  # (N, 5) logits
    masks: Tensor  # (N, 11, 224, 224) logits


class MLP(nn.Module):
    """Three layers."""

    def __init__(self, width: int, out: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(width, width), nn.Linear(width, width), nn.Linear(width, out)])

    def forward(self, x: Tensor) -> Tensor:
        first, second, last = self.layers
        made: Tensor = last(relu(second(relu(first(x)))))
        return made


class Doubling(nn.Module):
    """(N, H, W, C) features at twice the height and width: a transposed convolution whose cells do not overlap."""

    def __init__(self, width: int, out: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.zeros(width, out, 2, 2)), nn.Parameter(torch.zeros(out))

    def forward(self, x: Tensor) -> Tensor:
        count, height, width, _ = x.shape
        cells = linear(x, self.weight.permute(2, 3, 1, 0).flatten(0, 2), self.bias.repeat(4))
        return cells.reshape(count, height, width, 2, -1).transpose(2, 3).reshape(count, 2 * height, 2 * width, -1)


class FaceDecoder(nn.Module):
    """A token per task, in the order of ``Heads``, then one per class; what they found becomes the heads."""

    def __init__(self, width: int, hidden: int, layers: int) -> None:
        super().__init__()
        self.transformer = TwoWayTransformer(width, hidden, layers)
        outputs = {"landmarks": 2 * POINTS, "pose": 3, "attribute": 40, "visibility": 29, "age": 8, "gender": 2}
        outputs["race"] = 5
        self.tasks = tuple(outputs)
        for task, size in outputs.items():
            self.add_module(f"{task}_token", nn.Embedding(1, width))
            self.add_module(f"{task}_prediction_head", MLP(width, size))
        self.mask_tokens = nn.Embedding(len(CLASSES), width)
        norm = nn.LayerNorm(width // 4, eps=1e-6)
        self.output_upscaling = nn.Sequential(
            Doubling(width, width // 4), norm, nn.GELU(), Doubling(width // 4, width // 8), nn.GELU()
        )
        self.output_hypernetwork_mlps = MLP(width, width // 8)  # one for all classes

    def forward(self, image: Tensor, place: Tensor) -> Heads:
        """The heads of (N, D, H, W) features; place is (H * W, D)."""
        tokens, seen = self.ask(image, place)
        told = [self.get_submodule(f"{task}_prediction_head")(tokens[:, i]) for i, task in enumerate(self.tasks)]
        fine = self.output_upscaling(seen.reshape(len(seen), *image.shape[2:], -1))
        classes = self.output_hypernetwork_mlps(tokens[:, len(self.tasks) :])
        return Heads._make([*told, (classes @ fine.flatten(1, 2).mT).unflatten(2, fine.shape[1:3])])

    def ask(self, image: Tensor, place: Tensor) -> tuple[Tensor, Tensor]:
        """(N, T, D) what each token found, and (N, H * W, D) what became of the features."""
        names = [*(f"{task}_token" for task in self.tasks), "mask_tokens"]
        named = torch.cat([self.get_parameter(f"{name}.weight") for name in names])
        found: tuple[Tensor, Tensor] = self.transformer(image.flatten(2).mT, place, named.expand(len(image), -1, -1))
        return found


class Projection(nn.Module):
    """(N, H, W, C) features to the decoder's width, channels first."""

    def __init__(self, width: int, out: int) -> None:
        super().__init__()
        self.proj = nn.Linear(width, out)

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.proj(x).movedim(-1, 1)
        return made


class Places(nn.Module):
    """Where each cell of a picture is, as sines of random frequencies that the file holds."""

    positional_encoding_gaussian_matrix: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("positional_encoding_gaussian_matrix", torch.zeros(2, width // 2))

    def forward(self, height: int, width: int) -> Tensor:
        """(height * width, D); in float32, whatever the network runs in."""
        frequencies = self.positional_encoding_gaussian_matrix.float()
        y, x = ((torch.arange(n, device=frequencies.device) + 0.5) / n * 2 - 1 for n in (height, width))
        cells = torch.cartesian_prod(y, x).flip(-1)
        phase = 2 * math.pi * (cells @ frequencies)
        return torch.cat([phase.sin(), phase.cos()], -1)


class FaceXFormer(nn.Module):
    needs_faces = True

    def __init__(
        self, embed: int, depths: tuple[int, ...], heads: tuple[int, ...], width: int, hidden: int, layers: int
    ) -> None:
        super().__init__()
        from torchvision.models import SwinTransformer

        swin = SwinTransformer([4, 4], embed, list(depths), list(heads), [WINDOW, WINDOW])
        self.backbone = nn.ModuleList([swin.features])
        self.linear_c = nn.ModuleList(Projection(embed * 2**stage, width) for stage in range(len(depths)))
        self.linear_fuse = nn.Conv2d(width * len(depths), width, 1, bias=False)
        self.pe_layer = Places(width)
        self.face_decoder = FaceDecoder(width, hidden, layers)

    def forward(self, x: Tensor) -> Heads:
        """All heads of (N, 3, 224, 224) normalised crops."""
        features = self.features(x)
        heads: Heads = self.face_decoder(features, self.place(features))
        return heads

    def place(self, features: Tensor) -> Tensor:
        """(H * W, D) where each cell of (N, D, H, W) features is."""
        place: Tensor = self.pe_layer(*features.shape[2:])
        return place.to(features.dtype)

    def features(self, x: Tensor) -> Tensor:
        """(N, D, 56, 56) what the four stages of the backbone saw."""
        seen = []
        for number, stage in enumerate(self.backbone[0].children()):
            x = stage(x)
            if number % 2:  # the even ones cut into patches and merge them
                seen.append(self.linear_c[number // 2](x))
        size = seen[0].shape[2:]
        scaled = [interpolate(one, size, mode="bilinear", align_corners=False) for one in reversed(seen)]
        fused: Tensor = self.linear_fuse(torch.cat(scaled, 1))
        return fused

    def analyze(self, image: Tensor, faces: Faces) -> Analysis:
        """All that one look at each face tells.

        Args:
            image: (B, H, W, 3) RGB in [0, 1].
            faces: The faces in these images; boxes are enough.
        """
        heads, matrix = self.look(image, faces)
        return Analysis(
            faces,
            to_attributes(faces, heads),
            to_head_pose(faces, heads.pose),
            to_landmarks(faces, heads.landmarks, matrix),
            to_parsing(faces, heads.masks, matrix),
        )

    def parse(self, image: Tensor, faces: Faces) -> ParsingMap:
        """The parts of each face and its hair, as far as the crop reaches; see ``analyze``."""
        heads, matrix = self.look(image, faces)
        return to_parsing(faces, heads.masks, matrix)

    def landmarks(self, image: Tensor, faces: Faces) -> Landmarks:
        """IBUG's 68 points of each face, pixels; see ``analyze``."""
        heads, matrix = self.look(image, faces)
        return to_landmarks(faces, heads.landmarks, matrix)

    def look(self, image: Tensor, faces: Faces) -> tuple[Heads, Tensor]:
        """What the network gives for each face, masks as probabilities, and (N, 2, 3) image to crop pixels."""
        check_image(image, faces)
        windows, weight = crop_windows(faces), self.linear_fuse.weight
        together = 1 if weight.device.type == "cpu" else TOGETHER
        sizes = (2 * POINTS, 3, 40, 29, 8, 2, 5)
        parts = [[*(torch.zeros(0, size) for size in sizes), torch.zeros(0, len(CLASSES), SIDE, SIDE).half()]]
        for start in range(0, len(faces), together):
            rows = slice(start, start + together)
            given = self(crop(image, faces.image_index[rows], windows[rows]).to(weight))
            told = [head.float().cpu() for head in given[:-1]]
            parts.append([*told, given.masks.float().softmax(1).half().cpu()])
        return Heads._make(torch.cat(part) for part in zip(*parts, strict=True)), crop_matrix(windows)


def crop_windows(faces: Faces) -> Tensor:
    """(N, 4) int64 the pixels that each crop takes: x1, y1, x2, y2, ends excluded; one at least."""
    height, width = faces.image_size
    size = torch.tensor([width, height])
    low, high = faces.bbox.reshape(-1, 2, 2).unbind(1)
    low, high = low + 0.5, high + 0.5  # counted from the picture's corner
    margin = MARGIN * (high - low)
    first = torch.minimum((low - margin).clamp(min=0).long(), size - 1)
    last = torch.maximum(torch.minimum(high + margin, size).long(), first + 1)
    return torch.cat([first, last], -1)


def crop_matrix(windows: Tensor) -> Tensor:
    """(N, 2, 3) image pixels to crop pixels; a crop is stretched to a square."""
    first, last = windows.reshape(-1, 2, 2).unbind(1)
    scale = SIDE / (last - first)
    return torch.cat([scale.diag_embed(), ((0.5 - first) * scale - 0.5)[..., None]], -1)


def crop(image: Tensor, image_index: Tensor, windows: Tensor) -> Tensor:
    """(N, 3, 224, 224) the normalised crops of some faces."""
    crops = []
    for index, (x1, y1, x2, y2) in zip(image_index.tolist(), windows.tolist(), strict=True):
        piece = image[index, y1:y2, x1:x2].movedim(-1, 0)[None]
        crops.append(interpolate(piece, (SIDE, SIDE), mode="bicubic", antialias=True, align_corners=False))
    return (torch.cat(crops).clamp(0, 1) - MEAN[:, None, None]) / DEVIATION[:, None, None]


def to_attributes(faces: Faces, heads: Heads) -> Attributes:
    """The probabilities of ``SETS``; a point's is that of being seen."""
    each = (heads.attributes.sigmoid(), (-heads.visibility).sigmoid())
    one = (logits.softmax(-1) for logits in (heads.age, heads.gender, heads.race))
    return Attributes(faces, SETS, torch.cat([*each, *one], -1))


def to_head_pose(faces: Faces, radians: Tensor) -> HeadPose:
    """Angles by our signs from (N, 3) pitch, yaw, roll by those of 300W-LP, on which the network was trained.

    There yaw is negative where the nose moves to the right, and the head turns by roll first, then yaw, then pitch.
    Source: 3DDFA, whose fits 300W-LP is made of; the same in deep-head-pose, utils.py, draw_axis.
    """
    from ..landmark.procrustes import angles_to_rotation, rotation_to_angles  # later: landmark lists this module

    pitch, yaw, roll = radians.rad2deg().unbind(-1)
    none = torch.zeros_like(yaw)
    by_roll, by_yaw = angles_to_rotation(none, none, roll), angles_to_rotation(-yaw, none, none)
    rotation = angles_to_rotation(none, pitch, none) @ by_yaw @ by_roll
    return HeadPose(faces, *rotation_to_angles(rotation))


def to_landmarks(faces: Faces, shares: Tensor, matrix: Tensor) -> Landmarks:
    """Points in pixels of the image, from (N, 136) shares of the crop."""
    places = ((shares.reshape(-1, POINTS, 2) + 1) * SIDE - 1) / 2
    return Landmarks(faces, "ibug68", move(invert(matrix), places))


def to_parsing(faces: Faces, probability: Tensor, matrix: Tensor) -> ParsingMap:
    """What each pixel of the crops shows, from (N, 11, 224, 224) probabilities."""
    labels = probability.argmax(1).to(torch.uint8)
    return ParsingMap(faces, Alignment(faces, matrix, "box", SIDE), CLASSES, labels, probability)


def hparams(state_dict: StateDict) -> dict[str, object]:
    stages = [f"backbone.0.{number}" for number in range(1, count(state_dict, "backbone.0"), 2)]
    tables = [state_dict[f"{stage}.0.attn.relative_position_bias_table"] for stage in stages]
    decoder = "face_decoder.transformer.layers"
    return {
        "embed": len(state_dict["backbone.0.0.0.weight"]),
        "depths": tuple(count(state_dict, stage) for stage in stages),
        "heads": tuple(table.shape[1] for table in tables),
        "width": len(state_dict["linear_fuse.weight"]),
        "hidden": len(state_dict[f"{decoder}.0.mlp.lin1.weight"]),
        "layers": count(state_dict, decoder),
    }


SYSTEM = System(
    name="facexformer",
    keys=("pe_layer.positional_encoding_gaussian_matrix", "face_decoder.mask_tokens.weight"),
    hparams=hparams,
    network=FaceXFormer,
    unused=("backbone.1.",),  # a norm whose output the authors throw away
)
