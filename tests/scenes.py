"""A short film with what is hard for a recipe: an exit, nobody, a cut to another person, and a turn into profile."""

from functools import cache
from pathlib import Path

import av
import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

import factories

SIZE = (180, 240)  # height, width
HERE, LEAVES, NOBODY, HOPPER, TURNS = range(8), range(8, 14), range(14, 17), range(17, 25), range(25, 37)
COUNT = 37
RATE = 12
PROFILE = 75.0  # degrees that the head turns to


@cache
def turning() -> Tensor:
    """(12, 180, 240, 3) Grace Hopper's head, lifted to a mesh, turning from the camera to a profile."""
    from likeness import head3d, onnx
    from likeness.landmark.procrustes import angles_to_rotation
    from likeness.render.camera import frame, turn
    from likeness.render.textured import render
    from likeness.types import Faces
    from likeness.weights import build_onnx

    photo, index = factories.read_photo("grace_hopper"), torch.zeros(1, dtype=torch.int64)
    box = torch.tensor([[205.0, 125, 335, 295]])
    faces = Faces((600, 512), 1, index, index, box, torch.ones(1))
    lifter = build_onnx(onnx.read(factories.STARTER / "weights/face_landmark_with_attention.onnx"), head3d.SYSTEMS)
    mesh, texture, _ = lifter.lift(photo, faces, 256)
    camera = frame(mesh.vertices, SIZE)
    views = []
    for yaw in torch.linspace(0, PROFILE, len(TURNS)):
        rotation = angles_to_rotation(yaw[None], torch.zeros(1), torch.zeros(1))[0]
        turned = type(mesh)(turn(mesh.vertices, rotation), mesh.triangles, mesh.uv)
        picture, covered = render(turned, camera, texture)
        views.append(picture[0] + 0.5 * (1 - covered[0, ..., None]))
    return torch.stack(views)


@cache
def film() -> Tensor:
    """(37, 180, 240, 3) the frames."""
    height, width = SIZE
    frames = torch.full((COUNT, height, width, 3), 0.5)
    first = factories.read_photo("astronaut")[:, 0:240, 105:345].movedim(-1, 1)
    first = interpolate(first, (160, 160), mode="area")[0].movedim(0, -1)
    for number in [*HERE, *LEAVES]:
        left = 20 + 3 * number + max(0, number - LEAVES.start) * 27
        shown = min(160, width - left)
        if shown > 0:
            frames[number, 10:170, left : left + shown] = first[:, :shown]
    second = factories.read_photo("grace_hopper")[:, 30:430, 50:450].movedim(-1, 1)
    second = interpolate(second, (170, 170), mode="area")[0].movedim(0, -1)
    for number in HOPPER:
        left = 30 + 2 * (number - HOPPER.start)
        frames[number] = 0.2
        frames[number, 5:175, left : left + 170] = second
    frames[TURNS.start :] = turning()
    return frames


def write(path: Path) -> Path:
    """The film as a video, with a tone."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"crf": "6"})
        stream.height, stream.width, stream.pix_fmt = *SIZE, "yuv420p"
        sound = container.add_stream("aac", rate=16000)
        for frame in film():
            picture = av.VideoFrame.from_ndarray((frame.numpy() * 255).round().astype(np.uint8))
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
        tone = np.sin(np.arange(16000 * COUNT // RATE) / 20).astype(np.float32)[None]
        heard = av.AudioFrame.from_ndarray(tone, "fltp", "mono")
        heard.sample_rate, heard.pts = 16000, 0
        container.mux(sound.encode(heard))
        container.mux(sound.encode(None))
    return path


def sheet(frames: Tensor, across: int = 8) -> Tensor:
    """(H, W, 3) frames side by side, row after row."""
    count, height, width = frames.shape[:3]
    blank = frames.new_zeros(-count % across, height, width, 3)
    rows = torch.cat([frames, blank]).reshape(-1, across, height, width, 3).transpose(1, 2)
    return rows.reshape(-1, across * width, 3)
