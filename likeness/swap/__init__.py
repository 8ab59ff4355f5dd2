"""Face swapping: target images and their faces, and a source face in; the targets with that face, and where, out."""

from . import mesh_swap

SYSTEMS = (mesh_swap.SYSTEM,)
