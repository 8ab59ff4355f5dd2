"""Which pixels an answer hangs on: by hiding patches (occlusion), by hiding regions at random (LIME), by gradients.

Occlusion: Zeiler and Fergus, Visualizing and understanding convolutional networks, ECCV 2014. LIME: Ribeiro et al.,
"Why should I trust you?", KDD 2016, with the arithmetic of its image explainer. Grad-CAM: Selvaraju et al., ICCV 2017.
A score is any function of pictures: how sure a classifier is of a class, how close a face is to a person.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from ..onnx.network import Network

Score = Callable[[Tensor], Tensor]  # (M, S, S, 3) pictures of one face to (M,)
BATCH = 32  # pictures that are scored at once
FILLS = ("gray", "mean", "blur", "black")
SIGNS = ("for", "against", "both")
SEGMENTS = ("slic", "grid")
COMPACTNESS = 20.0  # of SLIC; source: the authors' explanations.py
KERNEL = 0.25  # width of LIME's kernel over cosine distances
SHOWN = 8  # layers that an error names


@dataclass(frozen=True)
class Occlusion:
    """Hide a square patch at a time: what the score loses is the heat of the pixels hidden."""

    patch: float = 0.125  # side, as a share of the picture's
    stride: float = 0.5  # from patch to patch, as a share of the patch
    fill: str = "gray"  # what is seen instead, one of ``FILLS``

    def count(self, side: int) -> int:
        """How many pictures are scored for one of this side."""
        return len(_places(side, *self._steps(side))) ** 2 + 1

    def heat(self, picture: Tensor, score: Score) -> Tensor:
        """(S, S) how much the score loses where each pixel is hidden; negative where it gains.

        Args:
            picture: (S, S, 3) RGB in [0, 1].
            score: What is explained.
        """
        side = len(picture)
        patch, step = self._steps(side)
        places = _places(side, patch, step)
        corners = [(y, x) for y in places for x in places]
        hidden = cover(picture, self.fill)

        def pictures() -> Iterator[Tensor]:
            yield picture
            for y, x in corners:
                one = picture.clone()
                one[y : y + patch, x : x + patch] = hidden[y : y + patch, x : x + patch]
                yield one

        whole, *without = run(pictures(), score).tolist()
        heat, times = torch.zeros(side, side), torch.zeros(side, side)
        for (y, x), left in zip(corners, without, strict=True):
            heat[y : y + patch, x : x + patch] += whole - left
            times[y : y + patch, x : x + patch] += 1
        return heat / times

    def _steps(self, side: int) -> tuple[int, int]:
        patch = min(max(round(self.patch * side), 1), side)
        return patch, max(round(self.stride * patch), 1)


@dataclass(frozen=True)
class Lime:
    """Hide regions at random, half of them each time: a ridge regression says what each region adds to the score."""

    regions: int = 30
    samples: int = 1000
    seed: int = 0
    fill: str = "black"
    segments: str = "slic"  # one of ``SEGMENTS``

    def count(self, side: int) -> int:
        """How many pictures are scored for one of any side."""
        return self.samples

    def heat(self, picture: Tensor, score: Score) -> Tensor:
        """(S, S) what each pixel's region adds to the score.

        Args:
            picture: (S, S, 3) RGB in [0, 1].
            score: What is explained.
        """
        labels = segment(picture, self.regions, self.segments)
        number = int(labels.max()) + 1
        generator = torch.Generator().manual_seed(self.seed)
        shown = torch.randint(0, 2, (self.samples, number), generator=generator)
        shown[0] = 1  # the picture as it is
        hidden = cover(picture, self.fill)
        pictures = (torch.where(row.bool()[labels][..., None], picture, hidden) for row in shown)
        return ridge(shown, run(pictures, score))[labels].float()


def run(pictures: Iterator[Tensor], score: Score) -> Tensor:
    """(M,) float64, the scores of pictures that are made as they are needed."""
    found, batch = [], []
    for picture in pictures:
        batch.append(picture)
        if len(batch) == BATCH:
            found.append(score(torch.stack(batch)))
            batch = []
    found += [score(torch.stack(batch))] if batch else []
    return torch.cat(found).double().cpu()


def cover(picture: Tensor, fill: str) -> Tensor:
    """(S, S, 3) what is seen where a picture is hidden.

    Raises:
        ValueError: The fill is none of ``FILLS``.
    """
    if fill not in FILLS:
        raise ValueError(f"Expected a fill among {', '.join(FILLS)}, got {fill}.")
    if fill == "mean":
        return picture.mean((0, 1)).expand_as(picture)
    if fill == "blur":
        coarse = interpolate(picture.movedim(-1, 0)[None], (8, 8), mode="area")
        size = (picture.shape[0], picture.shape[1])
        return interpolate(coarse, size, mode="bicubic", align_corners=False)[0].movedim(0, -1).clamp(0, 1)
    return torch.full_like(picture, 0.5 if fill == "gray" else 0.0)


def segment(picture: Tensor, regions: int, kind: str) -> Tensor:
    """(S, S) int64, the region of each pixel, from 0: superpixels by SLIC, or squares of a grid.

    Raises:
        ImportError: SLIC is asked for and scikit-image is not installed.
        ValueError: The kind is none of ``SEGMENTS``.
    """
    if kind == "grid":
        cells = max(round(regions**0.5), 1)
        y, x = (torch.arange(size) * cells // size for size in picture.shape[:2])
        return y[:, None] * cells + x
    if kind != "slic":
        raise ValueError(f"Expected regions by one of {', '.join(SEGMENTS)}, got {kind}.")
    try:
        from skimage.segmentation import slic
    except ImportError as error:
        raise ImportError(
            "Expected scikit-image for regions by slic, got none: pip install scikit-image, or take grid."
        ) from error
    labels = slic(picture.double().numpy(), n_segments=regions, compactness=COMPACTNESS, start_label=0)
    return torch.from_numpy(np.unique(labels, return_inverse=True)[1].reshape(labels.shape))


def ridge(shown: Tensor, scores: Tensor) -> Tensor:
    """(R,) float64, what each region adds to the score, by ridge regression; samples near the whole picture count more.

    Args:
        shown: (M, R) 1 where a sample shows a region, 0 where it hides it.
        scores: (M,) of the samples.
    """
    x, y = shown.double(), scores.double()
    distance = 1 - (x.sum(1) / x.shape[1]).sqrt()  # cosine distance to all ones
    weight = (-0.5 * (distance / KERNEL).square()).exp()
    share = weight / weight.sum()
    x, y = x - share @ x, y - share @ y
    weighted = x.T * weight
    return torch.linalg.solve(weighted @ x + torch.eye(x.shape[1], dtype=x.dtype), weighted @ y)


def grad_cam(network: nn.Module, answer: Callable[[nn.Module], Tensor], layer: str = "") -> tuple[Tensor, str]:
    """(M, h, w) where a layer speaks for the answer, negative where against it; and the layer's name.

    Works on a copy of the network, for a host may have made it without gradients.

    Args:
        network: Any module; the layers of an ONNX graph on the torch engine are its tensors, by name.
        answer: Runs the network it is given on M pictures and gives the (M,) scores to be explained.
        layer: Its name; the last one that is a map where it is empty. A transformer's tokens are laid out as the
            square map they come from, class and other leading tokens left out.

    Raises:
        ValueError: There is no such layer, or it is no map; names some that are.
    """
    with torch.inference_mode(False):
        copy = deepcopy(network)
        shapes: dict[str, torch.Size] = {}
        with torch.no_grad():
            _watched(copy, answer, lambda name, x: shapes.update({name: x.shape}))
        maps = [name for name, shape in shapes.items() if _grid(shape)]
        name = layer or (maps[-1] if maps else "")
        if name not in maps:
            got = f"{name} of shape {tuple(shapes[name])}" if name in shapes else name or "a network without one"
            raise ValueError(
                f"Expected a layer that is a map, such as {', '.join(maps[-SHOWN:]) or 'none'}, got {got}."
            )
        kept: list[Tensor] = []

        def keep(seen: str, x: Tensor) -> Tensor | None:
            if seen != name:
                return None
            kept[:] = [x.detach().requires_grad_()]
            return kept[0]

        with torch.enable_grad():
            scores = _watched(copy, answer, keep)
            if not scores.requires_grad:
                raise ValueError(f"Expected a layer that the answer hangs on, got {name}: take an earlier one.")
            (gradient,) = torch.autograd.grad(scores.sum(), kept[0])
        values, gradients = _to_map(kept[0].detach()), _to_map(gradient)
        return (gradients.mean((2, 3), keepdim=True) * values).sum(1).float().cpu(), name


def tone(heat: Tensor, sign: str = "for") -> Tensor:
    """A signed heat map in [0, 1], its largest value 1; 0 where nothing counts.

    Args:
        heat: (..., S, S); each map by itself.
        sign: What counts: "for" the answer, "against" it, or "both".

    Raises:
        ValueError: The sign is none of these.
    """
    if sign not in SIGNS:
        raise ValueError(f"Expected a sign among {', '.join(SIGNS)}, got {sign}.")
    counted = heat.abs() if sign == "both" else (heat if sign == "for" else -heat).clamp(min=0)
    return counted / counted.amax((-2, -1), keepdim=True).clamp(min=torch.finfo(heat.dtype).tiny)


def _places(side: int, patch: int, step: int) -> list[int]:
    """Where patches begin along one side; the last ends with it."""
    return [*range(0, side - patch, step), side - patch]


def _watched(network: nn.Module, answer: Callable[[nn.Module], Tensor], watch: Callable[[str, Tensor], Any]) -> Tensor:
    """The answer, each layer's output shown to ``watch``, which may give another in its place."""
    handles = []
    for name, part in network.named_modules():
        if isinstance(part, Network):
            part.watch = watch
        elif name:
            handles.append(part.register_forward_hook(lambda _, given, x, name=name: _show(watch, name, x)))
    try:
        return answer(network)
    finally:
        for handle in handles:
            handle.remove()
        for part in network.modules():
            if isinstance(part, Network):
                part.watch = None


def _show(watch: Callable[[str, Tensor], Any], name: str, output: Any) -> Any:
    return watch(name, output) if isinstance(output, Tensor) and output.is_floating_point() else None


def _grid(shape: torch.Size) -> tuple[int, int] | None:
    """Height and width of the map that a layer of this shape is, if it is one."""
    if len(shape) == 4 and shape[2] * shape[3] > 1:
        return shape[2], shape[3]
    side = int(shape[1] ** 0.5) if len(shape) == 3 else 0
    return (side, side) if side > 1 else None


def _to_map(x: Tensor) -> Tensor:
    """(M, C, h, w) of it, or of (M, T, C) tokens, the leading ones left out."""
    if x.ndim == 4:
        return x
    side = int(x.shape[1] ** 0.5)
    return x[:, -side * side :].mT.reshape(len(x), -1, side, side)
