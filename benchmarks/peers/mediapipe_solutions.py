"""MediaPipe's own detector and face mesh: ``mediapipe_solutions.py detect|mesh|track frame.npy``."""

import sys

import mediapipe
import numpy
from serve import serve

task, file = sys.argv[1:]
image = numpy.load(file)
solutions = mediapipe.solutions
if task == "detect":
    network = solutions.face_detection.FaceDetection(model_selection=0, min_detection_confidence=0.5)
    found = network.process(image).detections
else:
    network = solutions.face_mesh.FaceMesh(static_image_mode=task == "mesh", refine_landmarks=True)
    found = network.process(image).multi_face_landmarks
if not found or len(found) != 1:
    sys.exit("Expected one face.")
serve(lambda: network.process(image))
