"""What the authors' encoders give on seeded weights: ``python tests/record/stylegan_encoders.py CHECKOUT``.

Writes the layouts and the golden files of tests/embed/test_stylegan_encoders.py, and the accuracy of groups of
tests/audit/test_verification.py. CHECKOUT is one of https://github.com/seva100/stylegan-for-facerec. The networks of 50
layers, with attention and without, are compared in values, all in layout. It needs scikit-learn.
"""

import json
import sys
from importlib import util
from pathlib import Path
from types import ModuleType

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[2]))
import audit_cases as cases
import golden
import seeding

FOLDER = Path(__file__).parents[1] / "checkpoints/stylegan_encoders"
NETWORKS = {"stylegan_ir50": "IR_50", "ir101": "IR_101", "ir152": "IR_152"}
NETWORKS |= {"ir_se50": "IR_SE_50", "ir_se101": "IR_SE_101", "ir_se152": "IR_SE_152"}
VALUES = ("stylegan_ir50", "ir_se50")
COMMIT = "d8d8c1c9a9bb62440a3e05dd62f5b515d88093e0"


def main(checkout: Path) -> None:
    sys.path.insert(0, str(checkout / "backbone"))  # the package beside it would import what needs CUDA
    record_groups(checkout)
    record_restyle(checkout)
    import model_irse as theirs

    for name, maker in NETWORKS.items():
        make = getattr(theirs, maker)
        if name not in VALUES:
            state_dict = make([112, 112]).state_dict()
            golden.write_layout(FOLDER / f"{name}.tsv", state_dict, dict.fromkeys(state_dict, (0.0, 0.0)))
            continue
        network = make([112, 112]).eval()
        rules = seeding.calibrate(network, seeding.plan(lambda make=make: make([112, 112])), run)
        network.load_state_dict(seeding.fill(network.state_dict(), rules))
        # Some tensors of every stage, and not the same ones.
        if unseen := list(seeding.blind(network, run, 1e-4, step=19 if name == "ir_se50" else 17)):
            raise RuntimeError(f"Expected a golden that sees every tensor, it does not see {', '.join(unseen)}.")
        constants = golden.write_layout(FOLDER / f"{name}.tsv", network.state_dict(), rules)
        if any(constants.values()):  # num_batches_tracked is 0, and a layout's constants are
            raise RuntimeError(f"Expected no constant but 0, got {constants}.")
        source = {
            "repository": "https://github.com/seva100/stylegan-for-facerec",
            "commit": COMMIT,
            "file": "backbone/model_irse.py",
            "class": maker,
        }
        golden.write_golden(FOLDER / f"{name}.json", source, {"vectors": run(network)[0]})


def record_restyle(checkout: Path) -> None:
    """The encoders of backbone/restyle_psp.py, whose other imports, of generators and of pictures, are not used."""
    names = ("imageio", "einops", "util", "util.utils", "backbone", "backbone.stylegan2", "backbone.stylegan2_ada")
    sys.modules |= {name: ModuleType(name) for name in (*names, "backbone.stylegan2_ada.generator")}
    sys.modules["einops"].rearrange = None
    sys.modules["backbone.stylegan2_ada.generator"].Generator = None
    utils = sys.modules["util.utils"]
    utils._initialize_weights = lambda _: None
    sys.modules["backbone"].__path__ = [str(checkout / "backbone")]
    from backbone import restyle_psp as theirs

    dropout = 0.15  # of their configurations
    encoders = {"restyle_ir50": ("BackboneEncoder", dropout), "restyle_ir50_plain": ("BackboneEncoder", None)}
    encoders |= {"restyle_ir34": ("BackboneEncoder34", dropout), "restyle_ir100": ("BackboneEncoder100", dropout)}
    for name, (kind, share) in encoders.items():

        def make(kind: str = kind, share: float | None = share) -> torch.nn.Module:
            made = theirs.pSp(size=112, encoder_type=kind, include_dropout=share)
            made.avg_image = seeding.noise("average", torch.Size([3, 112, 112])).float()
            return made

        if name != "restyle_ir50":
            state_dict = make().state_dict()
            golden.write_layout(FOLDER / f"{name}.tsv", state_dict, dict.fromkeys(state_dict, (0.0, 0.0)))
            continue
        network = make().eval()
        rules = seeding.calibrate(network, seeding.plan(make), run)
        network.load_state_dict(seeding.fill(network.state_dict(), rules))
        if unseen := list(seeding.blind(network, run, 1e-4, step=23)):
            raise RuntimeError(f"Expected a golden that sees every tensor, it does not see {', '.join(unseen)}.")
        golden.write_layout(FOLDER / f"{name}.tsv", network.state_dict(), rules)
        source = {
            "repository": "https://github.com/seva100/stylegan-for-facerec",
            "commit": COMMIT,
            "file": "backbone/restyle_psp.py",
            "class": "pSp with BackboneEncoderDiffHead",
        }
        golden.write_golden(FOLDER / f"{name}.json", source, {"vectors": run(network)[0]})


def record_groups(checkout: Path) -> None:
    """Their accuracy of each group, over ten folds of pairs in their order."""
    spec = util.spec_from_file_location("their_verification", checkout / "util/verification.py")
    theirs = util.module_from_spec(spec)
    spec.loader.exec_module(theirs)
    found = {}
    for name, (first, second, same) in cases.groups().items():
        _, _, accuracy, best = theirs.calculate_roc(np.arange(0, 4, 0.01), first, second, same, nrof_folds=10)
        found[name] = {"accuracy": float(accuracy.mean()), "threshold": float(best.mean())}
    source = {"repository": "https://github.com/seva100/stylegan-for-facerec", "commit": COMMIT}
    content = {**source, "file": "util/verification.py", "groups": found}
    (FOLDER / "groups.json").write_text(json.dumps(content, indent=1) + "\n")


def run(network: torch.nn.Module) -> list[torch.Tensor]:
    crops = seeding.noise("crops", torch.Size([2, 3, 112, 112])).float()
    with torch.no_grad():
        return [network(crops)]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
