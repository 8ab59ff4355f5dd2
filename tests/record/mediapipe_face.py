"""What ComfyUI's own modules give on seeded weights: ``python tests/record/mediapipe_face.py CHECKOUT``.

Writes the layout and the golden file of tests/landmark/test_mediapipe_face.py. CHECKOUT is a ComfyUI of 0.23 or newer.
The file's detectors are laid out from ComfyUI's classes, its topology from MediaPipe's published edge lists.
"""

import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[2]))
import golden
import seeding

FOLDER = Path(__file__).parents[1] / "checkpoints/mediapipe_face"
EDGES = {"face_oval": 36, "lips": 40, "left_eye": 16, "right_eye": 16, "left_eyebrow": 8, "right_eyebrow": 8}
EDGES |= {"irises": 8, "nose": 25, "tesselation": 2556}
BESIDE = {
    **{f"topology.{name}": torch.empty(count, 2, dtype=torch.int32) for name, count in EDGES.items()},
    "canonical_vertices": torch.empty(468, 3),
    "procrustes_indices": torch.empty(33, dtype=torch.int32),
    "procrustes_weights": torch.empty(33),
}


def main(checkout: Path) -> None:
    sys.path.insert(0, str(checkout))
    from comfy_extras.mediapipe import face_landmarker as theirs

    short, full = (theirs.FaceLandmarker(detector_variant=variant).eval() for variant in ("short", "full"))
    rules = seeding.plan(lambda: theirs.FaceLandmarker().eval())
    rules = seeding.calibrate(short, rules, run)
    short.load_state_dict(seeding.fill(short.state_dict(), rules))
    outputs = dict(zip(("points", "presence", "blendshapes"), run(short), strict=True))
    unseen = [name for name in seeding.blind(short, run, 1e-4) if not name.startswith("detector.")]
    if unseen:
        raise RuntimeError(f"Expected a golden that sees every tensor, got one that does not see {', '.join(unseen)}.")
    renamed = {name.replace("detector.", "detector_short."): name for name in short.state_dict()}
    tensors = {name: short.state_dict()[was] for name, was in renamed.items()}
    tensors |= {f"detector_full.{name}": tensor for name, tensor in full.detector.state_dict().items()} | BESIDE
    zero = dict.fromkeys(tensors, (0.0, 0.0))
    golden.write_layout(
        FOLDER / "mediapipe_face_fp32.tsv", tensors, zero | {name: rules[was] for name, was in renamed.items()}
    )
    file = Path(theirs.__file__)
    source = {
        "repository": "https://github.com/Comfy-Org/ComfyUI",
        "version": (checkout / "comfyui_version.py").read_text().split('"')[-2],
        "file": "comfy_extras/mediapipe/face_landmarker.py",
        "sha256": golden.sha256(file),
        "class": "FaceLandmarker",
    }
    golden.write_golden(FOLDER / "golden.json", source, outputs)


def run(module: torch.nn.Module) -> list[torch.Tensor]:
    crops = seeding.noise("crops", torch.Size([2, 3, 192, 192])).float() / 2 + 0.5
    with torch.no_grad():
        points, presence = module.mesh(crops)
        return [points, presence, module.blendshapes(seeding.noise("points", torch.Size([2, 146, 2])).float() * 50)]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
