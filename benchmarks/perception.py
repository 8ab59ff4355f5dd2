"""Systems that look at faces, beside their authors' packages, both with the same seeded weights."""

import shutil
import tempfile
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

from .per_frame import frame
from .race import Measure, NotRunError, Peer, Race, by_turns, checkout, timer

STACKS, WIDTH = 4, 256  # as the published FAN
SIDE = 513  # pixels, as RTNet sees


@cache
def fan_weights() -> dict:
    """A state dict of FAN: random, of activations that neither fade nor explode."""
    import torch

    from likeness.landmark.fan import FAN

    torch.manual_seed(0)
    tensors = FAN(STACKS, WIDTH).state_dict()
    for tensor in tensors.values():
        if tensor.ndim > 1:
            torch.nn.init.normal_(tensor, std=(1 / tensor[0].numel()) ** 0.5)
    return tensors


def boxes(count: int):
    """(N, 4) the astronaut's face, moved a little each time."""
    import torch

    return torch.tensor([[179.0, 63, 270, 174]]) + torch.arange(count)[:, None]


def fan(count: int) -> Callable[[], object]:
    import torch

    from likeness import landmark
    from likeness.types import Faces
    from likeness.weights import build

    image, network, index = frame(), build(fan_weights(), landmark.SYSTEMS), torch.arange(count)
    faces = Faces((image.shape[1], image.shape[2]), 1, index, index * 0, boxes(count), torch.ones(count))

    def run() -> None:
        with torch.inference_mode():
            network.landmarks(image, faces)

    return run


def face_alignment(count: int, compiled: str) -> Peer:
    import numpy
    import torch

    if compiled == "on" and not shutil.which("g++"):
        raise NotRunError("g++ is not installed, without which face-alignment does not compile")
    folder = Path(tempfile.mkdtemp())
    torch.save(fan_weights(), folder / "weights.pth")
    numpy.save(folder / "picture.npy", (frame()[0] * 255).byte().numpy())
    numpy.save(folder / "boxes.npy", boxes(count).double().numpy())
    files = (str(folder / name) for name in ("weights.pth", "picture.npy", "boxes.npy"))
    return Peer("face_alignment_fan.py", (*files, compiled), "face-alignment")


@cache
def facexformer() -> tuple:
    """FaceXFormer of the published size, random, and the crop of a face."""
    import torch

    from likeness.analyze.facexformer import FaceXFormer

    torch.manual_seed(0)
    network = FaceXFormer(128, (2, 2, 18, 2), (4, 8, 16, 32), 256, 2048, 2).eval().requires_grad_(False)
    return network, torch.randn(1, 3, 224, 224)


def facexformer_heads() -> float:
    """The time of all heads, in that of the backbone and the decoder's transformer alone."""
    import torch

    network, crops = facexformer()

    def alone() -> None:
        with torch.inference_mode():
            features = network.features(crops)
            network.face_decoder.ask(features, network.place(features))

    def whole() -> None:
        with torch.inference_mode():
            network(crops)

    _, _, ratio = by_turns(timer(alone), timer(whole), pairs=3)
    return ratio


def roi_warp(operator: str) -> Callable[[], object]:
    """An operator on the astronaut's face, 513 pixels a side."""
    import torch

    from likeness import roi_tanh

    run, box = getattr(roi_tanh, operator), boxes(1)
    keep = {} if operator in ("roi_tanh_warp", "roi_tanh_restore") else {"keep_aspect_ratio": True}
    image = torch.nn.functional.interpolate(frame().movedim(-1, 1), (SIDE, SIDE), mode="bilinear").contiguous()

    def once() -> None:
        with torch.inference_mode():
            run(image, box, SIDE, SIDE, **keep)

    return once


def roi_warp_opencv(operator: str) -> Peer:
    import torch

    file = checkout("roi_tanh_warping") / "ibug/roi_tanh_warping/reference_impl.py"
    return Peer("roi_tanh_opencv.py", (str(file), operator, str(SIDE), str(torch.get_num_threads())), "faces")


ROI_WARPS = tuple(
    Race(
        f"perception/{operator}",
        f"a picture of {SIDE}, float",
        partial(roi_warp, operator),
        "roi_tanh_warping's reference, OpenCV, bytes",
        partial(roi_warp_opencv, operator),
        target=0.6 if operator == "roi_tanh_warp" else 1.0,
    )
    for operator in (f"roi_tanh{mode}_{way}" for way in ("warp", "restore") for mode in ("", "_polar", "_circular"))
)
ROWS: tuple[Race | Measure, ...] = (
    Measure(
        "perception/facexformer/heads",
        "FaceXFormer with all heads, in times of its backbone and decoder",
        facexformer_heads,
        limit=1.05,
        unit="x",
        times=5,
    ),
)
ROWS += ROI_WARPS
ROWS += tuple(
    Race(
        f"perception/fan/{count}{'' if compiled == 'on' else '/eager'}",
        f"68 landmarks of {count} face{'s' * (count > 1)}, flipped too",
        partial(fan, count),
        f"face-alignment 1.5.0, compile {compiled}",
        partial(face_alignment, count, compiled),
        target=0.95,
    )
    for count in (1, 16)
    for compiled in ("on", "off")
)
