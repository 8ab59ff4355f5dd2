"""The driving clip that ships: the astronaut's photo, moved by curves written by hand.

``python tests/record/clip.py models_manifest/starter/clips/talk.mp4`` makes it again, from the photo and the
mesh warp alone. ``curves()`` is also what the tests hold the recovered motion against.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import av
import numpy as np
import torch
from scipy.sparse import coo_array, diags_array
from scipy.sparse.linalg import spsolve
from torch import Tensor

from likeness import detect, onnx
from likeness.filters import smoothstep
from likeness.landmark import canonical as mp
from likeness.landmark.procrustes import Similarity, angles_to_rotation
from likeness.reenact import SYSTEMS
from likeness.reenact.warp.head import Face
from likeness.reenact.warp.motion import EYES, blink
from likeness.reenact.warp.render import render
from likeness.reenact.warp.source import Source
from likeness.weights import build_onnx

STARTER = Path(__file__).parents[2] / "models_manifest/starter"
FRAMES, RATE, SIDE, CRF = 75, 25, 384, 18
ASTRONAUT, GRACE_HOPPER = ("astronaut.png", 4, 96, 256), ("grace_hopper.jpg", 30, 72, 384)  # top, left, side, pixels
PIVOT = torch.tensor([0.0, -1, -6])  # centimetres: where the head turns on the neck
HINGE = torch.tensor([0.0, 0.2, -2])  # of the jaw

LOWER_LIP = [14, 87, 178, 88, 95, 317, 402, 318, 324, 15, 86, 179, 89, 96, 316, 403, 319, 325, 16, 85, 180, 90, 77]
LOWER_LIP += [315, 404, 320, 307, 17, 84, 181, 91, 146, 314, 405, 321, 375]
UPPER_LIP = [13, 82, 81, 80, 191, 312, 311, 310, 415, 12, 38, 41, 42, 183, 268, 271, 272, 407, 11, 72, 73, 74, 184]
UPPER_LIP += [302, 303, 304, 408, 0, 37, 39, 40, 185, 267, 269, 270, 409]
CHIN = [152, 148, 176, 377, 400, 199, 175, 171, 396, 200, 208, 428, 201, 421, 18, 83, 313, 149, 378]
CORNERS = [61, 76, 62, 78, 291, 306, 292, 308]
NOSE = [1, 2, 4, 5, 6, 98, 327, 97, 326, 168, 195, 197, 94, 19, 129, 358]
TEMPLES = [10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 162, 127, 234, 93, 21, 54, 103, 67, 109]
JAW_LINE = {361: 0.12, 288: 0.35, 397: 0.6, 365: 0.8, 379: 0.92, 132: 0.12, 58: 0.35, 172: 0.6, 136: 0.8, 150: 0.92}


def curves() -> dict[str, Tensor]:
    """(75,) each: yaw, pitch, roll and jaw in degrees, blink, smile and brow in [0, 1], gaze in eye widths."""
    t = torch.arange(FRAMES) / RATE
    end = FRAMES / RATE
    envelope = (torch.pi * t / end).sin().clamp(min=0).sqrt()
    turn = 2 * torch.pi * t / end

    def bump(at: float, width: float) -> Tensor:
        return (-(((t - at) / width) ** 2)).exp()

    def shut(at: float) -> Tensor:
        return (1.25 - (t - at).abs() / 0.11).clamp(0, 1)

    syllables = bump(0.55, 0.12) + 0.6 * bump(0.85, 0.09) + 0.9 * bump(1.5, 0.16) + 0.5 * bump(1.85, 0.08)
    found = {
        "yaw": 20 * turn.sin() * envelope,
        "pitch": -8 * (2 * turn + 0.6).sin() * envelope**2,
        "roll": -4 * (turn + 1.2).sin() * envelope**2,
        "jaw": 14 * (syllables + 0.7 * bump(2.35, 0.12)),
        "smile": 0.8 * smoothstep(t, 0.9, 1.3) * (1 - smoothstep(t, 1.9, 2.5)),
        "brow": 0.9 * bump(1.5, 0.3),
        "gaze": 0.1 * (2 * turn).sin() * envelope,
    }
    rest = smoothstep(t, 0, 0.16) * (1 - smoothstep(t, end - 0.2, end - 0.04))  # the clip begins and ends at rest
    found = {name: curve * rest for name, curve in found.items()}
    return {**found, "blink": (shut(0.28) + shut(1.16) + shut(2.12)).clamp(max=1)}


def harmonic(pins: dict[int, float]) -> Tensor:
    """(468, 1) a weight that is given at some points, and smooth over the skin between them."""
    vertices = mp.canonical_face().vertices
    pairs = mp.canonical_face().triangles[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2).sort(1).values.unique(dim=0)
    for upper, lower in (
        (mp.INNER_LIP_UPPER, mp.INNER_LIP_LOWER),
        (mp.LEFT_LID_UPPER + mp.RIGHT_LID_UPPER, mp.LEFT_LID_LOWER + mp.RIGHT_LID_LOWER),
    ):  # no skin runs across an open mouth or eye
        above, below = (
            torch.isin(pairs, torch.tensor([i for i in line if i not in mp.LEFT_EYE_CORNERS + mp.RIGHT_EYE_CORNERS]))
            for line in (upper, lower)
        )
        pairs = pairs[~((above[:, 0] & below[:, 1]) | (below[:, 0] & above[:, 1]))]
    a, b = pairs.T.numpy()
    weight = 1 / (vertices[a] - vertices[b]).norm(dim=-1).double().numpy()
    graph = coo_array((weight, (a, b)), (468, 468)).tocsr()
    graph = graph + graph.T
    laplacian = (diags_array(graph.sum(1)) - graph).tocsr()
    known = np.array(sorted(pins))
    free = np.setdiff1d(np.arange(468), known)
    result = np.zeros(468)
    result[known] = [pins[i] for i in known]
    result[free] = spsolve(laplacian[free][:, free].tocsc(), -laplacian[free][:, known] @ result[known])
    return torch.from_numpy(result).float()[:, None]


class Muscles:
    """How far each point of the skin follows the jaw, the corners of the mouth, and the brows."""

    def __init__(self) -> None:
        x = mp.canonical_face().vertices[:, 0].abs()
        eyes = dict.fromkeys(mp.LEFT_EYE + mp.RIGHT_EYE, 0.0)
        still = {**eyes, **dict.fromkeys(NOSE + TEMPLES, 0.0)}
        lower = {i: 1 - 0.55 * min(1, float(x[i]) / 2.3) ** 2.5 for i in LOWER_LIP}
        chin, corners = dict.fromkeys(CHIN, 1.0), dict.fromkeys(CORNERS, 0.38)
        self.jaw = harmonic({**still, **dict.fromkeys(UPPER_LIP, 0.0), **JAW_LINE, **chin, **lower, **corners})
        lips = {i: min(1, float(x[i]) / 2.4) ** 1.5 for i in UPPER_LIP + LOWER_LIP}
        self.corner = harmonic({**still, **dict.fromkeys(CHIN, 0.0), **lips, **dict.fromkeys(CORNERS, 1.0)})
        brows = dict.fromkeys(mp.LEFT_BROW + mp.RIGHT_BROW, 1.0)
        self.brow = harmonic({**still, **brows})

    def move(self, shape: Tensor, jaw: Tensor, smile: Tensor, brow: Tensor, shut: Tensor) -> Tensor:
        """(468, 3) a face with an expression."""
        zero = torch.zeros(1)
        turned = (shape - HINGE) @ angles_to_rotation(zero, -jaw[None], zero)[0].T + HINGE - shape
        pull = torch.stack([0.45 * shape[:, 0].sign(), torch.full((468,), 0.55), torch.full((468,), -0.35)], -1)
        face = shape + turned * self.jaw + smile * pull * self.corner + brow * torch.tensor([0, 0.45, 0]) * self.brow
        for eye in EYES:
            face = face + blink(face[None], shut[None], eye)[0]
        return face


def turned(frame: Similarity, yaw: Tensor, pitch: Tensor, roll: Tensor) -> Similarity:
    """The head turned on its neck."""
    rotation = angles_to_rotation(yaw[None], pitch[None], roll[None]) @ frame.rotation
    shift = frame.shift + frame.scale * ((frame.rotation - rotation) @ PIVOT)
    return Similarity(frame.scale, rotation, shift)


def portrait(name: str, top: int, left: int, side: int) -> Tensor:
    """(1, 384, 384, 3) head and shoulders, cut out of a shipped photo."""
    with av.open(str(STARTER / "photos" / name)) as container:
        photo = torch.from_numpy(next(container.decode(video=0)).to_ndarray(format="rgb24")).float() / 255
    planes = photo[top : top + side, left : left + side].movedim(-1, 0)[None]
    image = torch.nn.functional.interpolate(planes, (SIDE, SIDE), mode="bicubic", align_corners=False)
    return image.movedim(1, -1).clamp(0, 1)


def moving(source: Source, numbers: Iterable[int]) -> Iterator[Tensor]:
    """(384, 384, 3) some frames of the clip, of anybody."""
    muscles, curve = Muscles(), curves()
    for number in numbers:
        now = {name: values[number] for name, values in curve.items()}
        shape = muscles.move(source.face.shape, now["jaw"], now["smile"], now["brow"], now["blink"])
        frame = turned(source.face.frame, now["yaw"], now["pitch"], now["roll"])
        gaze = torch.stack([now["gaze"], torch.zeros(())])
        yield source.place(*render(source, Face.placed(frame, shape), gaze))[0]


def write(frames: list[Tensor], path: Path) -> None:
    """An H.264 file of (H, W, 3) pictures in [0, 1]."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        options = {"crf": str(CRF), "preset": "veryslow", "threads": "1"}
        stream = container.add_stream("libx264", rate=RATE, options=options)
        stream.width, stream.height, stream.pix_fmt = SIDE, SIDE, "yuv420p"
        for picture in frames:
            pixels = (picture * 255).round().byte().numpy()
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())


def main() -> None:
    image = portrait(*ASTRONAUT)
    detector = build_onnx(onnx.read(STARTER / "weights/face_detection_yunet_2023mar.onnx"), detect.SYSTEMS)
    network = build_onnx(onnx.read(STARTER / "weights/face_landmark_with_attention.onnx"), SYSTEMS)
    source = network.prepare(image, detector.detect(image))
    write(list(moving(source, range(FRAMES))), Path(sys.argv[1]))


if __name__ == "__main__":
    main()
