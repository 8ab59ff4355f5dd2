"""ComfyUI's face landmarker on seeded weights: ``core_mesh.py COMFYUI given.npz``.

Its detector runs on every frame; what is given is then taken for what it found, so that the mesh sees the face.
"""

import sys

import numpy
import torch

root, file = sys.argv[1:]
sys.path.insert(0, root)
from comfy_extras.mediapipe import face_landmarker as core  # noqa: E402
from serve import serve  # noqa: E402

given = numpy.load(file)
frames = list(given["frames"])
network = core.FaceLandmarker(detector_variant="short").eval()
state = {name: torch.from_numpy(given[name]) for name in given.files if name not in ("frames", "detections")}
network.load_state_dict(state, strict=False)
search = network.run_detector_batch


def found(images, **more):
    raws, rects, sizes, _ = search(images, **more)
    return raws, rects, sizes, [row[None].copy() for row in given["detections"]]


network.run_detector_batch = found


def run():
    with torch.inference_mode():
        if [len(faces) for faces in network.detect_batch(frames)] != [1] * len(frames):
            raise RuntimeError("Expected one face in every frame.")


serve(run)
