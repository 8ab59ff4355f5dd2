"""The mesh warp on real pictures: what it makes is measured, and whether it still shows the person."""

import pytest
import torch

import downloads
import factories
import moving
from likeness import embed, reenact
from likeness.reenact.driving import Settings
from likeness.types import NoFaceError
from moving import PEOPLE, correlation, crossed, driver, driving_motion, find, gain, measure, network
from record import clip

OTHER = {"astronaut": "grace_hopper", "grace_hopper": "astronaut"}


def test_the_shipped_clip_shows_what_its_curves_say():
    faces = moving.clip_motion().faces
    assert faces.image_size == (clip.SIDE, clip.SIDE)
    assert faces.image_index.tolist() == list(range(clip.FRAMES))
    assert faces.score.min() > 0.7
    shown, curves = measure(moving.clip_motion()), clip.curves()
    assert correlation(curves["yaw"], shown["yaw"]) >= 0.98
    assert correlation(curves["pitch"], shown["pitch"]) >= 0.85
    assert correlation(curves["roll"], shown["roll"]) >= 0.95
    assert correlation(curves["jaw"], shown["mouth"]) >= 0.93
    assert correlation(curves["blink"], -shown["eyes"]) >= 0.95
    assert shown["eyes"].min() < 0.5 * shown["eyes"][0]


def test_the_shipped_clip_is_what_its_script_makes():
    shipped, numbers = factories.read_clip(), (0, 14, 29, 54)
    for number, made in zip(numbers, clip.moving(moving.source("astronaut"), numbers), strict=True):
        assert -10 * (shipped[number] - made).square().mean().log10() > 34, number  # dB, after H.264


@pytest.mark.parametrize("name", PEOPLE)
def test_a_photo_moves_as_another_person_does(name):
    check_motion(driving_motion(OTHER[name]), crossed(name))


@pytest.mark.parametrize("name", PEOPLE)
def test_a_moving_photo_shows_its_own_person(name):
    check_person(name, crossed(name), driver(OTHER[name]), most=0.45)


@pytest.mark.parametrize("name", PEOPLE)
def test_a_real_video_drives_both_photos(name):
    frames = downloads.carphone(75)[::5]
    motion = moving.motion(frames)
    made = moving.reenacted(name, motion)
    check_motion(motion, made)
    check_person(name, made, frames, most=0.47)  # he gasps, wider than anybody in the clip


def check_motion(given, made) -> None:
    given, shown = measure(given), measure(moving.motion(made))
    assert 0.8 <= gain(given["yaw"], shown["yaw"]) <= 1.25
    assert 0.5 <= gain(given["mouth"], shown["mouth"]) <= 1.3
    for name in ("yaw", "pitch", "roll", "mouth"):
        assert correlation(given[name], shown[name]) >= 0.9, name


def check_person(name, made, driving, most) -> None:
    def identity(frames):
        return network(embed).embed(frames, find(frames))

    some = identity(made[::4])
    assert some.distance(identity(moving.portrait(name))).max() <= most
    assert some.distance(identity(driving[:1])).min() > 0.55


def test_nobody_and_two_people_cannot_be_moved():
    image = factories.people(2)
    faces = find(image).select(torch.tensor([], dtype=torch.int64))
    with pytest.raises(NoFaceError, match="Expected one face, got none"):
        network(reenact).prepare(image, faces)
    with pytest.raises(ValueError, match="got 2 in the image: pick one with Select Faces"):
        network(reenact).prepare(image, moving.network(moving.detect).detect(image))


def calm_then_talking():
    return driving_motion("grace_hopper").select(torch.tensor([0, 5]))


def test_one_of_two_people_moves_and_the_other_stays():
    image = factories.people(2)
    faces = moving.network(moving.detect).detect(image)
    left = faces.select(faces.bbox[:, 0] < 300)
    source = network(reenact).prepare(image, left)
    _, (frame, moved) = network(reenact).reenact(source, calm_then_talking(), Settings(smoothing=0, neutral=0))
    assert torch.equal(frame[:, 600:], image[0, :, 600:])
    assert (frame[:, :400] - image[0, :, :400]).abs().max() > 0.1
    assert not moved[:, 600:].any()


def test_a_big_photo_is_touched_around_the_head_only():
    big = torch.zeros(1, 900, 1400, 3)
    big[:, 200:584, 700:1084] = moving.portrait("astronaut")
    source = network(reenact).prepare(big, find(big))
    _, (frame, moved) = network(reenact).reenact(source, calm_then_talking(), Settings(smoothing=0, neutral=0))
    assert torch.equal(frame[moved == 0], big[0][moved == 0])
    assert not moved[:, :500].any()
    assert not moved[700:].any()
    assert (frame - big[0]).abs().max() > 0.1
