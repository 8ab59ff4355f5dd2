"""Golden files: what the authors' code gave on seeded values, kept as a few numbers, and how far ours is from it.

Recording side: ``write_layout`` and ``write_golden`` into tests/checkpoints/<system>/. Test side: ``network`` and
``difference``.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

import seeding
from likeness.weights import OnnxSystem, System, build

FOLDER = Path(__file__).with_name("checkpoints")
SAMPLES = 64  # numbers of an output that are kept


def write_layout(path: Path, state_dict: Mapping[str, Tensor], rules: seeding.Plan) -> dict[str, list]:
    """Write a line per tensor; the tensors that are constants, not seeded, come back for the golden file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines, constants = [], {}
    for name, tensor in state_dict.items():
        rule = rules[name]
        if isinstance(rule, Tensor):
            constants[name], rule = rule.tolist(), (0.0, 0.0)
        shape = " ".join(map(str, tensor.shape))
        lines.append(f"{name}\t{str(tensor.dtype).removeprefix('torch.')}\t{shape}\t{rule[0]!r}\t{rule[1]!r}")
    path.write_text("\n".join(lines) + "\n")
    return constants


def write_golden(
    path: Path, source: Mapping[str, str], outputs: Mapping[str, Tensor], constants: Mapping[str, list] = {}
) -> None:
    """Write what the authors' code gave.

    Args:
        path: tests/checkpoints/<system>/<name>.json.
        source: Repository, commit, file and class; see ``commit``.
        outputs: By name.
        constants: As ``write_layout`` gave them.
    """
    kept = {name: summary(tensor) for name, tensor in outputs.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**source, "outputs": kept, "constants": dict(constants)}, indent=1) + "\n")


def commit(checkout: Path) -> str:
    """The commit of a checkout or bare repository."""
    call = ["git", "-C", str(checkout), "rev-parse", "HEAD"]
    return subprocess.run(call, check=True, capture_output=True, text=True).stdout.strip()


def sha256(*files: Path) -> str:
    """Of the files one after another."""
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def summary(tensor: Tensor) -> dict:
    flat = tensor.detach().flatten().double()
    step = max(1, len(flat) // SAMPLES)
    return {
        "shape": list(tensor.shape),
        "mean": float(flat.mean()),
        "std": float(flat.std(correction=0)),
        "step": step,
        "values": flat[::step].tolist(),
    }


def state_dict(layout: Path, golden: Path | None = None) -> dict[str, Tensor]:
    """The seeded state dict of a recorded layout, its constants from the golden file."""
    tensors, rules = seeding.read_layout(layout)
    constants = json.loads(golden.read_text())["constants"] if golden else {}
    rules |= {name: torch.tensor(value) for name, value in constants.items() if name in rules}
    return seeding.fill(tensors, rules)


def network(layout: Path, systems: Iterable[System | OnnxSystem], golden: Path | None = None) -> nn.Module:
    """Our network with the seeded values of a recorded layout."""
    return build(state_dict(layout, golden), systems)


def difference(golden: Path, name: str, got: Tensor) -> float:
    """The largest difference of an output from the authors', in deviations of theirs.

    Raises:
        ValueError: It has another shape.
    """
    kept = json.loads(golden.read_text())["outputs"][name]
    if list(got.shape) != kept["shape"]:
        raise ValueError(f"Expected {name} of shape {kept['shape']}, got {list(got.shape)}.")
    flat = got.detach().flatten().double()
    moments = torch.tensor([flat.mean() - kept["mean"], flat.std(correction=0) - kept["std"]], dtype=torch.float64)
    apart = torch.cat([moments, flat[:: kept["step"]] - torch.tensor(kept["values"], dtype=torch.float64)])
    return float(apart.abs().max()) / kept["std"]
