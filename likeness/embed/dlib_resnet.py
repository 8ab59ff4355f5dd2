"""dlib's face recognition network: 128 numbers per face, compared by their distance.

dlib_face_recognition_resnet_model_v1, http://blog.dlib.net/2017/02/high-quality-face-recognition-with-deep.html
The published pipeline puts 51 landmarks on dlib's mean face; five points do the same less steadily, best those of a
mesh: with a detector's own points the verdict held on photos in colour, with the mesh's on grey ones too.
Weights: CC0, as rebuilt from @vladmandic/face-api 1.7.15 (MIT); see models_manifest/starter/NOTICE.
"""

from __future__ import annotations

from torch import Tensor, nn

from .. import onnx
from ..geometry import align
from ..types import Embeddings, Faces
from ..weights import OnnxSystem
from .vectors import vectors

TEMPLATE, CROP_SIZE = "dlib", 150  # pixels, square
SIZE = 128  # of a vector
THRESHOLD = 0.6  # L2; source: dlib's dnn_face_recognition_ex.cpp


class DlibResNet(nn.Module):
    def __init__(self, model: onnx.Model) -> None:
        super().__init__()
        self.model = model
        self.space = f"dlib_resnet-{model.fingerprint}"

    def embed(self, image: Tensor, faces: Faces) -> Embeddings:
        """One identity vector per face.

        Args:
            image: (B, H, W, 3) RGB in [0, 1].
            faces: The faces in these images, with five points.
        """
        crops, _ = align(image, faces, TEMPLATE, CROP_SIZE)
        x = crops.movedim(-1, 1) * 255
        found = vectors(lambda part: self.model(part)["embedding"], x, SIZE)
        return Embeddings(faces, self.space, found, metric="l2", threshold=THRESHOLD)


SYSTEM = OnnxSystem(name="dlib_resnet", keys=("rgb", "embedding"), network=DlibResNet)
