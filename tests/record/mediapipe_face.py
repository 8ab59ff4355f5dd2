"""What ComfyUI's own modules give on seeded weights: ``python tests/record/mediapipe_face.py CHECKOUT``.

Writes the layout and the golden file of tests/landmark/test_mediapipe_face.py. CHECKOUT is a ComfyUI of 0.23 or newer.
The file's detectors are laid out from ComfyUI's classes, its topology from MediaPipe's published edge lists.
"""

import hashlib
import json
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))
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
    FOLDER.mkdir(parents=True, exist_ok=True)
    rows = [row(name.replace("detector.", "detector_short."), t, rules[name]) for name, t in short.state_dict().items()]
    rows += [row(f"detector_full.{name}", t) for name, t in full.detector.state_dict().items()]
    rows += [row(name, t) for name, t in BESIDE.items()]
    (FOLDER / "mediapipe_face_fp32.tsv").write_text("\n".join(rows) + "\n")
    source = Path(theirs.__file__)
    golden = {
        "repository": "https://github.com/Comfy-Org/ComfyUI",
        "version": (checkout / "comfyui_version.py").read_text().split('"')[-2],
        "file": "comfy_extras/mediapipe/face_landmarker.py",
        "sha256": hashlib.sha256(source.read_bytes()).hexdigest(),
        "class": "FaceLandmarker",
        "outputs": {name: summary(t) for name, t in outputs.items()},
    }
    (FOLDER / "golden.json").write_text(json.dumps(golden, indent=1) + "\n")


def run(module: torch.nn.Module) -> list[torch.Tensor]:
    crops = seeding.noise("crops", torch.Size([2, 3, 192, 192])).float() / 2 + 0.5
    with torch.no_grad():
        points, presence = module.mesh(crops)
        return [points, presence, module.blendshapes(seeding.noise("points", torch.Size([2, 146, 2])).float() * 50)]


def row(name: str, tensor: torch.Tensor, rule: object = (0.0, 0.0)) -> str:
    mean, spread = rule if isinstance(rule, tuple) else (0.0, 0.0)
    shape = " ".join(map(str, tensor.shape))
    return f"{name}\t{str(tensor.dtype).removeprefix('torch.')}\t{shape}\t{mean!r}\t{spread!r}"


def summary(tensor: torch.Tensor) -> dict:
    flat = tensor.flatten().double()
    step = max(1, len(flat) // 64)
    return {"shape": list(tensor.shape), "mean": float(flat.mean()), "std": float(flat.std()), "step": step} | {
        "values": flat[::step].tolist()
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]))
