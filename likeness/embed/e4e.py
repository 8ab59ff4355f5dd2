"""e4e: a face as the code from which StyleGAN2 makes it again, 18 rows of 512 numbers; it is mixed and edited straight.

Designing an Encoder for StyleGAN Image Manipulation, SIGGRAPH 2021. https://arxiv.org/abs/2102.02766
Network: script/models/psp_encoders.py of csxmli2016/w-plus-adapter (NTU S-Lab License 1.0, non-commercial), after
omertov/encoder4editing (MIT). Weights: e4e_ffhq_encode.pt of that repository's release, non-commercial too, with the
generator; two files of this name circulate, so both are known by their tensors alone. No line is taken.

The code holds pose, light and expression beside the person: it makes faces and is no judge of who they are. For the W+
adapter the face is cut by FFHQ's own rule from five points, what is not head is white, and what lies outside the photo
is its mirror image; there the authors leave black, which their parser takes for background.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from ..fingerprint import fingerprint
from ..geometry import check_image, cut, cut_mask
from ..types import Alignment, Embeddings, Faces
from ..weights import StateDict, System, UnsupportedCheckpointError, count
from . import stylegan2
from .stylegan_encoders import Block, block_sizes
from .vectors import vectors

SPACE = "e4e_wplus"  # how the name of its space begins
TITLE = "e4e"
BATCH = 4  # faces at once: its maps are large


class Style(nn.Module):
    """One row of a code from a map of 2 ** depth pixels a side."""

    def __init__(self, width: int, depth: int) -> None:
        super().__init__()
        layers = [module for _ in range(depth) for module in (nn.Conv2d(width, width, 3, 2, 1), nn.LeakyReLU())]
        self.convs = nn.Sequential(*layers)
        self.linear = stylegan2.EqualLinear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(self.convs(x).flatten(1))


class Encoder(nn.Module):
    """(N, 3, 256, 256) RGB in [-1, 1] to (N, 18, 512), the code less the average face's.

    Args:
        blocks: Width, output, stride and attention of each block; the last three stages are read.
        depths: Of each row; a deeper one reads an earlier stage, which is larger.
    """

    def __init__(self, blocks: tuple[tuple[int, int, int, int], ...], depths: tuple[int, ...]) -> None:
        super().__init__()
        start, wide = blocks[0][0], blocks[-1][1]
        self.input_layer = nn.Sequential(
            nn.Conv2d(3, start, 3, padding=1, bias=False), nn.BatchNorm2d(start), nn.PReLU(start)
        )
        self.body = nn.Sequential(*(Block(*block) for block in blocks))
        outs = [out for _, out, _, _ in blocks]
        ends = [number for number, out in enumerate(outs) if number + 1 == len(outs) or outs[number + 1] != out]
        self.fine, self.middle, self.coarse = ends[-3:]
        self.styles = nn.ModuleList(Style(wide, depth) for depth in depths)
        self.levels = [depth - min(depths) for depth in depths]
        self.latlayer1 = nn.Conv2d(outs[self.middle], wide, 1)
        self.latlayer2 = nn.Conv2d(outs[self.fine], wide, 1)

    def forward(self, x: Tensor) -> Tensor:
        x, seen = self.input_layer(x), {}
        for number, block in enumerate(self.body):
            x = seen[number] = block(x)
        coarse = seen[self.coarse]
        middle = widened(coarse, self.latlayer1(seen[self.middle]))
        fine = widened(middle, self.latlayer2(seen[self.fine]))
        maps = (coarse, middle, fine)
        first, *deltas = (style(maps[level]) for style, level in zip(self.styles, self.levels, strict=True))
        return torch.stack([first, *(first + delta for delta in deltas)], 1)


def widened(above: Tensor, beside: Tensor) -> Tensor:
    """A coarser map at the size of a finer one, and that one added."""
    return interpolate(above, beside.shape[-2:], mode="bilinear", align_corners=True) + beside


class E4E(nn.Module):
    latent_avg: Tensor  # (18, 512), or a row for all
    head_on = "white"  # what is put around a head that ``embed`` is told of

    def __init__(self, encoder: dict[str, Any], decoder: dict[str, Any], average: tuple[int, ...]) -> None:
        super().__init__()
        self.encoder, self.decoder = Encoder(**encoder), stylegan2.Synthesis(**decoder)
        self.register_buffer("latent_avg", torch.empty(average))
        self.shape = (len(encoder["depths"]), encoder["blocks"][-1][1])
        self.side = 2 ** (min(encoder["depths"]) + 4)  # of a face, pixels: the body halves it four times

    def forward(self, x: Tensor) -> Tensor:
        """(N, 9216) codes of (N, 3, 256, 256) RGB in [-1, 1], row after row."""
        return (self.encoder(x) + self.latent_avg).flatten(1)

    @cached_property
    def space(self) -> str:
        """The name of these weights, by their values."""
        kept = {name: tensor for name, tensor in self.state_dict().items() if not name.startswith("decoder.")}
        return f"{SPACE}-{fingerprint(kept)}"

    def embed(self, image: Tensor, faces: Faces, head: Tensor | None = None) -> Embeddings:
        """One code per face.

        Args:
            image: (B, H, W, 3) RGB in [0, 1].
            faces: The faces in these images, with five points.
            head: (B, H, W) or (1, H, W) in [0, 1], what of the images is the head; the rest becomes white. None: all.
        """
        x = crop(image, faces, self.side, head).movedim(-1, 1) * 2 - 1
        rows, width = self.shape
        found = vectors(lambda part: self(part.to(self.latent_avg)), x, rows * width, BATCH)
        return Embeddings(faces, self.space, found, metric="l2", flat=True)

    def draw(self, codes: Embeddings) -> Tensor:
        """(N, S, S, 3) RGB in [0, 1], the faces that StyleGAN2 makes of codes.

        Raises:
            ValueError: They are of another space.
        """
        codes.check_space(self.nobody())
        x = codes.embedding.reshape(-1, *self.shape)
        side = self.decoder.noises.get_buffer(f"noise_{2 * len(self.decoder.to_rgbs)}").shape[-1]
        made = [torch.zeros(0, 3, side, side)]
        made += [self.decoder(row[None].to(self.latent_avg)).float().cpu() for row in x]  # 1024 pixels: one at a time
        return (torch.cat(made).movedim(1, -1) / 2 + 0.5).clamp(0, 1)

    def nobody(self) -> Embeddings:
        """No code of this space."""
        rows, width = self.shape
        return Embeddings(None, self.space, torch.zeros(0, rows * width), metric="l2", flat=True)


def crop(image: Tensor, faces: Faces, side: int, head: Tensor | None = None) -> Tensor:
    """(N, S, S, 3) RGB in [0, 1], the faces as FFHQ cuts them; what is not head is white."""
    alignment = ffhq(image, faces, side)
    squares = cut(image, faces.image_index, alignment.matrix, side, mirror=True)
    if head is None:
        return squares
    kept = cut_mask(head.to(squares), alignment)[..., None]
    return squares * kept + 1 - kept


def ffhq(image: Tensor, faces: Faces, side: int) -> Alignment:
    """How FFHQ cuts faces: upright on the eyes and the mouth, so far around the eyes as these are apart.

    Source: align_face in script/utils.py of w-plus-adapter, after FFHQ's own recreate_aligned_images; the mean of an
    eye's six landmarks is its centre.

    Raises:
        ValueError: The faces have no points or no extent, or belong to other images.
    """
    check_image(image, faces)
    if faces.kps is None:
        raise ValueError(
            "Expected faces with five points, got boxes only: use a detector that gives points, or Faces from Boxes "
            "for upright faces."
        )
    points = torch.view_as_complex(faces.kps.double().contiguous())
    eyes, mouth = points[:, :2].mean(1), points[:, 3:].mean(1)
    across, down = points[:, 1] - points[:, 0], mouth - eyes
    way = across - down * 1j  # upright, down is the imaginary axis
    if not bool((way.abs() > 0).all()):
        raise ValueError("Expected faces of some size, got one whose points are all in one place: leave it out.")
    half = way / way.abs() * torch.maximum(across.abs() * 2, down.abs() * 1.8)
    centre = eyes + down * 0.1
    turn = side / (2 * half)  # the corners of the square are those of its outer pixels
    shift = (side - 1) / 2 * (1 + 1j) - turn * centre
    rows = torch.stack([turn.real, -turn.imag, shift.real, turn.imag, turn.real, shift.imag], -1)
    return Alignment(faces, rows.reshape(-1, 2, 3).float(), "ffhq_quad", side)


def hparams(state_dict: StateDict) -> dict[str, Any]:
    """The networks' arguments, read off tensor shapes.

    Raises:
        UnsupportedCheckpointError: The average face is left out, as readers of pickles do.
    """
    if "latent_avg" not in state_dict:
        raise UnsupportedCheckpointError(
            "Expected e4e with its average code, got a file without latent_avg: choose it by its name (e4e/ffhq), or "
            "let `python -m headless models import FILE` convert the published one."
        )
    rows = range(count(state_dict, "encoder.styles"))
    return {
        "encoder": {
            "blocks": block_sizes(state_dict, "encoder."),
            "depths": tuple(count(state_dict, f"encoder.styles.{row}.convs") // 2 + 1 for row in rows),
        },
        "decoder": stylegan2.hparams(state_dict, "decoder."),
        "average": tuple(state_dict["latent_avg"].shape),
    }


SYSTEM = System(
    name="e4e",
    keys=("encoder.input_layer.0.weight", "encoder.styles.0.linear.weight", "decoder.conv1.conv.weight"),
    hparams=hparams,
    network=E4E,
    unused=("decoder.style.", "discriminator"),  # the way from noise to codes; training's
)
