"""Tracks on synthetic scenes whose truth is known."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment

from likeness.track import find_cuts, identify, thumbnails, track
from likeness.types import Embeddings, Faces

SIZE, LENGTH = (720, 1280), 1000


@dataclass
class Scene:
    faces: Faces
    embeddings: Embeddings
    truth: torch.Tensor  # (N,) who each detection really is
    cuts: tuple[int, ...] = ()


def scene(
    paths: list[np.ndarray], seed: int = 0, missed: float = 0.0, cuts: tuple[int, ...] = (), blurred: float = 0.0
) -> Scene:
    """Detections of people whose (T, 3) centres and sides are given; NaN where one is out of the picture.

    Args:
        paths: One person each.
        seed: Of the noise.
        missed: Share of frames without any face.
        cuts: Where another shot begins.
        blurred: Share of the faces whose identity can hardly be told: their embeddings lie beyond the threshold.
    """
    rng = np.random.default_rng(seed)
    people = rng.normal(size=(len(paths), 128))
    rows, vectors, truth = [], [], []
    for frame in range(len(paths[0])):
        faceless = rng.random() < missed
        for who in rng.permutation(len(paths)):
            x, y, side = paths[who][frame]
            if faceless or np.isnan(x):
                continue
            x, y, side = x + rng.normal(0, 2), y + rng.normal(0, 2), side + rng.normal(0, 4)
            rows.append([frame, x - side / 2, y - side / 2, x + side / 2, y + side / 2])
            vectors.append(people[who] + rng.normal(0, 1.9 if rng.random() < blurred else 0.35, 128))
            truth.append(who)
    table, count = torch.tensor(rows, dtype=torch.float32), len(rows)
    index = table[:, 0].long()
    ids = torch.cat([torch.arange(int((index == i).sum())) for i in range(len(paths[0]))])
    faces = Faces(SIZE, len(paths[0]), ids, index, table[:, 1:], torch.ones(count))
    embedding = torch.tensor(np.array(vectors), dtype=torch.float32)
    return Scene(faces, Embeddings(faces, "toy", embedding, "cosine", 0.5), torch.tensor(truth), cuts)


def walk(x0: float, x1: float, y: float = 360, side: float = 120, length: int = LENGTH) -> np.ndarray:
    """A person who crosses the picture to and fro."""
    phase = np.sin(np.linspace(0, 6 * np.pi, length))
    x = (x0 + x1) / 2 + (x1 - x0) / 2 * phase
    return np.stack([x, np.full(length, y), np.full(length, side)], 1)


def hide(path: np.ndarray, *spans: tuple[int, int]) -> np.ndarray:
    path = path.copy()
    for start, stop in spans:
        path[start:stop] = np.nan
    return path


def switches(numbers: torch.Tensor, truth: torch.Tensor) -> int:
    """Identity switches, as CLEAR MOT counts them: how often a person goes on under another number than before."""
    return sum(int((numbers[truth == who].diff() != 0).sum()) for who in truth.unique())


def fragments(numbers: torch.Tensor, truth: torch.Tensor) -> int:
    """Into how many tracks more than one each the people fall."""
    return sum(len(numbers[truth == who].unique()) - 1 for who in truth.unique())


def idf1(numbers: torch.Tensor, truth: torch.Tensor) -> float:
    """Share of detections under the right identity, tracks and people matched one to one at best.

    Every detection has a number and a person, so precision, recall and their mean are one. Source: Ristani et al.,
    Performance measures and a data set for multi-target, multi-camera tracking, 2016.
    """
    shared = np.zeros((int(truth.max()) + 1, int(numbers.max()) + 1))
    np.add.at(shared, (truth.numpy(), numbers.numpy()), 1)
    return shared[linear_sum_assignment(-shared)].sum() / len(truth)


CROSSING = [walk(200, 1000, 340), walk(1000, 200, 380)]
SCENES = {
    "crossing": scene(CROSSING),
    "exits and returns": scene([hide(walk(200, 600), (100, 180), (500, 640)), hide(walk(1100, 700), (300, 420))]),
    "30 % faceless": scene([walk(200, 500), walk(800, 1100)], missed=0.3),
    "cuts": scene(
        [np.concatenate([walk(200, 500, length=500), walk(900, 1100, length=500)]), walk(1000, 700)], cuts=(500,)
    ),
    "everything": scene(
        [
            hide(walk(200, 1000, 340), (100, 180)),
            hide(walk(1000, 200, 380), (640, 700)),
            hide(walk(640, 660, 200, 90), (333, 444)),
        ],
        missed=0.3,
        cuts=(250, 777),
    ),
    "seven people, one in ten blurred": scene(
        [
            hide(walk(100 + 60 * who, 1180 - 70 * who, 200 + 50 * who, 90), (who * 90, who * 90 + 40))
            for who in range(7)
        ],
        missed=0.3,
        blurred=0.1,
    ),
}


@pytest.mark.parametrize("name", SCENES)
def test_with_identities_nobody_is_mistaken_for_another(name):
    of = SCENES[name]
    numbers = track(of.faces, of.embeddings, of.cuts).track
    assert switches(numbers, of.truth) == 0
    assert fragments(numbers, of.truth) == 0
    assert idf1(numbers, of.truth) == 1


@pytest.mark.parametrize(
    ("name", "figures"),
    [
        ("crossing", (0, 0, 1.0)),
        ("exits and returns", (2, 2, 0.76)),
        ("30 % faceless", (0, 0, 1.0)),
        ("cuts", (12, 4, 0.5)),
        ("everything", (8, 8, 0.49)),
    ],
)
def test_motion_alone_goes_as_far_as_it_can(name, figures):
    """Switches, fragments, IDF1: a person who comes back, or is cut to, is somebody new."""
    of = SCENES[name]
    numbers = track(of.faces, cuts=of.cuts).track
    found = (switches(numbers, of.truth), fragments(numbers, of.truth), round(idf1(numbers, of.truth), 2))
    assert found == figures


@pytest.mark.parametrize("name", SCENES)
def test_as_many_frames_come_out_as_went_in(name):
    of = SCENES[name]
    assert track(of.faces, of.embeddings, of.cuts, bridge=12).image_count == LENGTH


def test_gaps_are_bridged_to_the_length_asked_for_and_marked():
    path = walk(300, 600, length=600)[:60]
    of = scene([hide(path, (20, 25), (40, 52))])
    bridged = track(of.faces, bridge=5)
    filled = bridged.score == 0
    assert bridged.image_index[filled].tolist() == [20, 21, 22, 23, 24]
    middle = bridged.bbox[filled].reshape(-1, 2, 2).mean(1)
    torch.testing.assert_close(middle, torch.tensor(path[20:25, :2], dtype=torch.float32), atol=6, rtol=0)
    assert bridged.image_index.diff().min() >= 0


def test_nothing_is_bridged_over_a_cut():
    of = scene([hide(walk(300, 310, length=600)[:60], (20, 25))], cuts=(22,))
    assert (track(of.faces, of.embeddings, of.cuts, bridge=9).score > 0).all()


def test_a_stranger_in_the_same_place_after_a_cut_nobody_saw_is_a_stranger():
    stay, away = walk(300, 310)[:60], np.full((60, 3), np.nan)
    first = np.concatenate([stay[:30], away[30:]])
    of = scene([first, np.concatenate([away[:30], stay[30:]])])
    numbers = track(of.faces, of.embeddings).track
    assert torch.equal(numbers, of.truth)


def test_who_comes_back_blurred_is_not_somebody_new():
    of = scene([hide(walk(300, 600, length=600)[:80], (30, 60))])
    vectors = of.embeddings.embedding.clone()
    vectors[30:32] = torch.from_numpy(np.random.default_rng(5).normal(size=(2, 128))).float()  # nobody's
    numbers = track(of.faces, Embeddings(of.faces, "toy", vectors, "cosine", 0.5)).track
    assert (numbers == 0).all()


def test_no_faces_are_no_tracks():
    assert len(track(Faces.empty(SIZE, 7)).track) == 0
    assert track(Faces.empty(SIZE, 7), bridge=3).image_count == 7


def test_embeddings_of_other_faces_are_refused():
    of = SCENES["crossing"]
    with pytest.raises(ValueError, match=r"an embedding for each of 2000 faces, got 10"):
        track(of.faces, of.embeddings.select(torch.arange(10)))


def test_cuts_are_found_and_motion_is_none():
    generator = torch.Generator().manual_seed(0)
    shots = [torch.rand(1, 8, 8, 3, generator=generator).repeat_interleave(16, 1).repeat_interleave(16, 2)] * 1
    shots.append(torch.rand(1, 8, 8, 3, generator=generator).repeat_interleave(16, 1).repeat_interleave(16, 2))
    frames = [shots[0].roll(step, 2) for step in range(20)] + [shots[1].roll(3 * step, 1) for step in range(20)]
    glances = torch.cat([thumbnails(frame) for frame in frames])
    assert find_cuts(glances) == (20,)
    assert find_cuts(glances[:20]) == ()
    assert find_cuts(glances[:1]) == ()


def test_a_bridged_face_has_the_identity_of_its_track():
    of = scene([hide(walk(300, 600, length=600)[:60], (20, 25)), walk(900, 1000, length=600)[:60]])
    bridged = track(of.faces, of.embeddings, bridge=5)
    known = identify(bridged, of.embeddings)
    filled = bridged.score == 0
    assert torch.equal(known.embedding[~filled], of.embeddings.embedding)
    likeness = known.similarity(of.embeddings)[filled]
    assert likeness[:, of.truth == 0].mean() > 0.8
    assert likeness[:, of.truth == 1].mean() < 0.5
