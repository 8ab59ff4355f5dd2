"""Pictures warped around their faces by tanh, edited or parsed, and restored: ``roi_tanh`` for faces.

Every warped picture holds all of its photo, so restored ones overlap everywhere: a pixel is taken from the face that it
is nearest to, in sizes of that face's box, whose warp shows it finest. Of masks the largest value counts. A warp
reaches as far as its pixels show: to half of one from the border, behind which infinity lies.
"""

from __future__ import annotations

import torch
from torch import Tensor

from . import roi_tanh
from .geometry import check_image
from .types import Faces, RoiWarp


def warp_faces(
    image: Tensor, faces: Faces, size: int, mode: str, keep_aspect_ratio: bool = True, angle: float = 0.0
) -> tuple[Tensor, RoiWarp]:
    """Each face's picture, warped around its box.

    Args:
        image: (B, H, W, C) in [0, 1].
        faces: The faces in these B images.
        size: Side of a warped picture, pixels.
        mode: One of ``roi_tanh.MODES``.
        keep_aspect_ratio: Whether angles are the picture's, not those of the box stretched to a square.
        angle: Degrees that the boxes are turned clockwise.

    Returns:
        (N, size, size, C) warped pictures, black outside the photo, and how they were warped.

    Raises:
        ValueError: There is no such mode, a box is empty, or the faces belong to other images.
    """
    check_image(image, faces)
    if mode not in roi_tanh.MODES:
        raise ValueError(f"Expected a mode among {', '.join(roi_tanh.MODES)}, got {mode}.")
    how = RoiWarp(faces, mode, keep_aspect_ratio, torch.full((len(faces),), float(angle)))
    warped = image.new_zeros(len(faces), size, size, image.shape[-1])
    for row, index in enumerate(faces.image_index.tolist()):
        boxes = _boxes(how, row)
        x, y = roi_tanh.in_picture(boxes, *roi_tanh.unfold(mode, boxes, size, size))
        warped[row] = roi_tanh.sample(image[index].movedim(-1, 0)[None], x, y)[0].movedim(0, -1)
    return warped, how


def restore_images(warped: Tensor, how: RoiWarp, image: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """The photos again, from their warped pictures.

    Args:
        warped: (N, S, S, C) in [0, 1], of the side they were warped to or another.
        how: As ``warp_faces`` gave it.
        image: (B, H, W, C) what is seen where no warped picture reaches; black by default.

    Returns:
        (B, H, W, C) photos, and (B, H, W) how far the warped pictures reach, in [0, 1].

    Raises:
        ValueError: There are not as many warped pictures as faces, or the images are others.
    """
    _check_count(warped, how)
    faces = how.faces
    shape = faces.image_count, *faces.image_size
    if image is not None:
        check_image(image, faces)
    photos, reached = warped.new_zeros(*shape, warped.shape[-1]), warped.new_zeros(shape)
    nearest = warped.new_full(shape, torch.inf)
    for row, index in enumerate(faces.image_index.tolist()):
        # At the photo's border warped pixels are partly black: so much of them is not of the photo.
        layer = torch.cat([warped[row], _inside(how, row, warped.shape[1]).to(warped)], -1).movedim(-1, 0)[None]
        restored, away = _restore(layer, how, row)
        nearer = away < nearest[index]
        photos[index] = torch.where(nearer[..., None], restored[:-1].movedim(0, -1), photos[index])
        reached[index] = torch.where(nearer, restored[-1], reached[index])
        nearest[index] = torch.where(nearer, away, nearest[index])
    behind = torch.zeros_like(photos) if image is None else image[..., : warped.shape[-1]].to(photos)
    return photos + behind * (1 - reached[..., None]), reached


def restore_masks(warped: Tensor, how: RoiWarp) -> Tensor:
    """(B, H, W) masks of the photos, from (N, S, S) masks of their warped pictures.

    Raises:
        ValueError: There are not as many masks as faces.
    """
    _check_count(warped, how)
    masks = warped.new_zeros(how.faces.image_count, *how.faces.image_size)
    for row, index in enumerate(how.faces.image_index.tolist()):
        (restored,), _ = _restore(warped[row, None, None], how, row)
        masks[index] = torch.maximum(masks[index], restored)
    return masks


def _restore(warped: Tensor, how: RoiWarp, row: int) -> tuple[Tensor, Tensor]:
    """A (1, C, S, S) warped picture restored to (C, H, W), 0 beyond its reach, and (H, W) how far its face is away."""
    height, width = how.faces.image_size
    boxes = _boxes(how, row)
    x, y = roi_tanh.from_centre(boxes, width, height)
    if how.mode == "cartesian":
        away = torch.maximum(x.abs() / boxes.half[0], y.abs() / boxes.half[1])[0]
    else:
        away = torch.hypot(x / boxes.radii[0], y / boxes.radii[1])[0]
    pixels = warped.shape[-1] / (1 if how.mode == "polar" else 2)  # from the middle to the border
    reached = ((1 - away.tanh()) * pixels * 2).clamp(0, 1)
    return roi_tanh.restore(how.mode, warped, boxes, (x, y), padding="border")[0] * reached, away


def _inside(how: RoiWarp, row: int, size: int) -> Tensor:
    """(size, size, 1) how much of each warped pixel lies in the photo, in [0, 1]."""
    white = torch.ones(1, 1, *how.faces.image_size)
    boxes = _boxes(how, row)
    found = roi_tanh.sample(white, *roi_tanh.in_picture(boxes, *roi_tanh.unfold(how.mode, boxes, size, size)))
    return found[0].movedim(0, -1)


def _boxes(how: RoiWarp, row: int) -> roi_tanh.Boxes:
    return roi_tanh.read_boxes(how.faces.bbox[row, None].float(), how.angle[row, None], how.keep_aspect_ratio)


def _check_count(warped: Tensor, how: RoiWarp) -> None:
    if len(warped) != len(how):
        raise ValueError(
            f"Expected {len(how)} warped pictures, one per face, got {len(warped)}: connect those of RoI Tanh Warp, "
            "edited one by one."
        )
