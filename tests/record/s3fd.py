"""What the authors' S3FD gives on seeded weights: ``python tests/record/s3fd.py CHECKOUT``.

Writes the layout and the golden file of tests/detect/test_s3fd.py. CHECKOUT is github.com/1adrianb/face-alignment, run
by a Python that has what it imports (torch, opencv, numba, scikit-image).
"""

import sys
import tempfile
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[2]))
import golden
import seeding

FOLDER = Path(__file__).parents[1] / "checkpoints/s3fd"
SIZE = (96, 128)  # of the picture


def main(checkout: Path) -> None:
    sys.path.insert(0, str(checkout))
    from face_alignment.detection.sfd.net_s3fd import s3fd
    from face_alignment.detection.sfd.sfd_detector import SFDDetector

    module, rules = s3fd().eval(), seeding.plan(lambda: s3fd().eval())
    rules = seeding.calibrate(module, rules, run)
    module.load_state_dict(seeding.fill(module.state_dict(), rules))
    if unseen := list(seeding.blind(module, run, 1e-4)):
        raise RuntimeError(f"Expected a golden that sees every tensor, got one that does not see {', '.join(unseen)}.")
    golden.write_layout(FOLDER / "s3fd.tsv", module.state_dict(), rules)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "s3fd.pth")
        torch.save(module.state_dict(), file)
        detector = SFDDetector("cpu", str(file), filter_threshold=0.9)
    found = torch.tensor([list(map(float, box)) for box in detector.detect_from_image(picture().numpy())])
    if not 5 < len(found) < 500:
        raise RuntimeError(f"Expected some boxes, got {len(found)}: choose another threshold.")
    source = {
        "repository": "https://github.com/1adrianb/face-alignment",
        "commit": "608505febb47082eb83c2e54254294b3044d976f",
        "file": "face_alignment/detection/sfd/net_s3fd.py",
        "sha256": golden.sha256(checkout / "face_alignment/detection/sfd/net_s3fd.py"),
        "class": "s3fd, SFDDetector",
    }
    maps = {f"map{number}": tensor for number, tensor in enumerate(run(module))}
    golden.write_golden(FOLDER / "golden.json", source, {**maps, "boxes": found[:, :4], "scores": found[:, 4]})


def picture() -> torch.Tensor:
    """(H, W, 3) RGB of whole numbers in [0, 255]."""
    return ((seeding.noise("picture", torch.Size([*SIZE, 3])) + 1) * 127.5).round()


def run(module: torch.nn.Module) -> list[torch.Tensor]:
    bgr = picture().flip(2).movedim(2, 0)[None].float()
    with torch.no_grad():
        return module(bgr - torch.tensor([104.0, 117, 123])[:, None, None])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
