"""Each starter graph: the engine ``auto`` against bare onnxruntime, and the torch engine against onnxruntime."""

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from .race import NotRunError, Peer, Race

WEIGHTS = Path(__file__).parents[1] / "models_manifest/starter/weights"
GRAPHS = sorted(WEIGHTS.glob("*.onnx"))


def example(path: Path):
    """An input of a graph: noise, one image."""
    import torch

    from likeness.onnx import read

    graph = read(path)
    shape = [size or 1 for size in graph.shapes[graph.inputs[0]]]
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


def model(path: Path, engine: str) -> Callable[[], object]:
    import torch

    from likeness.onnx import Model, read

    torch.set_grad_enabled(False)  # for good, as ComfyUI does around all of a workflow
    return partial(Model(read(path), engine), example(path))


def bare(path: Path) -> Peer:
    try:
        import numpy
        import onnxruntime  # noqa: F401 - it runs in another process
    except ImportError as error:
        raise NotRunError(f"{error.name} is not installed") from error
    file = Path(tempfile.mkdtemp()) / "input.npy"
    numpy.save(file, example(path).numpy())
    return Peer("bare_onnxruntime.py", (str(path), str(file)))


ROWS = tuple(
    Race(
        f"onnx/{engine}/{path.stem}",
        "one image",
        partial(model, path, engine),
        "bare onnxruntime",
        partial(bare, path),
        target,
    )
    for engine, target in (("auto", 0.95), ("torch", None))
    for path in GRAPHS
)
