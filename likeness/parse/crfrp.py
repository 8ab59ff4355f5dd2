"""CRFR-P: which patches of a face are hidden when a network learns to fill them in, so that it learns what faces are.

FSFM: A Generalizable Face Security Foundation Model via Self-Supervised Facial Representation Learning, CVPR 2025.
https://arxiv.org/abs/2412.12032. Covering a random facial region, then proportional masking: all patches of one region
are hidden, and of every other region the same share, until the picture has so many hidden patches as it shall have.
Source of the rules: fsfm-3c/util/datasets.py of wolo-wolo/FSFM-CVPR25 (CC BY-NC 4.0), by reading. With the same seed of
torch's generator, and the same region, the patches are the authors'.

Their regions are classes of LaPa's parser. OURS: a class that it does not have counts for the one that it has there:
teeth for the mouth, beard and glasses for skin, irises for eyes; ears, neck, cloth and hat are background, as in LaPa.
The crop is FSFM's; what lies outside the parser's own crop is background.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d

from ..embed.fsfm import window_matrix, windows
from ..geometry import invert, transform
from ..types import Alignment, ParsingMap

SIDE = 224  # pixels of a crop
RATIO = 0.75  # of the patches are hidden
STRIDE = 0x9E3779B1  # between the seeds of two faces, so that seeds that follow each other share no stream
PARTS = ("skin", "brows", "eyes", "nose", "mouth", "hair", "background")
# Which classes are of each part; whatever is named nowhere is background.
MEMBERS = {
    "skin": ("skin", "beard", "eyeglasses"),
    "brows": ("left_brow", "right_brow"),
    "eyes": ("left_eye", "right_eye", "left_iris", "right_iris"),
    "nose": ("nose",),
    "mouth": ("mouth", "lips", "upper_lip", "lower_lip", "teeth"),
    "hair": ("hair",),
}
# In the authors' order, which is that of drawing; the boundary is where skin meets hair or background.
REGIONS = ("brows", "eyes", "nose", "mouth", "boundary", "hair", "skin", "background")
COVERED = REGIONS[:-2]  # that a face may lose as a whole


@dataclass(frozen=True, eq=False)
class Masking:
    """Patches of the crops of some faces."""

    alignment: Alignment  # of the crops
    hidden: Tensor  # (N, G, G) bool
    covered: Tensor  # (N, G, G) bool, the patches of the region that is hidden as a whole; they are hidden too
    regions: tuple[str, ...]  # which that is, of each face

    def squares(self, patches: Tensor) -> Tensor:
        """(N, S, S) float32 some of the patches as a mask of the crops."""
        size = self.alignment.size // patches.shape[-1]
        return patches.repeat_interleave(size, 1).repeat_interleave(size, 2).float()


def mask_faces(
    parsing: ParsingMap, region: str = "random", ratio: float = RATIO, patch: int = 16, seed: int = 0
) -> Masking:
    """Hide patches of each parsed face.

    Args:
        parsing: From a parser that knows skin, brows, eyes, nose and lips.
        region: Of ``COVERED``, hidden as a whole; "random" draws one for each face.
        ratio: Share of a crop's patches that are hidden, above 0 and below 1.
        patch: Side of a patch, pixels; divides 224.
        seed: Of what is drawn; each face has a stream of its own, so that it does not depend on who is beside it.

    Raises:
        ValueError: There is no such region, ratio or patch, or the parser does not tell a part.
    """
    if region not in ("random", *COVERED):
        raise ValueError(f"Expected a region among random, {', '.join(COVERED)}, got {region}.")
    if not 0 < ratio < 1:
        raise ValueError(f"Expected a share of hidden patches above 0 and below 1, got {ratio:g}.")
    if patch < 1 or SIDE % patch:
        raise ValueError(f"Expected patches whose side divides {SIDE}, such as 14, 16 or 28, got {patch}.")
    check_classes(parsing.classes)
    labels, alignment = to_crops(parsing)
    grid, chosen = SIDE // patch, []
    hidden = torch.zeros(len(labels), grid, grid, dtype=torch.bool)
    covered = torch.zeros_like(hidden)
    for row, one in enumerate(labels):
        generator = torch.Generator().manual_seed((seed + row * STRIDE) % 2**32)  # it takes no more bits
        name = region
        if region == "random":
            name = COVERED[int(torch.randint(len(COVERED), (), generator=generator))]
        groups = find_patches(one, patch)
        hidden[row], covered[row] = hide(groups, name, ratio, generator)
        chosen.append(name)
    return Masking(alignment, hidden, covered, tuple(chosen))


def check_classes(classes: tuple[str, ...]) -> None:
    """Refuse a parser that does not tell the parts of a face.

    Raises:
        ValueError: It lacks one.
    """
    lacks = [part for part in ("skin", "brows", "eyes", "nose", "mouth") if not set(MEMBERS[part]) & set(classes)]
    if lacks:
        raise ValueError(
            f"Expected a parsing with skin, brows, eyes, nose and lips, got one of {', '.join(classes)}: it lacks "
            f"{', '.join(lacks)}. Take FaceXFormer or RTNet, which know hair too, or mesh_regions."
        )


def to_crops(parsing: ParsingMap) -> tuple[Tensor, Alignment]:
    """(N, 224, 224) numbers of ``PARTS`` in FSFM's own crops, and how these are cut."""
    alignment = Alignment(parsing.faces, window_matrix(windows(parsing.faces), SIDE), "fsfm", SIDE)
    part = {name: PARTS.index(held) for held, names in MEMBERS.items() for name in names}
    table = torch.tensor([part.get(name, PARTS.index("background")) for name in parsing.classes])
    pixels = torch.stack(torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="xy"), -1).float()
    crops = torch.full((len(parsing), SIDE, SIDE), PARTS.index("background"))
    to_image, size = invert(alignment.matrix), parsing.labels.shape[-1]
    for row in range(len(parsing)):
        x, y = transform(parsing.alignment.matrix[row], transform(to_image[row], pixels)).round().long().unbind(-1)
        inside = (x >= 0) & (y >= 0) & (x < size) & (y < size)
        found = table[parsing.labels[row].long()][y.clamp(0, size - 1), x.clamp(0, size - 1)]
        crops[row] = torch.where(inside, found, crops[row])
    return crops, alignment


def find_patches(labels: Tensor, patch: int) -> dict[str, Tensor]:
    """(G * G,) bool by region: which patches show any of it.

    Args:
        labels: (S, S) numbers of ``PARTS``.
        patch: Side of one, pixels.
    """

    def shows(*parts: str) -> Tensor:
        numbers = torch.tensor([PARTS.index(part) for part in parts])
        return max_pool2d(torch.isin(labels, numbers).float()[None], patch)[0].flatten() > 0

    found = {part: shows(part) for part in PARTS}
    found["boundary"] = shows("hair", "background") & found["skin"]
    return {region: found[region] for region in REGIONS}


def hide(groups: dict[str, Tensor], region: str, ratio: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """(G, G) bool which patches are hidden, and which of them because their region is hidden as a whole.

    Args:
        groups: As ``find_patches`` gives them.
        region: Of them.
        ratio: Of hidden patches.
        generator: What is drawn with; a permutation for each region, and one to reach the ratio.
    """
    covered = groups[region].clone()
    hidden, count = covered.clone(), len(covered)
    wanted = int(ratio * count)
    missing = wanted - int(covered.sum())
    if missing > 0:
        share = torch.tensor(missing) / (count - covered.sum().float())  # in float32, as the authors round it
        seen = covered.clone()
        for name, patches in groups.items():
            if name != region:
                more = patches & ~seen
                hidden[_draw(more, int((more.sum() * share).round()), generator)] = True
                seen |= more
        missing = wanted - int(hidden.sum())
        wrong = ~hidden if missing > 0 else hidden & ~covered
        hidden[_draw(wrong, abs(missing), generator)] = missing > 0
    else:  # the region alone is as many, or more
        hidden[_draw(covered, abs(missing), generator)] = False
        covered = hidden.clone()
    grid = round(count**0.5)
    return hidden.reshape(grid, grid), covered.reshape(grid, grid)


def _draw(among: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Indices of so many of the true ones."""
    indices = among.nonzero().flatten()
    return indices[torch.randperm(len(indices), generator=generator)[:count]]
