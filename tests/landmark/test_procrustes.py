"""Head pose: the similarity that is put in comes out, with the signs of the house."""

import pytest
import torch

from likeness.landmark.canonical import IBUG68, canonical_face
from likeness.landmark.procrustes import (
    FLIP,
    angles_to_rotation,
    camera_matrix,
    canonical_points,
    fit,
    head_frame,
    pose,
    rotation_to_angles,
)
from likeness.types import Faces, Landmarks

ANGLES = torch.tensor([[0.0, 0, 0], [25, 0, 0], [0, 25, 0], [0, 0, 25], [-40, 15, 120]])


def faces(count: int) -> Faces:
    index = torch.arange(count)
    return Faces((480, 640), max(count, 1), index * 0, index * 0, torch.zeros(count, 4), torch.ones(count))


def turned(angles: torch.Tensor) -> Landmarks:
    """Canonical faces at (320, 240), 10 pixels to the centimetre, turned by (N, 3) yaw, pitch and roll."""
    heads = canonical_face().vertices @ angles_to_rotation(*angles.T).mT
    return Landmarks(faces(len(angles)), "mediapipe468", 10 * heads * FLIP + torch.tensor([320.0, 240, 0]))


def test_the_angles_come_out_as_they_went_in():
    found = pose(turned(ANGLES))
    torch.testing.assert_close(torch.stack([found.yaw, found.pitch, found.roll], 1), ANGLES, atol=1e-3, rtol=0)


def test_the_signs_are_nose_right_nose_up_and_clockwise():
    nose = 4
    ahead, right, up, clockwise = turned(ANGLES[:4]).points
    assert right[nose, 0] > ahead[nose, 0] + 10
    assert up[nose, 1] < ahead[nose, 1] - 10
    left_eye, right_eye = clockwise[33], clockwise[263]
    assert right_eye[1] > left_eye[1] + 10


def test_turning_the_photo_changes_the_roll_alone():
    found = turned(torch.tensor([[20.0, -10, 5]]))
    cos, sin = torch.tensor(30.0).deg2rad().cos(), torch.tensor(30.0).deg2rad().sin()
    clockwise = torch.stack([torch.stack([cos, -sin]), torch.stack([sin, cos])])  # y points down
    points = torch.cat([found.points[..., :2] @ clockwise.T, found.points[..., 2:]], -1)
    again = pose(Landmarks(found.faces, found.scheme, points))
    assert [round(float(a), 3) for a in (again.yaw, again.pitch, again.roll)] == [20, -10, 35]


def test_the_head_frame_takes_the_canonical_face_to_the_pixels():
    found = turned(ANGLES)
    frame = head_frame(found)
    torch.testing.assert_close(frame.scale, torch.full((5,), 10.0))
    torch.testing.assert_close(frame.apply(canonical_face().vertices), canonical_points(found), atol=1e-2, rtol=0)
    back = frame.undo(canonical_points(found))
    torch.testing.assert_close(back, canonical_face().vertices.expand(5, 468, 3), atol=1e-3, rtol=0)


def test_a_mirrored_cloud_is_fitted_without_reflection():
    points = canonical_face().vertices
    found = fit(points, (points * torch.tensor([-1.0, 1, 1]))[None], torch.ones(468))
    torch.testing.assert_close(torch.linalg.det(found.rotation), torch.ones(1))


def test_angles_and_rotations_are_one_another():
    rotation = angles_to_rotation(*ANGLES.T)
    torch.testing.assert_close(torch.stack(rotation_to_angles(rotation), 1), ANGLES, atol=1e-4, rtol=0)
    torch.testing.assert_close(rotation @ rotation.mT, torch.eye(3).expand(5, 3, 3), atol=1e-6, rtol=0)


def test_a_head_before_the_camera_is_found_where_it_stands():
    """40 cm away the near half of a face is seen larger; the matrix undoes that."""
    turn, place = angles_to_rotation(*ANGLES[[1]].T)[0], torch.tensor([3.0, -2, -40])
    heads = canonical_face().vertices @ turn.T + place
    focal = 480 / 2 / torch.tensor(31.5).deg2rad().tan()
    xy = heads[:, :2] / -heads[:, 2:] * focal * FLIP[:2] + torch.tensor([319.5, 239.5])
    depth = (heads[:, 2:] - place[2]) * -focal / 40  # of a weak camera, as the networks give it
    matrix = camera_matrix(torch.cat([xy, depth], 1)[None], (480, 640))[0]
    torch.testing.assert_close(matrix[:3, 3], place, atol=1.0, rtol=0)
    off = (matrix[:3, :3] @ turn.T).trace().sub(1).div(2).clamp(max=1).acos().rad2deg()
    assert float(off) < 3


@pytest.mark.parametrize(
    ("scheme", "count", "size"),
    [("insightface106", 106, 3), ("mediapipe478", 478, 2)],
    ids=["other points", "no depth"],
)
def test_other_landmarks_are_refused(scheme, count, size):
    with pytest.raises(ValueError, match=f"Expected MediaPipe landmarks in three dimensions, got {scheme} in {size}"):
        pose(Landmarks(faces(1), scheme, torch.zeros(1, count, size)))


@pytest.mark.parametrize("dimensions", [2, 3])
def test_ibugs_points_show_where_a_head_turns(dimensions):
    """Without depth they take the canonical face's."""
    points = turned(ANGLES).points[:, list(IBUG68), :dimensions]
    found = pose(Landmarks(faces(len(ANGLES)), "ibug68", points))
    angles = torch.stack([found.yaw, found.pitch, found.roll], -1)
    torch.testing.assert_close(angles, ANGLES, atol=0.1, rtol=0)
    with_another_jaw = points.clone()
    with_another_jaw[:, :17] += 40
    assert torch.equal(pose(Landmarks(faces(len(ANGLES)), "ibug68", with_another_jaw)).yaw, found.yaw)


def test_nobody_has_no_pose():
    assert len(pose(Landmarks(faces(0), "ibug68", torch.zeros(0, 68, 2)))) == 0
    assert len(pose(Landmarks(faces(0), "mediapipe478", torch.zeros(0, 478, 3)))) == 0
