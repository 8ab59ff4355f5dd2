"""Face detection: images in, the faces in them out."""

from . import blazeface, yunet

SYSTEMS = (yunet.SYSTEM, blazeface.SYSTEM)
