"""Who somebody is: ArcFace beside bare onnxruntime, SCRFD's decoding beside InsightFace's own; a million searched."""

import tempfile
import time
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

from .memory import growth
from .race import Measure, NotRunError, Peer, Race

SIDE = 640  # pixels that SCRFD sees
ANCHORS = 4  # that are sure of one face
MILLION, SIZE = 1_000_000, 512


@cache
def folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="likeness-identity-"))


@cache
def r50() -> Path:
    """An ONNX file with the layers of ArcFace's network of 50, its values seeded."""
    import torch

    from likeness.embed.arcface import IResNet
    from tests.graphs import arcface

    torch.manual_seed(0)
    network = IResNet((64, 64, 128, 256, 512), (3, 4, 14, 3), 7, 512)
    path = folder() / "r50.onnx"
    path.write_bytes(arcface({name: tensor.numpy() for name, tensor in network.state_dict().items()}))
    return path


def crops(count: int):
    import torch

    return torch.rand(count, 3, 112, 112, generator=torch.Generator().manual_seed(0)) * 2 - 1


def embed(count: int) -> Callable[[], object]:
    import torch

    from likeness.onnx import Model, read

    x, network = crops(count), Model(read(r50()))

    def run() -> None:
        with torch.inference_mode():
            network(x)

    return run


def bare(count: int) -> Peer:
    try:
        import numpy
        import onnxruntime  # noqa: F401 - it runs in another process
    except ImportError as error:
        raise NotRunError(f"{error.name} is not installed") from error
    file = folder() / f"crops{count}.npy"
    numpy.save(file, crops(count).numpy())
    return Peer("bare_onnxruntime.py", (str(r50()), str(file)))


@cache
def crowd(count: int) -> list:
    """What SCRFD's graph gives of a picture of so many faces: scores, boxes and points by stride."""
    import numpy

    noise = numpy.random.RandomState(count)
    out = [noise.rand(2 * (SIDE // stride) ** 2, n).astype("float32") for n in (1, 4, 10) for stride in (8, 16, 32)]
    for level, stride in enumerate((8, 16, 32)):
        out[level] *= 0.4  # below the threshold
        side = SIDE // stride
        for face in range(level, count, 3):  # on a grid, so that none hides another
            row, column = (face // 10 + 0.5) * side / 10, (face % 10 + 0.5) * side / 10
            anchors = 2 * (int(row) * side + int(column) - 1) + numpy.arange(ANCHORS)
            beside = (numpy.arange(ANCHORS)[:, None] // 2 - 1) * [
                1,
                0,
                -1,
                0,
            ]  # cells right of it
            out[level][anchors] = 0.6 + 0.3 * noise.rand(ANCHORS, 1).astype("float32")
            out[level + 3][anchors] = 20 / stride + beside
    return out


def decode(count: int) -> Callable[[], object]:
    import torch

    from likeness.detect.scrfd import decode, pick

    out = [torch.from_numpy(part) for part in crowd(count)]

    def run() -> int:
        with torch.inference_mode():
            score, box, points = decode(out, (SIDE, SIDE), 0.5)
            keep = pick(box, score)
            return len(box[keep]) + len(points[keep])

    if run() != 2 * count:
        raise RuntimeError(f"Expected {count} faces, got {run() / 2}.")
    return run


def wheel(count: int) -> Peer:
    import numpy

    file = folder() / f"crowd{count}.npz"
    numpy.savez(file, *crowd(count))
    return Peer("insightface_scrfd.py", (str(file), str(count)), environment="insightface")


@cache
def million() -> Path:
    """A saved set of a million identities."""
    import torch

    from likeness.identity.file import save
    from likeness.identity.gallery import Gallery
    from likeness.types import Embeddings

    vectors = torch.randn(MILLION, SIZE, generator=torch.Generator().manual_seed(0))
    return save(Gallery(Embeddings(None, "arcface-1", vectors)), folder() / "million.safetensors")


def search(queries: int) -> Callable[[], object]:
    import torch

    from likeness.identity.file import load
    from likeness.identity.search import find
    from likeness.types import Embeddings

    gallery = load(million()).gallery
    who = Embeddings(None, "arcface-1", torch.randn(queries, SIZE, generator=torch.Generator().manual_seed(1)))

    def run() -> None:
        with torch.inference_mode():
            find(gallery, who, 5)

    run()  # lengths are read once
    return run


def product(queries: int) -> Peer:
    import numpy
    import torch

    file = folder() / f"queries{queries}.npy"
    numpy.save(file, torch.randn(queries, SIZE, generator=torch.Generator().manual_seed(1)).numpy())
    start = million().stat().st_size - MILLION * SIZE * 4
    return Peer("bare_product.py", (str(million()), str(start), str(MILLION), str(SIZE), str(file)))


def search_memory() -> float:
    """Megabytes beside the set, its loading and its lengths included."""
    million()
    return growth(lambda: search(16)())


@cache
def heap() -> tuple:
    """Ten thousand faces, two in a hundred between two people, and whose they are."""
    from tests.crowds import crowd, known

    vectors, who = crowd(10000, 500)
    return known(vectors), who


def group() -> float:
    from likeness.identity.cluster import cluster

    begun = time.perf_counter()
    cluster(heap()[0], 0.35)
    return time.perf_counter() - begun


def group_memory() -> float:
    heap()
    return growth(group)


def group_wrong() -> float:
    from likeness.identity.cluster import cluster
    from tests.crowds import bcubed

    known, who = heap()
    return 1 - bcubed(cluster(known, 0.35).label.tolist(), who.tolist())


ROWS = (
    *(
        Race(
            f"identity/arcface/{count}", f"batch {count}, 50 layers, engine auto", partial(embed, count),
            "bare onnxruntime", partial(bare, count), 0.95,
        )
        for count in (1, 16)
    ),
    *(
        Race(
            f"identity/scrfd/{count}", f"decode and NMS at {SIDE}, faces: {count}", partial(decode, count),
            "insightface 2.1, the same arrays", partial(wheel, count), target,
        )
        for count, target in ((1, 2.0), (10, 2.0), (30, 2.0), (100, 1.3))
    ),
    *(
        Race(
            f"identity/find/{count}", f"the 5 nearest of {MILLION} x {SIZE}, mapped, to {count}",
            partial(search, count), "the bare matrix product", partial(product, count), 1 / 1.2,
        )
        for count in (1, 16)
    ),
    Measure("identity/find/memory", "peak beside the mapped set, 16 looked for", search_memory, 300, "MB", 1),
    Measure("identity/cluster", "10000 x 512 into persons", group, 3, times=3),
    Measure("identity/cluster/memory", "peak beside the faces", group_memory, 500, "MB", 1),
    Measure("identity/cluster/wrong", "1 - BCubed F with 2 in 100 faces between two people", group_wrong, 0.05, "", 1),
)  # fmt: skip
