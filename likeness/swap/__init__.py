"""Faces replaced in pictures: by another person's, or by the same one restored.

``SYSTEMS`` take target images and their faces, and a source face, and give the targets with that face, and where.
``RESTORERS`` take images and their faces, and give the images with the faces restored, and the restored crops.
"""

from . import mesh_swap, restorer

SYSTEMS = (mesh_swap.SYSTEM,)
RESTORERS = (restorer.SYSTEM,)
