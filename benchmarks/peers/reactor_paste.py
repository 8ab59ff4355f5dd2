"""ReActor puts a face that is already made into a picture: ``reactor_paste.py CHECKOUT given.npz``."""

import sys

import numpy
from absent import load
from serve import serve

folder, file = sys.argv[1:]
(swapper,) = load(f"{folder}/scripts/r_faceboost", "swapper")
with numpy.load(file) as given:
    picture, face, matrix = given["picture"], given["face"], given["matrix"]
serve(lambda: swapper.in_swap(picture, face, matrix))
