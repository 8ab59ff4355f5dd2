"""Dense landmarks: images and the faces in them in, the points of each face out."""

from . import mediapipe_mesh

SYSTEMS = (mediapipe_mesh.ATTENTION, mediapipe_mesh.BASE)
