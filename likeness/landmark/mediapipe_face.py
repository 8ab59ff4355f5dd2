"""MediaPipe's mesh of 478 points and its 52 blendshapes, from ComfyUI's own file for its Face Landmarker nodes.

Attention Mesh, CVPR workshop 2020, https://arxiv.org/abs/2006.10962; Blendshapes GHUM, 2023,
https://arxiv.org/abs/2309.05782.
Weights: mediapipe_face_fp32.safetensors of Comfy-Org/mediapipe (Apache-2.0), read by ComfyUI since 0.23. Of it the mesh
and the blendshapes are used; its detectors and its copy of the canonical face are not.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d, pad, relu

from ..types import Faces, Landmarks
from ..weights import StateDict, System, count
from . import roi

SIDE = 192  # pixels of the crop that the mesh sees
STRIDED = (2, 5, 8, 11, 14)  # the blocks that halve the side; no tensor shows it
# The points that the blendshapes are read from. Source: mediapipe, face_blendshapes_graph.cc.
POINTS: tuple[int, ...] = (0, 1, 4, 5, 6, 7, 8, 10, 13, 14, 17, 21, 33, 37, 39, 40, 46, 52, 53, 54, 55, 58, 61, 63, 65)
POINTS += (66, 67, 70, 78, 80, 81, 82, 84, 87, 88, 91, 93, 95, 103, 105, 107, 109, 127, 132, 133, 136, 144, 145, 146)
POINTS += (148, 149, 150, 152, 153, 154, 155, 157, 158, 159, 160, 161, 162, 163, 168, 172, 173, 176, 178, 181, 185)
POINTS += (191, 195, 197, 234, 246, 249, 251, 263, 267, 269, 270, 276, 282, 283, 284, 285, 288, 291, 293, 295, 296)
POINTS += (297, 300, 308, 310, 311, 312, 314, 317, 318, 321, 323, 324, 332, 334, 336, 338, 356, 361, 362, 365, 373)
POINTS += (374, 375, 377, 378, 379, 380, 381, 382, 384, 385, 386, 387, 388, 389, 390, 397, 398, 400, 402, 405, 409)
POINTS += (415, 454, 466)
POINTS += tuple(range(468, 478))
# ARKit's names, whose left and right are the person's. Source: mediapipe, face_blendshapes_graph.cc.
ARKIT = (
    "_neutral browDownLeft browDownRight browInnerUp browOuterUpLeft browOuterUpRight cheekPuff cheekSquintLeft "
    "cheekSquintRight eyeBlinkLeft eyeBlinkRight eyeLookDownLeft eyeLookDownRight eyeLookInLeft eyeLookInRight "
    "eyeLookOutLeft eyeLookOutRight eyeLookUpLeft eyeLookUpRight eyeSquintLeft eyeSquintRight eyeWideLeft "
    "eyeWideRight jawForward jawLeft jawOpen jawRight mouthClose mouthDimpleLeft mouthDimpleRight mouthFrownLeft "
    "mouthFrownRight mouthFunnel mouthLeft mouthLowerDownLeft mouthLowerDownRight mouthPressLeft mouthPressRight "
    "mouthPucker mouthRight mouthRollLower mouthRollUpper mouthShrugLower mouthShrugUpper mouthSmileLeft "
    "mouthSmileRight mouthStretchLeft mouthStretchRight mouthUpperUpLeft mouthUpperUpRight noseSneerLeft "
    "noseSneerRight"
)
NAMES = tuple(ARKIT.split())


class MeshBlock(nn.Module):
    """A depthwise and a pointwise convolution beside a shortcut, which is pooled and widened as they are."""

    def __init__(self, width: int, out: int, stride: int = 1) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(width, width, 3, stride, groups=width)
        self.prelu_dwise = nn.PReLU(width)
        self.pointwise = nn.Conv2d(width, out, 1)
        self.prelu_out = nn.PReLU(out)

    def forward(self, x: Tensor) -> Tensor:
        halved = self.depthwise.stride[0] == 2
        shortcut = max_pool2d(x, 2) if halved else x
        shortcut = pad(shortcut, (0, 0, 0, 0, 0, self.pointwise.out_channels - x.shape[1]))
        around = (0, 1, 0, 1) if halved else (1, 1, 1, 1)  # TensorFlow's "same" for even sides
        deep = self.prelu_dwise(self.depthwise(pad(x, around)))
        return self.prelu_out(self.pointwise(deep) + shortcut)


class Mesh(nn.Module):
    """(N, 3, 192, 192) RGB in [0, 1] to (N, 478, 3) points in pixels of it and (N,) presence, a logit."""

    def __init__(self, widths: tuple[int, ...], reduced: int, points: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, widths[0], 3, 2)
        self.prelu_stem = nn.PReLU(widths[0])
        pairs = enumerate(pairwise(widths))
        self.blocks = nn.Sequential(*(MeshBlock(a, b, 1 + (i in STRIDED)) for i, (a, b) in pairs))
        self.head_reduce = nn.Conv2d(widths[-1], reduced, 1)
        self.prelu_head_reduce = nn.PReLU(reduced)
        self.head_block = MeshBlock(reduced, reduced)
        self.head_presence = nn.Conv2d(reduced, 1, 3)
        self.head_landmarks = nn.Conv2d(reduced, points * 3, 3)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        features = self.blocks(self.prelu_stem(self.stem(pad(x, (0, 1, 0, 1)))))
        seen = self.head_block(self.prelu_head_reduce(self.head_reduce(features)))
        points = self.head_landmarks(seen).flatten(1).unflatten(1, (-1, 3))
        return points, self.head_presence(seen).flatten()


class MixerBlock(nn.Module):
    """An MLP across the tokens, then one across the channels."""

    def __init__(self, tokens: int, width: int, across: int, within: int) -> None:
        super().__init__()
        self.ln1, self.ln2 = (nn.LayerNorm(width, eps=1e-6, bias=False) for _ in range(2))
        self.token_mlp1, self.token_mlp2 = nn.Linear(tokens, across), nn.Linear(across, tokens)
        self.channel_mlp1, self.channel_mlp2 = nn.Linear(width, within), nn.Linear(within, width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.token_mlp2(relu(self.token_mlp1(self.ln1(x).mT))).mT
        return x + self.channel_mlp2(relu(self.channel_mlp1(self.ln2(x))))


class Blendshapes(nn.Module):
    """(N, 146, 2) points, wherever and however large, to (N, 52) in [0, 1]."""

    def __init__(self, points: int, tokens: int, width: int, across: int, within: int, blocks: int, names: int) -> None:
        super().__init__()
        self.token_reduce, self.token_embed = nn.Linear(points, tokens), nn.Linear(2, width)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.blocks = nn.Sequential(*(MixerBlock(tokens + 1, width, across, within) for _ in range(blocks)))
        self.head = nn.Linear(width, names)

    def forward(self, points: Tensor) -> Tensor:
        centred = points - points.mean(1, keepdim=True)
        size = centred.norm(dim=-1).mean(1)[:, None, None]
        tokens = self.token_embed(self.token_reduce((centred / size / 2).mT).mT)
        mixed = self.blocks(torch.cat([self.cls_token.expand(len(points), -1, -1), tokens], 1))
        return self.head(mixed[:, 0]).sigmoid()


class MediaPipeFace(nn.Module):
    def __init__(self, mesh: dict[str, Any], blendshapes: dict[str, Any]) -> None:
        super().__init__()
        self.mesh, self.blendshapes = Mesh(**mesh), Blendshapes(**blendshapes)

    def landmarks(self, image: Tensor, faces: Faces) -> Landmarks:
        """The mesh of each face, in pixels, with z as large as x and negative towards the viewer; and blendshapes.

        Args:
            image: (B, H, W, 3) RGB in [0, 1].
            faces: The faces in these images; boxes are enough.
        """
        points, mesh, presence = roi.find_mesh(image, faces, SIDE, self.run)
        shapes = self.blendshapes(mesh[:, list(POINTS), :2].to(self.blendshapes.cls_token)).cpu()
        found = roi.to_landmarks(faces, "mediapipe478", points, mesh, presence)
        return replace(found, blendshapes=shapes, blendshape_names=NAMES)

    def run(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 478, 3) points in pixels of (N, 192, 192, 3) crops, and (N,) how surely each shows a face, in [0, 1]."""
        points, presence = self.mesh(crops.movedim(-1, 1).to(self.mesh.stem.weight))
        return points.float().cpu(), presence.float().sigmoid().cpu()


def hparams(state_dict: StateDict) -> dict[str, Any]:
    """The network's arguments, read off tensor shapes."""

    def size(name: str, axis: int = 0) -> int:
        return state_dict[name].shape[axis]

    blocks = range(count(state_dict, "mesh.blocks"))
    widths = (size("mesh.stem.weight"), *(size(f"mesh.blocks.{i}.pointwise.weight") for i in blocks))
    return {
        "mesh": {
            "widths": widths,
            "reduced": size("mesh.head_reduce.weight"),
            "points": size("mesh.head_landmarks.weight") // 3,
        },
        "blendshapes": {
            "points": size("blendshapes.token_reduce.weight", 1),
            "tokens": size("blendshapes.token_reduce.weight"),
            "width": size("blendshapes.token_embed.weight"),
            "across": size("blendshapes.blocks.0.token_mlp1.weight"),
            "within": size("blendshapes.blocks.0.channel_mlp1.weight"),
            "blocks": count(state_dict, "blendshapes.blocks"),
            "names": size("blendshapes.head.weight"),
        },
    }


SYSTEM = System(
    name="mediapipe_face",
    keys=("mesh.head_landmarks.weight", "blendshapes.cls_token"),
    hparams=hparams,
    network=MediaPipeFace,
    unused=("detector_short.", "detector_full.", "topology.", "canonical_vertices", "procrustes_"),
)
