"""FAN and S3FD through their tasks' nodes, on small networks of the same classes."""

import pytest
import torch
from safetensors.torch import save_file

import factories

BOX, AWAY = "179 63 91 111", "-20 470 60 60"  # the astronaut's face, and one over the border


def seeded(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Its tensors, filled so that activations neither fade nor explode."""
    torch.manual_seed(0)
    for name, tensor in module.state_dict().items():
        if tensor.ndim > 1:
            torch.nn.init.kaiming_normal_(tensor)
        elif "running_var" in name:
            tensor.fill_(1)
    return {name: tensor.contiguous() for name, tensor in module.state_dict().items()}


@pytest.fixture
def files(pack, base):
    """Local files in the model folders of a base."""
    from headless import standalone

    fan, s3fd = pack.likeness.landmark.fan.FAN, pack.likeness.detect.s3fd.S3FD
    for folder in ("face_landmark", "face_detection"):
        (base / "models" / folder).mkdir()
    save_file(seeded(fan(1, 32)), base / "models/face_landmark/flat.safetensors")
    save_file(seeded(fan(1, 32, (1, 1, 1, 1))), base / "models/face_landmark/deep.safetensors")
    weights = seeded(s3fd())
    save_file(weights, base / "models/face_detection/s3fd.safetensors")
    save_file(weights, base / "models/face_landmark/s3fd.safetensors")
    standalone.start(base)
    return base


def find(nodes, image, boxes, file="flat.safetensors", **choices):
    (landmarker,) = nodes["LikenessLoadFaceLandmarker"].execute(file, **choices).args
    (faces,) = nodes["LikenessFacesFromBoxes"].execute(image, boxes).args
    with torch.inference_mode():
        return nodes["LikenessFindLandmarks"].execute(landmarker, image, faces).args


@pytest.mark.parametrize(("file", "dimensions"), [("flat.safetensors", 2), ("deep.safetensors", 3)])
@pytest.mark.parametrize(("boxes", "count"), [("", 0), (BOX, 1), (f"{BOX}\n{AWAY}", 2)])
def test_every_face_of_every_frame_has_its_points(nodes, files, boxes, count, file, dimensions):
    photo = factories.read_photo("astronaut")
    for frames in (1, 2):
        landmarks, payload, keypoints, faces = find(nodes, photo.expand(frames, -1, -1, -1), boxes, file)
        assert landmarks.points.shape == (count * frames, 68, dimensions)
        assert [len(frame) for frame in payload["frames"]] == [count] * frames
        assert [len(frame["people"]) for frame in keypoints] == [count] * frames
        assert faces.kps.shape == (count * frames, 5, 2)


@pytest.mark.parametrize("file", ["flat.safetensors", "deep.safetensors"])
def test_what_comes_after_takes_68_points(pack, nodes, files, file):
    photo = factories.read_photo("astronaut")
    landmarks, payload, keypoints, faces = find(nodes, photo, BOX, file)
    convert = pack.nodes.convert
    torch.testing.assert_close(convert.to_landmarks(payload).points, landmarks.points, atol=1e-3, rtol=1e-5)
    person = torch.tensor(keypoints[0]["people"][0]["face_keypoints_2d"]).reshape(70, 3)
    torch.testing.assert_close(person[:68, :2], landmarks.points[0, :, :2])
    angles = nodes["LikenessEstimateHeadPose"].execute(landmarks).args
    assert all(-180 <= angle <= 180 for angle in angles[1:4])
    (drawn,) = nodes["LikenessDrawFaces"].execute(photo, faces, False, False, False, landmarks).args
    assert 100 < int((drawn != photo).any(-1).sum()) < 20000
    (dots,) = nodes["LikenessDrawLandmarkGuidance"].execute(landmarks, 512, 512).args
    assert dots.any()


def test_choices_are_fans_alone(nodes, files):
    load = nodes["LikenessLoadFaceLandmarker"].execute
    photo = factories.read_photo("astronaut")
    whole = find(nodes, photo, BOX, decode="reference", flip="off")[0].points
    assert torch.equal(whole, whole.round())
    assert not torch.equal(find(nodes, photo, BOX, flip="off")[0].points, whole)
    with pytest.raises(ValueError, match="Expected auto for flip of AttentionMesh, got on: only FAN leaves the choice"):
        load("mediapipe_mesh/attention", flip="on")


def test_thirty_faces_and_one_of_eight_pixels(nodes, files):
    photo = factories.read_photo("astronaut")
    boxes = "\n".join(f"{16 * i} {300 - 10 * i} 8 8" for i in range(30))
    landmarks = find(nodes, photo, boxes, flip="off")[0]
    assert len(landmarks) == 30
    assert bool(landmarks.points.isfinite().all())
    middle = landmarks.faces.bbox.reshape(-1, 2, 2).mean(1)
    assert float((landmarks.points.mean(1) - middle).abs().max()) < 16


def test_the_file_of_another_system_is_refused(pack, nodes, files):
    with pytest.raises(ValueError, match=r"Not a checkpoint of .*fan.*: it holds"):
        nodes["LikenessLoadFaceLandmarker"].execute("s3fd.safetensors")
    said = nodes["LikenessLoadFaceLandmarker"].validate_inputs("fan/3d")
    assert "fan_3dfan4.safetensors" in said
    assert "fan_depth.safetensors" in said


def test_s3fds_faces_have_boxes_and_what_needs_points_says_so(nodes, files):
    photo = factories.read_photo("astronaut")[:, :128, :128]
    (detector,) = nodes["LikenessLoadFaceDetector"].execute("s3fd.safetensors").args
    with torch.inference_mode():
        faces, boxes, count = nodes["LikenessDetectFaces"].execute(detector, photo, 0.0, max_faces=3).args
    assert (count, len(boxes[0]), faces.kps) == (3, 3, None)
    (embedder,) = nodes["LikenessLoadFaceEmbedder"].execute("dlib_resnet/v1").args
    with pytest.raises(ValueError, match="Expected faces with five points, got boxes only"):
        nodes["LikenessEmbedFaces"].execute(embedder, photo, faces)
    (landmarker,) = nodes["LikenessLoadFaceLandmarker"].execute("flat.safetensors", flip="off").args
    with torch.inference_mode():
        found = nodes["LikenessFindLandmarks"].execute(landmarker, photo, faces).args[3]
    assert found.kps.shape == (3, 5, 2)
