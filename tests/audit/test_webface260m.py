"""The FRUITS protocol: its arithmetic as the organisers' code has it, its clock, its tracks."""

import json

import numpy as np
import pytest
import torch
from torch import nn

import audit_cases as cases
import golden
from likeness.audit import webface260m
from likeness.audit.webface260m import Run
from likeness.geometry import invert, sample, similarity_fit, template_points, transform
from likeness.types import Embeddings, Faces

THEIRS = json.loads((golden.FOLDER / "webface260m/golden.json").read_text())["photos"]
PHOTOS = cases.photos()
STEP = 14
each = pytest.mark.parametrize("number", range(len(PHOTOS)), ids=lambda n: "x".join(map(str, cases.SIZES[n])))


def rgb(photo: cases.Photo) -> torch.Tensor:
    """(1, H, W, 3); the organisers read BGR."""
    return torch.from_numpy(photo.pixels[..., ::-1].copy()).float()[None] / 255


class Detector(nn.Module):
    """Finds the faces of a case, or nobody."""

    def __init__(self, photo: cases.Photo | None) -> None:
        super().__init__()
        self.photo = photo

    def detect(self, image, threshold, size):
        self.seen = image
        assert (threshold, size, tuple(image.shape)) == (0.3, 224, (1, 224, 224, 3))
        if self.photo is None:
            return Faces.empty((224, 224), 1)
        box, kps = torch.from_numpy(self.photo.boxes), torch.from_numpy(self.photo.points)
        index = torch.zeros(len(box), dtype=torch.int64)
        return Faces((224, 224), 1, torch.arange(len(box)), index, box, torch.ones(len(box)), kps)


class Embedder(nn.Module):
    def embed(self, image, faces):
        self.faces, self.threads = faces, torch.get_num_threads()
        return Embeddings(faces, "test", torch.tensor([[3.0, 4.0]]).expand(len(faces), 2))


@each
def test_a_photo_is_searched_at_the_size_that_the_organisers_search_it_at(number):
    height, width, _ = webface260m.detection_size(*cases.SIZES[number])
    assert [height, width] == THEIRS[number]["size"]


@each
def test_the_picture_that_is_searched_is_theirs_to_a_level(number):
    seen, _ = webface260m.shrink(rgb(PHOTOS[number]))
    theirs = torch.tensor(THEIRS[number]["searched"]).flip(-1)
    assert (seen[0, ::32, ::32] * 255 - theirs).abs().max() < 1.01


@each
def test_boxes_and_points_come_back_where_theirs_do(number):
    found = webface260m.detect(Detector(PHOTOS[number]), rgb(PHOTOS[number]))
    torch.testing.assert_close(found.bbox, torch.tensor(THEIRS[number]["boxes"]), atol=1e-3, rtol=1e-6)
    torch.testing.assert_close(found.kps, torch.tensor(THEIRS[number]["points"]), atol=1e-3, rtol=1e-6)


@each
def test_the_face_that_is_meant_its_crop_and_its_numbers_are_theirs(number):
    photo, theirs = PHOTOS[number], THEIRS[number]
    embedder = Embedder()
    webface260m.recognise(Detector(photo), embedder, rgb(photo))
    meant = int(embedder.faces.id[0])
    matrices = similarity_fit(torch.tensor(theirs["points"]), template_points("arcface112", 112))
    expected = torch.tensor(theirs["matrices"])
    torch.testing.assert_close(matrices, expected, atol=2e-3, rtol=2e-5)
    y, x = torch.meshgrid(torch.arange(112), torch.arange(112), indexing="ij")
    where = transform(invert(expected[[meant]])[0], torch.stack([x, y], -1).float())
    blob = (sample(rgb(photo)[0], where)[::STEP, ::STEP].movedim(-1, 0) * 255 - 127.5) / 127.5
    difference = (blob - torch.tensor(theirs["blob"])).abs() * 127.5
    assert difference.max() < 0.51  # their crop has 8 bits


def test_of_faces_equally_good_the_first_is_meant_and_a_far_one_needs_more_area():
    boxes = torch.tensor([[0.0, 0, 20, 20], [40, 40, 60, 60], [40, 40, 60, 60]])
    index = torch.zeros(3, dtype=torch.int64)
    faces = Faces((100, 100), 1, torch.arange(3), index, boxes, torch.ones(3))
    assert webface260m.choose(faces) == 1
    # 40 pixels away in x and y counts 2 * (1600 + 1600) pixels of area: 84 * 84 less that is over 20 * 20.
    larger = torch.cat([boxes[:1] * 0 + torch.tensor([[-32.0, -32, 52, 52]]), boxes[1:]])
    assert webface260m.choose(Faces((100, 100), 1, torch.arange(3), index, larger, torch.ones(3))) == 0


def test_the_sixth_fastest_of_fifty_counts():
    times = np.random.default_rng(1).permutation(50) / 1000
    runs = [Run(0, t / 2, t, True) for t in times]
    assert webface260m.statistic(runs).total == pytest.approx(0.005)
    assert webface260m.statistic(runs[:3]).total == max(times[:3])


def test_tracks_end_where_they_were_published():
    assert [webface260m.track(ms) for ms in (100, 101, 500, 1000, 1001)] == [100, 500, 500, 1000, None]


def test_every_photo_takes_its_turn_on_one_thread_and_the_clock_runs():
    photos, embedder = [rgb(PHOTOS[0]), rgb(PHOTOS[4])], Embedder()
    before = torch.get_num_threads()
    runs = list(webface260m.time_recognition(Detector(PHOTOS[0]), embedder, photos, 5))
    assert [run.photo for run in runs] == [0, 1, 0, 1, 0]
    assert all(0 < run.detect < run.total for run in runs)
    assert embedder.threads == 1
    assert torch.get_num_threads() == before


def test_a_vector_has_length_one_and_no_face_gives_none():
    vector, _, _ = webface260m.recognise(Detector(PHOTOS[0]), Embedder(), rgb(PHOTOS[0]))
    torch.testing.assert_close(vector, torch.tensor([0.6, 0.8]))
    assert webface260m.recognise(Detector(None), Embedder(), rgb(PHOTOS[0]))[0] is None


def test_a_report_names_track_runs_and_what_is_not_comparable():
    runs = [Run(0, 0.02, 0.09, True)] * 4 + [Run(1, 0.02, 0.02, False)] * 3
    report = webface260m.report(runs, "yunet; dlib.")
    (row,) = report.table.rows()
    assert row == ("FRUITS-100", 90, 20, 70, 7, 2, 3)
    text = report.markdown()
    assert "One core. yunet; dlib." in text
    assert "50 runs over 6 photos: this is not comparable" in text
    assert "3 runs found no face" in text
    slow = webface260m.report([Run(0, 1.0, 2.5, True)] * 50)
    assert slow.table["track"][0] == "not evaluated"
    assert webface260m.report([Run(0, 1.0, 1.5, True)] * 50).table["track"][0] == "over 1000 ms"


def test_no_photos_and_a_network_without_the_verb_are_refused():
    with pytest.raises(ValueError, match="Expected photos to time, got none"):
        list(webface260m.time_recognition(Detector(None), Embedder(), []))
    with pytest.raises(ValueError, match="a network that can detect, got Embedder: connect another loader"):
        webface260m.detect(Embedder(), rgb(PHOTOS[0]))
