"""Slice Report, Measure Skin Tone, Score Photo Pairs, Verification Report, Time Recognition."""

import math
import shutil

import pytest
import torch

import factories
from headless import standalone


@pytest.fixture
def nodes(base):
    """The nodes on a base of their own."""
    return standalone.start(base).nodes


@pytest.fixture
def load(nodes, base):
    return lambda name: nodes["LikenessLoadTable"].execute(name).args[0]


@pytest.fixture
def networks(nodes, base):
    """Detector and embedder."""
    loaders = (("LikenessLoadFaceDetector", "yunet/2023mar"), ("LikenessLoadFaceEmbedder", "dlib_resnet/v1"))
    return [nodes[node].execute(model).args[0] for node, model in loaders]


def test_slices_of_the_shipped_table(nodes, load):
    table = load("likeness_slices.csv")
    run = nodes["LikenessSliceReport"].execute
    report, rows = run(table, "accuracy", "prediction", "truth", "skin_type, light", 25, 100, 0, "subject").args
    assert rows["by"][0] == "all"
    assert {"skin_type", "light", "skin_type x light"} < set(rows["by"].tolist())
    assert "not stated" in rows["slice"].tolist()
    assert "values of subject" in report.markdown()
    for metric, prediction, truth in (("TPR at FPR", "score", "smiles"), ("detection rate", "found", "")):
        assert len(run(table, metric, prediction, truth, "light", bootstrap=0).args[1]) == 3


def test_two_tables_are_joined_and_what_one_lacks_is_said(nodes, load, base):
    (base / "input/known.csv").write_text("file,group\n000_0.mp4,x\n000_1.mp4,y\nnowhere.mp4,x\n")
    report, rows = (
        nodes["LikenessSliceReport"]
        .execute(
            load("likeness_slices.csv"), "accuracy", "prediction", "truth", "group", bootstrap=0, more=load("known.csv")
        )
        .args
    )
    assert rows["rows"].tolist() == [2, 1, 1]
    assert "239 file are in one table only" in report.notes[-1]


@pytest.mark.parametrize(("count", "frames"), [(0, 1), (1, 3), (2, 1)])
def test_the_skin_of_every_image_has_a_row(nodes, networks, count, frames):
    image = factories.people(count).repeat(frames, 1, 1, 1)
    faces = nodes["LikenessDetectFaces"].execute(networks[0], image, 0.7).args[0]
    (parser,) = nodes["LikenessLoadFaceParser"].execute("mesh_regions/attention").args
    mask = nodes["LikenessParseFaces"].execute(parser=parser, image=image, regions="skin", faces=faces).args[0]
    table, angle, bucket, report = nodes["LikenessMeasureSkinTone"].execute(image, mask).args
    assert len(table) == frames
    assert math.isnan(angle) == (count == 0) == (bucket == "")
    assert count == 0 or 0 < angle < 60
    assert "neither Fitzpatrick's type nor the Monk scale" in report.markdown()


def test_photos_in_pairs_are_scored_and_bad_ones_listed(nodes, networks, base):
    (base / "input/faces").mkdir()
    for name, path in factories.PHOTOS.items():
        shutil.copy(path, base / f"input/faces/{name}{path.suffix}")
    (base / "input/faces/torn.jpg").write_bytes(b"\xff\xd8")
    rows = ["astronaut.png,astronaut.png,1", "astronaut.png,grace_hopper.jpg,0", "astronaut.png,torn.jpg,1"]
    (base / "input/mine.csv").write_text("\n".join(["a,b,same", *rows, "grace_hopper.jpg,nowhere.png,0", ""]))
    pairs, bad = nodes["LikenessScorePhotoPairs"].execute(*networks, "mine.csv", "faces", "table").args
    assert pairs["score"][0] == pytest.approx(1)
    assert 0.8 < pairs["score"][1] < 0.95  # dlib's cosines are high between strangers too
    assert [math.isnan(score) for score in pairs["score"]] == [False, False, True, True]
    assert sorted(bad["photo"].tolist()) == ["nowhere.png", "torn.jpg"]
    report, judged, _, _ = nodes["LikenessVerificationReport"].execute(pairs, "0.5", bad=bad).args
    assert "torn.jpg" in report.markdown()
    assert "2 of 4 pairs have no score" in report.markdown()
    assert len(judged) == 2


def test_a_pair_file_that_is_not_there_is_refused_before_the_run(nodes, base):
    validate = nodes["LikenessScorePhotoPairs"].validate_inputs
    assert "Expected lfw.txt in ComfyUI's input folder" in validate("lfw.txt", "")
    assert "Expected lfw in ComfyUI's input folder" in validate("likeness_photo_pairs.csv", "lfw")


def test_the_shipped_pairs_have_a_roc_and_an_accuracy_for_each_group(nodes, load):
    report, judged, tar, threshold = nodes["LikenessVerificationReport"].execute(load("likeness_pairs.csv"), "0.1").args
    assert 0.9 < tar <= 1
    assert 0.12 < threshold < 0.4
    assert report.figure().shape[0] == 1
    rows = nodes["LikenessSliceReport"].execute(judged, "accuracy", "judged", "same", "group", bootstrap=0).args[1]
    assert rows["accuracy"].min() > 0.9


@pytest.mark.parametrize("count", [0, 1, 2])
def test_recognition_is_timed_on_one_core(nodes, networks, count):
    image = torch.cat([factories.people(count)] * 2)
    milliseconds, track, report = nodes["LikenessTimeRecognition"].execute(*networks, image, 6).args
    assert 0 < milliseconds < 60000
    assert track
    assert report.table["photos"].tolist() == [2]
    assert report.table["without a face"].tolist() == [0 if count else 6]
    assert "One core. onnxruntime" in report.markdown() or "One core. torch" in report.markdown()


def test_an_empty_batch_is_not_timed(nodes, networks):
    with pytest.raises(ValueError, match="Expected photos to time, got none"):
        nodes["LikenessTimeRecognition"].execute(*networks, torch.zeros(0, 64, 64, 3), 6)


def test_sessions_for_one_core_have_one_thread(pack, networks):
    onnx = pack.likeness.onnx
    pytest.importorskip("onnxruntime")
    with onnx.threads(1):
        network = networks[1].again()
    for held, expected in ((network, 1), (networks[1].patcher.model, 0)):
        assert held.model.runner.session.get_session_options().intra_op_num_threads == expected
