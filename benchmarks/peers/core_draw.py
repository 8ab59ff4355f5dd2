"""ComfyUI's Visualize Face Landmarks: ``core_draw.py COMFYUI given.npz contours|tesselation``."""

import sys

import numpy
import torch

root, file, kind = sys.argv[1:]
sys.argv = [root, "--cpu"]
sys.path.insert(0, root)
import comfy.options  # noqa: E402, TID251 - this is the peer

comfy.options.enable_args_parsing()  # it reads --cpu
from comfy_extras import nodes_mediapipe as core  # noqa: E402
from serve import serve  # noqa: E402

given = numpy.load(file)
parts = [name for name in given.files if name.startswith("edges_")]
sets = {name.removeprefix("edges_"): frozenset(map(tuple, given[name].tolist())) for name in parts}
payload = {
    "frames": [[{"landmarks_xy": points}] for points in given["points"]],
    "image_size": given["picture"].shape[1:3],
    "connection_sets": sets,
}
picture = torch.from_numpy(given["picture"])
lines = ("face_oval", "lips", "left_eye", "right_eye", "left_eyebrow", "right_eyebrow", "irises", "nose")
chosen = dict.fromkeys(lines, kind == "contours") | {"tesselation": kind == "tesselation", "connections": "custom"}
draw = core.MediaPipeFaceMeshVisualize.execute
serve(lambda: draw(payload, chosen, "#00ff00", 1, 0, picture))
