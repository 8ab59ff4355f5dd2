"""Parsing: images and the faces in them in, what each pixel shows out."""

from torch import nn

from ..analyze import facexformer
from ..weights import OnnxSystem, System
from . import crfrp, easyportrait, mesh_regions, rtnet, selfie_segmentation
from .regions import CLASSES, GROUPS, find_classes, to_mask

SYSTEMS: tuple[System | OnnxSystem, ...] = (mesh_regions.SYSTEM, selfie_segmentation.SYSTEM, facexformer.SYSTEM)
SYSTEMS += (rtnet.SYSTEM, rtnet.RESNET_SYSTEM, easyportrait.SYSTEM, easyportrait.ONNX_SYSTEM)

__all__ = ["CLASSES", "GROUPS", "SYSTEMS", "choose_size", "crfrp", "find_classes", "to_mask"]


def choose_size(network: nn.Module, size: int | None) -> None:
    """Set the side of the square that a network sees, where its system was trained at several.

    Args:
        network: Of one of ``SYSTEMS``.
        size: Pixels; None where nobody chose: only a network of one size can do without.

    Raises:
        ValueError: It does not see pictures of that size, or has several and none was chosen.
    """
    sizes: tuple[int, ...] = getattr(network, "sizes", ())
    if size is None and len(sizes) < 2:
        size = sizes[0] if sizes else None
    elif size not in sizes:
        offered = f"a size among {', '.join(map(str, sizes))}" if sizes else "auto for the size"
        why = "nothing in its file says at which it was trained; its name may" if size is None else "it sees no other"
        raise ValueError(
            f"Expected {offered} for {type(network).__name__}, got {size or 'none'}: {why}. Set size on Load Face "
            "Parser."
        )
    vars(network)["size"] = size
