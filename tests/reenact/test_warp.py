"""The warp by its properties: what stays stays, what mirrors mirrors, nothing folds, lids shut and lips meet."""

from dataclasses import replace

import pytest
import torch

import moving
from likeness import reenact
from likeness.landmark.canonical import FACE_OVAL, mirror
from likeness.landmark.procrustes import FLIP, Similarity, angles_to_rotation, head_frame, rotation_to_angles
from likeness.reenact.driving import Settings
from likeness.reenact.warp import motion as warp
from likeness.reenact.warp.head import Face, lift, project
from likeness.reenact.warp.motion import (
    EYES,
    LIMITS,
    LOWER_LIP,
    UPPER_LIP,
    Signs,
    blink,
    choose_neutral,
    drive,
    openness,
    smooth,
    soft_limit,
)
from likeness.reenact.warp.outside import distance_outside
from likeness.reenact.warp.render import render
from likeness.reenact.warp.sampling import sample
from likeness.reenact.warp.source import prepare
from likeness.types import Landmarks
from likeness.value import cat
from moving import AS_DRIVEN, PEOPLE, driving_motion, network, source

STILL = torch.zeros(2)


def turned(face: Face, yaw: float) -> Similarity:
    angles = rotation_to_angles(face.frame.rotation)
    return replace(face.frame, rotation=angles_to_rotation(angles[0] + yaw, angles[1], angles[2]))


def still(landmarks: Landmarks, count: int = 3) -> Landmarks:
    """A driver who keeps the expression of the first frame."""
    return landmarks.select(torch.zeros(count, dtype=torch.int64))


@pytest.mark.parametrize("name", PEOPLE)
def test_a_face_that_does_not_move_is_the_photo(name):
    region, moved = render(source(name), source(name).face, STILL)
    assert (region - source(name).planes).abs().max() < 0.1 / 255
    picture, mask = source(name).place(region, moved)
    assert torch.equal(picture[mask == 0], source(name).photo[mask == 0])


def test_a_driver_who_keeps_still_gives_the_photo():
    for frame, _ in network(reenact).reenact(source("grace_hopper"), still(driving_motion("astronaut")), Settings()):
        assert (frame - source("grace_hopper").photo).abs().max() < 0.1 / 255


def test_the_chosen_neutral_frame_gives_the_photo_and_others_do_not():
    motion = driving_motion("astronaut").select(torch.arange(2, 5))
    made = moving.reenacted("grace_hopper", motion, replace(AS_DRIVEN, neutral=3 * moving.EVERY))
    changes = (made - source("grace_hopper").photo).abs().amax((1, 2, 3))
    assert changes[1] < 0.1 / 255
    assert changes[[0, 2]].min() > 0.2


def test_a_neutral_frame_without_a_face_is_an_error():
    motion = driving_motion("astronaut")
    with pytest.raises(ValueError, match=r"in the neutral frame 1 of 75 \(counted from 0\), got none"):
        moving.reenacted("grace_hopper", motion, Settings(neutral=1))


@pytest.mark.parametrize("name", PEOPLE)
def test_the_border_stays_bit_for_bit(name):
    made, photo = moving.crossed(name), source(name).photo
    for row in (0, -1):
        assert torch.equal(made[:, row], photo[row].expand_as(made[:, row]))
        assert torch.equal(made[:, :, row], photo[:, row].expand_as(made[:, :, row]))


@pytest.mark.parametrize("name", PEOPLE)
@pytest.mark.parametrize(("yaw", "least"), [(15, 0.3), (-15, 0.3), (28, 0.05), (-28, 0.05)])
def test_the_field_around_a_turned_head_does_not_fold(name, yaw, least):
    face, field = source(name).face, source(name).outside
    frame = turned(face, yaw)
    moved = field.nodes + field.displacement(frame, project(frame, field.ring_shape)[:, :2]).movedim(0, -1)
    x = (moved[1:-1, 2:] - moved[1:-1, :-2]) / (2 * field.step)
    y = (moved[2:, 1:-1] - moved[:-2, 1:-1]) / (2 * field.step)
    assert (x[..., 0] * y[..., 1] - x[..., 1] * y[..., 0]).min() > least


def test_the_field_turned_round_leads_back():
    face, field = source("astronaut").face, source("astronaut").outside
    forth = field.displacement(turned(face, 15), Face.placed(turned(face, 15), face.shape).points[list(FACE_OVAL), :2])
    back = field.origin(forth).movedim(0, -1)
    there = field.nodes + back
    again = there + sample(forth, there / field.step, "bilinear").movedim(0, -1)
    assert (again - field.nodes).norm(dim=-1).max() < 0.3  # pixels


@pytest.mark.parametrize("name", PEOPLE)
def test_a_mirrored_photo_driven_by_a_mirrored_face_is_mirrored(name):
    """The landmarks are mirrored, not found again, so that only the warp is looked at."""

    def mirrored(points, width):
        return (points * torch.tensor([-1.0, 1, 1]) + torch.tensor([width - 1.0, 0, 0]))[..., mirror(), :]

    motion = driving_motion(name).select(torch.tensor([0, 5, 10]))
    twin_motion = replace(motion, points=mirrored(motion.points, motion.faces.image_size[1]))
    photo, points = source(name).photo, source(name).face.points + torch.tensor([*source(name).corner, 0])
    twin = prepare(photo.flip(1), mirrored(points, photo.shape[1]))
    ours = moving.reenacted(name, motion)
    theirs = torch.stack([frame for frame, _ in network(reenact).reenact(twin, twin_motion, AS_DRIVEN)])
    assert (ours - theirs.flip(2)).abs().mean() < 0.002
    assert (ours - ours[:1]).abs().mean() > 0.01


def test_the_size_of_the_driving_video_does_not_matter():
    motion = driving_motion("astronaut").select(torch.tensor([0, 5, 10]))
    larger = replace(motion, points=motion.points * 3 + torch.tensor([40.0, -25, 0]))
    ours, theirs = (moving.reenacted("grace_hopper", each) for each in (motion, larger))
    assert (ours - theirs).abs().max() < 0.01


def test_gains_of_zero_hold_the_head_or_the_face_still():
    face, motion = source("grace_hopper").face, driving_motion("astronaut")
    (no_turn,) = drive(face.frame, face.shape, motion, Settings(turn=0, shift=0))
    torch.testing.assert_close(no_turn.frame.rotation, face.frame.rotation.expand(len(motion), 3, 3), atol=1e-5, rtol=0)
    torch.testing.assert_close(no_turn.frame.shift, face.frame.shift.expand(len(motion), 3), atol=1e-3, rtol=0)
    (no_face,) = drive(face.frame, face.shape, motion, Settings(expression=0))
    torch.testing.assert_close(no_face.shape, face.shape.expand(len(motion), -1, -1), atol=1e-5, rtol=0)
    assert not no_face.gaze.any()


def test_no_turn_goes_past_its_limit_and_small_ones_are_taken_as_they_are():
    limit = torch.tensor(LIMITS[0])
    angles = torch.linspace(-90, 90, 181)
    limited = soft_limit(angles, limit)
    assert limited.abs().max() <= limit
    assert (limited.diff() >= 0).all()
    small = angles.abs() < 19
    torch.testing.assert_close(limited[small], angles[small])


@pytest.mark.parametrize("smoothing", [0.8, 5.0])
def test_a_long_motion_is_smoothed_over_the_borders_of_its_pieces(monkeypatch, smoothing):
    face, motion = source("grace_hopper").face, moving.clip_motion()
    settings = Settings(smoothing=smoothing)
    monkeypatch.setattr(warp, "ROWS", len(motion))
    (whole,) = drive(face.frame, face.shape, motion, settings)
    monkeypatch.setattr(warp, "ROWS", 16)
    pieces = cat(list(drive(face.frame, face.shape, motion, settings)))
    for name in ("shape", "gaze"):
        torch.testing.assert_close(getattr(pieces, name), getattr(whole, name), atol=1e-5, rtol=0)
    torch.testing.assert_close(pieces.frame.rotation, whole.frame.rotation, atol=1e-5, rtol=0)


def test_smoothing_keeps_what_is_constant_and_the_length():
    values = torch.full((5, 2), 3.0)
    torch.testing.assert_close(smooth(values, 2.0), values)
    noisy = torch.tensor([0.0, 1, 0, 1, 0, 1])
    assert smooth(noisy, 1.0).std() < noisy.std()
    assert torch.equal(smooth(noisy, 0.0), noisy)


def test_the_neutral_frame_has_open_eyes_a_quiet_mouth_and_a_common_pose():
    motion = moving.clip_motion()
    frames = head_frame(motion)
    signs = Signs.of(frames.undo(motion.points * FLIP))
    shown, chosen = moving.measure(motion), choose_neutral(frames, signs)
    assert shown["eyes"][chosen] > 0.9 * shown["eyes"].median()
    assert shown["mouth"][chosen] <= shown["mouth"].median()
    assert (shown["yaw"][chosen] - shown["yaw"].median()).abs() < 6
    blinking = motion.select(torch.tensor([7, 7, 3, 3, 3]))  # frame 7 is amid a blink
    frames = head_frame(blinking)
    assert choose_neutral(frames, Signs.of(frames.undo(blinking.points * FLIP))) == 2


@pytest.mark.parametrize("eye", EYES, ids=("left", "right"))
def test_a_blink_shuts_the_eye_and_only_that_one(eye):
    shape = source("astronaut").face.shape[None]
    shut = shape + blink(shape, torch.ones(1), eye)
    (other,) = set(EYES) - {eye}
    assert openness(shut, eye).abs() < 1e-3
    torch.testing.assert_close(openness(shut, other), openness(shape, other))


def test_lips_that_would_cross_meet():
    face, motion = source("grace_hopper").face, driving_motion("astronaut").select(torch.tensor([0, 1]))
    points = motion.points.clone()
    points[1, UPPER_LIP[1:-1], 1] += 30  # pixels
    (targets,) = drive(face.frame, face.shape, replace(motion, points=points), replace(AS_DRIVEN, neutral=0))
    shape = targets.shape
    gap = (shape[..., 1][:, UPPER_LIP] - shape[..., 1][:, LOWER_LIP])[1]
    own = (face.shape[UPPER_LIP, 1] - face.shape[LOWER_LIP, 1]).clamp(max=0)
    assert (gap >= own - 1e-4).all()


def test_depth_is_lifted_to_where_it_is_seen():
    face = source("astronaut").face
    torch.testing.assert_close(project(face.frame, face.shape)[:, :2], face.points[:468, :2], atol=1e-3, rtol=0)
    again = lift(face.frame, face.points[:468, :2], face.shape[:, 2])
    torch.testing.assert_close(again, face.shape, atol=1e-4, rtol=0)


def test_the_distance_from_a_ring_is_exact_and_nothing_inside():
    ring = torch.tensor([[0.0, 0], [10, 0], [10, 10], [0, 10]])
    at = torch.tensor([[5.0, 5], [5, -3], [13, 14], [10.5, 5], [0.5, 9.5]])
    torch.testing.assert_close(distance_outside(at, ring), torch.tensor([0, 3, 5, 0.5, 0]))
