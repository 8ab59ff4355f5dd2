"""Load Face Classifier, Explain Face, Compare Heat Maps."""

import pytest
import torch

import factories
import small_classifier
from headless import standalone


@pytest.fixture
def nodes(base):
    """The nodes on a base of their own, with a classifier in it."""
    small_classifier.write(base / "models/face_classifier/small.onnx")
    return standalone.start(base).nodes


@pytest.fixture
def find(nodes):
    """The faces in a picture."""
    (detector,) = nodes["LikenessLoadFaceDetector"].execute("yunet/2023mar").args
    return lambda image: nodes["LikenessDetectFaces"].execute(detector, image, 0.7).args[0]


@pytest.fixture
def classifier(nodes):
    """Loaded as ComfyUI loads it."""
    load = nodes["LikenessLoadFaceClassifier"].execute
    with torch.inference_mode():
        return load("small.onnx", small_classifier.LABELS, "0 to 1", engine="torch").args[0]


@pytest.mark.parametrize("count", [0, 1, 2])
@pytest.mark.parametrize("frames", [1, 3])
def test_each_image_has_one_heat_map_of_all_its_faces(nodes, find, classifier, count, frames):
    image = factories.people(count).repeat(frames, 1, 1, 1)
    run = nodes["LikenessExplainFace"].execute
    heat, overlay, table, answer = run(
        classifier, image, find(image), "occlusion", patch=0.25, stride=1.0, fill="black"
    ).args
    assert heat.shape == image.shape[:3]
    assert overlay.shape == image.shape
    assert len(table) == count * frames
    assert (answer in ("bright", "dark")) == (count > 0)
    sides = heat[-1, :, :400].amax(), heat[-1, :, 400:].amax()
    assert [side > 0.5 for side in sides] == [count > 0, count > 1]
    assert torch.equal(overlay, image) == (count == 0)


def test_a_classifier_is_explained_in_all_three_ways_as_comfyui_runs_nodes(nodes, find, classifier):
    image = factories.people(1)
    faces, run = find(image), nodes["LikenessExplainFace"].execute
    with torch.inference_mode():
        for method, options in (
            ("occlusion", {"patch": 0.25}),
            ("lime", {"regions": 16, "samples": 40, "segments": "grid"}),
            ("grad_cam", {"layer": "looked_at"}),
        ):
            heat, _, table, _ = run(classifier, image, faces, method, label="bright", sign="both", **options).args
            assert heat.max() > 0.9, method
            assert table["answer"].tolist() == ["bright"]
    assert table["layer"].tolist() == ["looked_at"]


def test_an_embedder_is_explained_against_itself_or_a_reference(nodes, find):
    (embedder,) = nodes["LikenessLoadFaceEmbedder"].execute("dlib_resnet/v1").args
    image = factories.people(2)
    faces = find(image)
    who = nodes["LikenessEmbedFaces"].execute(embedder, image, faces).args[0]
    run = nodes["LikenessExplainFace"].execute
    heat, _, table, answer = run(embedder, image, faces, "occlusion", patch=0.5, stride=1.0).args
    assert answer == "itself"
    assert heat.amax((1, 2)) > 0.9
    _, _, table, answer = run(embedder, image, faces, "occlusion", reference=who, patch=0.5, stride=1.0).args
    assert answer == "the reference"
    assert table.numbers("score").min() > -0.5


def test_no_face_is_held_or_an_error(pack, nodes, find, classifier):
    face = factories.people(1)
    video = torch.cat([face, torch.zeros_like(face)])
    faces, run = find(video), nodes["LikenessExplainFace"].execute
    more = {"patch": 0.5, "stride": 1.0}
    assert not run(classifier, video, faces, "occlusion", **more).args[0][1].any()
    assert run(classifier, video, faces, "occlusion", missing="hold", **more).args[0][1].any()
    with pytest.raises(pack.likeness.types.NoFaceError, match="none in image 1 of 2"):
        run(classifier, video, faces, "occlusion", missing="error")


def test_a_classifier_that_is_not_there_says_where_to_put_one(nodes):
    node = nodes["LikenessLoadFaceClassifier"]
    assert node.validate_inputs("small.onnx") is True
    assert "Expected an .onnx file in models/face_classifier, got mine.pt" in node.validate_inputs("mine.pt")
    assert "got none: put a classifier of your own there" in node.validate_inputs("")
    with pytest.raises(ValueError, match=r"\(2\), got 6 \(Anger, .*Surprise\)"):
        node.execute(
            "small.onnx", ", ".join(["Anger", "Disgust", "Fear", "Happiness", "Sadness", "Surprise"]), "0 to 1"
        )


def test_a_damaged_classifier_is_named(nodes, base):
    (base / "models/face_classifier/torn.onnx").write_bytes(b"not a graph")
    with pytest.raises(ValueError, match=r"torn\.onnx"):
        standalone.start(base).nodes["LikenessLoadFaceClassifier"].execute("torn.onnx", "a, b", "0 to 1")


def test_heat_maps_are_compared_with_masks_and_with_each_other(nodes, base):
    masks, names = nodes["LikenessExpressionMask"].execute("all").args
    heat = masks.clone() * 0.5
    heat[0] = heat[1]
    report, table, iou, hot = (
        nodes["LikenessCompareHeatMaps"].execute(heat, masks, "one by one", False, names, names).args
    )
    assert table["IoU"].tolist()[1:] == [1.0] * 5
    assert table["IoU"][0] < 0.5
    assert iou == pytest.approx(float(table["IoU"].mean()))
    assert torch.equal(hot > 0, heat > 0)
    every = nodes["LikenessCompareHeatMaps"].execute(heat, masks, "each with each", False, names, names).args[1]
    assert len(every) == 36
    (_, markdown, _) = nodes["LikenessSaveReport"].execute(report, "reports/explain", "csv").args
    assert "How alike the heat maps are" in markdown


def test_many_heat_maps_become_one_mean(nodes):
    mask = nodes["LikenessExpressionMask"].execute("fear").args[0]
    heat = mask.repeat(3, 1, 1) * torch.tensor([0.2, 0.6, 1.0])[:, None, None]
    _, table, iou, hot = nodes["LikenessCompareHeatMaps"].execute(heat, mask, "one by one", True, "mean", "fear").args
    assert (len(table), iou, len(hot)) == (1, 1.0, 1)


def test_what_cannot_be_compared_is_refused(pack, nodes):
    run, mask = nodes["LikenessCompareHeatMaps"].execute, torch.ones(1, 8, 8)
    with pytest.raises(ValueError, match="of one size, got 8 x 8 and 224 x 275"):
        run(mask, nodes["LikenessExpressionMask"].execute("fear").args[0], "one by one", False)
    with pytest.raises(pack.likeness.types.NoFaceError, match="heat maps and masks, got 0 and 1: is there a face"):
        run(mask[:0], mask, "one by one", False)
    with pytest.raises(ValueError, match="Expected 1 names, one for each heat map, got 2"):
        run(mask, mask, "one by one", False, "a, b")
