"""Reenactment: one face of a photo moves as the face of a video does.

Every system's network has four verbs, so that one node serves them all:

* ``prepare(image, faces)`` takes the photo and its one face, and gives what it moves, of a type of its own;
* ``motion(driving, faces)`` takes a chunk of the driving video and its faces, and gives a small value, a row per face;
* ``cautions(source, motion)`` gives sentences about what will not look right;
* ``reenact(source, motion, settings)`` takes a row of motion per frame, and gives the frames one by one: (H, W, 3) the
  photo moved and (H, W) where it was.
"""

from . import mesh_warp

SYSTEMS = (mesh_warp.SYSTEM,)
