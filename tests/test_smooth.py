"""Steady where the truth rests, true where it moves."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from likeness.geometry import bbox_to_kps, invert, move, similarity_fit, template_points
from likeness.landmark.canonical import canonical_face
from likeness.landmark.procrustes import camera_matrix
from likeness.smooth import smooth, smooth_alignment, smooth_causal, smooth_faces, smooth_landmarks
from likeness.types import Alignment, Faces, Landmarks

FRAMES = np.arange(240.0)


def noisy_box() -> tuple[torch.Tensor, torch.Tensor]:
    """(240, 3) centre x, y and side of a gently moving box: the truth, and what a detector says."""
    truth = np.stack(
        [900 + 160 * np.sin(FRAMES / 40), 520 + 25 * np.sin(FRAMES / 17), 300 + 20 * np.sin(FRAMES / 90)], 1
    )
    rng = np.random.default_rng(0)
    noise = np.concatenate([rng.normal(0, 2, (240, 2)), rng.normal(0, 6, (240, 1))], 1)
    return torch.from_numpy(truth), torch.from_numpy(truth + noise)


def with_noise(truth: np.ndarray, seed: int = 1) -> torch.Tensor:
    return torch.from_numpy(truth + np.random.default_rng(seed).normal(0, 2, truth.shape))[:, None]


def rms(values: torch.Tensor) -> torch.Tensor:
    return values.square().mean(0).sqrt()


def test_the_benchmark_track_comes_out_steady_and_in_place():
    truth, measured = noisy_box()
    error = smooth(measured) - truth
    assert rms(error.diff(n=2, dim=0)).max() < 0.05
    assert rms(error).max() < 0.8


def test_a_step_of_60_pixels_stays_a_step():
    truth = np.where(FRAMES >= 120, 560.0, 500.0)
    result = smooth(with_noise(truth))[:, 0].numpy()
    assert np.abs(result[:119] - 500).max() < 8
    assert np.abs(result[121:] - 560).max() < 8
    assert result[119] < 510
    assert result[120] > 550  # no lag
    assert result.max() - 560 < 6  # no more than the noise
    assert smooth(torch.from_numpy(truth)[:, None])[:, 0].numpy() == pytest.approx(truth, abs=1e-3)


@pytest.mark.parametrize("seed", range(5))
def test_a_nod_at_3_hertz_keeps_its_height_and_its_time(seed):
    second = FRAMES / 30
    nod = 40 * np.sin(2 * np.pi * 3 * second) * ((second > 3) & (second < 5))
    result = smooth(with_noise(500 + nod, seed))[:, 0].numpy() - 500
    inside = (second > 3.3) & (second < 4.7)
    gain, _ = np.polyfit(nod[inside], result[inside], 1)
    assert 0.88 < gain < 1.05
    wave = np.exp(-2j * np.pi * 3 * second)[inside]
    late = -np.angle((result[inside] * wave).sum() / (nod[inside] * wave).sum()) / (2 * np.pi * 3) * 1000
    assert abs(late) < 1.5  # milliseconds


def test_frames_without_a_measurement_are_filled_in():
    truth, measured = noisy_box()
    score = torch.ones(240)
    score[100:110] = 0
    measured[100:110] = torch.nan
    assert rms(smooth(measured, score) - truth).max() < 1


def test_noise_free_motion_is_not_changed():
    truth, _ = noisy_box()
    assert (smooth(truth) - truth).abs().max() < 0.1


@pytest.mark.parametrize("length", [1, 2, 3, 4, 7])
def test_short_tracks_pass(length):
    track = torch.arange(length, dtype=torch.float32)[:, None].expand(-1, 4)
    torch.testing.assert_close(smooth(track), track, atol=1e-3, rtol=0)


def test_shape_and_dtype_stay():
    assert smooth(torch.zeros(9, 5, 2)).shape == (9, 5, 2)
    assert smooth(torch.zeros(9, 5, 2)).dtype == torch.float32


def test_nan_without_a_score_is_named():
    with pytest.raises(ValueError, match="give such frames a score of 0"):
        smooth(torch.full((9, 1), torch.nan))
    with pytest.raises(ValueError, match="a score for each of 9 frames, got 3"):
        smooth(torch.zeros(9, 1), torch.ones(3))


def test_the_causal_filter_knows_no_future():
    _, measured = noisy_box()
    cut = smooth_causal(measured[:100], rate=30)
    torch.testing.assert_close(smooth_causal(measured, rate=30)[:100], cut)


def test_the_causal_filter_is_steadier_than_what_it_is_given():
    truth, measured = noisy_box()
    error = smooth_causal(measured, rate=30) - truth
    assert (rms(error.diff(n=2, dim=0)) < 0.36 * rms((measured - truth).diff(n=2, dim=0))).all()
    assert rms(error).max() < 3.1


def two_tracks(frames: int = 60) -> tuple[Faces, Faces]:
    """Two people side by side, one gone from frame 20 to 29: where they are, and what a detector says."""
    rng = np.random.default_rng(0)
    rows = [(frame, who) for frame in range(frames) for who in (0, 1) if not (who == 1 and 20 <= frame < 30)]
    centre = np.array([[200 + 300 * who + 2 * frame, 300 + 20 * np.sin(frame / 9)] for frame, who in rows])
    index, who = torch.tensor(rows).T

    def at(centre: np.ndarray) -> Faces:
        points = torch.tensor(centre, dtype=torch.float32)
        kps = points[:, None] + torch.tensor([[-20.0, -20], [20, -20], [0, 0], [-15, 25], [15, 25]])
        box = torch.cat([points - 50, points + 50], 1)
        return Faces((720, 1280), frames, who, index, box, torch.ones(len(rows)), kps, track=who)

    return at(centre), at(centre + rng.normal(0, 2, centre.shape))


@pytest.mark.parametrize("causal", [False, True])
def test_boxes_and_points_are_steadied_track_by_track(causal):
    truth, measured = two_tracks()
    result = smooth_faces(measured, causal)
    worse = rms((measured.kps - truth.kps).flatten(1)[measured.track == 1].diff(n=2, dim=0)).max()
    better = rms((result.kps - truth.kps).flatten(1)[measured.track == 1].diff(n=2, dim=0)).max()
    assert better < (0.5 if causal else 0.2) * worse
    assert (result.bbox - truth.bbox).abs().max() < (12 if causal else 6)
    assert (result.kps - truth.kps).abs().max() < (12 if causal else 6)


def mesh_of(faces: Faces) -> Landmarks:
    """The canonical face on each face's five points, and a blendshape that comes and goes."""
    flat = canonical_face().vertices * torch.tensor([8.0, -8, -8])
    points = flat + torch.cat([faces.kps.mean(1), torch.zeros(len(faces), 1)], 1)[:, None]
    shape = (0.5 + 0.4 * (faces.image_index / 9).sin())[:, None]
    matrix = camera_matrix(points, faces.image_size)
    return Landmarks(faces, "mediapipe468", points, None, points / 3, shape, ("jawOpen",), matrix)


@pytest.mark.parametrize("causal", [False, True])
def test_landmarks_are_steadied_with_their_matrix_and_expression(causal):
    truth = mesh_of(two_tracks()[0])
    rng = torch.Generator().manual_seed(0)

    def shaken(held: torch.Tensor, amount: float) -> torch.Tensor:
        return held + amount * torch.randn(held.shape, generator=rng)

    points = shaken(truth.points, 1.5)
    measured = replace(
        truth,
        points=points,
        mesh=shaken(truth.mesh, 0.5),
        blendshapes=shaken(truth.blendshapes, 0.03).clamp(0, 1),
        matrix=camera_matrix(points, truth.faces.image_size),
    )
    result = smooth_landmarks(measured, causal)
    one = truth.faces.track == 0
    for name in ("points", "mesh", "blendshapes", "matrix"):
        true, before, after = (getattr(value, name)[one].flatten(1) for value in (truth, measured, result))
        jitter = rms((after - true).diff(n=2, dim=0)).mean() / rms((before - true).diff(n=2, dim=0)).mean()
        assert jitter < (0.4 if causal else 0.1), name
    error = (result.points - truth.points)[one]
    assert rms(error).max() < (4 if causal else 1.2)
    assert (result.faces, result.blendshape_names) == (measured.faces, ("jawOpen",))


def test_landmarks_of_any_scheme_are_steadied():
    faces = two_tracks()[0]
    flat = Landmarks(faces, "ibug68", faces.kps[:, :1].expand(-1, 68, 2))
    assert smooth_landmarks(flat).points.shape == flat.points.shape
    with pytest.raises(ValueError, match="connect Track Faces first"):
        smooth_landmarks(replace(flat, faces=replace(faces, track=None)))


def test_crops_cut_by_smooth_faces_hold_still():
    """The benchmark track, as the alignment of an upright face."""
    truth, measured = noisy_box()
    cases = {}
    for name, track in (("truth", truth), ("measured", measured)):
        box = torch.cat([track[:, :2] - track[:, 2:] / 2, track[:, :2] + track[:, 2:] / 2], 1).float()
        index, zero = torch.arange(240), torch.zeros(240, dtype=torch.int64)
        cases[name] = Faces((1080, 1920), 240, zero, index, box, torch.ones(240), bbox_to_kps(box), track=zero)
    steady = smooth_faces(cases["measured"])
    wanted, got = (
        invert(similarity_fit(faces.kps, template_points("arcface112", 512))) for faces in (cases["truth"], steady)
    )
    corners = torch.tensor([[0.0, 0], [511, 0], [0, 511], [511, 511]]).expand(240, 4, 2)
    centre = (move(got, corners) - move(wanted, corners)).mean(1)
    assert rms(centre.diff(n=2, dim=0)).max() < 0.05
    assert rms(centre).max() < 0.8


CORNERS = torch.tensor([[0.0, 0], [511, 0], [0, 511], [511, 511]])


def turned(centre: torch.Tensor, side: torch.Tensor, degrees: torch.Tensor) -> Alignment:
    """Crops of 512 whose squares lie there in the photo, of one track."""
    count, angle = len(centre), degrees.deg2rad()[:, None]
    right = torch.cat([angle.cos(), angle.sin()], 1) * side[:, None] / 2
    ends = torch.tensor([[255.5, 255.5], [511.5, 255.5]])
    matrix = similarity_fit(torch.stack([centre, centre + right], 1), ends)
    box = torch.cat([centre - 100, centre + 100], 1).float()
    index, zero = torch.arange(count), torch.zeros(count, dtype=torch.int64)
    faces = Faces((1080, 1920), count, zero, index, box, torch.ones(count), track=zero)
    return Alignment(faces, matrix, "arcface112", 512)


def corner_error(got: Alignment, wanted: Alignment) -> torch.Tensor:
    """(T, 8) pixels of the photo."""
    places = (move(invert(one.matrix), CORNERS.expand(len(one), 4, 2)) for one in (got, wanted))
    return torch.sub(*places).flatten(1)


def test_an_alignment_that_is_there_already_is_steadied():
    """The benchmark track, as crops of a head that turns a little, beyond half a turn too."""
    truth, measured = noisy_box()
    angle = torch.from_numpy(175 + 10 * np.sin(FRAMES / 30))
    noise = torch.from_numpy(np.random.default_rng(1).normal(0, 1, 240))
    wanted = turned(truth[:, :2], truth[:, 2], angle)
    shaken = turned(measured[:, :2], measured[:, 2], angle + noise)
    steady = smooth_alignment(shaken)
    centre, before = (corner_error(one, wanted).reshape(-1, 4, 2).mean(1) for one in (steady, shaken))
    assert rms(centre.diff(n=2, dim=0)).max() < 0.05
    assert rms(centre).max() < 0.8
    assert rms(before.diff(n=2, dim=0)).min() > 4  # as it came
    corners, rough = (rms(corner_error(one, wanted).diff(n=2, dim=0)).max() for one in (steady, shaken))
    assert corners < 0.02 * rough
    assert (steady.faces, steady.template, steady.size) == (shaken.faces, "arcface112", 512)
    linear = steady.matrix[:, :, :2]
    torch.testing.assert_close(linear[:, 0, 0], linear[:, 1, 1])  # still a similarity, so no crop is sheared
    torch.testing.assert_close(linear[:, 0, 1], -linear[:, 1, 0])


def test_an_alignment_that_does_not_shake_stays():
    truth, _ = noisy_box()
    wanted = turned(truth[:, :2], truth[:, 2], torch.from_numpy(FRAMES * 3))  # four turns
    assert corner_error(smooth_alignment(wanted), wanted).abs().max() < 0.2


def test_a_bridged_crop_does_not_pull_its_neighbours():
    truth, measured = noisy_box()
    zero = torch.zeros(240, dtype=torch.float64)
    wanted, shaken = turned(truth[:, :2], truth[:, 2], zero), turned(measured[:, :2], measured[:, 2], zero)
    score = torch.ones(240)
    score[100:110] = 0
    shaken.matrix[100:110, :, 2] += 300
    steady = smooth_alignment(replace(shaken, faces=replace(shaken.faces, score=score)))
    assert rms(corner_error(steady, wanted)).max() < 1.5


def test_a_causal_alignment_knows_no_future():
    _, measured = noisy_box()
    shaken = turned(measured[:, :2], measured[:, 2], torch.zeros(240, dtype=torch.float64))
    cut = shaken.select(torch.arange(240) < 100)
    torch.testing.assert_close(
        smooth_alignment(shaken, causal=True, rate=30).matrix[:100], smooth_alignment(cut, causal=True, rate=30).matrix
    )


def test_an_alignment_without_tracks_is_sent_to_the_tracker():
    bare = turned(torch.zeros(3, 2), torch.ones(3) * 50, torch.zeros(3))
    with pytest.raises(ValueError, match="connect Track Faces first"):
        smooth_alignment(replace(bare, faces=replace(bare.faces, track=None)))
    assert not len(smooth_alignment(bare.select(torch.zeros(3, dtype=torch.bool))))


def test_the_causal_filter_is_late_by_little():
    """A step of 60 pixels, a nod at 3 Hz of 40 pixels: what its help page says."""
    step = smooth_causal(torch.from_numpy(np.where(FRAMES >= 120, 560.0, 500.0))[:, None], rate=30)[:, 0]
    assert int((step[120:] > 554).nonzero()[0]) <= 2
    assert step.max() <= 560.01
    second = FRAMES / 30
    nod = 40 * np.sin(2 * np.pi * 3 * second)
    result = smooth_causal(torch.from_numpy(500 + nod)[:, None], rate=30)[60:, 0].numpy() - 500
    wave = np.exp(-2j * np.pi * 3 * second[60:])
    answer = (result * wave).sum() / (nod[60:] * wave).sum()
    assert abs(answer) == pytest.approx(0.83, abs=0.02)
    assert -np.angle(answer) / (2 * np.pi * 3) * 1000 == pytest.approx(29, abs=2)  # milliseconds


def test_faces_without_tracks_are_sent_to_the_tracker():
    with pytest.raises(ValueError, match="connect Track Faces first"):
        smooth_faces(Faces.empty((4, 4), 1))
