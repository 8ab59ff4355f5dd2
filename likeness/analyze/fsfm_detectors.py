"""FSFM's detectors: how much a face looks forged, made by a model, or shown to the camera. Scores, never a verdict.

FSFM: A Generalizable Face Security Foundation Model via Self-Supervised Facial Representation Learning, CVPR 2025.
https://arxiv.org/abs/2412.12032; FS-VFM, https://arxiv.org/abs/2510.10663.
Weights: finetuned_models of Wolowolo/fsfm-3c on Hugging Face; they and the code (wolo-wolo/FSFM-CVPR25) are CC BY-NC
4.0.

Three kinds, told apart by their tensors. Two classes, fake and real: folders in the alphabet's order, as torchvision
numbers them (fake_* before real_*). Four classes: real, deepfake, diffusion, spoof, in the order in which the authors'
README lists them; no file states it. The anti-spoofing network of the MCIO protocol: spoof and real, by the labels 0
and 1 of its training. A score is a share that sums to 1 with the others, calibrated on nothing: a photo of another make
than the training's may get any. Scores are measures, so that no label is ever told of a face.

How pictures were prepared is in no tensor, and the two-class checkpoints differ in it: ``PUBLISHED`` has it by id.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ..embed.fsfm import EPS, VGGFACE2, Preparation, VisionTransformer, crop, normalise, shape
from ..geometry import check_image, cut, similarity_fit
from ..types import Attributes, Faces
from ..weights import StateDict, System, UnsupportedCheckpointError
from .analysis import Analysis

LABELS = {2: ("fake", "real"), 4: ("real", "deepfake", "diffusion", "spoof")}
SPOOF_LABELS = ("spoof", "real")
TOGETHER = 16  # faces at a time
PREPARATIONS = {
    "vggface2": VGGFACE2,
    "vggface2_centre": Preparation(VGGFACE2.mean, VGGFACE2.deviation, 256),
    "imagenet_centre": Preparation((0.485, 0.456, 0.406), (0.229, 0.224, 0.225), 256),
}
# As the authors' scripts evaluate each; those of FS-VFM without their simple augmentation, which cuts the middle out.
PUBLISHED = {
    "fsfm_detectors/ffpp_c23": "vggface2_centre",
    "fsfm_detectors/ffpp_df_fe": "imagenet_centre",
    "fsfm_detectors/fsvfm_b_ffpp_c23": "vggface2",
    "fsfm_detectors/fsvfm_b_ffpp_df": "vggface2",
}
# Of the chip that anti-spoofing data are cut to: eyes, nose and mouth corners as shares of it, before its padding.
# Source: mxnet_mtcnn_face_detection, extract_image_chips; the authors ask for 224 pixels with a padding of 0.37.
CHIP = torch.tensor(
    [[0.224152, 0.2119465], [0.75610125, 0.2119465], [0.490127, 0.628106], [0.254149, 0.780233], [0.726104, 0.780233]]
)
PADDING = 0.37
BETWEEN_EYES = torch.tensor([0.5, 0.4])  # where the chip has the middle between the eyes


class Detector(VisionTransformer):
    """(N, 3, 224, 224) normalised pictures to (N, K) logits."""

    needs_faces = True

    def __init__(self, width: int, classes: int, **transformer: Any) -> None:
        super().__init__(width, **transformer)
        self.fc_norm, self.head = nn.LayerNorm(width, EPS), nn.Linear(width, classes)
        self.labels = LABELS[classes]
        self.preparations = tuple(PREPARATIONS) if classes == 2 else ("vggface2",)
        self.preparation: str | None = None if classes == 2 else "vggface2"

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.head(self.fc_norm(self.tokens(x)[:, 1:].mean(1)))
        return made

    def analyze(self, image: Tensor, faces: Faces) -> Analysis:
        """The scores of each face, as measures in the labels' published order.

        Args:
            image: (B, H, W, 3) RGB in [0, 1].
            faces: The faces in these images; boxes are enough.

        Raises:
            ValueError: Nobody said how its pictures are prepared.
        """
        if self.preparation is None:
            raise ValueError(
                f"Expected a preparation among {', '.join(self.preparations)}, got none: see choose_preparation."
            )
        return scores(self, crop(image, faces, PREPARATIONS[self.preparation], self.side), faces, self.labels)


class Embedder(nn.Module):
    """The bottleneck before the anti-spoofing classifier."""

    def __init__(self, width: int, size: int) -> None:
        super().__init__()
        self.bottleneck_layer_fc = nn.Linear(width, size)

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, D) features; each is divided by what all tokens of the picture have of it together."""
        found: Tensor = self.bottleneck_layer_fc(x).relu()
        return found / (2 * found.norm(dim=1, keepdim=True).clamp(min=1e-12)).sqrt()


class Classifier(nn.Module):
    """Linear, the weights of each feature of unit length over the classes."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.classifier_layer = nn.Linear(size, len(SPOOF_LABELS))

    def forward(self, x: Tensor) -> Tensor:
        weight = self.classifier_layer.weight
        return nn.functional.linear(x, weight / weight.norm(dim=0, keepdim=True), self.classifier_layer.bias)


class Backbone(nn.Module):
    """The transformer, its class token replaced by the normed mean of the patches."""

    def __init__(self, **transformer: Any) -> None:
        super().__init__()
        self.vit = VisionTransformer(**transformer)
        self.vit.fc_norm = nn.LayerNorm(transformer["width"], EPS)

    def forward(self, x: Tensor) -> Tensor:
        patches = self.vit.tokens(x)[:, 1:]
        return torch.cat([self.vit.get_submodule("fc_norm")(patches.mean(1, keepdim=True)), patches], 1)


class SpoofDetector(nn.Module):
    """(N, 3, 224, 224) normalised chips to (N, 2) logits."""

    needs_faces = True

    def __init__(self, size: int, **transformer: Any) -> None:
        super().__init__()
        self.backbone, self.embedder = Backbone(**transformer), Embedder(transformer["width"], size)
        self.classifier = Classifier(size)
        self.labels = SPOOF_LABELS

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.classifier(self.embedder(self.backbone(x))[:, 0])
        return made

    def analyze(self, image: Tensor, faces: Faces) -> Analysis:
        """The scores of each face; see ``Detector.analyze``.

        Args:
            image: (B, H, W, 3) RGB in [0, 1].
            faces: The faces in these images, with five points.
        """
        return scores(self, chip(image, faces, self.backbone.vit.side), faces, self.labels)


def scores(network: nn.Module, crops: Tensor, faces: Faces, labels: tuple[str, ...]) -> Analysis:
    """What a detector gives for each face, one measure per class; they sum to 1."""
    like = next(network.parameters())
    parts = [torch.zeros(0, len(labels))]
    for start in range(0, len(crops), TOGETHER):
        parts.append(network(crops[start : start + TOGETHER].to(like)).float().softmax(-1).cpu())
    names = tuple(f"score_{label}" for label in labels)
    return Analysis(faces, Attributes(faces, (), torch.zeros(len(faces), 0), names, torch.cat(parts)))


def chip(image: Tensor, faces: Faces, side: int) -> Tensor:
    """(N, 3, side, side) the normalised chips: turned and scaled by five points, black outside the picture.

    Raises:
        ValueError: The faces have boxes only.
    """
    check_image(image, faces)
    if faces.kps is None:
        raise ValueError(
            "Expected faces with five points, got boxes only: this detector sees faces turned upright; use a detector "
            "of faces that gives points."
        )
    chips = cut(image, faces.image_index, chip_matrix(faces.kps, side), side, border=False)
    return normalise(chips.movedim(-1, 1), VGGFACE2)


def chip_matrix(kps: Tensor, side: int) -> Tensor:
    """(N, 2, 3) image pixels to a chip's: turned and scaled as fits best, moved so that the eyes lie in their place."""
    linear = similarity_fit(kps, (CHIP + PADDING) / (1 + 2 * PADDING) * side)[..., :2]
    eyes = kps[:, :2].mean(1)
    shift = BETWEEN_EYES * side - (linear @ eyes[..., None])[..., 0]
    return torch.cat([linear, shift[..., None]], -1)


def hparams(state_dict: StateDict) -> dict[str, Any]:
    """The detector's arguments, read off tensor shapes."""
    classes = len(state_dict["head.weight"])
    if classes not in LABELS:
        raise UnsupportedCheckpointError(
            f"Expected a detector of {' or '.join(map(str, LABELS))} classes, got {classes}: what they mean is not "
            "published."
        )
    return {**shape(state_dict), "classes": classes}


def spoof_hparams(state_dict: StateDict) -> dict[str, Any]:
    """The anti-spoofing network's arguments, read off tensor shapes."""
    size = len(state_dict["embedder.bottleneck_layer_fc.weight"])
    return {**shape(state_dict, "backbone.vit."), "size": size}


SYSTEM = System(
    name="fsfm_detectors",
    keys=("blocks.0.attn.qkv.weight", "pos_embed", "fc_norm.weight", "head.weight"),
    hparams=hparams,
    network=Detector,
)
SPOOF_SYSTEM = System(
    name="fsfm_detectors",
    keys=("backbone.vit.fc_norm.weight", "embedder.bottleneck_layer_fc.weight", "classifier.classifier_layer.weight"),
    hparams=spoof_hparams,
    network=SpoofDetector,
    unused=("embedder.bottleneck_layer.",),  # the same tensors under another name
)
