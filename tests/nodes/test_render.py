"""Render Head Mesh, with our cameras and core's."""

import math

import pytest
import torch

import factories

BOX = "179 63 91 111"  # the astronaut's face


@pytest.fixture(scope="module")
def photo():
    return factories.read_photo("astronaut")


@pytest.fixture
def head(nodes, base, photo):
    """Mesh and camera of the astronaut."""
    (lifter,) = nodes["LikenessLoadHeadLifter"].execute("canonical_head/mediapipe").args
    (faces,) = nodes["LikenessFacesFromBoxes"].execute(photo, BOX).args
    mesh, _, camera = nodes["LikenessLiftHead"].execute(lifter, photo, faces, 512).args
    return mesh, camera


def render(nodes, mesh, yaw=0.0, pitch=0.0, side=96, **more):
    with torch.inference_mode():
        return nodes["LikenessRenderMesh"].execute(mesh, yaw, pitch, side, side, **more).args


def square(pack, count, **fields):
    """A MESH of ``count`` squares of 0.2 m."""
    corners = torch.tensor([[-0.1, -0.1, 0.0], [0.1, -0.1, 0], [0.1, 0.1, 0], [-0.1, 0.1, 0]])
    mesh = pack.nodes.convert3d.Types.MESH(corners.repeat(count, 1, 1), torch.tensor([[[0, 1, 2], [0, 2, 3]]] * count))
    for name, value in fields.items():
        setattr(mesh, name, value)
    return mesh


def test_over_its_photo_and_by_its_camera_a_head_is_where_it_was(nodes, head, photo):
    mesh, camera = head
    image, mask = render(nodes, mesh, camera=camera, background=photo)
    assert (image.shape, mask.shape) == (photo.shape, photo.shape[:3])
    assert torch.equal(image[mask == 0], photo[mask == 0])
    assert 0.02 < mask.mean() < 0.06
    assert (image - photo)[mask == 1].abs().mean() < 0.02


def test_it_turns_as_it_is_told(nodes, head):
    mesh, _ = head
    depth = mesh.vertices[..., 2:]
    mesh.texture, mesh.vertex_colors = None, (depth > depth.max() - 0.01).float().expand(-1, -1, 3)  # the nose is white
    nose = {}
    for yaw, pitch in ((0.0, 0.0), (30.0, 0.0), (-30.0, 0.0), (0.0, 20.0)):
        image, _ = render(nodes, mesh, yaw, pitch)
        nose[yaw, pitch] = (image[0, ..., 0] > 0.5).nonzero().float().mean(0)
    assert nose[30, 0][1] > nose[0, 0][1] + 5
    assert nose[-30, 0][1] < nose[0, 0][1] - 5
    assert nose[0, 20][0] < nose[0, 0][0] - 3


@pytest.mark.parametrize("count", [0, 1, 2])
def test_every_mesh_has_its_picture(pack, nodes, count):
    image, mask = render(nodes, square(pack, count), side=32)
    assert (image.shape, mask.shape) == ((count, 32, 32, 3), (count, 32, 32))
    assert (mask.flatten(1).mean(1) > 0.2).all()


def test_padding_is_no_part_of_a_mesh(pack, nodes):
    counts = {"vertex_counts": torch.tensor([4, 4]), "face_counts": torch.tensor([2, 1])}
    image, mask = render(nodes, square(pack, 2, **counts), side=32)
    assert mask[1].sum() == pytest.approx(float(mask[0].sum()) / 2, rel=0.1)
    assert image[0].amax() == pytest.approx(0.8, abs=0.01)  # clay


def test_vertex_colours_are_linear(pack, nodes):
    image, mask = render(nodes, square(pack, 1, vertex_colors=torch.full((1, 4, 3), 0.5).pow(2.2)), side=32)
    assert image[mask == 1].mean() == pytest.approx(0.5, abs=1e-3)


@pytest.mark.parametrize("kind", ["perspective", "orthographic"])
def test_a_camera_of_a_core_node_sees_as_it_says(pack, nodes, kind):
    fov = 2 * math.degrees(math.atan(0.2 / 2))  # the square is half as high as the picture at 2 m
    camera = {"position": {"x": 0, "y": 0, "z": 2}, "target": {"x": 0, "y": 0, "z": 0}, "zoom": 1}
    camera |= {"cameraType": kind, "fov": fov}
    _, mask = render(nodes, square(pack, 1), side=64, camera=camera)
    assert mask.mean() == pytest.approx(0.25, abs=0.02)
    _, larger = render(nodes, square(pack, 1), side=64, camera={**camera, "zoom": 1.5})
    assert larger.mean() == pytest.approx(0.25 * 1.5**2, abs=0.03)
    turned = {"x": 0, "y": 0, "z": math.sin(math.pi / 8), "w": math.cos(math.pi / 8)}  # rolled by 45 degrees
    _, rolled = render(nodes, square(pack, 1), side=64, camera={**camera, "quaternion": turned})
    assert rolled[0, 32, 32 - 20] == 1
    assert rolled[0, 32 - 14, 32 - 14] == 0


def test_a_camera_that_looks_straight_down_is_no_riddle(pack, nodes):
    camera = {"position": {"x": 0, "y": 2, "z": 0}, "target": {"x": 0, "y": 0, "z": 0}, "fov": 20}
    image, mask = render(nodes, square(pack, 1), side=32, camera=camera)
    assert image.isfinite().all()
    assert mask.mean() < 0.05  # the square is seen from its edge


def test_cameras_come_back_as_they_went_out(pack, head):
    convert3d, (mesh, camera) = pack.nodes.convert3d, head
    (once,) = convert3d.to_cameras(camera, 1, (512, 512))
    (twice,) = convert3d.to_cameras(convert3d.from_cameras([once]), 1, (512, 512))
    project = pack.likeness.render.camera.project
    torch.testing.assert_close(project(twice, mesh.vertices), project(once, mesh.vertices), atol=5e-3, rtol=0)
    ahead = pack.likeness.render.camera.frame(mesh.vertices, (512, 512))
    (back,) = convert3d.to_cameras(convert3d.from_cameras([ahead]), 1, (512, 512))
    torch.testing.assert_close(project(back, mesh.vertices), project(ahead, mesh.vertices), atol=5e-3, rtol=0)


def test_cameras_and_backgrounds_are_one_or_one_per_mesh(pack, nodes, head):
    with pytest.raises(ValueError, match="Expected 1 or 3 backgrounds for 3 meshes, got 2"):
        render(nodes, square(pack, 3), background=torch.zeros(2, 8, 8, 3))
    camera = {**head[1], "heads": head[1]["heads"] * 2}
    with pytest.raises(ValueError, match="Expected 1 or 3 cameras for 3 meshes, got 2"):
        render(nodes, square(pack, 3), camera=camera)
