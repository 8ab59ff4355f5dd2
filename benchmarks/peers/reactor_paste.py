"""ReActor's INSwapper puts a face that is already made into a picture: ``reactor_paste.py CHECKOUT given.npz``.

Its network is replaced by the face, so that the crop and the paste alone are timed.
"""

import sys

import numpy
from absent import load, stand_in
from serve import serve

folder, file = sys.argv[1:]
stand_in("onnxruntime")
(inswap,) = load(f"{folder}/reactor_core", "inswap")
given = numpy.load(file)
picture, face = given["picture"], given["face"]


class Session:
    def run(self, names, feeds):
        return [face.transpose(2, 0, 1)[None]]


class Person:
    kps, normed_embedding = given["kps"], numpy.ones(512, numpy.float32) / 512**0.5


swapper = object.__new__(inswap.INSwapper)
swapper.session, swapper.input_names, swapper.output_names = Session(), ["target", "source"], ["output"]
swapper.input_size, swapper.input_mean, swapper.input_std = face.shape[:2], 0.0, 255.0
swapper.emap = numpy.eye(512, dtype=numpy.float32)
serve(lambda: swapper.get(picture, Person, Person))
