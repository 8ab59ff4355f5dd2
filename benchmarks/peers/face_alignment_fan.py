"""face-alignment on faces whose boxes are known: ``face_alignment_fan.py weights.pth picture.npy boxes.npy on|off``.

The last says whether it compiles its network, as it does unless told not to.
"""

import sys

import numpy
from face_alignment import FaceAlignment, LandmarksType, api
from serve import serve

weights, picture, boxes = sys.argv[1], *map(numpy.load, sys.argv[2:4])
api.load_file_from_url = lambda url: weights
aligner = FaceAlignment(LandmarksType.TWO_D, device="cpu", face_detector="folder", compile=sys.argv[4] == "on")
serve(lambda: aligner.get_landmarks_from_image(picture, list(boxes)))
