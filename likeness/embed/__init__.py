"""Identity embedding: images and the faces in them in, one vector per face out."""

from . import arcface, dlib_resnet, facenet, stylegan_encoders

SYSTEMS = (dlib_resnet.SYSTEM, arcface.SYSTEM, arcface.ONNX_SYSTEM, facenet.SYSTEM, stylegan_encoders.SYSTEM)
METHODS = ("recognizability",)  # published, each a module here, without a network of its own
