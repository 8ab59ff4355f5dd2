"""Faces as the records that detailers of other packs pass on: SEGS, and boxes as plain corners.

Source: ltdrdata/ComfyUI-Impact-Pack at 727295b, modules/impact/core.py (the fields, their order) and utils.py (how a
crop region is laid around a box). SEGS is ((height, width), [SEG, ...]) of one image.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .select import name_images
from .types import Faces

LABEL = "face"


class SEG(NamedTuple):
    """One part of an image."""

    cropped_image: Any  # (1, h, w, 3) or None: whoever reads it crops
    cropped_mask: NDArray[np.float32]  # (h, w) in [0, 1], of the crop region
    confidence: float
    crop_region: list[int]  # x1, y1, x2, y2, ends excluded, inside the image
    bbox: tuple[int, int, int, int]  # xyxy, whole pixels
    label: str
    control_net_wrapper: Any = None


Segs = tuple[tuple[int, int], list[SEG]]


def faces_to_segs(
    faces: Faces,
    crop_factor: float = 3.0,
    dilation: int = 0,
    mask: Tensor | None = None,
    drop_size: int = 1,
    hook: Any = None,
) -> Segs:
    """The faces of one image as SEGS, each with its box, or its share of a mask, as the mask.

    Args:
        faces: The faces of one image.
        crop_factor: Sides of the crop region against those of the box.
        dilation: Pixels by which the masks are wider and higher than the boxes; negative: smaller.
        mask: (1, H, W) or (N, H, W) where the faces are, in [0, 1].
        drop_size: Boxes no wider or higher than so many pixels are left out.
        hook: A detailer's own; its ``post_crop_region`` may change the region.

    Raises:
        ValueError: There are several images, or the mask is of another size.
    """
    if faces.image_count > 1:
        raise ValueError(
            f"Expected the faces of one image, got those of {faces.image_count}: SEGS hold one image; take one out of "
            "the batch first."
        )
    height, width = faces.image_size
    if mask is not None and (mask.shape[1:] != (height, width) or len(mask) not in (1, len(faces))):
        raise ValueError(
            f"Expected a mask of (1 or {len(faces)}, {height}, {width}), got {tuple(mask.shape)}: connect one of this "
            "image."
        )
    found = []
    for row, (corners, score) in enumerate(zip(faces.bbox.tolist(), faces.score.tolist(), strict=True)):
        x1, y1, x2, y2 = (round(value) for value in corners)
        box = max(x1, 0), max(y1, 0), min(x2, width), min(y2, height)
        if box[2] - box[0] <= drop_size or box[3] - box[1] <= drop_size:
            continue
        left, right = region(box[0], box[2], crop_factor, width)
        top, bottom = region(box[1], box[3], crop_factor, height)
        if hasattr(hook, "post_crop_region"):
            left, top, right, bottom = hook.post_crop_region(width, height, box, [left, top, right, bottom])
        if mask is None:
            cropped = np.zeros((bottom - top, right - left), np.float32)
            cropped[dilated(box[1], box[3], dilation, top, bottom), dilated(box[0], box[2], dilation, left, right)] = 1
        else:
            cropped = mask[row % len(mask), top:bottom, left:right].float().cpu().numpy().copy()
        found.append(SEG(None, cropped, score, [left, top, right, bottom], box, LABEL))
    return (height, width), found


def region(start: int, stop: int, factor: float, limit: int) -> tuple[int, int]:
    """Where a crop begins and ends along an axis: around the box, moved into the image, cut where it is too large."""
    side = (stop - start) * factor
    first = int(start + (stop - start) / 2 - side / 2)
    if first < 0:
        return 0, int(min(limit, side))
    if first + side > limit:
        return int(max(0, limit - side)), limit
    return first, int(min(limit, first + side))


def dilated(start: int, stop: int, pixels: int, first: int, limit: int) -> slice:
    """What a box covers of a crop along an axis after a square of so many pixels has dilated or eroded it."""
    near, far = (abs(pixels) - 1) - abs(pixels) // 2, abs(pixels) // 2
    start, stop = (start + far, stop - near) if pixels < 0 else (start - near, stop + far) if pixels else (start, stop)
    return slice(max(start, first) - first, max(min(stop, limit), first) - first)


def segs_to_faces(segs: Segs, label: str = "") -> Faces:
    """The faces of one image from SEGS; boxes only.

    Args:
        segs: Of one image.
        label: Whose label to take; all by default.
    """
    (height, width), found = segs
    chosen = [seg for seg in found if not label or str(seg.label).strip() == label]
    boxes = torch.tensor([[float(v) for v in seg.bbox] for seg in chosen]).reshape(-1, 4)
    scores = torch.tensor([float(np.asarray(seg.confidence).reshape(-1)[0]) for seg in chosen]).reshape(-1)
    numbers = torch.arange(len(chosen))
    return Faces((int(height), int(width)), 1, numbers, torch.zeros_like(numbers), boxes, scores)


def segs_to_mask(segs: Segs) -> Tensor:
    """(H, W) the masks of all parts together, in [0, 1]."""
    (height, width), found = segs
    whole = torch.zeros(int(height), int(width))
    for seg in found:
        x1, y1, x2, y2 = map(int, seg.crop_region)
        part = torch.as_tensor(np.asarray(seg.cropped_mask), dtype=torch.float32).reshape(-1, y2 - y1, x2 - x1)[0]
        whole[y1:y2, x1:x2] = torch.maximum(whole[y1:y2, x1:x2], part)
    return whole


def faces_to_corners(faces: Faces) -> list[list[tuple[int, int, int, int]]]:
    """BBOX: a list of (x1, y1, x2, y2) in whole pixels for each image."""
    frames: list[list[tuple[int, int, int, int]]] = [[] for _ in range(faces.image_count)]
    for index, corners in zip(faces.image_index.tolist(), faces.bbox.round().int().tolist(), strict=True):
        frames[index].append(tuple(corners))
    return frames


def corners_to_faces(boxes: Sequence[Any], image_size: tuple[int, int], count: int) -> Faces:
    """Faces from BBOX as other packs write it.

    Args:
        boxes: One box for all images, a list of boxes (all of one image, or one per image), or a list for each image.
        image_size: (height, width) of the images.
        count: How many images there are.

    Raises:
        ValueError: The boxes are of another number of images.
    """
    frames = _by_image(boxes, count)
    if len(frames) != count:
        raise ValueError(f"Expected boxes for {count} images, got {len(frames)}: connect those of this image.")
    flat = [box for frame in frames for box in frame]
    corners = torch.tensor([[float(v) for v in box[:4]] for box in flat]).reshape(-1, 4)
    broken = (corners[:, 2:] <= corners[:, :2]).any(1)
    index = torch.tensor([i for i, frame in enumerate(frames) for _ in frame], dtype=torch.int64)
    if broken.any():
        where = name_images(sorted(set(index[broken].tolist())), count)
        raise ValueError(f"Expected boxes of x1, y1, x2, y2, got one without extent in {where}: detect again.")
    numbers = torch.tensor([i for frame in frames for i in range(len(frame))], dtype=torch.int64)
    return Faces(image_size, count, numbers, index, corners, torch.ones(len(flat)))


def _by_image(boxes: Sequence[Any], count: int) -> list[list[Any]]:
    if len(boxes) and not isinstance(boxes[0], Sequence | np.ndarray | Tensor):
        return [[boxes]] * count
    if len(boxes) and len(boxes[0]) and not isinstance(boxes[0][0], Sequence | np.ndarray | Tensor):
        return [list(boxes)] if count == 1 else [[box] for box in boxes]
    return [list(frame) for frame in boxes] if len(boxes) else [[]] * count


class BboxDetector:
    """A detector as detailers of other packs call it.

    Args:
        find: Takes (1, H, W, C) and a threshold, gives its faces.
    """

    def __init__(self, find: Any) -> None:
        self.find = find

    def detect(
        self,
        image: Tensor,
        threshold: float,
        dilation: int,
        crop_factor: float,
        drop_size: int = 1,
        detailer_hook: Any = None,
    ) -> Segs:
        """The faces in an image as SEGS."""
        faces = self.find(image, threshold)
        size, found = faces_to_segs(faces, crop_factor, dilation, None, max(drop_size, 1), detailer_hook)
        if hasattr(detailer_hook, "post_detection"):
            return detailer_hook.post_detection((size, found))
        return size, found

    def detect_combined(self, image: Tensor, threshold: float, dilation: int) -> Tensor:
        """(H, W) the boxes of all faces as one mask."""
        return segs_to_mask(self.detect(image, threshold, dilation, 1))

    def setAux(self, words: Any) -> None:  # noqa: N802 - the others' name
        """Other detectors are told here what to look for; this one looks for faces."""
