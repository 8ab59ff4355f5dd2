"""What the authors' FaceXFormer gives on seeded weights: ``python tests/record/facexformer.py CHECKOUT``.

Writes the layouts and golden files of tests/analyze/test_facexformer.py. CHECKOUT is
github.com/Kartik-3004/facexformer. The whole network's tensors are laid out; its values, and those that workflows run
on in tests, are of the same classes with fewer blocks in the backbone.
"""

import sys
from pathlib import Path
from types import ModuleType

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[2]))
import golden
import seeding

FOLDER = Path(__file__).parents[1] / "checkpoints/facexformer"
COMMIT = "d4a268bdeef226d6763acfd12102c1af89d46c83"
FEWER = (2, 2, 2, 1)  # blocks of the stages; published: 2, 2, 18, 2
NAMES = ("landmarks", "pose", "attributes", "visibility", "age", "gender", "race", "masks")
# Corners in pixels from the picture's corner, as MTCNN gives them: inside, over two borders, small, all but outside.
BOXES = ((100.3, 60.7, 220.9, 231.2), (-30.2, 150.5, 95.4, 290.0), (180.6, 90.2, 188.6, 98.9), (380.0, 280.0, 420, 330))


def main(checkout: Path) -> None:
    sys.path.insert(0, str(checkout))
    # What inference.py imports besides, and adjust_bbox does not use.
    sys.modules |= {name: ModuleType(name) for name in ("cv2", "facenet_pytorch")}
    sys.modules["facenet_pytorch"].MTCNN = None
    import inference
    from network.models import facexformer as theirs
    from PIL import Image
    from torchvision.models import SwinTransformer
    from torchvision.transforms import functional as transforms

    def make(*depths: int) -> torch.nn.Module:
        """Theirs, without the download of what their file overwrites."""
        heads, window = [4, 8, 16, 32], [7, 7]
        theirs.swin_b = lambda weights: SwinTransformer([4, 4], 128, list(depths), heads, window)
        return theirs.FaceXFormer().eval()

    whole = make(2, 2, 18, 2).state_dict()
    small = make(*FEWER)
    rules = seeding.plan(lambda: make(*FEWER))
    for name in rules:
        if name.endswith("relative_position_index"):
            rules[name] = (84.5, 84.5)  # any of the 169 rows of its table: read from the file on both sides
    rules = seeding.calibrate(small, rules, run)
    small.load_state_dict(seeding.fill(small.state_dict(), rules))
    golden.write_layout(FOLDER / "facexformer.small.tsv", small.state_dict(), rules)
    golden.write_layout(FOLDER / "facexformer.tsv", whole, dict.fromkeys(whole, (0.0, 0.0)))

    outputs = dict(zip(NAMES, run(small), strict=True))
    picture = (seeding.noise("picture", torch.Size([300, 400, 3])) * 32 + 128).round().byte()
    shown = Image.fromarray(picture.numpy())
    for number, box in enumerate(BOXES):
        corners = map(int, inference.adjust_bbox(*box, *shown.size))
        piece = transforms.resize(shown.crop(tuple(corners)), [224, 224], transforms.InterpolationMode.BICUBIC)
        mean, deviation = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
        outputs[f"crop{number}"] = transforms.normalize(transforms.to_tensor(piece), mean, deviation)
    points = seeding.noise("points", torch.Size([1, 68, 2])).float()
    outputs["places"] = inference.denorm_points(points, 224, 224)
    source = {
        "repository": "https://github.com/Kartik-3004/facexformer",
        "commit": COMMIT,
        "files": ["network/models/facexformer.py", "network/models/transformer.py", "inference.py"],
        "class": "FaceXFormer",
    }
    golden.write_golden(FOLDER / "facexformer.small.json", source, outputs)
    # One tensor in so many: every block is looked at. A key's bias moves nothing; the backbone's last norm is not used.
    unseen = [
        name
        for name in seeding.blind(small, run, 1e-4, 11)
        if not name.startswith("backbone.1.") and not name.endswith("k_proj.bias")
    ]
    if unseen:
        raise RuntimeError(f"Expected a golden that sees every block, got one that does not see {', '.join(unseen)}.")


class Every:
    """Asks for the outputs of every task, where the authors ask for one."""

    def __eq__(self, task: object) -> slice:
        return slice(None)


def run(module: torch.nn.Module) -> list[torch.Tensor]:
    crops = seeding.noise("crops", torch.Size([1, 3, 224, 224])).float() * 2
    with torch.no_grad():
        return list(module(crops, None, Every()))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
