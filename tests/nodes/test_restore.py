"""Load Face Restorer and Restore Faces with files of one's own."""

import pytest
import torch

import editors
import factories
from headless import standalone


@pytest.fixture
def session(base):
    editors.write_models(base, "inverted")
    return standalone.start(base)


def test_a_file_of_the_folder_is_offered_and_runs(session):
    load = session.nodes["LikenessLoadFaceRestorer"]
    assert editors.RESTORER in load.GET_SCHEMA().inputs[0].options["options"]
    assert load.validate_inputs(editors.RESTORER) is True
    (restorer,) = load.execute(editors.RESTORER).args
    image = factories.people(1).expand(2, -1, -1, -1)
    (faces,) = session.nodes["LikenessFacesFromBoxes"].execute(image, "120 110 120 150").args
    result, crops = session.nodes["LikenessRestoreFaces"].execute(restorer, image, faces).args
    assert crops.shape == (2, 512, 512, 3)
    assert torch.equal(result[:, :, 500:], image[:, :, 500:])
    assert (result[:, 150:220, 150:210] + image[:, 150:220, 150:210] - 1).abs().mean() < 0.01


def test_images_without_a_face_pass(session):
    (restorer,) = session.nodes["LikenessLoadFaceRestorer"].execute(editors.RESTORER).args
    image = factories.people(0)
    (nobody,) = session.nodes["LikenessFacesFromBoxes"].execute(image, "").args
    result, crops = session.nodes["LikenessRestoreFaces"].execute(restorer, image, nobody).args
    assert torch.equal(result, image)
    assert len(crops) == 0


def test_a_file_that_is_missing_is_named_with_its_folder(session):
    said = session.nodes["LikenessLoadFaceRestorer"].validate_inputs("mine/x.onnx")
    assert "a file in models/facerestore_models, got mine/x.onnx: put it there." in said
