from dataclasses import replace

import pytest
import torch

from likeness.select import (
    MISSING,
    fill_missing,
    fill_missing_in,
    name_images,
    on_tracks,
    one_face,
    pick,
    rank,
    resemblance,
    within,
)
from likeness.types import Embeddings, Faces, HeadPose, NoFaceError, same_faces


def faces(*rows: tuple[int, tuple[float, float, float, float]], count: int = 1) -> Faces:
    """Faces of a 200 x 100 image at (image, box), less sure one by one."""
    index = torch.tensor([image for image, _ in rows], dtype=torch.int64)
    numbers = torch.tensor([sum(image == before for before, _ in rows[:i]) for i, (image, _) in enumerate(rows)])
    box = torch.tensor([box for _, box in rows], dtype=torch.float32).reshape(-1, 4)
    return Faces((100, 200), count, numbers.long(), index, box, torch.linspace(0.9, 0.5, len(rows)))


CROWD = faces(
    (0, (10, 10, 30, 30)),  # left
    (0, (150, 60, 190, 99)),  # large, right, low
    (0, (90, 40, 110, 62)),  # in the centre
)


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("order", [0, 1, 2]),
        ("size", [1, 2, 0]),
        ("left", [0, 2, 1]),
        ("right", [1, 2, 0]),
        ("top", [0, 2, 1]),
        ("bottom", [1, 2, 0]),
        ("centre", [2, 1, 0]),
        ("score", [0, 1, 2]),
    ],
)
def test_faces_are_sorted_by_what_is_asked(by, expected):
    assert pick(CROWD, rank(CROWD, by)).id.tolist() == expected
    assert pick(CROWD, rank(CROWD, by), reverse=True).id.tolist() == expected[::-1]


def test_faces_are_sorted_by_their_likeness_to_a_reference():
    vectors = torch.tensor([[0.0, 1], [1, 0], [0.6, 0.8]])
    reference = Embeddings(None, "arcface-1", torch.tensor([[1.0, 0.1], [0.9, 0]]), threshold=0.5)
    similarity = resemblance(CROWD, Embeddings(CROWD, "arcface-1", vectors, threshold=0.5), reference)
    assert pick(CROWD, rank(CROWD, "similarity", similarity)).id.tolist() == [1, 2, 0]


def test_a_space_of_distances_ranks_by_distance():
    vectors = torch.tensor([[3.0, 0], [0.5, 0.1], [1, 1]])
    reference = Embeddings(None, "dlib-1", torch.tensor([[0.4, 0.4]]), "l2", 0.6)
    similarity = resemblance(CROWD, Embeddings(CROWD, "dlib-1", vectors, "l2", 0.6), reference)
    assert pick(CROWD, rank(CROWD, "similarity", similarity)).id.tolist() == [1, 2, 0]


def test_those_who_are_nobody_asked_for_are_passed_over():
    among = torch.tensor([True, False, True])
    assert pick(CROWD, rank(CROWD, "size"), count=1, among=among).id.tolist() == [2]


def test_similarity_needs_something_to_be_similar_to():
    with pytest.raises(ValueError, match="embeddings and a reference, got none: connect Embed Faces"):
        resemblance(CROWD, None, None)
    nobody = Embeddings(None, "a", torch.zeros(0, 2))
    with pytest.raises(NoFaceError, match="a reference to look for, got no face"):
        resemblance(CROWD, Embeddings(CROWD, "a", torch.ones(3, 2)), nobody)


def test_embeddings_of_other_faces_are_refused():
    other = CROWD.select(torch.tensor([2, 0, 1]))
    with pytest.raises(ValueError, match="must be about the same faces"):
        resemblance(CROWD, Embeddings(other, "a", torch.ones(3, 2)), Embeddings(None, "a", torch.ones(1, 2)))


def test_each_image_keeps_its_own():
    box = (0, 0, 10, 10)
    video = faces((0, box), (2, box), (2, box), (2, box), (3, box), (3, box), count=5)
    second = pick(video, rank(video, "order"), first=1, count=1)
    assert (second.image_index.tolist(), second.id.tolist(), second.image_count) == ([2, 3], [1, 1], 5)
    assert pick(video, rank(video, "order"), count=2).image_index.tolist() == [0, 2, 2, 3, 3]


def test_nobody_is_picked_from_nobody():
    assert len(pick(Faces.empty((4, 4), 2), rank(Faces.empty((4, 4), 2), "centre"), count=1)) == 0


def test_hold_repeats_the_faces_of_the_image_before():
    a, b, c = (0, 0, 10, 10), (20, 20, 40, 40), (50, 50, 60, 60)
    held = fill_missing(faces((1, a), (1, b), (4, c), count=6), "hold")
    assert held.image_index.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 5]
    assert held.bbox[:, 0].tolist() == [0, 20, 0, 20, 0, 20, 0, 20, 50, 50]
    assert held.id.tolist() == [0, 1] * 4 + [0, 0]


@pytest.mark.parametrize("missing", MISSING)
def test_a_face_in_every_image_is_left_alone(missing):
    assert len(same_faces(fill_missing(CROWD, missing), CROWD)) == len(CROWD)


def test_skip_leaves_images_without_a_face():
    assert len(fill_missing(Faces.empty((4, 4), 3), "skip")) == 0


def test_an_error_numbers_the_images_without_a_face():
    video = faces((1, (0, 0, 1, 1)), (3, (0, 0, 1, 1)), count=7)
    with pytest.raises(NoFaceError, match=r"none in images 0, 2, 4 to 6 of 7 \(counted from 0\): lower"):
        fill_missing(video, "error")


@pytest.mark.parametrize("missing", ["error", "hold", "interpolate"])
def test_nothing_can_be_held_where_there_is_nothing(missing):
    with pytest.raises(NoFaceError, match="none in images 0 to 2 of 3"):
        fill_missing(Faces.empty((4, 4), 3), missing)


def test_one_picture_is_not_numbered():
    assert name_images([0], 1) == "the image"


def test_two_faces_where_one_is_needed_are_refused():
    assert one_face(CROWD.select(torch.tensor([1]))).id.tolist() == [1]
    with pytest.raises(ValueError, match="one face, got 3 in the image: pick one with Select Faces"):
        one_face(CROWD)
    with pytest.raises(NoFaceError, match="one face, got none in 2 images"):
        one_face(Faces.empty((4, 4), 2))


def on_track(video: Faces, *tracks: int) -> Faces:
    return replace(video, track=torch.tensor(tracks), kps=video.bbox[:, None, :2].repeat(1, 5, 1))


def test_interpolation_moves_a_face_over_the_images_without_one():
    a, b = (0, 0, 10, 10), (40, 20, 60, 40)
    filled = fill_missing(on_track(faces((1, a), (5, b), count=7), 0, 0), "interpolate")
    assert filled.image_index.tolist() == [0, 1, 2, 3, 4, 5, 6]  # held at both ends
    assert filled.bbox[:, 0].tolist() == [0, 0, 10, 20, 30, 40, 40]
    assert filled.kps[3, 0].tolist() == [20, 10]
    assert [value > 0 for value in filled.score.tolist()] == [True, True, False, False, False, True, True]


def test_interpolation_knows_people_by_their_tracks_and_else_by_their_place():
    left, right, moved = (0, 0, 10, 10), (100, 0, 110, 10), (20, 0, 30, 10)
    crossed = faces((0, left), (0, right), (2, right), (2, moved), count=3)
    by_place = fill_missing(crossed, "interpolate")
    assert by_place.bbox[by_place.image_index == 1][:, 0].tolist() == [10, 100]
    by_track = fill_missing(on_track(crossed, 0, 1, 0, 7), "interpolate")
    assert by_track.bbox[by_track.image_index == 1][:, 0].tolist() == [50]


def test_where_nobody_goes_on_the_nearer_faces_are_held():
    a, b = (0, 0, 10, 10), (40, 20, 60, 40)
    filled = fill_missing(on_track(faces((0, a), (4, b), count=5), 0, 1), "interpolate")
    assert filled.track.tolist() == [0, 0, 0, 1, 1]


def test_what_is_known_of_a_face_is_interpolated_with_it_and_angles_go_the_short_way():
    video = faces((0, (0, 0, 10, 10)), (2, (20, 0, 30, 10)), count=3)
    degrees = torch.tensor([[-170.0, 10], [5, -5], [170, -170]])
    filled = fill_missing_in(HeadPose(video, *degrees), "interpolate")
    assert filled.faces.bbox[:, 0].tolist() == [0, 10, 20]
    assert filled.pitch.tolist() == [5, 0, -5]
    assert filled.roll.tolist() == pytest.approx([170, -180, -170])
    known = Embeddings(video, "a", torch.tensor([[1.0, 0], [0, 1]]))
    assert fill_missing_in(known, "interpolate").embedding[1].tolist() == [0.5, 0.5]
    assert fill_missing_in(known, "hold").embedding.tolist() == [[1, 0], [1, 0], [0, 1]]


def test_faces_of_some_tracks_and_angles_are_told_apart():
    tracked = on_track(CROWD, 4, 0, 2)
    assert on_tracks(tracked, " 0, 4").tolist() == [True, True, False]
    assert on_tracks(tracked, "").all()
    assert rank(tracked, "track").argsort().tolist() == [1, 2, 0]
    pose = HeadPose(tracked, torch.tensor([-40.0, 3, 20]), torch.tensor([0.0, 4, 0]), torch.zeros(3))
    assert within(tracked, pose, {"yaw": (-180, 180), "pitch": (-1, 1)}).tolist() == [True, False, True]
    assert within(tracked, None, {"yaw": (-180, 180)}).all()
    assert rank(tracked, "frontal", pose=pose).argsort().tolist() == [1, 2, 0]
    with pytest.raises(ValueError, match="must be about the same faces"):
        within(CROWD.select(torch.tensor([2, 1, 0])), pose, {"yaw": (0, 180)})
