"""What research code makes of seeded vectors: ``python tests/record/verification.py FACEREC INSIGHTFACE``.

Writes the golden file of tests/audit/test_verification.py: LFW's folds by seva100/stylegan-for-facerec, templates of
IJB by deepinsight/insightface; both may be bare repositories. Needs scikit-learn and scipy.
"""

import ast
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[2]))
import audit_cases as cases
import golden

TARGET = Path(__file__).parents[1] / "checkpoints/verification/golden.json"
FOLDS, TEMPLATES = "util/verification.py", "recognition/_evaluation_/ijb/ijb_11.py"


def functions(repository: Path, path: str, *names: str) -> dict[str, Any]:
    """Some functions of a script that cannot be imported as it is."""
    import sklearn.preprocessing
    from sklearn.model_selection import KFold

    call = ["git", "-C", str(repository), "show", f"HEAD:{path}"]
    tree = ast.parse(subprocess.run(call, check=True, capture_output=True, text=True).stdout)
    tree.body = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name in names]
    scope = {"np": np, "sklearn": sklearn, "KFold": KFold, "print": lambda *_: None}
    exec(compile(tree, path, "exec"), scope)  # noqa: S102 - the authors' functions, as they are
    return scope


def main(facerec: Path, insightface: Path) -> None:
    first, second, same = cases.lfw()
    folds = functions(facerec, FOLDS, "calculate_roc", "calculate_accuracy", "calculate_val_far")
    _, _, accuracy, best = folds["calculate_roc"](np.arange(0, 4, 0.01), first, second, same, nrof_folds=10)
    distance = np.square(first - second).sum(1)
    rates = [folds["calculate_val_far"](step, distance, same) for step in (1.0, 1.5, 2.0)]
    theirs, case = functions(insightface, TEMPLATES, "image2template_feature", "verification"), cases.ijb()
    pooled, names = theirs["image2template_feature"](case.features * case.score[:, None], case.template, case.media)
    content = {
        "source": {
            "seva100/stylegan-for-facerec": [golden.commit(facerec), FOLDS],
            "deepinsight/insightface": [golden.commit(insightface), TEMPLATES],
        },
        "accuracy": accuracy.tolist(),
        "thresholds": best.tolist(),
        "rates": np.array(rates).tolist(),
        "templates": names.tolist(),
        "pooled": pooled[:, :8].tolist(),
        "scores": theirs["verification"](pooled, names, case.p1, case.p2).tolist(),
    }
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(json.dumps(content) + "\n")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
