"""Mesh regions: masks are the polygons, soft at their edges, whole, and follow the face."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from scipy import ndimage

import factories
from likeness import detect, onnx, parse
from likeness.landmark import canonical
from likeness.parse.mesh_regions import NOSE, ellipses, fill_polygons, parse_mesh
from likeness.types import Faces, Landmarks
from likeness.weights import build_onnx

FINER = 8  # of the polygons drawn for comparison
REGIONS = ["face", "lips", "mouth", "left_eye", "right_eye", "eyes", "irises", "left_brow", "right_brow", "nose"]
PAIRS = [(name, region) for name in factories.PHOTOS for region in REGIONS]
PAIRS.remove(("grace_hopper", "mouth"))  # it is shut: there is nothing between the lips


@pytest.fixture(scope="module")
def networks():
    """Detector and parser."""
    weights = factories.STARTER / "weights"
    files = {"face_detection_yunet_2023mar": detect, "face_landmark_with_attention": parse}
    return [build_onnx(onnx.read(weights / f"{name}.onnx"), task.SYSTEMS) for name, task in files.items()]


@pytest.fixture(scope="module")
def seen(networks):
    """By photo and zoom: the landmarks, and the parsing made from them."""
    detector, parser = networks
    found = {}
    for name in factories.PHOTOS:
        image = factories.read_photo(name)
        landmarks = parser.mesh.landmarks(image, detector.detect(image))
        for zoom in (0.3, 1, 3):
            found[name, zoom] = zoomed(landmarks, zoom)
    return found


def zoomed(landmarks: Landmarks, zoom: float) -> Landmarks:
    """The landmarks in a photo that is larger or smaller."""
    faces = landmarks.faces
    size = tuple(round(side * zoom) for side in faces.image_size)
    moved = Faces(size, faces.image_count, faces.id, faces.image_index, faces.bbox * zoom, faces.score)
    return Landmarks(moved, landmarks.scheme, landmarks.points * zoom)


def drawn(polygon: torch.Tensor, size: tuple[int, int]) -> np.ndarray:
    """How much of each pixel lies in a (P, 2) polygon."""
    left, top = (polygon.amin(0).int() - 2).tolist()
    width, height = (polygon.amax(0) - polygon.amin(0)).int().add(5).tolist()
    canvas = Image.new("L", (width * FINER, height * FINER))
    ends = (polygon - torch.tensor([left, top]) + 0.5) * FINER - 0.5
    ImageDraw.Draw(canvas).polygon([tuple(p) for p in ends.tolist()], fill=255)
    whole = np.zeros(size, dtype=np.float32)
    whole[top : top + height, left : left + width] = np.asarray(canvas.reduce(FINER)) / 255
    return whole


def expected(landmarks: Landmarks, region: str) -> np.ndarray:
    points, size = landmarks.points[0, :, :2], landmarks.faces.image_size

    def ring(indices: tuple[int, ...]) -> np.ndarray:
        return drawn(points[list(indices)], size)

    def iris(indices: tuple[int, ...], eye: tuple[int, ...]) -> np.ndarray:
        return np.minimum(drawn(ellipses(points[None, list(indices)])[0], size), ring(eye))

    mesh = canonical
    left, right = iris(mesh.LEFT_IRIS_RING, mesh.LEFT_EYE), iris(mesh.RIGHT_IRIS_RING, mesh.RIGHT_EYE)
    shapes = {
        "face": lambda: ring(mesh.FACE_OVAL),
        "lips": lambda: ring(mesh.LIPS_OUTER) - ring(mesh.LIPS_INNER),
        "mouth": lambda: ring(mesh.LIPS_INNER),
        "left_eye": lambda: ring(mesh.LEFT_EYE) - left,
        "right_eye": lambda: ring(mesh.RIGHT_EYE) - right,
        "eyes": lambda: ring(mesh.LEFT_EYE) + ring(mesh.RIGHT_EYE),
        "irises": lambda: left + right,
        "left_brow": lambda: ring(mesh.LEFT_BROW),
        "right_brow": lambda: ring(mesh.RIGHT_BROW),
        "nose": lambda: ring(NOSE),
    }
    return shapes[region]()


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union of two soft masks."""
    return float(np.minimum(a, b).sum() / np.maximum(a, b).sum())


@pytest.mark.parametrize(("name", "region"), PAIRS)
@pytest.mark.parametrize("zoom", [1, 3])
def test_a_mask_is_its_polygon(seen, name, zoom, region):
    landmarks = seen[name, zoom]
    mask = parse.to_mask(parse_mesh(landmarks), region)[0].numpy()
    assert overlap(mask, expected(landmarks, region)) >= 0.9


@pytest.mark.parametrize("region", ["face", "lips", "mouth", "eyes", "nose"])
def test_a_mask_in_a_small_picture_is_smoothed_to_its_polygon(seen, region):
    landmarks = seen["astronaut", 0.3]  # the face is 30 pixels wide
    mask = parse.to_mask(parse_mesh(landmarks), region)[0].numpy()
    assert overlap(mask, expected(landmarks, region)) >= 0.85


@pytest.mark.parametrize("name", factories.PHOTOS)
@pytest.mark.parametrize("zoom", [1, 3])
def test_the_face_has_no_holes_and_soft_edges(seen, name, zoom):
    mask = parse.to_mask(parse_mesh(seen[name, zoom]), "face")[0].numpy()
    inside = ndimage.binary_erosion(expected(seen[name, zoom], "face") > 0.5, iterations=3 * zoom)
    assert mask[inside].min() > 0.99
    edge = (mask > 0.02) & (mask < 0.98)
    assert edge.sum() > 100 * zoom
    assert np.abs(np.diff(mask, axis=1)).max() < 1  # no pixel is full beside an empty one


def test_a_shut_mouth_is_all_lips(seen):
    landmarks = seen["grace_hopper", 3]
    parsing = parse_mesh(landmarks)
    assert not parsing.mask("mouth").any()
    outline = drawn(landmarks.points[0, list(canonical.LIPS_OUTER), :2], landmarks.faces.image_size)
    assert overlap(parse.to_mask(parsing, "lips")[0].numpy(), outline) > 0.95


@pytest.mark.parametrize("name", factories.PHOTOS)
def test_every_pixel_of_a_crop_has_one_class(seen, name):
    parsing = parse_mesh(seen[name, 1])
    total = sum(parsing.mask(one) for one in parsing.classes)
    assert torch.equal(total, torch.ones_like(total))


def test_a_mirrored_photo_has_mirrored_regions(networks):
    detector, parser = networks
    image = factories.read_photo("astronaut")
    straight = parser.parse(image, detector.detect(image))
    mirrored = parser.parse(image.flip(2), detector.detect(image.flip(2)))
    for here, there in (("left_eye", "right_eye"), ("left_brow", "right_brow"), ("lips", "lips"), ("face", "face")):
        a, b = parse.to_mask(straight, here)[0], parse.to_mask(mirrored, there)[0].flip(1)
        assert overlap(a.numpy(), b.numpy()) > (0.9 if here == "face" else 0.6)


def test_the_iris_is_darker_than_the_eye_around_it(networks):
    detector, parser = networks
    image = factories.read_photo("astronaut")
    parsing = parser.parse(image, detector.detect(image))

    def brightness(region: str) -> float:
        mask = parse.to_mask(parsing, region)[..., None]
        return float((image * mask).sum() / mask.sum())

    assert brightness("left_iris") < 0.7 * brightness("left_eye")
    assert brightness("right_iris") < 0.7 * brightness("right_eye")


def test_two_people_have_a_mask_each_and_one_together(networks):
    detector, parser = networks
    image = factories.people(2)
    faces = detector.detect(image)
    both = parse.to_mask(parser.parse(image, faces), "face")
    single = [parse.to_mask(parser.parse(image, faces.select(torch.tensor([row]))), "face") for row in (0, 1)]
    torch.testing.assert_close(both, torch.maximum(*single))
    assert all(one.sum() > 5000 for one in single)


def test_nobody_has_no_regions(networks):
    parsing = networks[1].parse(torch.zeros(2, 40, 50, 3), Faces.empty((40, 50), 2))
    assert torch.equal(parse.to_mask(parsing, "face"), torch.zeros(2, 40, 50))


def test_a_mesh_without_irises_is_refused(seen):
    landmarks = seen["astronaut", 1]
    with pytest.raises(ValueError, match="478 landmarks of MediaPipe's mesh with irises, got mediapipe468"):
        parse_mesh(Landmarks(landmarks.faces, "mediapipe468", landmarks.points[:, :468]))


def test_a_polygon_is_filled_by_the_centres_of_its_pixels():
    square = torch.tensor([[[0.5, 1.5], [3.5, 1.5], [3.5, 3.5], [0.5, 3.5]]])
    expected = torch.zeros(1, 5, 5, dtype=torch.bool)
    expected[:, 2:4, 1:4] = True
    assert torch.equal(fill_polygons(square, 5), expected)
    assert torch.equal(fill_polygons(square.flip(1), 5), expected)
    assert not fill_polygons(square + 50, 5).any()
    assert fill_polygons((square - 2) * 100, 5).all()
