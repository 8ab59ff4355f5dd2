"""Pair files of LFW, IJB and plain tables, and folders that are partly good."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from likeness.audit.photo_pairs import Looking, look, mirror, read_photos, score_pairs
from likeness.types import Embeddings, Faces

LFW = """2\t1
Ann_Lee\t1\t2
Ann_Lee\t1\tBo\t1
Bo\t1\t2
Bo\t2\tAnn_Lee\t2
"""


class Detector(nn.Module):
    """A face in the middle of each photo that is not black."""

    def detect(self, image, threshold, size):
        height, width = image.shape[1:3]
        if not float(image.max()):
            return Faces.empty((height, width), 1)
        points = torch.tensor([[[0.3, 0.35], [0.7, 0.35], [0.5, 0.55], [0.35, 0.8], [0.65, 0.8]]]) * width
        index = torch.zeros(1, dtype=torch.int64)
        return Faces((height, width), 1, index, index, torch.tensor([[0.0, 0, width, height]]), torch.ones(1), points)


class Embedder(nn.Module):
    """The colour of the photo's left half, and of its right half."""

    def embed(self, image, faces):
        half = image.shape[2] // 2
        vector = torch.cat([image[:, :, :half].mean((1, 2)), image[:, :, half:].mean((1, 2))], 1)
        return Embeddings(faces, "colour", vector[faces.image_index])


@pytest.fixture
def folder(tmp_path):
    """Four photos of two people as LFW lays them out: one damaged, one black."""
    colours = {"Ann_Lee": (200, 20, 20), "Bo": (20, 200, 20)}
    for name, colour in colours.items():
        (tmp_path / name).mkdir()
        for number in (1, 2):
            Image.new("RGB", (32, 32), colour).save(tmp_path / name / f"{name}_{number:04}.jpg", quality=95)
    (tmp_path / "pairs.txt").write_text(LFW)
    return tmp_path


def run(folder, file="pairs.txt", form="lfw", flip=True):
    photos = read_photos(folder / file, form)
    return score_pairs(photos, list(look(photos, folder, Looking(Detector(), Embedder(), flip))))


def test_pairs_of_lfw_have_their_folds_and_scores(folder):
    pairs, bad = run(folder)
    assert pairs["a"].tolist()[:2] == ["Ann_Lee/Ann_Lee_0001.jpg"] * 2
    assert pairs["fold"].tolist() == [0, 0, 1, 1]
    assert pairs["same"].tolist() == [True, False, True, False]
    assert pairs["identity_b"].tolist() == ["Ann_Lee", "Bo", "Bo", "Ann_Lee"]
    assert pairs["score"][[0, 2]].min() > 0.999 > 0.5 > pairs["score"][[1, 3]].max()
    assert not len(bad)


def test_of_a_partly_good_folder_only_the_bad_photos_are_lost_and_listed(folder):
    (folder / "Bo/Bo_0002.jpg").write_bytes(b"no picture")
    (folder / "Ann_Lee/Ann_Lee_0002.jpg").unlink()
    Image.new("RGB", (32, 32)).save(folder / "Bo/Bo_0001.jpg")
    pairs, bad = run(folder)
    assert np.isnan(pairs["score"]).tolist() == [True] * 4
    assert sorted(bad.rows()) == [
        ("Ann_Lee/Ann_Lee_0002.jpg", "not there: Ann_Lee_0002.jpg"),
        ("Bo/Bo_0001.jpg", "no face found"),
        ("Bo/Bo_0002.jpg", "no picture that can be read"),
    ]


def test_a_mirrored_face_is_added_where_asked(folder):
    left_red = Image.new("RGB", (32, 32), (20, 200, 20))
    left_red.paste((200, 20, 20), (0, 0, 16, 32))
    left_red.save(folder / "Bo/Bo_0001.jpg", quality=95)
    left_red.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(folder / "Bo/Bo_0002.jpg", quality=95)
    assert run(folder, flip=True)[0]["score"][2] > 0.999
    assert run(folder, flip=False)[0]["score"][2] < 0.5


def test_a_mirrored_face_keeps_left_on_the_left():
    faces = Detector().detect(torch.ones(1, 20, 30, 3), 0.5, 640)
    mirrored = mirror(faces)
    assert mirrored.kps[0, 0, 0] < mirrored.kps[0, 1, 0]
    assert mirrored.kps[0, 3, 0] < mirrored.kps[0, 4, 0]
    torch.testing.assert_close(mirror(mirrored).kps, faces.kps)
    torch.testing.assert_close(mirror(mirrored).bbox, faces.bbox)


def write_ijb(folder, points: bool = True) -> None:
    """Two templates of Ann (two frames of one video; a photo), one of Bo."""
    Image.new("RGB", (32, 32), (190, 60, 20)).save(folder / "Ann_Lee/Ann_Lee_0002.jpg", quality=95)
    names = ["Ann_Lee/Ann_Lee_0001.jpg", "Ann_Lee/Ann_Lee_0002.jpg", "Ann_Lee/Ann_Lee_0001.jpg", "Bo/Bo_0001.jpg"]
    media = [(3, 1), (3, 1), (5, 2), (9, 3)]
    lines = [f"{name} {t} {m}" for name, (t, m) in zip(names, media, strict=True)]
    (folder / "ijbx_face_tid_mid.txt").write_text("\n".join(lines))
    (folder / "ijbx_template_pair_label.txt").write_text("3 5 1\n3 9 0\n5 9 0\n")
    if points:
        five = "10 11 22 11 16 18 11 25 21 25"
        (folder / "ijbx_name_5pts_score.txt").write_text("\n".join(f"{name} {five} 0.9" for name in names))


@pytest.mark.parametrize("points", [True, False])
def test_templates_of_ijb_are_pooled_and_compared(folder, points):
    write_ijb(folder, points)
    pairs, bad = run(folder, "ijbx_template_pair_label.txt", "ijb")
    assert pairs["score"][0] > 0.98 > 0.6 > pairs["score"][1:].max()
    assert not len(bad)


def test_a_file_of_ijb_that_is_not_there_is_named(folder):
    (folder / "ijbx_template_pair_label.txt").write_text("3 5 1\n")
    with pytest.raises(FileNotFoundError, match=r"ijbx_face_tid_mid\.txt beside the pair file"):
        read_photos(folder / "ijbx_template_pair_label.txt", "ijb")


def test_a_plain_table_of_pairs_keeps_its_columns(folder):
    (folder / "mine.csv").write_text("a,b,same,group\nBo/Bo_0001.jpg,Bo/Bo_0002.jpg,true,x\n")
    pairs, _ = run(folder, "mine.csv", "table")
    assert pairs.names == ("a", "b", "same", "group", "score")
    assert pairs["score"][0] > 0.999


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a b c\n", r"'10 300' in the first line of pairs\.txt"),
        ("1\t1\nBo\t1\t2\n", "2 pairs in pairs.txt, got 1"),
        ("1\t1\nBo\t1\t2\nBo\tx\n", r"'name 1 2' or 'name 1 name 2' in line 3 of pairs\.txt"),
    ],
)
def test_a_pair_file_of_another_kind_numbers_the_line(folder, text, message):
    (folder / "pairs.txt").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_photos(folder / "pairs.txt", "lfw")


def test_no_photo_at_all_has_no_score(folder):
    for path in folder.glob("*/*.jpg"):
        path.unlink()
    pairs, bad = run(folder)
    assert np.isnan(pairs["score"]).all()
    assert len(bad) == 4
