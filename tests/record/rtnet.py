"""What RTNet's networks and warps give in the authors' code: ``python tests/record/rtnet.py PARSING WARPING``.

Writes the layouts and golden files of tests/parse/test_rtnet.py and tests/test_roi_tanh.py. PARSING is a checkout of
https://github.com/hhj1897/face_parsing, WARPING one of https://github.com/hhj1897/roi_tanh_warping. Needs OpenCV.

Networks see pictures of other height than width, so that the axes cannot be taken for each other. The warps are
recorded in double precision, their own single one rounds up to 5e-4; box by box where they square boxes.
"""

import importlib
import math
import sys
from pathlib import Path
from types import ModuleType

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[2]))
import factories
import golden
import roi_cases as cases
import seeding

FOLDER = Path(__file__).parents[1] / "checkpoints/rtnet"
RELEASES = ("rtnet50-fcn-11", "rtnet50-fcn-14", "rtnet101-fcn-14", "resnet50-fcn-14", "resnet50-deeplabv3plus-14")
IN_VALUES = {"rtnet50-fcn-11": 9, "resnet50-deeplabv3plus-14": 31}  # and each how many tensors are tried for blindness
SIZE, BOX = (97, 129), (20.0, 12.0, 70.0, 91.0)


def main(parsing: Path, warping: Path) -> None:
    sys.path[:0] = [str(warping), str(parsing)]
    sys.modules["ibug"] = package = ModuleType("ibug")  # two checkouts share this name
    package.__path__ = [str(warping / "ibug"), str(parsing / "ibug")]
    parser = importlib.import_module("ibug.face_parsing.parser")
    record_networks(parser, golden.commit(parsing))
    record_parsing(parser, golden.commit(parsing))
    record_warps(golden.commit(warping))


def record_networks(parser: ModuleType, commit: str) -> None:
    for release in RELEASES:
        encoder, decoder, classes = release.split("-")

        def make(encoder: str = encoder, decoder: str = decoder, classes: str = classes) -> torch.nn.Module:
            return parser.SegmentationModel(encoder, decoder, int(classes))

        stem = f"ibug_{release.replace('-', '_')}"
        network = make().eval()
        rules = seeding.calibrate(network, seeding.plan(make), run)
        constants = golden.write_layout(FOLDER / f"{stem}.tsv", network.state_dict(), rules)
        if any(constants.values()):  # num_batches_tracked is 0, and a layout's constants are
            raise RuntimeError(f"Expected no constant but 0, got {constants}.")
        if release not in IN_VALUES:
            continue
        network.load_state_dict(seeding.fill(network.state_dict(), rules))
        unseen = list(seeding.blind(network, run, 1e-4, step=IN_VALUES[release]))
        if unseen:
            raise RuntimeError(f"Expected a golden that sees every tensor, it does not see {', '.join(unseen)}.")
        source = {
            "repository": "https://github.com/hhj1897/face_parsing",
            "commit": commit,
            "file": "ibug/face_parsing/parser.py",
            "class": "SegmentationModel",
        }
        golden.write_golden(FOLDER / f"{stem}.json", source, {"logits": run(network)[0]})


def run(network: torch.nn.Module) -> list[Tensor]:
    x = seeding.noise("pictures", torch.Size([1, 3, *SIZE])).float()
    with torch.no_grad():
        return [network(x, torch.tensor([BOX]))]


def record_parsing(parser: ModuleType, commit: str) -> None:
    """A whole photo through FaceParser, with a linear map for a network."""
    theirs = parser.FaceParser.__new__(parser.FaceParser)  # its constructor asks for weights
    theirs.device, theirs.sz = "cpu", (513, 513)
    theirs.transform = parser.T.Compose([parser.T.ToTensor(), parser.T.Normalize(0.5, 0.5)])
    theirs.model = lambda x, rois: cases.linear_logits(x)
    photo = (factories.read_photo("astronaut")[0] * 255).round().byte().numpy()
    labels = torch.from_numpy(theirs.predict_img(photo, torch.tensor(cases.PHOTO_BOXES).numpy(), rgb=True))
    source = {
        "repository": "https://github.com/hhj1897/face_parsing",
        "commit": commit,
        "file": "ibug/face_parsing/parser.py",
        "class": "FaceParser",
    }
    shares = torch.stack([(labels == number).double().mean((1, 2)) for number in range(14)], 1)
    golden.write_golden(FOLDER / "parsing.json", source, {"labels": labels[:, ::5, ::7], "shares": shares})


def record_warps(commit: str) -> None:
    theirs = importlib.import_module("ibug.roi_tanh_warping.pytorch_impl")
    reference = importlib.import_module("ibug.roi_tanh_warping.reference_impl")
    outputs = {}
    for name, case in cases.CASES.items():
        function = getattr(theirs, case.function)
        images, rois = cases.images().double(), cases.rois().double()
        turn = {"angular_offsets": cases.angles().double().deg2rad()} if case.turned else {}
        outputs[name] = function(images, rois, *case.size, **turn, **case.keep)
        # OpenCV takes one picture at a time, and rounds positions to 1/32 pixel.
        outputs[f"{name}/opencv"] = torch.stack([opencv(reference, case, row) for row in range(len(rois))])
    for name, opt in (("mean", 0), ("min", -1), ("max", 1)):
        squared = [theirs.make_square_rois(row, opt) for row in cases.rois().double()]
        outputs[f"make_square_rois/{name}"] = torch.stack(squared)
    source = {
        "repository": "https://github.com/hhj1897/roi_tanh_warping",
        "commit": commit,
        "file": "ibug/roi_tanh_warping/pytorch_impl.py, reference_impl.py",
    }
    golden.write_golden(FOLDER / "warps.json", source, outputs)


def opencv(reference: ModuleType, case: cases.Case, row: int) -> Tensor:
    image = cases.images()[row].movedim(0, -1).contiguous().numpy()
    turn = {"angular_offset": math.radians(float(cases.angles()[row]))} if case.turned else {}
    function = getattr(reference, case.function)
    warped = function(image, cases.rois()[row].double().numpy(), *case.size, **turn, **case.keep)
    return torch.from_numpy(warped).movedim(-1, 0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
