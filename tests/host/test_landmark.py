"""Landmarks between core's MediaPipe nodes and ours: theirs draw ours, ours take theirs, both read one file."""

import numpy as np
import pytest
import safetensors.torch
import torch
from PIL import Image, ImageDraw

import factories
import seeding
from headless import PACK

LAYOUT = PACK / "tests/checkpoints/mediapipe_face/mediapipe_face_fp32.tsv"
OVAL = [10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176, 149]
OVAL += [150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109]


def prompt(model: str, photo: str = "likeness_astronaut.png", **more: dict) -> dict:
    """Detect and find landmarks in a shipped photo; ``more`` are further nodes."""

    def node(kind: str, **inputs: object) -> dict:
        return {"class_type": kind, "inputs": inputs}

    return {
        "photo": node("LoadImage", image=photo),
        "detector": node("LikenessLoadFaceDetector", model="yunet/2023mar"),
        "faces": node("LikenessDetectFaces", detector=["detector", 0], image=["photo", 0], threshold=0.7),
        "landmarker": node("LikenessLoadFaceLandmarker", model=model),
        "found": node("LikenessFindLandmarks", landmarker=["landmarker", 0], image=["photo", 0], faces=["faces", 0]),
        **{name: {"class_type": given.pop("kind"), "inputs": given} for name, given in more.items()},
    }


def shown(base, outputs: dict, name: str) -> np.ndarray:
    """The picture that an output node wrote, (H, W, 3) in [0, 255]."""
    (file,) = outputs[name]["images"]
    return np.asarray(Image.open(base / file["type"] / file["subfolder"] / file["filename"]).convert("RGB"))


@pytest.fixture(scope="module")
def drawn(session, base):
    """Core's mask, features and drawing of our landmarks, and our points."""
    graph = prompt(
        "mediapipe_mesh/attention",
        mask={"kind": "MediaPipeFaceMask", "face_landmarks": ["found", 1], "regions": "all"},
        lips={
            "kind": "MediaPipeFaceMask",
            "face_landmarks": ["found", 1],
            "regions": "custom",
            **{f"regions.{part}": part == "lips" for part in ("face_oval", "lips", "left_eye", "right_eye", "irises")},
        },
        mesh={
            "kind": "MediaPipeFaceMeshVisualize",
            "face_landmarks": ["found", 1],
            "image": ["photo", 0],
            "connections": "custom",
            **{f"connections.{part}": True for part in ("face_oval", "lips", "left_eye", "right_eye", "tesselation")},
            **{f"connections.{part}": True for part in ("left_eyebrow", "right_eyebrow", "irises", "nose")},
            "color": "#00ff00",
            "thickness": 1,
            "point_size": 2,
        },
        mask_image={"kind": "MaskToImage", "mask": ["mask", 0]},
        lips_image={"kind": "MaskToImage", "mask": ["lips", 0]},
        show_mask={"kind": "PreviewImage", "images": ["mask_image", 0]},
        show_lips={"kind": "PreviewImage", "images": ["lips_image", 0]},
        show_mesh={"kind": "PreviewImage", "images": ["mesh", 0]},
    )
    outputs = session.run(graph)
    return {name: shown(base, outputs, f"show_{name}") for name in ("mask", "lips", "mesh")}


def test_cores_mask_of_our_landmarks_is_the_face(drawn):
    mask = drawn["mask"][..., 0] > 127
    rows, columns = mask.nonzero()
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == pytest.approx((67, 177, 177, 270), abs=2)
    assert 0.7 < mask[rows.min() : rows.max(), columns.min() : columns.max()].mean() < 0.9  # an oval
    lips = drawn["lips"][..., 0] > 127
    assert 0.02 < lips.sum() / mask.sum() < 0.2
    assert (lips & ~mask).sum() == 0


def test_cores_drawing_of_our_landmarks_covers_the_face_and_nothing_else(drawn):
    photo = (factories.read_photo("astronaut")[0].numpy() * 255).round()
    changed = np.abs(drawn["mesh"] - photo).max(-1) > 8
    inside = Image.new("1", changed.shape[::-1])
    rows, columns = (drawn["mask"][..., 0] > 127).nonzero()
    ImageDraw.Draw(inside).rectangle([columns.min() - 4, rows.min() - 4, columns.max() + 4, rows.max() + 4], fill=1)
    assert not (changed & ~np.asarray(inside)).any()
    assert changed[drawn["mask"][..., 0] > 127].mean() > 0.3


def test_a_mask_of_the_mesh_without_irises_is_drawn_too(session, base):
    graph = prompt(
        "mediapipe_mesh/base",
        mask={"kind": "MediaPipeFaceMask", "face_landmarks": ["found", 1], "regions": "all"},
        image={"kind": "MaskToImage", "mask": ["mask", 0]},
        show={"kind": "PreviewImage", "images": ["image", 0]},
    )
    assert 0.02 < (shown(base, session.run(graph), "show")[..., 0] > 127).mean() < 0.08


def test_core_draws_our_openpose_points(session, base):
    parts = {f"draw_{part}": part == "face" for part in ("body", "hands", "face", "feet", "head")}
    graph = prompt(
        "mediapipe_mesh/attention",
        drawn={"kind": "SDPoseDrawKeypoints", "keypoints": ["found", 2], "stick_width": 4, **parts}
        | {"face_point_size": 3, "score_threshold": 0.3},
        show={"kind": "PreviewImage", "images": ["drawn", 0]},
    )
    rows, columns = (shown(base, session.run(graph), "show").max(-1) > 0).nonzero()
    assert (rows.min(), columns.min(), columns.max()) == pytest.approx((88, 178, 270), abs=5)
    assert rows.max() == pytest.approx(178, abs=5)


@pytest.fixture(scope="module")
def cores_file(session, base):
    """A seeded file of the recorded layout where core looks for its own; the real one is not at hand."""
    layout, rules = seeding.read_layout(LAYOUT)
    tensors = seeding.fill(layout, rules)
    path = base / "models/detection/mediapipe_face_fp32.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    safetensors.torch.save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path)
    yield path
    path.unlink()


def test_cores_own_file_runs_here_and_gives_what_its_modules_give(cores_file, session, base):
    """Both read the file; on the crop that ours cut, core's modules find the same points and blendshapes."""
    graph = prompt("mediapipe_face/fp32", seen={"kind": "PreviewAny", "source": ["found", 1]})
    assert "jawOpen" in session.run(graph)["seen"]["text"][0]
    from comfy_extras.nodes_mediapipe import FaceLandmarkerModel

    theirs = FaceLandmarkerModel(safetensors.torch.load_file(cores_file)).models["short"]
    import nodes

    node = nodes.NODE_CLASS_MAPPINGS["LikenessLoadFaceLandmarker"]
    (loaded,) = node.execute("mediapipe_face/fp32").args
    ours = loaded.patcher.model
    crop = factories.read_photo("astronaut")[:, 40:232, 130:322]
    with torch.no_grad():
        points, presence = theirs.mesh(crop.movedim(-1, 1))
        shapes = theirs.blendshapes(points[:, theirs._bs_idx, :2])
        found, sure = ours.run(crop)
    torch.testing.assert_close(found, points, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(sure, presence.sigmoid(), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(ours.blendshapes(found[:, theirs._bs_idx, :2]), shapes, atol=1e-4, rtol=1e-4)
