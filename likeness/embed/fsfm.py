"""FSFM: a face security foundation model, which sees how a picture of a face was made rather than whose face it is.

FSFM: A Generalizable Face Security Foundation Model via Self-Supervised Facial Representation Learning, CVPR 2025.
https://arxiv.org/abs/2412.12032; in three sizes as FS-VFM, https://arxiv.org/abs/2510.10663.
Weights: Wolowolo/fsfm-3c on Hugging Face; they and the code (wolo-wolo/FSFM-CVPR25) are CC BY-NC 4.0.

A published file holds the whole pre-training; only its encoder is kept. The vector is what the authors' fine-tuning
begins with: the mean of the patch tokens without the class token, through a layer norm that has learned nothing yet.
The encoder's own last norm serves the decoders, and the authors throw it away too. Whose face it is was never taught:
no threshold is published, and equal people need not lie close.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, interpolate, layer_norm, scaled_dot_product_attention

from ..fingerprint import fingerprint
from ..geometry import check_image
from ..types import Embeddings, Faces
from ..weights import StateDict, System, UnsupportedCheckpointError, count
from .vectors import vectors

SCALE = 1.3  # of the square to the longer side of the box
EPS = 1e-6
HEADS = {384: 12, 768: 12, 1024: 16, 1280: 16}  # of each attention by width; no tensor shows them


@dataclass(frozen=True)
class Preparation:
    """How pictures were made before a checkpoint saw them."""

    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]
    shown: int = 224  # pixels that the square is resized to; its middle is seen


# Of VGGFace2, as the authors measured it (fsfm-3c/util/datasets.py).
VGGFACE2 = Preparation(
    (0.5482207536697388, 0.42340534925460815, 0.3654651641845703),
    (0.2789176106452942, 0.2438540756702423, 0.23493893444538116),
)


class Attention(nn.Module):
    """Tokens ask each other."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        found: Tensor = self.proj(scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        return found


class Mlp(nn.Module):
    """Two layers."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, hidden), nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.fc2(gelu(self.fc1(x)))
        return made


class Block(nn.Module):
    """Attention, then two layers, each beside a shortcut."""

    def __init__(self, width: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.norm1, self.attn = nn.LayerNorm(width, EPS), Attention(width, heads)
        self.norm2, self.mlp = nn.LayerNorm(width, EPS), Mlp(width, hidden)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x))
        made: Tensor = x + self.mlp(self.norm2(x))
        return made


class Patches(nn.Module):
    """(N, T, D) a token for each square of the picture."""

    def __init__(self, width: int, patch: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, patch, patch)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.proj(x).flatten(2).mT
        return found


class VisionTransformer(nn.Module):
    """A plain vision transformer up to its last block, under timm's names."""

    def __init__(self, width: int, depth: int, patch: int, grid: int, hidden: int, heads: int) -> None:
        super().__init__()
        self.side = patch * grid  # pixels of a picture
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, grid**2 + 1, width))
        self.patch_embed = Patches(width, patch)
        self.blocks = nn.ModuleList(Block(width, heads, hidden) for _ in range(depth))

    def tokens(self, x: Tensor) -> Tensor:
        """(N, 1 + T, D) what became of the class token and of each patch of (N, 3, side, side) pictures."""
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), self.patch_embed(x)], 1) + self.pos_embed
        for block in self.blocks:
            x = block(x)
        return x


class Encoder(VisionTransformer):
    """(N, 3, 224, 224) normalised pictures to (N, D) vectors."""

    def forward(self, x: Tensor) -> Tensor:
        mean = self.tokens(x)[:, 1:].mean(1)
        return layer_norm(mean, mean.shape[-1:], eps=EPS)

    @cached_property
    def space(self) -> str:
        """The name of these weights, by their values."""
        return f"fsfm-{fingerprint(self.state_dict())}"

    def embed(self, image: Tensor, faces: Faces) -> Embeddings:
        """One vector per face, of how its picture was made.

        Args:
            image: (B, H, W, 3) RGB in [0, 1].
            faces: The faces in these images; boxes are enough.
        """
        x = crop(image, faces, VGGFACE2, self.side).to(self.cls_token)
        return Embeddings(faces, self.space, vectors(self, x, self.cls_token.shape[-1]))


def windows(faces: Faces) -> Tensor:
    """(N, 3) int64 the square that each crop shows: left, top, side, in whole pixels.

    Over the picture's left or upper border it is moved inside, over the others it shrinks.
    Source: datasets/finetune/preprocess/tools/util.py, get_boundingbox.
    """
    height, width = faces.image_size
    low, high = faces.bbox.double().round().long().reshape(-1, 2, 2).unbind(1)
    side = ((high - low).amax(-1) * SCALE).long()
    corner = ((low + high) // 2 - side[:, None] // 2).clamp(min=0)
    corner = torch.minimum(corner, torch.tensor([width - 1, height - 1]))  # of a face outside its picture
    side = torch.minimum(side, (torch.tensor([width, height]) - corner).amin(-1)).clamp(min=1)
    return torch.cat([corner, side[:, None]], -1)


def window_matrix(squares: Tensor, side: int) -> Tensor:
    """(N, 2, 3) image pixels to pixels of a crop of ``side``, of (N, 3) squares as ``windows`` gives them."""
    scale = side / squares[:, 2:]
    shift = (0.5 - squares[:, :2]) * scale - 0.5
    return torch.cat([scale.expand(-1, 2).diag_embed(), shift[..., None]], -1).float()


def crop(image: Tensor, faces: Faces, preparation: Preparation, side: int) -> Tensor:
    """(N, 3, side, side) the normalised crops, cut in float: nothing is rounded to bytes."""
    check_image(image, faces)
    shown = round(preparation.shown * side / 224)
    edge = round((shown - side) / 2)
    made = [image.new_zeros(0, 3, side, side)]
    for index, (x, y, size) in zip(faces.image_index.tolist(), windows(faces).tolist(), strict=True):
        piece = image[index, y : y + size, x : x + size].movedim(-1, 0)[None]
        whole = interpolate(piece, (shown, shown), mode="bicubic", antialias=True, align_corners=False)
        made.append(whole[..., edge : edge + side, edge : edge + side])
    return normalise(torch.cat(made), preparation)


def normalise(crops: Tensor, preparation: Preparation) -> Tensor:
    """(N, 3, H, W) crops in [0, 1] as the network has them; cubic's overshoots are cut off."""
    mean, deviation = (torch.tensor(of)[:, None, None] for of in (preparation.mean, preparation.deviation))
    return (crops.clamp(0, 1) - mean) / deviation


def shape(state_dict: StateDict, prefix: str = "") -> dict[str, Any]:
    """The transformer's arguments, read off tensor shapes.

    Args:
        state_dict: Of a checkpoint.
        prefix: What goes before the transformer's names.
    """
    width, _, patch, _ = state_dict[f"{prefix}patch_embed.proj.weight"].shape
    if width not in HEADS:
        raise UnsupportedCheckpointError(
            f"Expected a transformer of width {', '.join(map(str, HEADS))}, got {width}: how many heads it has is not "
            "published."
        )
    return {
        "width": width,
        "depth": count(state_dict, f"{prefix}blocks"),
        "patch": patch,
        "grid": round((state_dict[f"{prefix}pos_embed"].shape[1] - 1) ** 0.5),
        "hidden": len(state_dict[f"{prefix}blocks.0.mlp.fc1.weight"]),
        "heads": HEADS[width],
    }


SYSTEM = System(
    name="fsfm",
    keys=(
        "blocks.0.attn.qkv.weight",
        "rep_decoder_pos_embed",
        "rep_decoder_pred.weight",
        "projector.projection_head.0.weight",
    ),
    hparams=shape,
    network=Encoder,
    # Of the pre-training: the norm before its decoders, these, and its projections.
    unused=("norm.", "mask_token", "rep_decoder_", "decoder_", "projector.", "predictor."),
)
