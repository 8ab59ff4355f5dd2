"""dlib's network: one person's photos lie under L2 0.6 of each other, two persons' over it."""

from dataclasses import replace
from itertools import combinations

import pytest
import torch
from torchvision.transforms.functional import rotate

import downloads
import factories
from likeness import detect, embed, landmark, onnx
from likeness.geometry import bbox_to_kps
from likeness.landmark.five import kps_from_landmarks
from likeness.types import Faces
from likeness.weights import build_onnx

THRESHOLD = 0.6
VARIANTS = {
    "as it is": lambda image: image,
    "mirrored": lambda image: image.flip(2),
    "half": lambda image: torch.nn.functional.avg_pool2d(image.movedim(-1, 1), 2).movedim(1, -1),
    "dark": lambda image: image / 2,
    "turned": lambda image: rotate(image.movedim(-1, 1), 15).movedim(1, -1).contiguous(),
    "noisy": lambda image: (image + 0.16 * (factories.noise(image.shape) - 0.5) * 3**0.5).clamp(0, 1),
}
GREY = {"grey": lambda image: image.mean(-1, keepdim=True).expand_as(image).contiguous()}


@pytest.fixture(scope="module")
def networks():
    """Detector, mesh and embedder."""
    weights = factories.STARTER / "weights"
    files = {
        "face_detection_yunet_2023mar": detect,
        "face_landmark_with_attention": landmark,
        "dlib_face_resnet_v1_fp16w": embed,
    }
    return [build_onnx(onnx.read(weights / f"{name}.onnx"), task.SYSTEMS) for name, task in files.items()]


def photos(variants: dict) -> list[tuple[str, torch.Tensor]]:
    """The shipped photos and what can happen to them, with whom they show."""
    return [(name, change(factories.read_photo(name))) for name in factories.PHOTOS for change in variants.values()]


def distances(networks, people: list, refined: bool) -> tuple[list[float], list[float]]:
    """L2 of every pair: of one person, of two."""
    detector, mesh, network = networks
    vectors = []
    for _, image in people:
        faces = detector.detect(image)
        if refined:
            faces = replace(faces, kps=kps_from_landmarks(mesh.landmarks(image, faces)))
        vectors.append(network.embed(image, faces))
    same, other = [], []
    for (a, u), (b, v) in combinations(zip((name for name, _ in people), vectors, strict=True), 2):
        (same if a == b else other).append(float(u.distance(v)))
    return same, other


def test_the_detectors_points_tell_two_people_apart(networks):
    same, other = distances(networks, photos(VARIANTS), refined=False)
    assert (len(same), len(other)) == (30, 36)
    assert max(same) < 0.5
    assert min(other) > THRESHOLD


def test_the_meshs_points_tell_them_apart_in_grey_too(networks):
    same, other = distances(networks, photos({**VARIANTS, **GREY}), refined=True)
    assert max(same) < 0.45
    assert min(other) > THRESHOLD


@pytest.mark.parametrize("refined", [False, True], ids=["by the detector's points", "by the mesh's points"])
def test_other_photos_of_other_people_are_told_apart(networks, refined):
    found = [(name.rstrip("23"), image) for name, image in downloads.presidents().items()]
    same, other = distances(networks, photos({"": VARIANTS["as it is"]}) + found, refined)
    assert (len(same), len(other)) == (3, 12)
    assert max(same) < THRESHOLD < min(other)


def test_a_batch_gives_what_its_faces_give_one_by_one(networks):
    detector, _, network = networks
    image = factories.people(2)
    faces = detector.detect(image)
    whole = network.embed(image, faces).embedding
    single = [network.embed(image, faces.select(torch.tensor([row]))).embedding[0] for row in (0, 1)]
    torch.testing.assert_close(whole, torch.stack(single), atol=1e-4, rtol=0)


def test_the_space_is_named_by_the_weights_whatever_runs_them(networks):
    graph = onnx.read(factories.STARTER / "weights/dlib_face_resnet_v1_fp16w.onnx")
    assert build_onnx(graph, embed.SYSTEMS, "torch").space == networks[2].space == "dlib_resnet-f0a6ba38"


def test_nobody_has_no_identity(networks):
    found = networks[2].embed(torch.zeros(2, 50, 60, 3), Faces.empty((50, 60), 2))
    assert (found.embedding.shape, found.metric, found.threshold) == ((0, 128), "l2", THRESHOLD)


def test_the_network_sees_red_as_red_from_0_to_255():
    class Spy(torch.nn.Module):
        fingerprint = "0"

        def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
            self.seen = x
            return {"embedding": torch.ones(len(x), 128)}

    network = embed.dlib_resnet.DlibResNet(Spy())
    red = torch.tensor([1.0, 0, 0]).expand(1, 200, 200, 3)
    box = torch.tensor([[50.0, 50, 150, 150]])
    zero = torch.zeros(1, dtype=torch.int64)
    network.embed(red, Faces((200, 200), 1, zero, zero, box, torch.ones(1), bbox_to_kps(box)))
    assert network.model.seen.shape == (1, 3, 150, 150)
    assert network.model.seen[0].mean((1, 2)).tolist() == pytest.approx([255, 0, 0], abs=1e-3)
