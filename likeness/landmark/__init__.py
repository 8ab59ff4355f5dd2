"""Dense landmarks: images and the faces in them in, the points of each face out."""

from . import mediapipe_face, mediapipe_mesh

SYSTEMS = (mediapipe_mesh.ATTENTION, mediapipe_mesh.BASE, mediapipe_face.SYSTEM)
