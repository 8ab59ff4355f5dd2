"""Identity embedding: images and the faces in them in, one vector per face out."""

from ..weights import OnnxSystem, System
from . import arcface, dlib_resnet, e4e, facenet, flip, fsfm, stylegan_encoders
from .stylegan_encoders import choose_average

SYSTEMS: tuple[System | OnnxSystem, ...] = (dlib_resnet.SYSTEM, arcface.SYSTEM, arcface.ONNX_SYSTEM, facenet.SYSTEM)
SYSTEMS += (stylegan_encoders.SYSTEM, stylegan_encoders.RESTYLE_SYSTEM, fsfm.SYSTEM, flip.SYSTEM, e4e.SYSTEM)
METHODS = ("recognizability", "face_directions")  # published, each a module here, without a network of its own

__all__ = ["METHODS", "SYSTEMS", "choose_average"]
