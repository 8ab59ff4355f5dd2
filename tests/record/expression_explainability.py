"""Runs the authors' code on seeded heat maps, pictures and samples, and keeps what it gives.

    python tests/record/expression_explainability.py CHECKOUT PREDICTOR

CHECKOUT is https://github.com/Xavi3398/ekman_expressions; PREDICTOR dlib's shape_predictor_68_face_landmarks.dat. Needs
dlib, lime, scikit-learn, scikit-image, opencv-python-headless and scipy.
"""

import base64
import json
import subprocess
import sys
import types
import zlib
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
import explaining_cases as cases

FOLDER = Path(__file__).parents[1]
SIZE = (224, 275, 25)  # width, height, and rows below the box


def packed(mask: np.ndarray) -> str:
    return base64.b64encode(zlib.compress(np.packbits(mask).tobytes(), 9)).decode()


def import_authors(checkout: Path):
    """Their modules; imutils is stood in for by the one function that they call."""
    import dlib

    def to_numbers(shape: dlib.full_object_detection) -> np.ndarray:
        return np.array([[shape.part(i).x, shape.part(i).y] for i in range(shape.num_parts)])

    face_utils = types.ModuleType("imutils.face_utils")
    face_utils.shape_to_np = lambda shape: shape if isinstance(shape, np.ndarray) else to_numbers(shape)
    imutils = types.ModuleType("imutils")
    imutils.face_utils = face_utils
    package = types.ModuleType("ekman_expressions")
    package.__path__ = [str(checkout)]
    sys.modules |= {"imutils": imutils, "imutils.face_utils": face_utils, "ekman_expressions": package}
    from ekman_expressions import ekman_gt, heatmaps, lime_image, normalization

    return ekman_gt, heatmaps, lime_image, normalization


def main(checkout: Path, predictor_file: str) -> None:
    import cv2
    import dlib

    ekman_gt, heatmaps, lime_image, normalization = import_authors(checkout)
    predictor = dlib.shape_predictor(predictor_file)
    width, height, below = SIZE
    black = np.zeros((height, width, 3), np.uint8)
    points = normalization.get_points(black, predictor, width, height, below)
    masks = {}
    for name in cases.EXPRESSIONS:
        drawn = ekman_gt.draw_expression(predictor, width, height, below, exp_name=name)
        masks[name] = packed(drawn[..., 0] > 0)

    overlaps = []
    for heat, mask in zip(cases.heat_maps(), cases.masks(), strict=True):
        hot = heatmaps.apply_threshold(heat)
        truth, found = mask.astype(float), hot / 255
        at, _ = cv2.threshold(heat, 0, 255, cv2.THRESH_OTSU)
        shares = [heatmaps.get_masks_distance(truth, found, how) for how in ("iou", "f1_score", "precision", "recall")]
        alike = 1 - heatmaps.distance_gray(heat, mask.astype(np.uint8) * 255, cv2.TM_CCOEFF_NORMED)
        overlaps.append([at, *map(float, shares), float(alike)])

    given = cases.face(points[:68])

    def predict(image: np.ndarray, box: object) -> np.ndarray:
        return points[:68].copy() if image.shape[0] == height else given.points.copy()

    warped = normalization.transform_mask(predict, width, height, below, given.pixels.copy(), given.pixels.copy())[2]
    moved = warped[cases.SAMPLED_ROWS, cases.SAMPLED_COLUMNS]

    labels = cases.regions()
    explainer = lime_image.LimeImageExplainer(random_state=cases.SEED)
    picture = cases.picture()
    kept = {}

    def classify(pictures: np.ndarray) -> np.ndarray:
        score = (pictures * cases.weights()[None, ..., None]).mean((1, 2, 3))
        return np.stack([score, 1 - score], 1)

    plain = explainer.data_labels

    def keeping(*args: object, **options: object):
        kept["shown"], scores = plain(*args, **options)
        kept["scores"] = scores[:, 0]
        return kept["shown"], scores

    explainer.data_labels = keeping
    found = explainer.explain_instance(
        picture,
        classify,
        segments=labels,
        labels=[0],
        top_labels=1,
        hide_color=0,
        num_samples=cases.SAMPLES,
        progress_bar=False,
    )
    added = [value for _, value in sorted(found.local_exp[0])]
    commit = subprocess.run(
        ["git", "-C", str(checkout), "rev-parse", "HEAD"], check=True, capture_output=True, text=True
    )
    golden = {
        "repository": "https://github.com/Xavi3398/ekman_expressions",
        "commit": commit.stdout.strip(),
        "points": points.tolist(),
        "masks": masks,
        "overlaps": overlaps,
        "warped": moved.tolist(),
        "shown": packed(kept["shown"].astype(bool)),
        "scores": [round(float(score), 12) for score in kept["scores"]],
        "added": [float(value) for value in added],
    }
    path = FOLDER / "checkpoints/expression_explainability/golden.json"
    path.write_text(json.dumps(golden) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
