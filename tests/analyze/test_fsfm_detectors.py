"""FSFM's detectors on seeded weights, as the authors' own gave their logits; and their pictures, as theirs are made."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import factories
import fsfm_cases as cases
import golden
import seeding
from likeness import analyze, embed
from likeness.analyze.fsfm_detectors import (
    CHIP,
    LABELS,
    PADDING,
    PREPARATIONS,
    PUBLISHED,
    SPOOF_LABELS,
    chip_matrix,
    hparams,
    spoof_hparams,
)
from likeness.embed.fsfm import crop
from likeness.geometry import bbox_to_kps, move
from likeness.manifest import read_models
from likeness.types import Faces
from likeness.weights import UnsupportedCheckpointError, build

CHECKPOINT = Path(__file__).parents[1] / "checkpoints/fsfm_detectors"
FILES = ("fsfm_unified_detector", "fsfm_ffpp_c23", "fsfm_mcio_msu")
VERDICTS = ("genuine", "authentic", "verdict", "is real", "is fake", "true", "false")


def detector(name: str = "fsfm_unified_detector"):
    return golden.network(CHECKPOINT / f"{name}.small.tsv", analyze.SYSTEMS)


def faces(boxes, size=cases.SIZE, images=1, points=True) -> Faces:
    box = torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)
    index = torch.arange(len(box))
    return Faces(size, images, index, index % images, box, torch.ones(len(box)), bbox_to_kps(box) if points else None)


@pytest.mark.parametrize("name", FILES)
def test_the_logits_are_the_authors(name):
    logits = detector(name)(seeding.noise("crops", torch.Size([2, 3, 224, 224])).float() * 2)
    assert golden.difference(CHECKPOINT / f"{name}.small.json", "logits", logits) < 1e-4


@pytest.mark.parametrize(
    ("name", "weight"),
    [
        ("fsfm_unified_detector", "fc_norm.weight"),
        ("fsfm_ffpp_c23", "head.bias"),
        ("fsfm_mcio_msu", "backbone.vit.fc_norm.bias"),
        ("fsfm_mcio_msu", "embedder.bottleneck_layer_fc.weight"),
        ("fsfm_mcio_msu", "classifier.classifier_layer.bias"),
    ],
)
def test_a_changed_weight_is_seen(name, weight):
    values = golden.state_dict(CHECKPOINT / f"{name}.small.tsv")
    values[weight] = values[weight].roll(1, 0)
    logits = build(values, analyze.SYSTEMS)(seeding.noise("crops", torch.Size([2, 3, 224, 224])).float() * 2)
    assert golden.difference(CHECKPOINT / f"{name}.small.json", "logits", logits) > 1e-3


@pytest.mark.parametrize("name", FILES)
def test_the_published_network_is_laid_out_as_theirs(name):
    layout, _ = seeding.read_layout(CHECKPOINT / f"{name}.tsv")
    found = spoof_hparams(layout) if "mcio" in name else hparams(layout)
    assert (found["width"], found["depth"], found["heads"], found["grid"]) == (768, 12, 12, 14)
    assert found.get("classes", found.get("size")) == {"fsfm_unified_detector": 4, "fsfm_ffpp_c23": 2}.get(name, 512)
    build(layout, analyze.SYSTEMS)


def test_classes_are_numbered_as_torchvision_numbers_the_authors_folders():
    folders = json.loads((CHECKPOINT / "labels.json").read_text())["folders"]
    assert tuple(name.split("_")[0] for name in folders) == LABELS[2] == ("fake", "real")
    assert LABELS[4] == ("real", "deepfake", "diffusion", "spoof")  # the authors' README, release note of 2025-02
    assert SPOOF_LABELS == ("spoof", "real")  # utils/dataset.py: what is fake has the label 0


@pytest.mark.parametrize(("name", "labels"), list(zip(FILES, (LABELS[4], LABELS[2], SPOOF_LABELS), strict=True)))
def test_each_class_has_its_score_and_no_label_is_told(name, labels):
    network = detector(name)
    analyze.choose_preparation(network, "auto", "fsfm_detectors/ffpp_c23" if "ffpp" in name else "")
    image, one = factories.photo(200, 200, 0)[None], faces([(50, 50, 150, 150)], (200, 200))
    plain = network.analyze(image, one).attributes
    assert plain.measures == tuple(f"score_{label}" for label in labels)
    for number, label in enumerate(labels):
        with torch.no_grad():
            bias = network.classifier.classifier_layer.bias if "mcio" in name else network.head.bias
            kept = bias.clone()
            bias[number] += 50
            told = network.analyze(image, one).attributes
            bias.copy_(kept)
        assert told.values[0, number] > 0.99, label
        text = analyze.to_table(told)
        assert text.count("measure score_") == len(labels)
        assert analyze.to_tags(told) == ""
        assert not told.sets
        assert not [word for word in VERDICTS if word in text.lower()]
    torch.testing.assert_close(plain.values.sum(1), torch.ones(1))
    assert 0 <= plain.values.min() <= plain.values.max() <= 1


@pytest.mark.parametrize("way", PREPARATIONS)
def test_pictures_are_the_authors(way):
    """Theirs are rounded to whole numbers of 255 twice."""
    image = cases.picture().float()[None] / 255
    crops = crop(image, faces(cases.BOXES), PREPARATIONS[way], 224)
    grey = 1 / 255 / min(PREPARATIONS[way].deviation)
    for number, one in enumerate(crops):
        assert golden.difference(CHECKPOINT / "crops.json", f"{way}{number}", one) < 1.3 * grey / one.std(), number


def test_every_published_two_class_detector_has_its_preparation():
    ids = [model.id for model in read_models("fsfm_detectors")]
    assert set(PUBLISHED) <= set(ids)
    assert set(ids) - set(PUBLISHED) == {id for id in ids if "unified" in id or "mcio" in id}


def test_the_id_chooses_how_pictures_are_made():
    network = detector("fsfm_ffpp_c23")
    image, one = factories.photo(200, 200, 0)[None], faces([(50, 50, 150, 150)], (200, 200))
    with pytest.raises(
        ValueError, match="Expected a preparation among vggface2, vggface2_centre, imagenet_centre, got none"
    ):
        network.analyze(image, one)
    told = {}
    for id, way in PUBLISHED.items():
        analyze.choose_preparation(network, "auto", id)
        assert network.preparation == way
        told[way] = network.analyze(image, one).attributes.values
    assert len({tuple(values.flatten().tolist()) for values in told.values()}) == 3
    analyze.choose_preparation(network, "imagenet_centre", "fsfm_detectors/ffpp_c23")
    assert network.preparation == "imagenet_centre"


def test_a_file_that_does_not_say_it_must_be_chosen_for_and_others_refuse():
    with pytest.raises(
        ValueError, match=r"for Detector, got none: nothing in its file says .* Set preparation on Load"
    ):
        analyze.choose_preparation(detector("fsfm_ffpp_c23"), "auto", "mine.safetensors")
    with pytest.raises(ValueError, match="Expected a preparation among vggface2 for Detector, got imagenet_centre"):
        analyze.choose_preparation(detector(), "imagenet_centre")
    with pytest.raises(ValueError, match="Expected auto for the preparation for SpoofDetector, got vggface2"):
        analyze.choose_preparation(detector("fsfm_mcio_msu"), "vggface2")
    analyze.choose_preparation(detector(), "auto", "mine.safetensors")
    analyze.choose_preparation(detector("fsfm_mcio_msu"))


def test_a_head_of_unknown_classes_is_refused():
    values = golden.state_dict(CHECKPOINT / "fsfm_ffpp_c23.small.tsv")
    values |= {"head.weight": torch.zeros(3, 384), "head.bias": torch.zeros(3)}
    with pytest.raises(UnsupportedCheckpointError, match="Expected a detector of 2 or 4 classes, got 3"):
        build(values, analyze.SYSTEMS)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("count", [0, 1, 2])
def test_every_face_is_scored(name, count):
    network = detector(name)
    analyze.choose_preparation(network, "auto", "fsfm_detectors/ffpp_c23" if "ffpp" in name else "")
    image = factories.photo(200, 200, 0)[None].expand(2, -1, -1, -1)
    boxes = [(50, 50, 150, 150), (-20, 120, 60, 210)][:count]
    analysis = network.analyze(image, faces(boxes, (200, 200), 2))
    assert analysis.attributes.values.shape == (count, len(network.labels))
    assert bool(analysis.attributes.values.isfinite().all())
    assert analysis.head_pose is analysis.landmarks is analysis.parsing is None


@pytest.mark.parametrize("name", ["fsfm_unified_detector", "fsfm_mcio_msu"])
def test_channels_are_red_green_blue(name):
    network = detector(name)
    one = faces([(50, 50, 150, 150)], (200, 200))
    mean, deviation = (torch.tensor(of) for of in (PREPARATIONS["vggface2"].mean, PREPARATIONS["vggface2"].deviation))
    told = []
    for channel in (0, 2):
        image = torch.zeros(1, 200, 200, 3).index_fill(3, torch.tensor(channel), 1.0)
        bare = ((image[:, :1, :1].expand(1, 224, 224, 3) - mean) / deviation).movedim(-1, 1)
        told.append(network.analyze(image, one).attributes.values)
        torch.testing.assert_close(told[-1], network(bare).softmax(-1), atol=1e-3, rtol=1e-3)
    assert not torch.allclose(*told, atol=1e-2)


def test_a_chip_has_the_eyes_in_their_place_upright():
    box = torch.tensor([[100.0, 60, 220, 180]])
    for turn in (0.0, 0.5, -2.0):
        rotation = torch.tensor([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]).float()
        points = (bbox_to_kps(box) - 150) @ rotation.T * 0.7 + 180
        matrix = chip_matrix(points, 224)
        placed = move(matrix, points)[0]
        torch.testing.assert_close(placed[:2].mean(0), torch.tensor([0.5, 0.4]) * 224, atol=1e-2, rtol=0)
        assert abs(float(placed[0, 1] - placed[1, 1])) < 2  # upright
    wanted = (CHIP + PADDING) / (1 + 2 * PADDING) * 224
    alike = move(chip_matrix(wanted[None] * 3 + 5, 224), wanted[None] * 3 + 5)[0]
    torch.testing.assert_close(alike - alike[:2].mean(0), wanted - wanted[:2].mean(0), atol=1e-2, rtol=0)


def test_a_mirrored_face_gives_the_mirrored_chip_within_the_templates_own_lopsidedness():
    box = torch.tensor([[50.0, 60, 150, 160]])
    points = bbox_to_kps(box)
    flipped = torch.stack([199 - points[..., 0], points[..., 1]], -1)[:, [1, 0, 2, 4, 3]]
    there, back = (chip_matrix(one, 224) for one in (points, flipped))
    assert float((there[0, 0, 0] - back[0, 0, 0]).abs()) < 0.02 * float(there[0, 0, 0])


def test_spoofs_are_looked_at_by_five_points():
    with pytest.raises(ValueError, match="Expected faces with five points, got boxes only"):
        detector("fsfm_mcio_msu").analyze(torch.zeros(1, *cases.SIZE, 3), faces(cases.BOXES, points=False))


def test_a_pretrained_file_is_no_detector_and_a_detector_no_encoder():
    encoder, _ = seeding.read_layout(CHECKPOINT.parent / "fsfm/fsfm_vf2_vit_b.tsv")
    with pytest.raises(UnsupportedCheckpointError, match="Not a checkpoint of facexformer, fsfm_detectors"):
        build(encoder, analyze.SYSTEMS)
    layout, _ = seeding.read_layout(CHECKPOINT / "fsfm_ffpp_c23.tsv")
    with pytest.raises(UnsupportedCheckpointError, match="Not a checkpoint of"):
        build(layout, embed.SYSTEMS)
