"""Face detection: images in, the faces in them out."""

from . import yunet

SYSTEMS = (yunet.SYSTEM,)
