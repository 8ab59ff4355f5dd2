"""What InsightFace's networks give on seeded weights: ``python tests/record/arcface.py CHECKOUT``.

Writes the layouts and the golden files of tests/embed/test_arcface.py. CHECKOUT is one of
https://github.com/deepinsight/insightface. The networks of 18 and 50 layers are compared in values, all in layout.
"""

import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[2]))
import golden
import seeding

FOLDER = Path(__file__).parents[1] / "checkpoints/arcface"


def main(checkout: Path) -> None:
    sys.path.insert(0, str(checkout / "recognition/arcface_torch"))
    from backbones import iresnet as theirs

    source = {
        "repository": "https://github.com/deepinsight/insightface",
        "commit": golden.commit(checkout),
        "file": "recognition/arcface_torch/backbones/iresnet.py",
        "class": "IResNet",
    }
    for layers in (18, 34, 50, 100, 200):
        make = getattr(theirs, f"iresnet{layers}")
        if layers not in (18, 50):
            with torch.device("meta"):
                state_dict = make().state_dict()
            golden.write_layout(FOLDER / f"iresnet{layers}.tsv", state_dict, dict.fromkeys(state_dict, (0.0, 0.0)))
            continue
        network = make().eval()
        rules = seeding.calibrate(network, seeding.plan(make), run)
        network.load_state_dict(seeding.fill(network.state_dict(), rules))
        # Some tensors of every block of 18, and not the same ones.
        if unseen := list(seeding.blind(network, run, 1e-4, step=5 if layers == 18 else 17)):
            raise RuntimeError(f"Expected a golden that sees every tensor, it does not see {', '.join(unseen)}.")
        constants = golden.write_layout(FOLDER / f"iresnet{layers}.tsv", network.state_dict(), rules)
        if any(constants.values()):  # num_batches_tracked is 0, and a layout's constants are
            raise RuntimeError(f"Expected no constant but 0, got {constants}.")
        golden.write_golden(FOLDER / f"iresnet{layers}.json", source, {"vectors": run(network)[0]})


def run(network: torch.nn.Module) -> list[torch.Tensor]:
    crops = seeding.noise("crops", torch.Size([2, 3, 112, 112])).float()
    with torch.no_grad():
        return [network(crops)]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
