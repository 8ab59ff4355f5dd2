"""Identity embedding: images and the faces in them in, one vector per face out."""

from . import arcface, dlib_resnet, e4e, facenet, stylegan_encoders

SYSTEMS = (
    dlib_resnet.SYSTEM,
    arcface.SYSTEM,
    arcface.ONNX_SYSTEM,
    facenet.SYSTEM,
    stylegan_encoders.SYSTEM,
    e4e.SYSTEM,
)
METHODS = ("recognizability", "face_directions")  # published, each a module here, without a network of its own
