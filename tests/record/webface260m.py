"""What the organisers' code does between its networks: ``python tests/record/webface260m.py REPOSITORY``.

Writes the golden file of tests/audit/test_webface260m.py. REPOSITORY is a checkout or bare repository of
WebFace260M/webface260m-iccv21-mfr; its class runs as it is, with a detector that finds the faces of a case and a
recogniser that keeps what it is given. Needs opencv, scikit-image and onnx.
"""

import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[2]))
import audit_cases as cases
import golden

TARGET = Path(__file__).parents[1] / "checkpoints/webface260m/golden.json"
CODE = "pywebface260mmfr_implement.py"
STEP = 14  # every fourteenth row and column of a crop is kept


class Detector:
    def __init__(self, photo: cases.Photo) -> None:
        self.photo, self.seen = photo, None

    def detect(self, image: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray]:
        self.seen = image
        return self.photo.boxes.copy(), self.photo.points.copy()


class Recogniser:
    def run(self, names: Any, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
        (self.blob,) = feeds.values()
        return [np.ones((1, 4), np.float32)]


def size(seen: np.ndarray) -> list[int]:
    """Height and width of the picture in its black square."""
    lit = seen.sum(-1) > 0
    return [int(lit.any(axis).nonzero()[0].max()) + 1 for axis in (1, 0)]


def main(repository: Path) -> None:
    call = ["git", "-C", str(repository), "show", f"HEAD:{CODE}"]
    sys.modules["face_detection"] = ModuleType("face_detection")  # their network, which is not run
    scope: dict[str, Any] = {"__name__": CODE}
    source = subprocess.run(call, check=True, capture_output=True, text=True).stdout
    exec(compile(source, CODE, "exec"), scope)  # noqa: S102 - the organisers' code, as it is
    rows = []
    for photo in cases.photos():
        theirs = scope["PyWebFace260M"]()
        theirs.detector, theirs.session, theirs.input_name, theirs.output_names = (
            Detector(photo),
            Recogniser(),
            "x",
            ["y"],
        )
        theirs.input_mean = theirs.input_std = 127.5
        theirs.get_feature_time(photo.pixels)
        boxes, points = theirs.detect(photo.pixels)
        rows.append(
            {
                "size": size(theirs.detector.seen),
                "searched": theirs.detector.seen[::32, ::32].tolist(),
                "boxes": boxes.tolist(),
                "points": points.tolist(),
                "matrices": [scope["estimate_norm"](one).tolist() for one in points],
                "blob": theirs.session.blob[0, :, ::STEP, ::STEP].round(6).astype(float).round(6).tolist(),
            }
        )
    content = {"source": ["WebFace260M/webface260m-iccv21-mfr", golden.commit(repository), CODE], "photos": rows}
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(json.dumps(content) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
