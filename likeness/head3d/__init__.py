"""Heads in three dimensions: images and the faces in them in, one mesh and its texture per face out."""

from . import canonical_head

SYSTEMS = (canonical_head.SYSTEM,)
