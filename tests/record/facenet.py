"""What facenet-pytorch's network gives on seeded weights: ``python tests/record/facenet.py CHECKOUT``.

Writes the layouts and the golden file of tests/embed/test_facenet.py. CHECKOUT is one of
https://github.com/timesler/facenet-pytorch. Different faces' vectors lie close together: "apart" is what is left of
them without their mean, so its deviation is the spread between faces.
"""

import sys
from pathlib import Path
from types import ModuleType

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[2]))
import golden
import seeding

FOLDER = Path(__file__).parents[1] / "checkpoints/facenet"
RELEASES = {"facenet_vggface2": 8631, "facenet_casia_webface": 10575}  # classes


def main(checkout: Path) -> None:
    sys.path.insert(0, str(checkout))
    sys.modules["requests"] = requests = ModuleType("requests")  # it would fetch weights
    requests.adapters = sys.modules["requests.adapters"] = ModuleType("requests.adapters")
    requests.adapters.HTTPAdapter = object
    from models.inception_resnet_v1 import InceptionResnetV1

    network = InceptionResnetV1().eval()
    rules = seeding.calibrate(network, seeding.plan(InceptionResnetV1), run)
    network.load_state_dict(seeding.fill(network.state_dict(), rules))
    # Some tensors of every block; it pools to a point, so smaller crops show as well what is seen.
    if unseen := list(seeding.blind(network, lambda network: run(network, 80), 1e-4, step=5)):
        raise RuntimeError(f"Expected a golden that sees every tensor, it does not see {', '.join(unseen)}.")
    source = {
        "repository": "https://github.com/timesler/facenet-pytorch",
        "commit": golden.commit(checkout),
        "file": "models/inception_resnet_v1.py",
        "class": "InceptionResnetV1",
    }
    vectors, apart = run(network)
    golden.write_golden(FOLDER / "golden.json", source, {"vectors": vectors, "apart": apart})
    for name, classes in RELEASES.items():
        published = InceptionResnetV1(classify=True, num_classes=classes).state_dict()
        unused = {key: (0.0, 0.0) for key in published if key not in rules}
        constants = golden.write_layout(FOLDER / f"{name}.tsv", published, rules | unused)
        if any(constants.values()):  # num_batches_tracked is 0, and a layout's constants are
            raise RuntimeError(f"Expected no constant but 0, got {constants}.")


def run(network: torch.nn.Module, side: int = 160) -> list[torch.Tensor]:
    crops = seeding.noise("crops", torch.Size([3, 3, side, side])).float()
    with torch.no_grad():
        vectors = network(crops)
        return [vectors, vectors - vectors.mean(0)]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
