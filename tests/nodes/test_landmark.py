"""Find Landmarks and Estimate Head Pose on the stand-ins: no face, one, two; one frame and many."""

import math

import numpy as np
import pytest
import torch

import factories

MODELS = ("mediapipe_mesh/attention", "mediapipe_mesh/base")
BOX = "179 63 91 111"  # the astronaut's face
AWAY = "20 20 60 60"  # no face is there, yet one is claimed


@pytest.fixture(scope="module")
def photo():
    return factories.read_photo("astronaut")


def find(nodes, image, boxes, model=MODELS[0]):
    """What Find Landmarks gives for boxes; "" is nobody."""
    (landmarker,) = nodes["LikenessLoadFaceLandmarker"].execute(model).args
    (faces,) = nodes["LikenessFacesFromBoxes"].execute(image, boxes).args
    with torch.inference_mode():
        return nodes["LikenessFindLandmarks"].execute(landmarker, image, faces).args


def estimate(nodes, landmarks, face=0, missing="error"):
    return nodes["LikenessEstimateHeadPose"].execute(landmarks, face, missing).args


def sparse(nodes, photo, frames=(1, 3), count=5):
    """Landmarks of a video of ``count`` frames with a face only in some."""
    video = photo.expand(count, -1, -1, -1)
    (landmarker,) = nodes["LikenessLoadFaceLandmarker"].execute(MODELS[0]).args
    (faces,) = nodes["LikenessFacesFromBoxes"].execute(video, BOX).args
    return nodes["LikenessFindLandmarks"].execute(landmarker, video, faces.select(torch.tensor(frames))).args[0]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(("boxes", "count"), [("", 0), (BOX, 1), (f"{BOX}\n{AWAY}", 2)])
def test_every_face_of_every_frame_has_its_landmarks(nodes, base, photo, boxes, count, model):
    for frames in (1, 3):
        landmarks, payload, keypoints, faces = find(nodes, photo.expand(frames, -1, -1, -1), boxes, model)
        points = 478 if model.endswith("attention") else 468
        assert landmarks.points.shape == (count * frames, points, 3)
        assert [len(frame) for frame in payload["frames"]] == [count] * frames
        assert [len(frame["people"]) for frame in keypoints] == [count] * frames
        assert faces.kps.shape == (count * frames, 5, 2)


@pytest.mark.parametrize("model", MODELS)
def test_both_engines_find_the_same_mesh(nodes, base, photo, model):
    (faces,) = nodes["LikenessFacesFromBoxes"].execute(photo, BOX).args
    found = []
    for engine in ("onnxruntime", "torch"):
        (landmarker,) = nodes["LikenessLoadFaceLandmarker"].execute(model, engine).args
        assert landmarker.engine.startswith(engine)
        with torch.inference_mode():
            found.append(nodes["LikenessFindLandmarks"].execute(landmarker, photo, faces).args[0])
    torch.testing.assert_close(found[0].points, found[1].points, atol=0.01, rtol=0)  # pixels


def test_the_mesh_gives_truer_points_and_keeps_the_boxes(nodes, base, photo):
    landmarks, _, _, faces = find(nodes, photo, BOX)
    expected = torch.tensor([[203.1, 100.6], [246.1, 103.1], [223.0, 126.2], [201.5, 138.8], [245.3, 140.2]])
    torch.testing.assert_close(faces.kps[0], expected, atol=2.0, rtol=0)
    assert torch.equal(faces.bbox, landmarks.faces.bbox)


def test_boxes_core_landmarks_and_keypoints_all_lead_to_the_same_mesh(nodes, base, photo):
    (landmarker,) = nodes["LikenessLoadFaceLandmarker"].execute(MODELS[0]).args
    box = {"x": 179, "y": 63, "width": 91, "height": 111}
    landmarks, payload, keypoints, faces = find(nodes, photo, BOX)
    for given in (box, payload, keypoints, faces):
        found = nodes["LikenessFindLandmarks"].execute(landmarker, photo, given).args[0]
        off = (found.points - landmarks.points)[..., :2].norm(dim=-1)
        assert float(off.mean()) < 1.2  # of 60 pixels between the eyes


def test_one_number_each_for_the_chosen_face(nodes, base, photo):
    landmarks, payload, *_ = find(nodes, photo, f"{BOX}\n{AWAY}")
    pose, yaw, pitch, roll, table = estimate(nodes, landmarks)
    assert len(pose) == 2
    assert [yaw, pitch, roll] == pytest.approx([-0.5, -9.0, 3.3], abs=0.7)
    assert table.splitlines()[:2] == ["image face yaw pitch roll", f"0 0 {yaw:.2f} {pitch:.2f} {roll:.2f}"]
    assert estimate(nodes, landmarks, face=1)[1] == pytest.approx(float(pose.yaw[1]))
    assert estimate(nodes, payload)[1:4] == pytest.approx((yaw, pitch, roll), abs=0.05)  # depth is fitted again


def test_a_face_that_is_not_there_is_an_error(pack, nodes, base, photo):
    landmarks, *_ = find(nodes, photo, BOX)
    with pytest.raises(pack.likeness.types.NoFaceError, match="a face number 3, counted from 0, got 1 faces"):
        estimate(nodes, landmarks, face=3)
    nobody, *_ = find(nodes, photo, "")
    for missing in ("error", "hold"):
        with pytest.raises(pack.likeness.types.NoFaceError, match="a face in every image, got none in the image"):
            estimate(nodes, nobody, missing=missing)
    pose, *numbers, table = estimate(nodes, nobody, missing="skip")
    assert (len(pose), table) == (0, "image face yaw pitch roll")
    assert all(math.isnan(number) for number in numbers)


def test_frames_without_a_face_are_named_held_or_left_out(pack, nodes, base, photo):
    landmarks = sparse(nodes, photo)
    with pytest.raises(pack.likeness.types.NoFaceError, match=r"none in images 0, 2, 4 of 5 \(counted from 0\)"):
        estimate(nodes, landmarks)
    held, yaw, *_, table = estimate(nodes, landmarks, missing="hold")
    assert held.faces.image_index.tolist() == [0, 1, 2, 3, 4]
    assert [line.split()[0] for line in table.splitlines()[1:]] == ["0", "1", "2", "3", "4"]
    assert yaw == pytest.approx(-0.5, abs=0.7)
    left = estimate(nodes, landmarks, missing="skip")[0]
    assert left.faces.image_index.tolist() == [1, 3]


def test_openpose_points_come_back_as_the_same_face(pack, nodes, base, photo):
    convert = pack.nodes.convert
    landmarks, _, keypoints, faces = find(nodes, photo, BOX)
    (person,) = keypoints[0]["people"]
    sizes = {"pose_keypoints_2d": 54, "face_keypoints_2d": 210, "hand_left_keypoints_2d": 63}
    assert {name: len(person[name]) for name in sizes} == sizes
    back = convert.to_faces(keypoints, photo)
    eye_distance = float((landmarks.points[0, 33, :2] - landmarks.points[0, 263, :2]).norm())
    torch.testing.assert_close(back.kps, faces.kps, atol=0.08 * eye_distance, rtol=0)  # pupils against lids
    flat = np.array(person["face_keypoints_2d"]).reshape(70, 3) / [512, 512, 1]
    shares = [{**keypoints[0], "people": [{**person, "face_keypoints_2d": flat.flatten().tolist()}]}]
    torch.testing.assert_close(convert.to_faces(shares, photo).kps, back.kps, atol=1e-2, rtol=0)


def test_people_without_a_face_are_no_faces(pack, photo):
    body = {"pose_keypoints_2d": [1.0] * 54, "face_keypoints_2d": [0.0] * 210}
    frame = {"canvas_width": 512, "canvas_height": 512, "people": [body, {"pose_keypoints_2d": [1.0] * 54}]}
    assert len(pack.nodes.convert.to_faces([frame], photo)) == 0
    with pytest.raises(ValueError, match="keypoints of 1 images, got 2"):
        pack.nodes.convert.to_faces([frame, frame], photo)


def test_a_file_that_is_missing_names_the_choices(nodes):
    said = nodes["LikenessLoadFaceLandmarker"].validate_inputs("mine/x.onnx")
    assert "mediapipe_mesh/attention, mediapipe_mesh/base" in said


def test_the_file_of_cores_nodes_is_asked_for_where_they_look_for_it(nodes):
    said = nodes["LikenessLoadFaceLandmarker"].validate_inputs("mediapipe_face/fp32")
    assert "models/detection/mediapipe_face_fp32.safetensors" in said
    assert "Comfy-Org/mediapipe" in said


def test_no_images_and_the_smallest_image_have_landmarks_too(nodes, base):
    assert len(find(nodes, torch.zeros(0, 64, 64, 3), "")[0]) == 0
    landmarks, *_ = find(nodes, torch.rand(1, 1, 1, 3), "0 0 1 1")
    assert bool(landmarks.points.isfinite().all())
