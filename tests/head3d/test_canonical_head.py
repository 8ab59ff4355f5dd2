"""A head from each shipped photo: it lies on its photo, stays the same person when turned, and has clean sides."""

from dataclasses import replace

import pytest
import torch

import factories
from likeness import detect, embed, head3d, onnx
from likeness.landmark.canonical import CHIN, FACE_OVAL, FOREHEAD, NOSE_TIP
from likeness.landmark.procrustes import angles_to_rotation, canonical_points, head_frame, pose
from likeness.mask import grow
from likeness.raster import rasterize
from likeness.render.camera import frame, project, turn
from likeness.render.textured import render, vertex_normals
from likeness.weights import build_onnx

WEIGHTS = factories.STARTER / "weights"
NAMES = ("astronaut", "grace_hopper")


@pytest.fixture(scope="module")
def networks():
    """Detector, lifter and embedder."""
    files = {"face_detection_yunet_2023mar": detect, "face_landmark_with_attention": head3d}
    files |= {"dlib_face_resnet_v1_fp16w": embed}
    return [build_onnx(onnx.read(WEIGHTS / f"{name}.onnx"), task.SYSTEMS) for name, task in files.items()]


@pytest.fixture(scope="module", params=NAMES)
def head(networks, request):
    """Photo, faces, mesh, texture and camera."""
    image = factories.read_photo(request.param)
    faces = networks[0].detect(image)
    return image, faces, *networks[1].lift(image, faces)


def inner_face(points: torch.Tensor, image: torch.Tensor) -> torch.Tensor:
    """(H, W) bool, the inside of the face's outline drawn in by 6 % towards its middle."""
    outline = points[list(FACE_OVAL), :2]
    middle = outline.mean(0)
    fan = torch.cat([middle[None], middle + 0.94 * (outline - middle)])
    around = torch.arange(1, 37)
    triangles = torch.stack([torch.zeros(36, dtype=torch.long), around, around.roll(-1)], -1)
    return rasterize(torch.nn.functional.pad(fan, (0, 1)), triangles, *image.shape[1:3], cull=False).covered


def seen_at(mesh, texture, yaw: float, side: int = 400) -> torch.Tensor:
    """A picture of a turned head before light grey."""
    rotation = angles_to_rotation(torch.tensor([yaw]), torch.zeros(1), torch.zeros(1))[0]
    turned = replace(mesh, vertices=turn(mesh.vertices, rotation))
    picture, covered = render(turned, frame(turned.vertices, (side, side)), texture)
    return picture + 0.78 * (1 - covered[..., None])


def test_through_its_camera_a_head_lies_on_its_landmarks(networks, head):
    image, faces, mesh, _, camera = head
    points = networks[1].landmarker.landmarks(image, faces).points[:, :468]
    there = project(camera, mesh.vertices)
    torch.testing.assert_close(there[..., :2], points[..., :2], atol=0.01, rtol=0)
    depth = points[..., 2] / camera.intrinsics[0, 0, 0]
    torch.testing.assert_close(there[..., 2].diff(), depth.diff(), atol=1e-5, rtol=0)


def test_at_the_pose_of_the_photo_it_matches_inside_the_face(head):
    image, _, mesh, texture, camera = head
    picture, _ = render(mesh, camera, texture)
    inside = inner_face(project(camera, mesh.vertices)[0], image)
    error = (picture[0] - image[0])[inside].square().mean()
    assert -10 * error.log10() >= 35  # seen: 36.0 and 35.6 dB


def test_it_is_upright_in_metres_and_looks_forward(head):
    mesh = head[2]
    nose, chin, forehead = mesh.vertices[0, [NOSE_TIP, CHIN, FOREHEAD]]
    assert 0.14 < forehead[1] - chin[1] < 0.22
    assert mesh.vertices[0, :, 2].argmax() in (1, 4, 5, 44, 45, 274, 275)  # about the tip of the nose
    assert abs(nose[0]) < 0.01
    assert vertex_normals(mesh.vertices[0], mesh.triangles)[NOSE_TIP, 2] > 0.5


def test_a_turned_head_is_still_the_same_person(networks, head):
    detector, lifter, embedder = networks
    image, faces, mesh, texture, _ = head
    itself = embedder.embed(image, faces)
    for yaw in (0.0, 20.0, -20.0):
        picture = seen_at(mesh, texture, yaw)
        (found,) = [detector.detect(picture)]
        assert len(found) == 1
        assert embedder.embed(picture, found).distance(itself).item() < 0.45  # seen: 0.27 to 0.34
        seen = pose(lifter.landmarker.landmarks(picture, found)).yaw.item()
        assert seen * yaw >= 0
        assert abs(seen) > 10 or yaw == 0


def test_what_stands_beside_the_face_does_not_get_onto_the_head(networks, head):
    image, faces, *_ = head
    lifter = networks[1]
    points = lifter.landmarker.landmarks(image, faces).points[0, :468]
    shown = rasterize(points, head[2].triangles, *image.shape[1:3]).covered[None].float()
    green = torch.lerp(torch.tensor([0.0, 1, 0]), image, grow(shown, -2.0)[..., None])  # as if the mesh were too large
    _, texture, _ = lifter.lift(green, faces, 512)
    greener = texture[..., 1] - texture[..., [0, 2]].amax(-1)
    assert greener.max() < 0.1


def test_what_the_photo_cuts_off_is_taken_from_the_other_half(networks):
    detector, lifter, _ = networks
    image = factories.read_photo("astronaut")
    faces = detector.detect(image)
    middle = int(faces.kps[0, 2, 0]) + 8
    points = lifter.landmarker.landmarks(image, faces).points[0, :468]
    whole, half = (head3d.unwrap.unwrap(part, points, 256) for part in (image[0], image[0, :, :middle]))
    assert (half - whole)[60:220, 60:120].abs().mean() < 0.005
    eyes = torch.stack([texture[80:110, 140:200].mean(-1).flatten() for texture in (whole, half)])
    assert eyes.corrcoef()[0, 1] > 0.7  # the other eye, in another light


def test_nobody_has_no_head_and_two_people_have_two(networks):
    detector, lifter, _ = networks
    for count in (0, 2):
        image = factories.people(count)
        mesh, texture, camera = lifter.lift(image, detector.detect(image), 128)
        assert (len(mesh), len(texture), len(camera)) == (count, count, count)
        assert texture.shape[1:] == (128, 128, 3)
        assert camera.image_size == (512, 800)


def test_the_vertices_are_the_landmarks_in_the_frame_of_the_head(networks, head):
    image, faces, mesh, _, _ = head
    found = networks[1].landmarker.landmarks(image, faces)
    back = head_frame(found).apply(mesh.vertices * 100)
    torch.testing.assert_close(back, canonical_points(found), atol=0.01, rtol=0)
