"""Load Head Lifter and Lift Head: no face, one, two; one frame and many."""

import pytest
import torch

import factories
from headless import standalone

BOX = "179 63 91 111"  # the astronaut's face


@pytest.fixture(scope="module")
def photo():
    return factories.read_photo("astronaut")


def lift(nodes, image, boxes, side=128, **more):
    (lifter,) = nodes["LikenessLoadHeadLifter"].execute("canonical_head/mediapipe").args
    (faces,) = nodes["LikenessFacesFromBoxes"].execute(image, boxes).args
    with torch.inference_mode():
        return nodes["LikenessLiftHead"].execute(lifter, image, faces, side, **more).args


@pytest.mark.parametrize(("frames", "boxes", "count"), [(1, BOX, 1), (1, f"{BOX}\n{BOX}", 2), (17, BOX, 17)])
def test_every_face_of_every_frame_becomes_a_head(nodes, base, photo, frames, boxes, count):
    mesh, texture, camera = lift(nodes, photo.expand(frames, -1, -1, -1), boxes, 64)
    assert mesh.vertices.shape == mesh.normals.shape == (count, 468, 3)
    assert (mesh.faces.shape, mesh.uvs.shape) == ((count, 898, 3), (count, 468, 2))
    assert mesh.texture.shape == texture.shape == (count, 64, 64, 3)
    assert len(camera["heads"]) == count
    assert camera["cameraType"] == "orthographic"


def test_nobody_is_an_error_or_no_head(pack, nodes, base, photo):
    with pytest.raises(pack.likeness.types.NoFaceError, match="Expected a face in every image, got none"):
        lift(nodes, photo, "")
    mesh, texture, camera = lift(nodes, photo, "", missing="skip")
    assert (len(mesh.vertices), len(texture), camera["heads"]) == (0, 0, [])
    assert camera["cameraType"] == "perspective"  # a plain one, for core's nodes


def test_the_textures_are_what_the_host_asks_for(base, photo):
    nodes = standalone.start(base, fp16_intermediates=True).nodes
    mesh, texture, _ = lift(nodes, photo, BOX)
    assert texture.dtype == torch.float16
    assert mesh.texture.dtype == torch.float32  # core writes it to a file


def test_a_file_that_is_missing_names_the_choices(nodes):
    said = nodes["LikenessLoadHeadLifter"].validate_inputs("mine/x.onnx")
    assert "one of canonical_head/mediapipe or a file in models/head3d, got mine/x.onnx" in said
