"""Faces on the canonical face and back."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import explaining_cases as cases
import factories
from likeness.audit.canonical_warp import CANONICAL, HEIGHT, WIDTH, unwarp, warp
from likeness.audit.ekman import canonical_mask, image_masks
from likeness.geometry import transform
from likeness.landmark.ibug import MIRRORED
from likeness.types import Faces, Landmarks

GOLDEN = json.loads(
    (Path(__file__).parents[1] / "checkpoints/expression_explainability/golden.json").read_text(encoding="utf-8")
)


def found(points: torch.Tensor, size: tuple[int, int], images: list[int] | None = None) -> Landmarks:
    """Landmarks of (N, 68, 2) points, each in its image."""
    index = torch.tensor(images if images is not None else [0] * len(points), dtype=torch.int64)
    boxes = torch.cat([points.amin(1), points.amax(1)], 1)
    count = int(index.max()) + 1 if len(index) else 1
    faces = Faces(size, count, torch.arange(len(points)), index, boxes, torch.ones(len(points)))
    return Landmarks(faces, "ibug68", points)


def turned(degrees: float, scale: float, shift: tuple[float, float]) -> torch.Tensor:
    """(68, 2) the canonical points elsewhere in a picture."""
    angle = np.radians(degrees)
    a, b = scale * np.cos(angle), scale * np.sin(angle)
    return transform(torch.tensor([[a, -b, shift[0]], [b, a, shift[1]]], dtype=torch.float32), CANONICAL)


def test_a_warp_is_the_authors_but_for_their_nearest_pixels():
    """They take the pixel to the upper left, we interpolate: on a smooth picture that is half a pixel's slope."""
    given = cases.face(CANONICAL.numpy())
    image = torch.from_numpy(given.pixels).float()[None] / 255
    landmarks = found(torch.from_numpy(given.points).float()[None], (256, 256))
    ours = warp(image, landmarks, fills=True)[0, cases.SAMPLED_ROWS, cases.SAMPLED_COLUMNS]
    theirs = torch.tensor(GOLDEN["warped"]).float() / 255
    slope = max(float(image.diff(dim=axis).abs().max()) for axis in (1, 2))
    assert (ours - theirs).abs().max() < 2 * slope + 1 / 255
    assert (ours - theirs).abs().mean() < slope


def test_the_canonical_face_is_already_there():
    image = factories.photo(HEIGHT, WIDTH, 3)[None]
    warped = warp(image, found(CANONICAL[None], (HEIGHT, WIDTH)))
    torch.testing.assert_close(warped[0, :-1, :-1], image[0, :-1, :-1], atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("degrees", "shift"), [(0, (90.0, 60.0)), (25, (280.0, 60.0)), (-40, (80.0, 240.0)), (180, (420.0, 500.0))]
)
def test_there_and_back_is_the_picture_where_the_face_is(degrees, shift):
    image = factories.photo(600, 600, 5)[None]
    points = turned(degrees, 1.2, shift)
    landmarks = found((points + 3 * factories.noise(points.shape))[None], (600, 600))
    back = unwarp(warp(image, landmarks), landmarks)
    inside = image_masks(landmarks, "fear")[0] > 0
    assert inside.sum() > 5000
    assert (back - image)[0][inside].abs().max() < 0.02


def test_a_mask_follows_the_face_wherever_it_is():
    landmarks = found(turned(30, 1.5, (300.0, 40.0))[None], (700, 700))
    direct = image_masks(landmarks, "surprise")[0] > 0
    carried = unwarp(canonical_mask("surprise")[None, ..., None], landmarks)[0, ..., 0] > 0.5
    assert (direct & carried).sum() / (direct | carried).sum() > 0.97


def test_a_mirrored_face_has_a_mirrored_mask():
    points = turned(10, 1.0, (150.0, 50.0))
    flipped = (torch.tensor([499.0, 0]) - points * torch.tensor([1.0, -1])).abs()[list(MIRRORED)]
    ours = image_masks(found(points[None], (500, 500)), "disgust")
    theirs = image_masks(found(flipped[None], (500, 500)), "disgust").flip(2)
    assert ((ours > 0) & (theirs > 0)).sum() / ((ours > 0) | (theirs > 0)).sum() > 0.9


@pytest.mark.parametrize("faces", [0, 1, 2])
def test_each_face_is_brought_from_its_own_image(faces):
    points = torch.stack([turned(0, 0.8, (40.0, 20.0)), turned(20, 0.6, (120.0, 30.0))])[:faces]
    landmarks = found(points, (300, 300), [0, 1][:faces])
    image = torch.zeros(max(faces, 1), 300, 300, 3)
    image[-1] = 1.0
    warped = warp(image, landmarks)
    assert warped.shape == (faces, HEIGHT, WIDTH, 3)
    assert unwarp(warped, landmarks).shape == image.shape
    if faces == 2:
        assert not warped[0].any()
        assert warped[1].mean() > 0.9


def test_pictures_that_are_not_canonical_are_refused():
    landmarks = found(torch.stack([CANONICAL, CANONICAL]), (300, 300))
    with pytest.raises(ValueError, match=r"1 or 2 canonical pictures of 224 x 275.*got 1 of 64 x 64"):
        unwarp(torch.zeros(1, 64, 64, 1), landmarks)
    with pytest.raises(ValueError, match=r"got 3 of 224 x 275"):
        unwarp(torch.zeros(3, HEIGHT, WIDTH, 1), landmarks)


def test_landmarks_that_nobody_can_place_are_refused():
    faces = found(CANONICAL[None], (300, 300)).faces
    with pytest.raises(ValueError, match="iBUG's 68 points or MediaPipe's mesh, got insightface106"):
        warp(torch.zeros(1, 300, 300, 3), Landmarks(faces, "insightface106", torch.zeros(1, 106, 2)))
