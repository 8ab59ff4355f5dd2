"""What InsightFace's SCRFD gives with a seeded graph: ``python tests/record/scrfd.py SITE_PACKAGES``.

Writes the golden file of tests/detect/test_scrfd.py. SITE_PACKAGES is a folder with the wheel insightface 2.1 and what
it needs, such as lib/python3.11/site-packages of an environment of its own.
"""

import sys
import tempfile
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[2]))
import factories
import golden
import graphs

FOLDER = Path(__file__).parents[1] / "checkpoints/scrfd"
DOUBTS = {"few": 5.0, "many": 2.5}


def main(site_packages: Path) -> None:
    sys.path.append(str(site_packages))
    from insightface import __version__
    from insightface.model_zoo import scrfd as theirs

    outputs = {}
    for name, doubt in DOUBTS.items():
        file = Path(tempfile.mkdtemp()) / "seeded.onnx"
        file.write_bytes(graphs.scrfd(doubt=doubt))
        detector = theirs.SCRFD(str(file))
        for photo in factories.PHOTOS:
            pixels = (factories.read_photo(photo)[0] * 255).round().byte().numpy()[..., ::-1]
            height, width = (-(-size // 32) * 32 for size in pixels.shape[:2])
            boxes, points = detector.detect(pixels, input_size=(width, height), det_thresh=0.5)
            outputs[f"{name}.{photo}"] = torch.cat([torch.from_numpy(boxes), torch.from_numpy(points).flatten(1)], 1)
    source = {
        "repository": "https://pypi.org/project/insightface",
        "version": __version__,
        "file": "insightface/model_zoo/scrfd.py",
        "sha256": golden.sha256(Path(theirs.__file__)),
        "class": "SCRFD",
    }
    golden.write_golden(FOLDER / "golden.json", source, outputs)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
