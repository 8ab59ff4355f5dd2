"""Identity embedding: images and the faces in them in, one vector per face out."""

from . import dlib_resnet

SYSTEMS = (dlib_resnet.SYSTEM,)
