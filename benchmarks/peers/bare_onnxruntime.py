"""A graph in onnxruntime as its documentation runs it: ``bare_onnxruntime.py graph.onnx input.npy``."""

import sys

import numpy
import onnxruntime
from serve import serve

session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
feeds = {session.get_inputs()[0].name: numpy.load(sys.argv[2])}
serve(lambda: session.run(None, feeds))
