"""What the mesh warp warns of, and that it is silent where nothing is wrong."""

from dataclasses import replace

import torch

import downloads
import factories
import moving
from likeness import reenact
from likeness.landmark.procrustes import angles_to_rotation
from likeness.reenact.warp.cautions import BRIDGE_EDGE, about_motion, about_source, bridge_edge
from likeness.reenact.warp.motion import EYES, blink
from moving import driving_motion, network, source

GLASSES, PROFILE, SHUT = (
    "The photo seems to show glasses",
    "The photo shows the head from the side",
    "An eye looks shut",
)


def test_grace_hopper_wears_glasses_and_the_astronaut_does_not():
    assert about_source(source("astronaut")) == []
    (said,) = about_source(source("grace_hopper"))
    assert said.startswith(GLASSES)
    assert bridge_edge(source("grace_hopper").planes, source("grace_hopper").face) > 2 * BRIDGE_EDGE
    assert bridge_edge(source("astronaut").planes, source("astronaut").face) < BRIDGE_EDGE / 2


def test_glasses_are_seen_at_any_size_and_light():
    image = factories.read_photo("grace_hopper")
    for changed in (image, image * 0.4, image[:, ::2, ::2]):
        (said,) = about_source(network(reenact).prepare(changed, moving.find(changed)))
        assert said.startswith(GLASSES)


def test_nobody_among_the_presidents_and_in_the_clip_wears_glasses():
    for name, image in downloads.presidents().items():
        prepared = network(reenact).prepare(image, moving.find(image))
        assert not any(said.startswith(GLASSES) for said in about_source(prepared)), name


def test_shut_eyes_in_the_photo_are_noticed():
    face = source("astronaut").face
    shape = face.shape[None]
    for eye in EYES:
        shape = shape + blink(shape, torch.tensor([0.9]), eye)
    (said,) = about_source(replace(source("astronaut"), face=replace(face, shape=shape[0])))
    assert said.startswith(SHUT)


def test_a_head_from_the_side_is_noticed():
    face = source("astronaut").face
    for yaw, seen in ((20, False), (-30, True), (30, True)):
        rotation = angles_to_rotation(*(torch.tensor([float(angle)]) for angle in (yaw, 0, 0)))
        placed = replace(face, frame=replace(face.frame, rotation=rotation))
        said = about_source(replace(source("astronaut"), face=placed))
        assert [sentence.startswith(PROFILE) for sentence in said] == [True] * seen


def test_a_driving_video_is_warned_of_when_it_shows_no_motion_or_too_much():
    motion = driving_motion("astronaut")
    assert about_motion(motion) == []
    assert "One driving frame shows no motion" in about_motion(motion.select(torch.tensor([0])))[0]
    x, y, z = motion.points[:, :468].mean(1, keepdim=True).unbind(-1)
    far = torch.arange(len(motion)) == 4
    turn = angles_to_rotation(*(torch.tensor([float(angle)]) for angle in (40, 0, 0)))[0]
    centre = torch.stack([x, y, z], -1)
    flipped = (motion.points - centre) * torch.tensor([1.0, -1, -1])
    turned = (flipped @ turn.T) * torch.tensor([1.0, -1, -1]) + centre
    (said,) = about_motion(replace(motion, points=torch.where(far[:, None, None], turned, motion.points)))
    assert "turns further than a photo can follow in image 12 of 75" in said
