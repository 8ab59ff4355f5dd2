"""Face detection: images in, the faces in them out."""

from . import blazeface, mtcnn, scrfd, yunet

SYSTEMS = (yunet.SYSTEM, blazeface.SYSTEM, scrfd.SYSTEM, mtcnn.SYSTEM)
