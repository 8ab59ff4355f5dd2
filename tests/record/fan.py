"""What the authors' FAN and its depth net give on seeded weights: ``python tests/record/fan.py CHECKOUT``.

Writes the layouts and golden files of tests/landmark/test_fan.py. CHECKOUT is github.com/1adrianb/face-alignment, run
by a Python that has what it imports (torch, opencv, numba, scikit-image).
"""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[2]))
import golden
import seeding

FOLDER = Path(__file__).parents[1] / "checkpoints/fan"
HEIGHT, WIDTH = 300, 400  # of the picture
# In pixels from the picture's corner, as S3FD gives them: their windows are 256 pixels, so cutting changes none. The
# second one goes over the border.
FACES = ((120.3, 90.7, 240.3, 221.275), (-20.6, 30.4, 99.4, 160.975))
DOTS = ((128.5, 100.25), (2.25, 3.75), (5.5, 5.0), (7.0, 6.5), (250.5, 253.25), (254.0, 128.0), (1.75, 254.0))


def main(checkout: Path) -> None:
    sys.path.insert(0, str(checkout))
    from face_alignment import LandmarksType, api, utils
    from face_alignment.models import FAN, ResNetDepth

    FOLDER.mkdir(parents=True, exist_ok=True)
    source = {
        "repository": "https://github.com/1adrianb/face-alignment",
        "commit": "608505febb47082eb83c2e54254294b3044d976f",
    }
    fan, deep = FAN(4).eval(), ResNetDepth().eval()
    for module, make, run, name in (
        (fan, lambda: FAN(4).eval(), heatmaps, "fan_2dfan4"),
        (deep, lambda: ResNetDepth().eval(), depths, "fan_depth"),
    ):
        rules = seeding.calibrate(module, seeding.plan(make), run)
        module.load_state_dict(seeding.fill(module.state_dict(), rules))
        golden.write_layout(FOLDER / f"{name}.tsv", module.state_dict(), rules)
    (FOLDER / "fan_3dfan4.tsv").write_bytes((FOLDER / "fan_2dfan4.tsv").read_bytes())  # one layout, two files

    aligner = api.FaceAlignment.__new__(api.FaceAlignment)
    aligner.device, aligner.dtype, aligner.flip_input, aligner.max_batch_size = "cpu", torch.float32, True, 1
    aligner.face_detector = SimpleNamespace(reference_scale=utils.REFERENCE_SCALE)
    aligner.face_alignment_net, aligner.depth_prediciton_net = fan, deep
    aligner.landmarks_type = LandmarksType.THREE_D
    boxes = torch.tensor(FACES, dtype=torch.float64).numpy()
    found = aligner.get_landmarks_from_image(picture().numpy(), boxes)
    outputs = {"heatmaps": heatmaps(fan)[0], "depths": depths(deep)[0]}
    outputs |= dict(zip("xyz", torch.stack([torch.from_numpy(points) for points in found]).unbind(-1), strict=True))
    files = ("models/fan.py", "models/resnet.py", "api.py", "utils.py")
    about = {"files": {name: golden.sha256(checkout / "face_alignment" / name) for name in files}}
    golden.write_golden(FOLDER / "golden.json", source | about, outputs)

    noisy = seeding.noise("peaks", torch.Size([6, 68, 64, 64])).float()
    cells, _, _ = utils.get_preds_fromhm(noisy.numpy())
    kept = {
        "windows": [corners(utils, box) for box in some_boxes().tolist()],
        "peaks": (torch.from_numpy(cells) * 4).int().flatten().tolist(),  # quarters of a cell
        "dots": [dot(utils, point) for point in DOTS],
        "crops": [
            crop(utils, box) for box in ((37.2, 41.9, 137.2, 171.9), (-31.0, 170.5, 69.0, 290.0), (180, 90, 196, 108))
        ],
    }
    (FOLDER / "arithmetic.json").write_text(json.dumps(source | kept) + "\n")
    # One tensor in so many: every block of 18 is looked at.
    for module, run, step in ((fan, heatmaps, 7), (deep, depths, 17)):
        if unseen := list(seeding.blind(module, run, 1e-4, step)):
            raise RuntimeError(f"Expected a golden that sees every block, got one that does not see {unseen}.")


def picture() -> torch.Tensor:
    """(H, W, 3) uint8."""
    return ((seeding.noise("picture", torch.Size([HEIGHT, WIDTH, 3])) + 1) * 127.5).round().byte()


def some_boxes() -> torch.Tensor:
    """(400, 4) float64, of 8 to 1200 pixels a side."""
    place, size = seeding.noise("boxes", torch.Size([2, 400, 2]))
    sides = 8 * 150 ** ((size + 1) / 2)
    middle = (place + 0.5) * 1000
    return torch.cat([middle - sides / 2, middle + sides / 2], -1)


def window(utils: object, box: tuple[float, ...]) -> tuple[object, float]:
    """Centre and scale of a face, as api.py computes them."""
    import numpy as np

    x1, y1, x2, y2 = box
    centre = np.array([x2 - (x2 - x1) / 2.0, y2 - (y2 - y1) / 2.0 - (y2 - y1) * utils.CENTER_Y_OFFSET])
    return centre, (x2 - x1 + y2 - y1) / utils.REFERENCE_SCALE


def corners(utils: object, box: tuple[float, ...]) -> list[int]:
    """The first and the last pixel that ``crop`` cuts a face by."""
    centre, scale = window(utils, box)
    first, last = (utils.transform([at, at], centre, scale, 256.0, True) for at in (1, 256.0))
    return [*first.tolist(), *last.tolist()]


def crop(utils: object, box: tuple[float, ...]) -> dict:
    cut = torch.from_numpy(utils.crop(picture().numpy(), *window(utils, box)))
    return {"box": box, **golden.summary(cut)}


def dot(utils: object, point: tuple[float, ...]) -> dict:
    """Where a dot begins and its sums by column and by row."""
    import numpy as np

    drawn = torch.from_numpy(utils.draw_gaussian(np.zeros((256, 256), np.float32), torch.tensor(point), 2))
    sums = [drawn.sum(axis) for axis in (0, 1)]
    return {
        "first": [int(line.nonzero()[0]) for line in sums],
        "sums": [line[line.nonzero().flatten()].tolist() for line in sums],
    }


def heatmaps(module: torch.nn.Module) -> list[torch.Tensor]:
    with torch.no_grad():
        return [module(seeding.noise("crops", torch.Size([1, 3, 64, 64])).float() / 2 + 0.5)[-1]]


def depths(module: torch.nn.Module) -> list[torch.Tensor]:
    with torch.no_grad():
        return [module(seeding.noise("dotted", torch.Size([1, 71, 256, 256])).float() / 2 + 0.5)]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
