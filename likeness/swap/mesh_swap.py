"""Mesh swap: the source's face as a texture on the target's mesh, in the target's light. Nothing is learned.

Expression and proportions are the target's; skin, eyes, brows and mouth the source's. Sources: Reinhard et al., Color
transfer between images, 2001; Perez et al., Poisson image editing, SIGGRAPH 2003 (the colours of the rim carried
inwards, here by pull and push).
Weights: face_landmark_with_attention.onnx, as in ``landmark/mediapipe_mesh.py`` (Apache-2.0).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from .. import onnx
from ..color import match_color
from ..filters import blur, shrink, smoothstep, spread
from ..geometry import check_image, sample
from ..landmark import canonical
from ..landmark.canonical import canonical_face
from ..landmark.mediapipe_mesh import ATTENTION, AttentionMesh
from ..landmark.procrustes import canonical_points, head_frame
from ..mask import feather, grow
from ..raster import Raster, rasterize
from ..select import one_face
from ..types import Faces
from ..weights import OnnxSystem

# As shares of the width of the face:
INSET, FADE = 0.03, 0.1  # where the swap begins inside the outline, and over how much it fades in
SMOOTH = 0.015  # deviation of the blur that takes the corners off that outline
SOFT, CALM = 0.04, 0.06  # deviations of the blurs under which the rim's colours are compared, and carried inwards
LIPS = 0.008  # deviation of the blur around a mouth that stays the target's
# In pixels of a face's width:
DETAIL, COARSE = 256, 64  # that masks, and that offsets of colour are made at
REACH = 20 / 255  # how far a place at the rim may differ from the median of the rim
USUAL, MANY = (0.1, 0.95), 100_000  # quantiles of lightness, and of how many pixels at most
FAR = 18.0  # in Lab, lightness halved: hair is so far from the colour of the cheeks
BELOW_HAIR, BROWS = (1.4, 0.3), 5.2  # centimetres below the hairline: the fade; it does not begin below the brows
OPEN, SHUT = (0.15, 0.35), (0.1, 0.2)  # centimetres between the lips: from, to

ABOVE_BROWS, TOPS = [66, 107, 9, 336, 296], [67, 109, 10, 338, 297]  # where forehead begins and ends, in columns
CHEEKS = [50, 280, 101, 330, 205, 425]
LIP_PAIRS = ([13, 82, 312], [14, 87, 317])


@dataclass(frozen=True, eq=False)
class Source:
    """Whose face it is to be."""

    image: Tensor  # (H, W, 3), the region around the face
    points: Tensor  # (468, 3) the mesh in its pixels
    gap: float  # between the lips, centimetres
    hairline: float  # height in the canonical face, centimetres, up to which the forehead is skin


class MeshSwap(nn.Module):
    def __init__(self, model: onnx.Model) -> None:
        super().__init__()
        self.landmarker = AttentionMesh(model)

    def swap(self, image: Tensor, faces: Faces, source_image: Tensor, source_faces: Faces) -> tuple[Tensor, Tensor]:
        """The images with the source's face on every given face, and how much of each pixel is swapped.

        Where the mask is 0 the images keep their values bit for bit.

        Args:
            image: (B, H, W, 3) RGB in [0, 1].
            faces: The faces in these images that are to change; boxes are enough.
            source_image: (C, h, w, 3) RGB in [0, 1].
            source_faces: The one face in these images that they are to get.

        Returns:
            (B, H, W, 3) and (B, H, W) in [0, 1].

        Raises:
            NoFaceError: There is no source face.
            ValueError: There are several.
        """
        check_image(source_image, source_faces)
        found = self.landmarker.landmarks(image, faces)
        source = self._source(source_image, one_face(source_faces))
        result, mask = image.clone(), image.new_zeros(image.shape[:3])
        gaps = _gaps(head_frame(found).undo(canonical_points(found)))
        for index, points, gap in zip(faces.image_index.tolist(), found.points[:, :468], gaps.tolist(), strict=True):
            x1, y1, x2, y2 = _region(points, faces.image_size)
            if x1 >= x2 or y1 >= y2:
                continue
            region = result[index, y1:y2, x1:x2]
            face, alpha = swap_face(region, points - points.new_tensor([x1, y1, 0]), gap, source)
            region.copy_(torch.lerp(region, face, alpha[..., None]))
            part = mask[index, y1:y2, x1:x2]
            part.copy_(torch.maximum(part, alpha))
        return result, mask

    def _source(self, image: Tensor, face: Faces) -> Source:
        found = self.landmarker.landmarks(image, face)
        gap = _gaps(head_frame(found).undo(canonical_points(found)))[0]
        x1, y1, x2, y2 = _region(found.points[0, :468], face.image_size)
        picture = image[face.image_index[0], y1:y2, x1:x2]
        points = found.points[0, :468] - torch.tensor([x1, y1, 0])
        return Source(picture, points, float(gap), hairline(picture, points))


def swap_face(target: Tensor, points: Tensor, gap: float, source: Source) -> tuple[Tensor, Tensor]:
    """(H, W, 3) the source's face on the target's mesh, and (H, W) how much of it is taken.

    Args:
        target: (H, W, 3) the region around the face.
        points: (468, 3) the mesh in pixels of the region.
        gap: Between the target's lips, centimetres.
        source: Whose face.
    """
    width = face_width(points)
    drawn = rasterize(points, canonical_face().triangles, *target.shape[:2])
    face = torch.where(drawn.covered[..., None], texture(drawn, source, width), target)
    face = match_color(face[None], target[None], usual_skin(face, target, drawn)[None])[0]
    taken = alpha(drawn, width, source.hairline)
    face = (face + rim_offset(face, target, drawn, taken, width)).clamp(0, 1)
    return face, taken * (1 - kept_mouth(drawn, width, gap, source.gap))


def texture(drawn: Raster, source: Source, width: float) -> Tensor:
    """(H, W, 3) the source's pixels where the target's mesh shows them."""
    small = shrink(source.image, width / face_width(source.points))
    resize = source.points.new_tensor([small.shape[1] / source.image.shape[1], small.shape[0] / source.image.shape[0]])
    where = drawn.interpolate(source.points[:, :2], canonical_face().triangles)
    return sample(small, (where + 0.5) * resize - 0.5, "bicubic", "border").clamp(0, 1)


def usual_skin(face: Tensor, target: Tensor, drawn: Raster) -> Tensor:
    """(H, W) where both faces show bare skin, neither very dark nor very bright: their light is compared there."""
    skin = drawn.interpolate(skin_weights()[:, None], canonical_face().triangles)[..., 0] > 0.5
    usual = skin
    for picture in (face, target):
        light = picture.mean(-1)
        some = light[skin][:: 1 + int(skin.sum()) // MANY]
        low, high = some.quantile(light.new_tensor(USUAL)) if len(some) else (0.0, 1.0)
        usual = usual & (light >= low) & (light <= high)
    return usual.float()


def alpha(drawn: Raster, width: float, hairline: float) -> Tensor:
    """(H, W) how much of the face is taken: all of it inside, less and less towards its outline, or its brows."""
    scale = min(1.0, DETAIL / width)
    covered = shrink(drawn.covered[..., None].float(), scale)
    inner = feather(grow(covered[None, ..., 0], -INSET * width * scale), FADE * width * scale)[0]
    inner = enlarge(blur(inner[..., None], SMOOTH * width * scale), drawn.triangle.shape)[..., 0] * drawn.covered
    height = drawn.interpolate(canonical_face().vertices[:, 1:2], canonical_face().triangles)[..., 0]
    start = max(hairline - BELOW_HAIR[0], BROWS)
    return (inner * (1 - smoothstep(height, start, start + BELOW_HAIR[0] - BELOW_HAIR[1]))).clamp(0, 1)


def kept_mouth(drawn: Raster, width: float, gap: float, source_gap: float) -> Tensor:
    """(H, W) what stays the target's: the inside of an open mouth whose source is shut and shows no teeth."""
    share = smoothstep(torch.tensor(gap), *OPEN) * (1 - smoothstep(torch.tensor(source_gap), *SHUT))
    mouth = torch.isin(drawn.triangle, mouth_triangles()).float()
    return share * blur(mouth[..., None], max(LIPS * width, 1.0))[..., 0].clamp(0, 1)


def rim_offset(face: Tensor, target: Tensor, drawn: Raster, taken: Tensor, width: float) -> Tensor:
    """(H, W, 3) what to add so that the face meets its target along the rim, as smooth as can be inside."""
    scale = min(1.0, COARSE / width)  # colours under a blur need few pixels
    covered = drawn.covered[..., None].to(face)
    rim = (4 * taken * (1 - taken))[..., None]
    layers = shrink(torch.cat([target, face * covered, covered, rim], -1), scale)
    softened = blur(layers[..., :7], SOFT * width * scale)
    offset = softened[..., :3] - softened[..., 3:6] / softened[..., 6:].clamp(min=1e-3)
    weight = layers[..., 7]
    usual = offset[weight > 0.5].median(0).values if (weight > 0.5).any() else offset.new_zeros(3)
    offset = usual + (offset - usual).clamp(-REACH, REACH)  # hair and hats do not bleed in
    return enlarge(blur(spread(offset, weight), CALM * width * scale), face.shape[:2])


def enlarge(picture: Tensor, size: tuple[int, ...]) -> Tensor:
    """(H, W, C) a small picture at a size."""
    return interpolate(picture.movedim(-1, 0)[None], size, mode="bilinear", align_corners=False)[0].movedim(0, -1)


def hairline(image: Tensor, points: Tensor) -> float:
    """The height in the canonical face up to which a forehead is skin, centimetres; past its top without hair."""
    from kornia.color import rgb_to_lab

    up = torch.linspace(0, 1, 24)[:, None, None]
    rises = torch.lerp(points[ABOVE_BROWS, :2], points[TOPS, :2], up)
    heights = canonical_face().vertices[:, 1]
    heights = torch.lerp(heights[ABOVE_BROWS], heights[TOPS], up[..., 0])
    smooth = blur(image, SMOOTH * face_width(points))
    colors = sample(smooth, torch.cat([rises, points[None, CHEEKS, :2].expand(24, -1, -1)], 1), "bilinear", "border")
    lab = rgb_to_lab(colors.movedim(-1, 0)).movedim(0, -1)
    difference = (lab[:, : len(TOPS)] - lab[0, len(TOPS) :].mean(0)) * lab.new_tensor([0.5, 1, 1])
    starts = torch.where(difference.norm(dim=-1) > FAR, heights, heights.max() + BELOW_HAIR[0]).amin(0)
    return float(starts.sort().values[1])  # two rises agree: one may meet a curl, or a wrinkle


def face_width(points: Tensor) -> float:
    """Pixels from one side of the face to the other."""
    return max(float((points[canonical.LEFT_SIDE, :2] - points[canonical.RIGHT_SIDE, :2]).norm()), 1.0)


@cache
def mouth_triangles() -> Tensor:
    """The rows of the triangles that close the mouth."""
    return torch.isin(canonical_face().triangles, torch.tensor(canonical.LIPS_INNER)).all(1).nonzero().flatten()


@cache
def skin_weights() -> Tensor:
    """(468,) 1 at vertices of bare skin, 0 at lips, eyes, brows and the rim."""
    weights = torch.ones(len(canonical_face()))
    other = [*canonical.LIPS_OUTER, *canonical.LIPS_INNER, *canonical.LEFT_BROW, *canonical.RIGHT_BROW]
    other += [*canonical.LEFT_EYE, *canonical.RIGHT_EYE, *canonical.LEFT_CREASE, *canonical.RIGHT_CREASE]
    other += canonical.FACE_OVAL
    weights[other] = 0
    return weights


def _gaps(vertices: Tensor) -> Tensor:
    """(N,) centimetres between the lips of (N, 468, 3) meshes in the canonical frame."""
    upper, lower = (vertices[:, rows, :2] for rows in LIP_PAIRS)
    return (upper - lower).norm(dim=-1).mean(1)


def _region(points: Tensor, image_size: tuple[int, int]) -> tuple[int, int, int, int]:
    """The pixels of an image around a mesh: x1, y1, x2, y2, ends excluded."""
    margin = 0.1 * face_width(points) + 2
    height, width = image_size
    x1, y1 = (points[:, :2].amin(0) - margin).clamp(min=0).int().tolist()
    x2, y2 = (points[:, :2].amax(0) + margin).int().tolist()
    return x1, y1, min(x2, width), min(y2, height)


SYSTEM = OnnxSystem("mesh_swap", ATTENTION.keys, MeshSwap, ATTENTION.dynamic)
