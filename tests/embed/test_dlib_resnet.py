"""dlib's network on the shipped photos."""

import factories
from likeness import detect, embed, onnx
from likeness.weights import build_onnx


def test_two_people_are_apart_and_one_is_near_herself():
    weights = factories.STARTER / "weights"
    detector = build_onnx(onnx.read(weights / "face_detection_yunet_2023mar.onnx"), detect.SYSTEMS)
    network = build_onnx(onnx.read(weights / "dlib_face_resnet_v1_fp16w.onnx"), embed.SYSTEMS)
    images = {name: factories.read_photo(name) for name in factories.PHOTOS}
    images["mirrored"] = images["astronaut"].flip(2)
    found = {name: network.embed(image, detector.detect(image)) for name, image in images.items()}
    assert not found["astronaut"].same_person(found["grace_hopper"]).item()
    assert found["astronaut"].same_person(found["mirrored"]).item()
