"""What the authors' encoders give on seeded weights: ``python tests/record/stylegan_encoders.py CHECKOUT``.

Writes the layouts and the golden files of tests/embed/test_stylegan_encoders.py. CHECKOUT is one of
https://github.com/seva100/stylegan-for-facerec. The networks of 50 layers, with attention and without, are compared in
values, all in layout.
"""

import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[2]))
import golden
import seeding

FOLDER = Path(__file__).parents[1] / "checkpoints/stylegan_encoders"
NETWORKS = {"stylegan_ir50": "IR_50", "ir101": "IR_101", "ir152": "IR_152"}
NETWORKS |= {"ir_se50": "IR_SE_50", "ir_se101": "IR_SE_101", "ir_se152": "IR_SE_152"}
VALUES = ("stylegan_ir50", "ir_se50")


def main(checkout: Path) -> None:
    sys.path.insert(0, str(checkout / "backbone"))  # the package beside it would import what needs CUDA
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
            "commit": golden.commit(checkout),
            "file": "backbone/model_irse.py",
            "class": maker,
        }
        golden.write_golden(FOLDER / f"{name}.json", source, {"vectors": run(network)[0]})


def run(network: torch.nn.Module) -> list[torch.Tensor]:
    crops = seeding.noise("crops", torch.Size([2, 3, 112, 112])).float()
    with torch.no_grad():
        return [network(crops)]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
