"""Steady where the truth rests, true where it moves."""

import numpy as np
import pytest
import torch

from likeness.smooth import smooth, smooth_causal, smooth_faces
from likeness.types import Faces

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
    assert result[120] > 550
    assert result.max() - 560 < 6


@pytest.mark.parametrize("seed", range(5))
def test_a_nod_at_3_hertz_keeps_its_height_and_its_time(seed):
    second = FRAMES / 30
    nod = 40 * np.sin(2 * np.pi * 3 * second) * ((second > 3) & (second < 5))
    result = smooth(with_noise(500 + nod, seed))[:, 0].numpy() - 500
    inside = (second > 3.3) & (second < 4.7)
    gain, _ = np.polyfit(nod[inside], result[inside], 1)
    assert 0.88 < gain < 1.05
    lags = [np.corrcoef(np.roll(nod, lag)[inside], result[inside])[0, 1] for lag in (-1, 0, 1)]
    assert np.argmax(lags) == 1


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
    assert (rms(error.diff(n=2, dim=0)) < 0.3 * rms((measured - truth).diff(n=2, dim=0))).all()
    assert rms(error).max() < 4.5


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


def test_faces_without_tracks_are_sent_to_the_tracker():
    with pytest.raises(ValueError, match="connect Track Faces first"):
        smooth_faces(Faces.empty((4, 4), 1))
