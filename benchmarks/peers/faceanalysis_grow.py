"""FaceAnalysis grows a mask: ``faceanalysis_grow.py CHECKOUT given.npz PIXELS``."""

import sys

import numpy
import torch
from absent import load, stand_in
from serve import serve

folder, file, pixels = sys.argv[1:]
stand_in("dlib", "insightface", "insightface.app", "comfy", "comfy.utils", "folder_paths", "color_matcher")
sys.modules["folder_paths"].models_dir = "."
(analysis,) = load(folder, "faceanalysis")
mask = torch.from_numpy(numpy.load(file)["mask"])
serve(lambda: analysis.expand_mask(mask, int(pixels), True))
