"""ChatAnything's dots against Pillow's own ellipses, its schedule number by number, and its gate."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from likeness.landmark.canonical import IBUG68
from likeness.landmark.chatanything import (
    WORDS,
    attempt,
    detectability,
    draw_dots,
    first_detectable,
    is_detectable,
)
from likeness.types import Faces, Landmarks, NoFaceError


def landmarks(points: torch.Tensor, images: list[int], count: int, scheme: str = "ibug68") -> Landmarks:
    index = torch.tensor(images, dtype=torch.int64)
    faces = Faces((512, 512), count, index * 0, index, torch.zeros(len(index), 4), torch.ones(len(index)))
    return Landmarks(faces, scheme, points)


def some_points(faces: int) -> torch.Tensor:
    return 60 + 380 * torch.rand(faces, 68, 2, generator=torch.Generator().manual_seed(0))


def test_a_dot_is_an_ellipse_of_pillow_of_two_and_a_half_pixels():
    points = some_points(1)
    sheet = Image.new("RGB", (512, 512))
    for x, y in points[0].tolist():
        ImageDraw.Draw(sheet).ellipse((x - 2.5, y - 2.5, x + 2.5, y + 2.5), fill=(255, 255, 255))
    drawn = draw_dots(landmarks(points, [0], 1))
    assert torch.equal(drawn[0], torch.from_numpy(np.asarray(sheet).copy()).float() / 255)
    assert drawn.unique().tolist() == [0, 1]


def test_every_image_has_its_own_faces_and_may_have_none():
    drawn = draw_dots(landmarks(some_points(3), [0, 2, 2], 4))
    assert [round(float(image.mean() * 512 * 512 / 68 / 21)) for image in drawn] == [1, 0, 2, 0]


def test_points_are_scaled_to_cover_the_control_image_and_cut_around_the_middle():
    points = torch.full((1, 68, 2), 255.5)
    points[0, 0] = torch.tensor([127.5, 255.5])
    drawn = draw_dots(landmarks(points, [0], 1), (1024, 512))[0, ..., 0]
    places = drawn.nonzero().float()
    torch.testing.assert_close(places[:, 0].mean(), torch.tensor(511.5), atol=1.0, rtol=0)
    assert sorted({int(x) // 256 for x in places[:, 1].tolist()}) == [0, 1]


def test_the_mesh_is_drawn_by_its_points_nearest_to_ibugs():
    mesh = 60 + 380 * torch.rand(1, 478, 3, generator=torch.Generator().manual_seed(1))
    sparse = mesh[:, list(IBUG68), :2]
    assert torch.equal(draw_dots(landmarks(mesh, [0], 1, "mediapipe478")), draw_dots(landmarks(sparse, [0], 1)))
    with pytest.raises(ValueError, match="iBUG's 68 points or MediaPipe's mesh, got insightface106"):
        draw_dots(landmarks(torch.zeros(1, 106, 2), [0], 1, "insightface106"))


def test_the_strength_falls_from_a_face_and_rises_without_one_as_far_as_it_goes():
    falling, rising = ([attempt(k, has_face).strength for k in range(8)] for has_face in (True, False))
    assert falling == [1.0, 0.96, 0.92, 0.88, 0.84, 0.8, 0.76, 0.72]
    assert rising == [0.85, 0.89, 0.93, 0.97, 1.0, 1.0, 1.0, 1.0]
    assert {attempt(k, True).control for k in range(8)} == {0.3}


def test_each_retry_puts_one_more_word_before_the_prompt():
    prompts = [attempt(k, True, "an owl", seed=5).prompt for k in range(8)]
    assert prompts[0] == "an owl"
    for before, after in pairwise(prompts):
        word, rest = after.split(", ", 1)
        assert (rest, word in WORDS) == (before, True)
    assert prompts == [attempt(k, False, "an owl", seed=5).prompt for k in range(8)]
    assert len({attempt(7, True, "", seed=seed).prompt for seed in range(20)}) > 10
    assert attempt(7, True, "an owl", words=False).prompt == "an owl"


@pytest.mark.parametrize("number", [-1, 8])
def test_there_are_eight_attempts(number):
    with pytest.raises(ValueError, match=f"an attempt from 0 to 7, got {number}"):
        attempt(number, True)


def candidates(scores: list[list[float]]) -> Faces:
    index = torch.tensor([i for i, image in enumerate(scores) for _ in image], dtype=torch.int64)
    score = torch.tensor([s for image in scores for s in image])
    return Faces((64, 64), len(scores), index * 0, index, torch.zeros(len(index), 4), score)


def test_the_first_picture_with_a_face_is_taken():
    faces = candidates([[], [0.4], [0.2, 0.8], [0.9]])
    torch.testing.assert_close(detectability(faces), torch.tensor([0, 0.4, 0.8, 0.9]))
    assert is_detectable(faces, 0.7).tolist() == [False, False, True, True]
    assert is_detectable(faces, 0.0).tolist() == [False, True, True, True]
    assert [first_detectable(faces, threshold) for threshold in (0.3, 0.7, 0.85)] == [1, 2, 3]


def test_without_one_it_stops_or_takes_what_was_asked_for():
    faces = candidates([[], [0.4], [0.2]])
    with pytest.raises(NoFaceError, match=r"a face of score 0\.7 or more, got 0\.40 at most in images 0 to 2 of 3"):
        first_detectable(faces, 0.7)
    assert first_detectable(faces, 0.7, "surest") == 1
    assert first_detectable(faces, 0.7, "first") == 0
    with pytest.raises(ValueError, match="at least one candidate, got no images"):
        first_detectable(candidates([]), 0.7)
