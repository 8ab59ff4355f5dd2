"""A video's frames, one at a time: detection and mesh beside MediaPipe's own."""

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from .race import Peer, Race

STARTER = Path(__file__).parents[1] / "models_manifest/starter"
PHOTO = STARTER / "photos/astronaut.png"


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
)  # fmt: skip
