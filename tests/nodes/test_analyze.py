"""Load Face Analyzer, Analyze Faces and Select by Attributes, on a seeded FaceXFormer."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import factories
import golden
from headless import standalone

LAYOUT = Path(__file__).parents[1] / "checkpoints/facexformer/facexformer.small.tsv"
ID = "facexformer/iccv2025"
BOX, AWAY = "179 63 91 111", "-20 470 60 60"  # the astronaut's face, and one over the border


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("facexformer") / "facexformer.safetensors"
    save_file(golden.state_dict(LAYOUT), path)
    return path


@pytest.fixture
def installed(pack, base, weights):
    """Where the published file belongs."""
    folder = base / "models/face_analyzer"
    folder.mkdir()
    (folder / weights.name).symlink_to(weights)
    standalone.start(base)
    return base


@pytest.fixture
def analyzer(nodes, installed):
    return nodes["LikenessLoadFaceAnalyzer"].execute(ID).args[0]


def analyze(nodes, analyzer, image, boxes, **more):
    (faces,) = nodes["LikenessFacesFromBoxes"].execute(image, boxes).args
    with torch.inference_mode():
        return nodes["LikenessAnalyzeFaces"].execute(analyzer, image, faces, **more).args


@pytest.mark.parametrize(("boxes", "count"), [("", 0), (BOX, 1), (f"{BOX}\n{AWAY}", 2)])
@pytest.mark.parametrize("frames", [1, 2])
def test_every_face_of_every_frame_is_told_of(nodes, analyzer, boxes, count, frames):
    image = factories.read_photo("astronaut").expand(frames, -1, -1, -1)
    attributes, table, tags, text, pose, landmarks, parsing = analyze(nodes, analyzer, image, boxes)
    assert len(attributes) == len(pose) == len(landmarks) == len(parsing) == len(json.loads(text)) == count * frames
    assert table.startswith("image face set label probability note")
    assert table.count("apparent, model output") >= 3 * count * frames
    assert len(tags.splitlines()) == count * frames or not tags.strip()
    (mask,) = nodes["LikenessParsingToMask"].execute(parsing, "hair").args
    assert mask.shape == image.shape[:3]
    drawn = nodes["LikenessEstimateHeadPose"].execute(landmarks, missing="skip").args
    assert len(drawn[0]) == count * frames


def test_the_id_is_offered_by_three_loaders_and_each_verb_gives_the_same(nodes, installed):
    image = factories.read_photo("astronaut")
    (faces,) = nodes["LikenessFacesFromBoxes"].execute(image, BOX).args
    (analyzer,) = nodes["LikenessLoadFaceAnalyzer"].execute(ID).args
    (parser,) = nodes["LikenessLoadFaceParser"].execute(ID).args
    (landmarker,) = nodes["LikenessLoadFaceLandmarker"].execute(ID).args
    with torch.inference_mode():
        *_, landmarks, parsing = nodes["LikenessAnalyzeFaces"].execute(analyzer, image, faces).args
        mask, _ = nodes["LikenessParseFaces"].execute(parser, image, "face, hair", faces).args
        found, _, keypoints, _ = nodes["LikenessFindLandmarks"].execute(landmarker, image, faces).args
    assert torch.equal(nodes["LikenessParsingToMask"].execute(parsing, "face, hair").args[0], mask)
    torch.testing.assert_close(found.points, landmarks.points)
    assert len(keypoints[0]["people"]) == 1
    for loader, models in (("Analyzer", "face_analyzer"), ("Parser", "face_parsing"), ("Landmarker", "face_landmark")):
        said = nodes[f"LikenessLoadFace{loader}"].validate_inputs("mine.pth")
        assert ID in said
        assert models in said


def test_what_is_not_installed_is_asked_for_by_every_loader(nodes, base):
    for loader in ("Analyzer", "Parser", "Landmarker"):
        said = nodes[f"LikenessLoadFace{loader}"].validate_inputs(ID)
        assert "models/face_analyzer/facexformer.safetensors (1104.9 MB)" in said
        assert "not stated; trained on non-commercial data" in said


def test_the_file_of_another_system_is_refused(nodes, base):
    (base / "models/face_analyzer").mkdir()
    save_file({"fc.weight": torch.zeros(2, 2)}, base / "models/face_analyzer/other.safetensors")
    standalone.start(base)
    with pytest.raises(
        ValueError, match=r"Not a checkpoint of facexformer, .*: it holds 1 tensors, the first are fc\.weight"
    ):
        nodes["LikenessLoadFaceAnalyzer"].execute("other.safetensors")


def test_conditions_keep_faces_and_their_attributes(pack, nodes, analyzer):
    image = factories.read_photo("astronaut").expand(2, -1, -1, -1)
    attributes, *_ = analyze(nodes, analyzer, image, f"{BOX}\n{AWAY}")
    select = nodes["LikenessSelectByAttributes"].execute
    chances = attributes.of("celeba40")[:, 31]  # smiling
    middle = float(chances.unique().mean())
    faces, kept, count = select(attributes, f"smiling > {middle:.6f}").args
    assert count == len(faces) == len(kept) == int((chances > middle).sum()) == 2
    assert faces.id.tolist() == [0, 0] or faces.id.tolist() == [1, 1]
    assert select(attributes, "smiling > 2").args[2] == 0
    with pytest.raises(pack.likeness.types.NoFaceError, match="a face in every image, got none in images 0 to 1"):
        select(attributes, "smiling > 2", missing="error")
    video = factories.read_photo("astronaut").expand(3, -1, -1, -1)
    ends = analyze(nodes, analyzer, video, BOX)[0].select(torch.tensor([0, 2]))
    people, between, count = select(ends, "smiling > -1", missing="interpolate").args
    assert count == len(people) == len(between) == 3
    torch.testing.assert_close(between.probability[1], ends.probability.mean(0))
    with pytest.raises(ValueError, match="must be about the same faces"):
        select(attributes, "smiling", faces=attributes.faces.select(torch.tensor([0])))
    with pytest.raises(ValueError, match=r"Expected one label, got male: write celeba40\.Male or gender\.Male"):
        select(attributes, "male")


def test_tags_are_of_the_sets_that_are_named(nodes, analyzer):
    image = factories.read_photo("astronaut")
    tags = analyze(nodes, analyzer, image, BOX, threshold=0.0, sets="age")[2]
    assert tags.endswith("years old")
    everything = analyze(nodes, analyzer, image, BOX, threshold=0.0)[2]
    assert "5 o clock shadow" in everything
    assert "years old" not in everything
    with pytest.raises(ValueError, match="Expected a set among celeba40, visibility29, age, gender, race, got hats"):
        analyze(nodes, analyzer, image, BOX, sets="hats")


def test_what_an_analyzer_does_not_tell_is_said_where_it_is_needed(pack, nodes, base):
    """A system without points, pose and parsing: its outputs are none."""
    told = pack.likeness.types

    class Plain(torch.nn.Module):
        def analyze(self, image, faces):
            labels = (told.LabelSet("forgery", ("fake",)),)
            found = told.Attributes(faces, labels, torch.full((len(faces), 1), 0.9))
            return pack.likeness.analyze.Analysis(faces, found)

    image = torch.zeros(1, 64, 64, 3)
    *_, tags, _, pose, landmarks, parsing = analyze(nodes, pack.nodes.host.Model(Plain()), image, "1 2 30 30")
    assert (tags, pose, landmarks, parsing) == ("fake", None, None, None)
    with pytest.raises(ValueError, match="Expected landmarks, got none: this analyzer gives none; use Find Landmarks"):
        nodes["LikenessEstimateHeadPose"].execute(landmarks)
    with pytest.raises(ValueError, match="Expected a parsing, got none: this analyzer gives none; use Parse Faces"):
        nodes["LikenessParsingToMask"].execute(parsing, "face")
