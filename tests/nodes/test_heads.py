"""Detect Heads, and DirectMHP behind Detect Faces, on a seeded file."""

import pytest
import torch
from safetensors.torch import save_file

import factories
import golden

LAYOUT = golden.FOLDER / "directmhp/directmhp_agora_s.tsv"


@pytest.fixture
def files(base):
    from headless import standalone

    folder = base / "models/face_detection"
    folder.mkdir()
    tensors = golden.state_dict(LAYOUT, LAYOUT.with_suffix(".json"))
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / "heads.safetensors")
    save_file({"model.0.conv.conv.weight": torch.zeros(1)}, folder / "other.safetensors")
    standalone.start(base)
    return base


@pytest.fixture
def detector(nodes, files):
    return nodes["LikenessLoadFaceDetector"].execute("heads.safetensors").args[0]


@pytest.fixture
def find(nodes, detector):
    def run(image: torch.Tensor, threshold: float = 0.0, **more):
        with torch.inference_mode():
            return nodes["LikenessDetectHeads"].execute(detector, image, threshold, size=64, **more).args

    return run


@pytest.mark.parametrize("count", [0, 1, 2, 30])
@pytest.mark.parametrize("frames", [1, 3])
def test_every_head_of_every_frame_has_its_angles(find, count, frames):
    image = factories.people(1)[:, ::8, ::8].repeat(frames, 1, 1, 1)
    faces, pose, boxes, total, table = find(image, 0.0 if count else 1.0, max_heads=count)
    assert len(faces) == len(pose) == total == count * frames
    assert [len(frame) for frame in boxes] == [count] * frames
    assert len(table.splitlines()) == 1 + total
    assert faces.kps is None
    for angle in (pose.yaw, pose.pitch, pose.roll):
        assert bool(((angle >= -180) & (angle <= 180)).all())


def test_the_surest_are_kept_and_faces_of_the_same_detector_are_the_same(nodes, detector, find):
    image = factories.people(2)[:, ::8, ::8]
    everybody, two = find(image)[0], find(image, max_heads=2)[0]
    assert torch.equal(two.bbox, everybody.bbox[:2])
    with torch.inference_mode():
        faces = nodes["LikenessDetectFaces"].execute(detector, image, 0.0, size=64).args[0]
    assert torch.equal(faces.bbox, everybody.bbox)


def test_heads_are_chosen_by_where_they_turn(nodes, find):
    faces, pose, *_ = find(factories.people(2)[:, ::8, ::8], max_heads=20)
    seen = (pose.yaw > 0).sum()
    (kept, count) = nodes["LikenessSelectFaces"].execute(faces, "frontal", 0, head_pose=pose, yaw_from=0.0).args
    assert count == len(kept) == seen
    away = nodes["LikenessSelectFaces"].execute(faces, "frontal", 1, head_pose=pose, reverse=True).args[0]
    assert int(away.id) == int(torch.hypot(pose.yaw, pose.pitch).argmax())


def test_a_head_that_is_missing_is_held_or_an_error(pack, find):
    image = factories.people(1)[:, ::8, ::8]
    faces, pose, *_ = find(torch.cat([image, image]), 1.0, missing="skip")
    assert len(faces) == len(pose) == 0
    assert faces.image_count == 2
    with pytest.raises(pack.likeness.types.NoFaceError, match="Expected a face in every image"):
        find(image, 1.0, missing="error")


@pytest.mark.parametrize("size", [(0, 8, 8), (1, 1, 1), (1, 8, 8), (1, 1, 200)], ids=str)
def test_pictures_of_a_few_pixels_and_none_are_taken(find, size):
    faces, pose, boxes, count, _ = find(torch.zeros(*size, 3), max_heads=3)
    assert len(boxes) == size[0]
    assert len(faces) == len(pose) == count


def test_a_detector_without_angles_and_a_wrong_file_are_refused(nodes, files):
    (yunet,) = nodes["LikenessLoadFaceDetector"].execute("yunet/2023mar").args
    with pytest.raises(ValueError, match="Expected a detector that gives angles, DirectMHP, got YuNet: load directmhp"):
        nodes["LikenessDetectHeads"].execute(yunet, torch.zeros(1, 8, 8, 3), 0.5)
    with pytest.raises(ValueError, match=r"Not a checkpoint of .*directmhp: it holds"):
        nodes["LikenessLoadFaceDetector"].execute("other.safetensors")
    said = nodes["LikenessLoadFaceDetector"].validate_inputs("directmhp/agora_s")
    assert "non-commercial" in said
