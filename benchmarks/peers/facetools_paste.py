"""facetools' Warp Faces Back puts crops into a picture: ``facetools_paste.py CHECKOUT given.npz``."""

import sys
from types import SimpleNamespace

import numpy
import torch
from absent import load, stand_in
from serve import serve

folder, file = sys.argv[1:]
stand_in("mediapipe", "ultralytics", "onnxruntime", "transformers", "folder_paths", "skimage", "scipy.spatial")
utils, nodes = load(folder, "utils", "nodes")
given = numpy.load(file)
picture = torch.from_numpy(given["picture"])[None]
crops, matrices = torch.from_numpy(given["crops"]), list(given["matrices"])
masks = torch.from_numpy(given["masks"])
faces = [SimpleNamespace(image_idx=0, img=picture[0])] * len(crops)
node = nodes.WarpFaceBack()
serve(lambda: node.run(picture, faces, crops, masks, matrices))
