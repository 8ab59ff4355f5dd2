"""Photos of a table, analyzed one by one; the bad ones are listed."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from likeness.analyze import Analysis
from likeness.audit.photo_scores import add_columns, look
from likeness.audit.table import Table
from likeness.types import Attributes, Faces, LabelSet


class Detector(nn.Module):
    """Two faces in each photo that is not black: a small one, and the one that is meant."""

    def detect(self, image, threshold, size):
        height, width = image.shape[1:3]
        boxes = [[0.0, 0, 4, 4], [2.0, 2, width - 2, height - 2]] if float(image.max()) else []
        index = torch.arange(len(boxes))
        return Faces((height, width), 1, index, index * 0, torch.tensor(boxes).reshape(-1, 4), torch.ones(len(boxes)))


class Analyzer(nn.Module):
    """How red a photo is, whether it is bright, and how wide its face."""

    def analyze(self, image, faces):
        red = image[..., 0].mean().expand(len(faces), 1)
        groups = (LabelSet("light", ("bright",)),)
        values = torch.cat([red, (faces.bbox[:, 2:3] - faces.bbox[:, :1])], 1)
        return Analysis(faces, Attributes(faces, groups, image.mean().expand(len(faces), 1), ("red", "width"), values))


@pytest.fixture
def folder(tmp_path):
    Image.new("RGB", (32, 32), (200, 20, 20)).save(tmp_path / "a.png")
    Image.new("RGB", (32, 32), (20, 200, 20)).save(tmp_path / "b.png")
    Image.new("RGB", (32, 32)).save(tmp_path / "black.png")
    (tmp_path / "c.png").write_bytes(b"no picture")
    return tmp_path


def run(folder, *names):
    table = Table.of(["file", "real"], [(name, True) for name in names])
    return add_columns(table, list(look(table.texts("file"), folder, Detector(), Analyzer())))


def test_what_is_told_becomes_columns(folder):
    table, bad = run(folder, "a.png", "b.png")
    assert table.names == ("file", "real", "light.bright", "red", "width")
    np.testing.assert_allclose(table["red"], [200 / 255, 20 / 255], atol=1e-6)
    assert table["width"].tolist() == [28, 28]  # of the face that is meant
    assert not len(bad)


def test_bad_photos_are_listed_and_their_rows_stay(folder):
    table, bad = run(folder, "black.png", "a.png", "c.png", "d.png", None)
    assert np.isnan(table["red"]).tolist() == [True, False, True, True, True]
    assert dict(bad.rows()) == {
        "black.png": "no face found",
        "c.png": "no picture that can be read",
        "d.png": "not there: d.png",
        "None": "the table names no file",
    }


def test_where_no_photo_is_good_the_reason_is_said(folder):
    with pytest.raises(ValueError, match=r"photos with a face, got none \(the first: black\.png, no face found\)"):
        run(folder, "black.png")
    with pytest.raises(ValueError, match="the table is empty"):
        run(folder)


def test_a_column_is_not_written_over(folder):
    table, _ = run(folder, "a.png")
    with pytest.raises(ValueError, match=r"Expected a table without light\.bright, got one with it"):
        add_columns(table, list(look(["a.png"], folder, Detector(), Analyzer())))
    with pytest.raises(ValueError, match="a network that can analyze, got Detector"):
        list(look(["a.png"], folder, Detector(), Detector()))
