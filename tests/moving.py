"""People who move, and what is seen of it: the same mesh that drives a photo, run again on the frames it made.

Everything is made once and kept, at a third of the frame rate: it tells the same.
"""

from functools import cache
from types import ModuleType

import numpy as np
import torch
from torch import Tensor, nn

import factories
from likeness import detect, embed, onnx, reenact
from likeness.landmark.procrustes import FLIP, head_frame, rotation_to_angles
from likeness.reenact.driving import Settings
from likeness.reenact.warp.motion import EYES, mouth_gap, openness, rigid_weights
from likeness.reenact.warp.source import Source
from likeness.types import Faces, Landmarks
from likeness.value import cat
from likeness.weights import build_onnx
from record import clip

EVERY = 3  # frames
AS_DRIVEN = Settings(smoothing=0)  # every third frame is not to be calmed by its neighbours
PEOPLE = {"astronaut": clip.ASTRONAUT, "grace_hopper": clip.GRACE_HOPPER}


@cache
def network(task: ModuleType) -> nn.Module:
    """The starter network of a task."""
    file = {
        detect: "face_detection_yunet_2023mar",
        reenact: "face_landmark_with_attention",
        embed: "dlib_face_resnet_v1_fp16w",
    }[task]
    return build_onnx(onnx.read(factories.STARTER / f"weights/{file}.onnx"), task.SYSTEMS)


def find(frames: Tensor, threshold: float = 0.6) -> Faces:
    """The surest face of each frame: YuNet sees a second one on Grace Hopper's hat."""
    faces = cat([network(detect).detect(chunk, threshold, size=384) for chunk in frames.split(8)])
    return faces.select(faces.id == 0)


def motion(frames: Tensor) -> Landmarks:
    """The landmarks of the one face in each frame."""
    faces = find(frames)
    starts = range(0, len(frames), 8)
    parts = [(chunk, faces.images(i, i + len(chunk))) for i, chunk in zip(starts, frames.split(8), strict=True)]
    return cat([network(reenact).motion(*part) for part in parts])


@cache
def portrait(name: str) -> Tensor:
    """(1, 384, 384, 3) one of ``PEOPLE``."""
    return clip.portrait(*PEOPLE[name])


@cache
def source(name: str) -> Source:
    """One of ``PEOPLE``, ready to be moved."""
    return network(reenact).prepare(portrait(name), find(portrait(name)))


@cache
def driver(name: str) -> Tensor:
    """(25, 384, 384, 3) one of ``PEOPLE`` talking: the shipped clip, or its curves on Grace Hopper."""
    if name == "astronaut":
        return factories.read_clip()[::EVERY]
    return torch.stack(list(clip.moving(source(name), range(0, clip.FRAMES, EVERY))))


@cache
def clip_motion() -> Landmarks:
    """Of all frames of the shipped clip."""
    return motion(factories.read_clip())


@cache
def driving_motion(name: str) -> Landmarks:
    """Of ``driver``."""
    return clip_motion().select(torch.arange(0, clip.FRAMES, EVERY)) if name == "astronaut" else motion(driver(name))


def reenacted(name: str, given: Landmarks, settings: Settings = AS_DRIVEN) -> Tensor:
    """(T, 384, 384, 3) one of ``PEOPLE``, moved."""
    return torch.stack([frame for frame, _ in network(reenact).reenact(source(name), given, settings)])


@cache
def crossed(name: str) -> Tensor:
    """(25, 384, 384, 3) one of ``PEOPLE``, moved by the other one."""
    (other,) = set(PEOPLE) - {name}
    return reenacted(name, driving_motion(other))


def measure(landmarks: Landmarks) -> dict[str, Tensor]:
    """(T,) each: angles in degrees, the gap of the mouth in centimetres, openness of the eyes."""
    frames = head_frame(landmarks, rigid_weights())
    faces = frames.undo(landmarks.points * FLIP)
    eyes = torch.stack([openness(faces, eye) for eye in EYES]).mean(0)
    angles = dict(zip(("yaw", "pitch", "roll"), rotation_to_angles(frames.rotation), strict=True))
    return {**angles, "mouth": mouth_gap(faces), "eyes": eyes}


def gain(given: Tensor, found: Tensor) -> float:
    """How large a motion is against the one that brought it about, both from their first frame."""
    given, found = given - given[0], found - found[0]
    return float((given * found).sum() / given.square().sum())


def correlation(a: Tensor, b: Tensor) -> float:
    return float(np.corrcoef(a.numpy(), b.numpy())[0, 1])
