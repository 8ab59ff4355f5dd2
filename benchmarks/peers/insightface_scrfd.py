"""InsightFace's SCRFD from what its graph gave to the faces: ``insightface_scrfd.py crowd.npz faces``.

The graph is left out, and making its input: what is timed is forward's decoding, the sorting and the NMS of detect.
"""

import sys
from types import SimpleNamespace

import numpy
from insightface.model_zoo.scrfd import SCRFD
from serve import serve

arrays = numpy.load(sys.argv[1])
outputs = [arrays[name] for name in arrays.files]
side = 640
session = SimpleNamespace(
    get_inputs=lambda: [SimpleNamespace(name="input.1", shape=[1, 3, "?", "?"])],
    get_outputs=lambda: [SimpleNamespace(name=str(i), shape=list(out.shape)) for i, out in enumerate(outputs)],
    run=lambda *_: outputs,
)
detector = SCRFD(session=session)
blob, picture = numpy.zeros((1, 3, side, side), numpy.float32), numpy.zeros((side, side, 3), numpy.uint8)
detector._prepare_input_blob = lambda *_: blob
detector._session_for_input_size = lambda *_: session


def run():
    scores, boxes, points = (numpy.vstack(parts) for parts in detector.forward(picture, 0.5))
    order = numpy.argsort(-scores.ravel(), kind="stable")
    found = numpy.hstack((boxes, scores)).astype(numpy.float32, copy=False)[order]
    keep = detector.nms(found)
    return found[keep], points[order][keep]


if len(run()[0]) != int(sys.argv[2]):
    sys.exit(f"Expected {sys.argv[2]} faces, got {len(run()[0])}.")
serve(run)
