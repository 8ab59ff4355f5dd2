"""The RoI tanh warps' reference: ``roi_tanh_opencv.py reference_impl.py operator side threads``.

The astronaut's face in a picture of random bytes: what is in it costs nothing more or less.
"""

import importlib.util
import sys

import cv2
import numpy
from serve import serve

file, operator, side, threads = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])
cv2.setNumThreads(threads)
spec = importlib.util.spec_from_file_location("reference_impl", file)  # its package would import torch
reference = importlib.util.module_from_spec(spec)
spec.loader.exec_module(reference)
keep = {} if operator in ("roi_tanh_warp", "roi_tanh_restore") else {"keep_aspect_ratio": True}
picture = numpy.random.default_rng(0).integers(0, 256, (side, side, 3), numpy.uint8)
box, run = numpy.array([179.0, 63, 270, 174]), getattr(reference, operator)
serve(lambda: run(picture, box, side, side, **keep))
