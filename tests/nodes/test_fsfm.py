"""FSFM on its nodes: vectors, scores, hidden patches, photos of a table and their report."""

import json

import pytest
import torch
from safetensors.torch import save_file

import factories
import golden
from headless import standalone

BOX, AWAY = "179 63 91 111", "-20 470 60 60"  # the astronaut's face, and one over the border
FILES = {
    "fsfm/vf2_vit_b": ("face_embedding", "fsfm_vf2_vit_b"),
    "fsfm_detectors/unified": ("face_analyzer", "fsfm_unified_detector"),
    "fsfm_detectors/ffpp_c23": ("face_analyzer", "fsfm_ffpp_c23"),
    "fsfm_detectors/ffpp_df_fe": ("face_analyzer", "fsfm_ffpp_df_fe"),
    "fsfm_detectors/mcio_msu": ("face_analyzer", "fsfm_mcio_msu"),
}


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    made, folder = {}, tmp_path_factory.mktemp("fsfm")
    for id, (_, stem) in FILES.items():
        layout = "fsfm_ffpp_c23" if stem == "fsfm_ffpp_df_fe" else stem  # of the same make
        made[id] = folder / f"{stem}.safetensors"
        tensors = golden.state_dict(golden.FOLDER / id.split("/")[0] / f"{layout}.small.tsv")
        save_file({name: tensor.clone() for name, tensor in tensors.items()}, made[id])
    return made


@pytest.fixture
def installed(pack, base, weights):
    for id, (folder, _) in FILES.items():
        (base / "models" / folder).mkdir(exist_ok=True)
        (base / "models" / folder / weights[id].name).symlink_to(weights[id])
    (base / "models/face_analyzer/mine.safetensors").symlink_to(weights["fsfm_detectors/ffpp_c23"])
    standalone.start(base)
    return base


def run(nodes, name, *given, **more):
    with torch.inference_mode():
        return nodes[f"Likeness{name}"].execute(*given, **more).args


@pytest.mark.parametrize(("boxes", "count"), [("", 0), (BOX, 1), (f"{BOX}\n{AWAY}", 2)])
@pytest.mark.parametrize("frames", [1, 2])
def test_every_face_of_every_frame_has_a_vector_and_scores(nodes, installed, boxes, count, frames):
    image = factories.read_photo("astronaut").expand(frames, -1, -1, -1)
    (faces,) = run(nodes, "FacesFromBoxes", image, boxes)
    (embedder,) = run(nodes, "LoadFaceEmbedder", "fsfm/vf2_vit_b")
    (known,) = run(nodes, "EmbedFaces", embedder, image, faces)
    assert known.embedding.shape == (count * frames, 384)
    assert "CC-BY-NC-4.0; commercial use: no" in known.weights
    for id in ("fsfm_detectors/unified", "fsfm_detectors/mcio_msu"):
        (analyzer,) = run(nodes, "LoadFaceAnalyzer", id)
        attributes, table, tags, text, *nothing = run(nodes, "AnalyzeFaces", analyzer, image, faces)
        assert len(attributes) == len(json.loads(text)) == count * frames
        assert table.count("measure score_") == count * frames * len(attributes.measures)
        assert not tags.strip()
        assert nothing == [None] * 3


def test_the_id_chooses_the_preparation_and_a_file_must_be_chosen_for(nodes, installed):
    image = factories.read_photo("astronaut")
    (faces,) = run(nodes, "FacesFromBoxes", image, BOX)
    told = []
    for id in ("fsfm_detectors/ffpp_c23", "fsfm_detectors/ffpp_df_fe"):
        (analyzer,) = run(nodes, "LoadFaceAnalyzer", id)
        told.append(run(nodes, "AnalyzeFaces", analyzer, image, faces)[0].values)
    assert not torch.allclose(*told, atol=1e-3)
    with pytest.raises(ValueError, match="Set preparation on Load Face Analyzer"):
        run(nodes, "LoadFaceAnalyzer", "mine.safetensors")
    (mine,) = run(nodes, "LoadFaceAnalyzer", "mine.safetensors", preparation="imagenet_centre")
    torch.testing.assert_close(run(nodes, "AnalyzeFaces", mine, image, faces)[0].values, told[1])


def test_what_is_not_installed_is_named_with_its_licence(nodes, base):
    said = nodes["LikenessLoadFaceAnalyzer"].validate_inputs("fsfm_detectors/unified")
    assert "models/face_analyzer/fsfm_unified_detector.safetensors (1029.8 MB)" in said
    assert "CC-BY-NC-4.0; commercial use: no" in said
    said = nodes["LikenessLoadFaceAnalyzer"].validate_inputs("fsfm_detectors/mcio_oulu")
    assert "oulu_vit_0_shot_checkpoint_run_0.pth.tar" in said


@pytest.mark.parametrize("count", [0, 1, 2])
@pytest.mark.parametrize("frames", [1, 3])
def test_patches_of_every_face_are_hidden(nodes, base, count, frames):
    image = factories.people(count)[:, ::2, ::2].repeat(frames, 1, 1, 1)
    (detector,) = run(nodes, "LoadFaceDetector", "yunet/2023mar")
    faces, *_ = run(nodes, "DetectFaces", detector, image, 0.7)
    (parser,) = run(nodes, "LoadFaceParser", "mesh_regions/attention")
    _, parsing = run(nodes, "ParseFaces", parser, image, "face", faces)
    crops, mask, covered, whole, alignment = run(nodes, "MaskFacePatches", parsing, image, "random", 0.75, 3)
    rows = count * frames
    assert crops.shape == (rows, 224, 224, 3)
    assert mask.shape == covered.shape == (rows, 224, 224)
    assert whole.shape == image.shape[:3]
    assert (whole.flatten(1).amax(1) > 0.9).tolist() == [count > 0] * frames
    torch.testing.assert_close(mask.mean((1, 2)), torch.full((rows,), 0.75))
    assert bool((covered <= mask).all())
    (back,) = run(nodes, "PasteFaces", image, crops, alignment)
    assert back.shape == image.shape
    again = run(nodes, "MaskFacePatches", parsing, image, "random", 0.75, 3)[1]
    assert torch.equal(mask, again)


def test_a_parsing_of_other_images_and_none_are_refused(nodes, base):
    image = factories.read_photo("astronaut")
    with pytest.raises(ValueError, match="Expected a parsing, got none"):
        run(nodes, "MaskFacePatches", None, image, "nose", 0.75, 0)
    (faces,) = run(nodes, "FacesFromBoxes", image, BOX)
    (parser,) = run(nodes, "LoadFaceParser", "mesh_regions/attention")
    _, parsing = run(nodes, "ParseFaces", parser, image, "face", faces)
    with pytest.raises(ValueError, match="Expected the 1 images of 512 x 512"):
        run(nodes, "MaskFacePatches", parsing, image[:, :100], "nose", 0.75, 0)


def test_photos_of_a_table_are_scored_and_judged(nodes, installed):
    rows = "file,real\nastronaut.png,true\ngrace_hopper.jpg,false\nnowhere.png,false\n"
    (installed / "input/photos.csv").write_text(rows)
    for name in ("astronaut", "grace_hopper"):
        source = next((factories.STARTER / "photos").glob(f"{name}.*"))
        (installed / "input" / source.name).write_bytes(source.read_bytes())
    table, *_ = run(nodes, "LoadTable", "photos.csv")
    (detector,) = run(nodes, "LoadFaceDetector", "yunet/2023mar")
    (analyzer,) = run(nodes, "LoadFaceAnalyzer", "fsfm_detectors/mcio_msu")
    scored, bad = run(nodes, "AnalyzePhotos", detector, analyzer, table, "file", "")
    assert scored.names == ("file", "real", "score_spoof", "score_real")
    assert list(bad.rows()) == [("nowhere.png", "not there: nowhere.png")]
    report, rates, hter, threshold = run(nodes, "SpoofReport", scored, "score_real", "real", bad=bad)
    assert (len(rates), rates["real"][0], rates["spoofs"][0]) == (1, 1, 1)
    assert 0 <= hter <= 1
    assert 0 <= threshold <= 1.1
    assert "Photos without a score" in report.markdown()
    assert "1 of 3 rows have no score" in report.markdown()
    with pytest.raises(ValueError, match="Expected a column among file, real, score_spoof, score_real, got score"):
        run(nodes, "SpoofReport", scored, "score", "real")
    assert "nowhere" in nodes["LikenessAnalyzePhotos"].validate_inputs("nowhere")
