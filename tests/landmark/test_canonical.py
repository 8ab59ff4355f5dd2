"""The canonical face and the names of its points."""

import torch

from likeness.landmark import canonical as mesh

RINGS = ("FACE_OVAL", "LIPS_OUTER", "LIPS_INNER", "LEFT_EYE", "RIGHT_EYE", "LEFT_BROW", "RIGHT_BROW")


def test_the_canonical_face_is_upright_and_as_large_as_a_face():
    face = mesh.canonical_face()
    assert (face.vertices.shape, face.uv.shape, face.triangles.shape) == ((468, 3), (468, 2), (898, 3))
    assert 13 < float(face.vertices[mesh.RIGHT_SIDE, 0] - face.vertices[mesh.LEFT_SIDE, 0]) < 17  # centimetres
    assert face.vertices[mesh.FOREHEAD, 1] > face.vertices[mesh.CHIN, 1]
    assert int(face.vertices[:, 2].argmax()) == mesh.NOSE_TIP
    assert 0 <= float(face.uv.min()) < float(face.uv.max()) <= 1
    assert face.uv[mesh.FOREHEAD, 1] < face.uv[mesh.CHIN, 1]  # v grows downwards


def test_triangles_are_counter_clockwise_seen_from_outside():
    face = mesh.canonical_face()
    a, b, c = face.vertices[face.triangles].unbind(1)
    normal = torch.linalg.cross(b - a, c - a)
    outwards = ((a + b + c) / 3 - torch.tensor([0.0, 0, -5])) * normal
    assert float((outwards.sum(-1) > 0).float().mean()) > 0.97


def test_the_weights_of_a_pose_are_33_and_symmetric():
    weights = mesh.canonical_face().weights
    assert int((weights > 0).sum()) == 33
    torch.testing.assert_close(weights[mesh.mirror()[:468]], weights, atol=1e-5, rtol=0)


def test_mirroring_twice_is_nothing_and_swaps_the_sides():
    swap = mesh.mirror()
    assert torch.equal(swap[swap], torch.arange(478))
    assert int((swap == torch.arange(478)).sum()) == 28
    for name in ("EYE", "BROW", "CREASE", "LID_LOWER", "LID_UPPER", "EYE_CORNERS"):
        left, right = getattr(mesh, f"LEFT_{name}"), getattr(mesh, f"RIGHT_{name}")
        assert swap[list(left)].tolist() == list(right), name
    assert {*swap[list(mesh.LEFT_IRIS_RING)].tolist()} == {*mesh.RIGHT_IRIS_RING}


def test_left_is_the_left_of_the_image():
    x = mesh.canonical_face().vertices[:, 0]
    for name in ("EYE", "BROW", "CREASE"):
        assert x[list(getattr(mesh, f"LEFT_{name}"))].max() < 0 < x[list(getattr(mesh, f"RIGHT_{name}"))].min(), name
    assert x[mesh.LEFT_MOUTH] < 0 < x[mesh.RIGHT_MOUTH]


def test_a_ring_runs_around_once():
    """The corners of a ring turn by one full turn in all, seen from the front."""
    xy = torch.view_as_complex(mesh.canonical_face().vertices[:, :2].contiguous())
    for name in RINGS:
        ring = xy[list(getattr(mesh, name))]
        steps = ring.roll(-1) - ring
        turn = (steps.roll(-1) / steps).angle().sum()
        assert abs(abs(float(turn)) - 2 * torch.pi) < 1e-3, name


def test_the_open_mesh_has_holes_for_mouth_and_eyes():
    triangles = mesh.open_triangles()
    assert len(triangles) == 898 - 18 - 14 - 14
    edges = mesh.tesselation()
    assert mesh.ring_edges(mesh.LEFT_EYE) <= edges | {(b, a) for a, b in edges}
    assert (13, 14) not in edges


def test_ibugs_points_are_68_and_symmetric():
    swap = [*range(16, -1, -1), *range(26, 16, -1), *range(27, 31), *range(35, 30, -1), 45, 44, 43, 42, 47, 46]
    swap += [39, 38, 37, 36, 41, 40, *range(54, 47, -1), *range(59, 54, -1), *range(64, 59, -1), *range(67, 64, -1)]
    assert [mesh.IBUG68[i] for i in swap] == mesh.mirror()[list(mesh.IBUG68)].tolist()
