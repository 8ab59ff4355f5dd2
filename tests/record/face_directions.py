"""What the W+ adapter's own functions make of seeded directions: ``python tests/record/face_directions.py CHECKOUT``.

Writes the golden file of tests/embed/test_face_directions.py. CHECKOUT is one of
https://github.com/csxmli2016/w-plus-adapter. The functions read files by their place; here they find seeded ones.
"""

import os
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[2]))
import golden
import seeding

FOLDER = Path(__file__).parents[1] / "checkpoints/face_directions"
STRENGTH = -3.0
TABLE = "older\t3\t2\t5\t20\nhair\t1\t8\t18\t-4\n"  # made up, in the layout of theirs


def seeded(name: str, *shape: int) -> torch.Tensor:
    return seeding.noise(name, torch.Size(shape)).float()


def write_files(folder: Path) -> None:
    """Seeded files of the three sets, where the authors look for theirs."""
    places = {name: folder / "w_direction" / name for name in ("interfacegan_directions", "latent_directions")}
    places["gan_space"] = folder / "w_direction/gan_space"
    for place in places.values():
        place.mkdir(parents=True)
    torch.save(seeded("interfacegan", 1, 512), places["interfacegan_directions"] / "age.pt")
    np.save(places["latent_directions"] / "age.npy", seeded("latent", 18, 512).double().numpy())
    pca = {"mean": seeded("mean", 1, 512), "comp": seeded("comp", 4, 1, 512), "std": seeded("std", 4).abs() + 1}
    torch.save(pca, places["gan_space"] / "ffhq_pca.pt")
    (places["gan_space"] / "ganspace_configs.csv").write_text(TABLE)


def main(checkout: Path) -> None:
    sys.path.insert(0, str(checkout / "script"))
    import utils_direction as theirs

    code, commit = seeded("code", 1, 18, 512), golden.commit(checkout)
    with tempfile.TemporaryDirectory() as folder:
        write_files(Path(folder))
        os.chdir(folder)
        made = {"interfacegan": code + STRENGTH * theirs.get_direction_from_interfacegan("age")}
        latent = code.clone()  # as their notebook does it: the first eight layers
        latent[:, :8] = (code + STRENGTH * theirs.get_direction_from_latentdirection("age"))[:, :8].float()
        made["latent"] = latent
        for name in ("older", "hair"):
            made[name] = code + theirs.get_direction_from_ganspace(name, code, STRENGTH)
    source = {
        "repository": "https://github.com/csxmli2016/w-plus-adapter",
        "commit": commit,
        "file": "script/utils_direction.py, test_demo.ipynb",
        "class": "get_direction_from_interfacegan, get_direction_from_latentdirection, get_direction_from_ganspace",
    }
    golden.write_golden(FOLDER / "golden.json", source, made)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
