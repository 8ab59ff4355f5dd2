"""Parsing: images and the faces in them in, what each pixel shows out."""

from ..analyze import facexformer
from . import mesh_regions, rtnet, selfie_segmentation
from .regions import CLASSES, GROUPS, find_classes, to_mask

SYSTEMS = (mesh_regions.SYSTEM, selfie_segmentation.SYSTEM, facexformer.SYSTEM, rtnet.SYSTEM, rtnet.RESNET_SYSTEM)

__all__ = ["CLASSES", "GROUPS", "SYSTEMS", "find_classes", "to_mask"]
