"""What facenet-pytorch's MTCNN gives: ``python tests/record/mtcnn.py CHECKOUT``.

Writes the layouts and the golden files of tests/detect/test_mtcnn.py: the three networks on seeded weights, and the
whole detector, with the weights that are in CHECKOUT, on the shipped photos and on those that tests download. CHECKOUT
is one of https://github.com/timesler/facenet-pytorch.
"""

import os
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[2]))
import downloads
import factories
import golden
import seeding

FOLDER = Path(__file__).parents[1] / "checkpoints/mtcnn"
SIDES = {"pnet": (40, 32), "rnet": (24, 24), "onet": (48, 48)}


def main(checkout: Path) -> None:
    sys.path.insert(0, str(checkout))
    os.environ["LIKENESS_DOWNLOADS"] = "1"
    from models import mtcnn as theirs

    source = {
        "repository": "https://github.com/timesler/facenet-pytorch",
        "commit": golden.commit(checkout),
        "file": "models/mtcnn.py",
    }
    outputs = {}
    for part, kind in (("pnet", theirs.PNet), ("rnet", theirs.RNet), ("onet", theirs.ONet)):
        network = kind(pretrained=False)
        rules = seeding.plan(lambda kind=kind: kind(pretrained=False))
        rules = seeding.calibrate(network, rules, lambda network, part=part: run(network, part))
        moves = [name for name in rules if "_2." in name]  # how far boxes move: not out of the picture
        rules |= {name: (rules[name][0] * 0.1, rules[name][1] * 0.1) for name in moves}
        network.load_state_dict(seeding.fill(network.state_dict(), rules))
        if unseen := list(seeding.blind(network, lambda network, part=part: run(network, part), 1e-4)):
            raise RuntimeError(f"Expected a golden that sees every tensor, it does not see {', '.join(unseen)}.")
        golden.write_layout(FOLDER / f"{part}.tsv", network.state_dict(), rules)
        outputs |= {f"{part}.{number}": tensor for number, tensor in enumerate(run(network, part))}
    golden.write_golden(FOLDER / "golden.json", source | {"class": "PNet, RNet, ONet"}, outputs)

    detector = theirs.MTCNN(keep_all=True, select_largest=False)
    found = {name: detect(detector, image) for name, image in photos().items()}
    golden.write_golden(FOLDER / "photos.json", source | {"class": "MTCNN"}, found)


def run(network: torch.nn.Module, part: str) -> list[torch.Tensor]:
    crops = seeding.noise(part, torch.Size([4, 3, *SIDES[part]])).float()
    with torch.no_grad():
        return list(network(crops))


def photos() -> dict[str, torch.Tensor]:
    shipped = {name: factories.read_photo(name) for name in factories.PHOTOS}
    return {**shipped, "people": factories.people(2), **downloads.presidents()}


def detect(detector: torch.nn.Module, image: torch.Tensor) -> torch.Tensor:
    """(N, 15) box, probability and points of each face."""
    pixels = (image[0] * 255).round().byte().numpy()
    boxes, scores, points = detector.detect(pixels, landmarks=True)
    rows = [[*box, score, *point.flatten()] for box, score, point in zip(boxes, scores, points, strict=True)]
    return torch.tensor(rows, dtype=torch.float64)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
