"""A video's frames, one at a time: detection and mesh beside MediaPipe's own, and a photo that is moved."""

import tempfile
import time
from collections.abc import Callable
from functools import cache, partial
from itertools import islice
from pathlib import Path

from .race import Measure, Peer, Race

STARTER = Path(__file__).parents[1] / "models_manifest/starter"
PHOTO = STARTER / "photos/astronaut.png"
CLIP = STARTER / "clips/talk.mp4"
MOVED = 24  # frames of the clip that a photo is moved by


def frame():
    """(1, H, W, 3) the shipped photo of an astronaut, in [0, 1]."""
    import numpy
    import torch
    from PIL import Image

    with Image.open(PHOTO) as photo:
        return torch.from_numpy(numpy.array(photo.convert("RGB"))).float()[None] / 255


def network(file: str, systems):
    from likeness.onnx import read
    from likeness.weights import build_onnx

    return build_onnx(read(STARTER / "weights" / file), systems)


def detect(file: str) -> Callable[[], object]:
    import torch

    from likeness import detect

    image, detector = frame(), network(file, detect.SYSTEMS)

    def run() -> None:
        with torch.inference_mode():
            if len(detector.detect(image)) != 1:
                raise RuntimeError("Expected one face.")

    return run


def mesh() -> Callable[[], object]:
    import torch

    from likeness import detect, landmark

    image = frame()
    detector = network("face_detection_short_range.onnx", detect.SYSTEMS)
    landmarker = network("face_landmark_with_attention.onnx", landmark.SYSTEMS)

    def run() -> None:
        with torch.inference_mode():
            landmarker.landmarks(image, detector.detect(image))

    return run


def mediapipe(task: str) -> Peer:
    import numpy

    file = Path(tempfile.mkdtemp()) / "frame.npy"
    numpy.save(file, (frame()[0] * 255).byte().numpy())
    return Peer("mediapipe_solutions.py", (task, str(file)), environment="mediapipe")


@cache
def warp_ready():
    """The mesh warp, its photo, and how the clip moves."""
    import av
    import torch

    from likeness import detect, reenact

    with av.open(str(CLIP)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in islice(container.decode(video=0), MOVED)]
    driving = torch.stack([torch.from_numpy(frame) for frame in frames]).float() / 255
    detector = network("face_detection_yunet_2023mar.onnx", detect.SYSTEMS)
    warp = network("face_landmark_with_attention.onnx", reenact.SYSTEMS)
    with torch.inference_mode():
        source = warp.prepare(frame(), detector.detect(frame()))
        return warp, source, warp.motion(driving, detector.detect(driving))


def warped() -> float:
    """Frames a second that the mesh warp makes."""
    import torch

    from likeness.reenact.driving import Settings

    warp, source, motion = warp_ready()
    begun = time.perf_counter()
    with torch.inference_mode():
        for _ in warp.reenact(source, motion, Settings()):
            pass
    return len(motion) / (time.perf_counter() - begun)


PEER = "mediapipe 0.10.21"
ROWS = (
    Race(
        "frame/detect/yunet", "a 512 x 512 frame searched at 640", partial(detect, "face_detection_yunet_2023mar.onnx"),
        f"{PEER}, BlazeFace at 128", partial(mediapipe, "detect"),
    ),
    Race(
        "frame/detect/blazeface", "a 512 x 512 frame searched at 128",
        partial(detect, "face_detection_short_range.onnx"), f"{PEER}, the same network", partial(mediapipe, "detect"),
    ),
    Race(
        "frame/mesh/alone", "BlazeFace and attention mesh on a frame", mesh,
        f"{PEER}, the same networks", partial(mediapipe, "mesh"),
    ),
    Race(
        "frame/mesh/tracked", "BlazeFace and attention mesh on a frame", mesh,
        f"{PEER}, which detects in the first frame only", partial(mediapipe, "track"),
    ),
    Measure("frame/mesh_warp", "a 512 x 512 photo moved, landmarks known", warped, unit="frames/s"),
)  # fmt: skip
