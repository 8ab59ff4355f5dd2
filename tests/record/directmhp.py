"""What the authors' DirectMHP gives on seeded weights: ``python tests/record/directmhp.py CHECKOUT``.

Writes the layouts and golden files of tests/detect/test_directmhp.py. CHECKOUT is github.com/hnuzhy/DirectMHP, run by a
Python that has what it imports (torch, torchvision, opencv, pandas, pyyaml, seaborn, setuptools before 81).
"""

import sys
from functools import partial
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[2]))
import golden
import seeding

FOLDER = Path(__file__).parents[1] / "checkpoints/directmhp"
SIZE = (80, 128)  # of the picture: its rows are no whole steps
GROUPS = {"centre": slice(0, 2), "size": slice(2, 4), "surety": slice(4, 6), "pitch": 6, "yaw": 7, "roll": 8}
THRESHOLD = 0.6


def main(checkout: Path) -> None:
    sys.path.insert(0, str(checkout))
    from models.yolo import Model
    from utils.augmentations import letterbox
    from utils.general import non_max_suppression, scale_coords

    boxed, _, _ = letterbox(picture().numpy(), 128, stride=64)
    x = torch.from_numpy(boxed.copy()).movedim(2, 0)[None].float() / 255

    def run(module: torch.nn.Module) -> list[torch.Tensor]:
        return groups(module(x)[0])

    for letter, step in (("s", 11), ("m", 41)):
        make = partial(Model, str(checkout / f"models/yolov5{letter}6.yaml"), ch=3, nc=1, num_angles=3)
        module, rules = make().eval(), seeding.plan(lambda make=make: make().eval())
        rules = seeding.calibrate(module, rules, run)
        module.load_state_dict(seeding.fill(module.state_dict(), rules))
        # The anchors in strides are for training alone.
        unseen = [name for name in seeding.blind(module, run, 1e-4, step) if name != "model.33.anchors"]
        if unseen:
            raise RuntimeError(f"Expected a golden that sees every tensor, got one blind to {', '.join(unseen)}.")
        constants = golden.write_layout(FOLDER / f"directmhp_agora_{letter}.tsv", module.state_dict(), rules)
        with torch.no_grad():
            rows = module(x)[0]
        found = non_max_suppression(rows.clone(), THRESHOLD, 0.45, num_angles=3)[0]
        if not 5 < len(found) < 300:
            raise RuntimeError(f"Expected some boxes, got {len(found)}: choose another threshold.")
        boxes = scale_coords(x.shape[2:], found[:, :4].clone(), SIZE)
        kept = dict(zip(GROUPS, groups(rows), strict=True))
        kept |= {"boxes": boxes, "scores": found[:, 4], "angles": found[:, 6:]}
        source = {
            "repository": "https://github.com/hnuzhy/DirectMHP",
            "commit": "a51b06bc34ed4202a9e9d1aad1c1cac9b6de05d0",
            "file": "models/yolo.py, models/common.py, utils/general.py, utils/augmentations.py",
            "sha256": golden.sha256(checkout / "models/yolo.py", checkout / "models/common.py"),
            "class": "Model",
        }
        golden.write_golden(FOLDER / f"directmhp_agora_{letter}.json", source, kept, constants)


def picture() -> torch.Tensor:
    """(H, W, 3) RGB bytes."""
    return ((seeding.noise("picture", torch.Size([*SIZE, 3])) + 1) * 127.5).round().to(torch.uint8)


def groups(rows: torch.Tensor) -> list[torch.Tensor]:
    """The columns of rows, apart: an angle is small beside a place in pixels."""
    return [rows[0, :, columns] for columns in GROUPS.values()]


if __name__ == "__main__":
    with torch.no_grad():
        main(Path(sys.argv[1]))
