"""What a warp cannot do, said in sentences. The thresholds were set on 38 faces, and on 56 with glasses drawn on."""

from __future__ import annotations

import torch
from torch import Tensor

from ...landmark.canonical import NOSE_BRIDGE
from ...landmark.procrustes import head_frame, rotation_to_angles
from ...select import name_images
from ...types import Landmarks
from .head import Face
from .motion import EYES, LIMITS, YAW_GAIN, openness, smooth
from .sampling import sample
from .source import Source

PROFILE = 25.0  # degrees of yaw as the mesh reads it; the true angle is larger
SHUT = 0.08  # height of an eye's opening against its width; a smile leaves 0.12
# Change of brightness over an eye distance, against the skin's. Without glasses 5.6 at most, Grace Hopper's 19; of
# glasses drawn on other faces it misses thin golden ones.
BRIDGE_EDGE = 7.5
BRIDGE_WIDTH, BRIDGE_HEIGHT = 0.05, 0.22  # half of the strip over the nose bridge, in eye distances


def about_source(source: Source) -> list[str]:
    """What in the photo will not look right when it moves."""
    face, found = source.face, []
    yaw = rotation_to_angles(face.frame.rotation)[0].item()
    if abs(yaw) > PROFILE:
        found.append(f"The photo shows the head from the side (yaw {yaw:.0f}): its hidden half cannot be shown.")
    if min(openness(face.shape[None], eye).item() for eye in EYES) < SHUT:
        found.append("An eye looks shut in the photo: it cannot be opened.")
    if bridge_edge(source.planes, face) > BRIDGE_EDGE:
        found.append("The photo seems to show glasses: brows and lids drag their frame along.")
    return found


def about_motion(motion: Landmarks) -> list[str]:
    """What in the driving video cannot be taken over."""
    if len(motion) == 1:
        return ["One driving frame shows no motion: give at least a second one, to compare with."]
    yaw = rotation_to_angles(head_frame(motion).rotation)[0]
    far = ((yaw - yaw.median()).abs() * YAW_GAIN > LIMITS[0]).nonzero().flatten()
    if not len(far):
        return []
    frames = name_images(motion.faces.image_index[far].tolist(), motion.faces.image_count)
    return [f"The driving head turns further than a photo can follow in {frames}: the turn is limited."]


def bridge_edge(planes: Tensor, face: Face) -> float:
    """How sharp the sharpest line across the nose bridge is: large where glasses rest on it.

    The strip between the eyes is read upright and averaged across, so that only what runs across it remains.

    Args:
        planes: (3, H, W) RGB in [0, 1].
        face: Whose nose.
    """
    left, right = face.points[[33, 263], :2]
    eyes = torch.dist(left, right)
    across = (right - left) / eyes
    down = torch.stack([-across[1], across[0]])
    columns = torch.linspace(-BRIDGE_WIDTH, BRIDGE_WIDTH, 41)[None, :, None] * eyes
    rows = torch.linspace(-BRIDGE_HEIGHT, BRIDGE_HEIGHT, 81)[:, None, None] * eyes
    strip = sample(planes, face.points[NOSE_BRIDGE[0], :2] + columns * across + rows * down, "bilinear")
    line = smooth(strip.mean(2).T, 1.5)  # (81, 3), top to bottom
    skin = line.median(0).values.mean() + 0.05  # in the dark, noise is no glasses
    return ((line[1:] - line[:-1]).abs().max() / skin * 80 / (2 * BRIDGE_HEIGHT)).item()
