"""Track Faces and Smooth Faces on clips of nobody, one and two people."""

import pytest
import torch

import factories


def clip(count: int, frames: int = 4, hidden: tuple[int, ...] = ()) -> torch.Tensor:
    """Frames of people who drift to the right; nobody is seen in some of them."""
    image = factories.people(count)
    moved = torch.cat([image.roll(4 * frame, 2) for frame in range(frames)])
    for frame in hidden:
        moved[frame] = 0.5
    return moved


@pytest.fixture
def find(nodes, base):
    (detector,) = nodes["LikenessLoadFaceDetector"].execute("yunet/2023mar").args
    return lambda image: nodes["LikenessDetectFaces"].execute(detector, image, 0.7).args[0]


@pytest.fixture
def embed(nodes, base):
    (embedder,) = nodes["LikenessLoadFaceEmbedder"].execute("dlib_resnet/v1").args
    return lambda image, faces: nodes["LikenessEmbedFaces"].execute(embedder, image, faces).args[0]


@pytest.fixture
def track(nodes):
    return lambda *given, **more: nodes["LikenessTrackFaces"].execute(*given, **more).args


@pytest.mark.parametrize("count", [0, 1, 2])
@pytest.mark.parametrize("frames", [1, 4])
def test_each_person_is_a_track_and_steady(nodes, find, track, count, frames):
    image = clip(count, frames)
    faces, tracks, summary, known = track(image, find(image))
    assert (tracks, faces.image_count, known) == (count, frames, None)
    assert faces.track.tolist() == list(range(count)) * frames
    assert len(summary.splitlines()) == max(count, 1)
    for mode, reach in (("zero phase", 6), ("causal", 12)):
        steady, landmarks = nodes["LikenessSmoothFaces"].execute(faces, mode).args
        assert landmarks is None
        assert (steady.bbox - faces.bbox).abs().max() < reach if count else not len(steady)


def test_embeddings_follow_the_tracked_faces_over_a_gap(find, embed, track):
    image = clip(2, 5, hidden=(2,))
    faces = find(image)
    tracked, count, summary, known = track(image, faces, embed(image, faces), bridge=2)
    assert count == 2
    assert "track 0: frames 0 to 4, 5 faces, 1 bridged" in summary
    assert len(known) == len(tracked) == 10
    assert torch.equal(known.faces.bbox, tracked.bbox)
    filled = tracked.score == 0
    own = known.distance(known)[filled][:, tracked.track == tracked.track[filled][0]]
    assert own[0].max() < 0.6


@pytest.mark.parametrize(
    ("missing", "shown", "score"),
    [("skip", [0, 3], None), ("hold", [0, 1, 2, 3], 1), ("interpolate", [0, 1, 2, 3], 0)],
)
def test_frames_without_a_face_do_as_they_are_told(find, embed, track, missing, shown, score):
    image = clip(1, 4, hidden=(1, 2))
    faces = find(image)
    tracked, _, _, known = track(image, faces, embed(image, faces), bridge=0, missing=missing)
    assert (tracked.image_index.tolist(), tracked.image_count, len(known)) == (shown, 4, len(shown))
    if score is not None:
        assert [bool(value) for value in tracked.score[1:3]] == [bool(score)] * 2
    if missing == "interpolate":
        x = tracked.bbox[:, 0]
        assert x[1].item() == pytest.approx((2 * x[0] + x[3]).item() / 3, abs=0.01)


def test_an_error_numbers_the_frames_without_a_face(pack, find, track):
    image = clip(1, 4, hidden=(1, 2))
    with pytest.raises(pack.likeness.types.NoFaceError, match="none in images 1 to 2 of 4"):
        track(image, find(image), bridge=0, missing="error")


@pytest.mark.parametrize("count", [0, 1, 2])
def test_landmarks_are_steadied_with_their_faces(nodes, find, track, count):
    image = clip(count, 6)
    faces = track(image, find(image))[0]
    (landmarker,) = nodes["LikenessLoadFaceLandmarker"].execute("mediapipe_mesh/attention").args
    ours = nodes["LikenessFindLandmarks"].execute(landmarker, image, faces).args[0]
    steady, smoothed = nodes["LikenessSmoothFaces"].execute(faces, landmarks=ours).args
    assert smoothed.points.shape == ours.points.shape
    assert torch.equal(smoothed.faces.bbox, steady.bbox)
    if count:
        assert (smoothed.points - ours.points).abs().max() < 6
        assert (
            smoothed.points[::count].diff(n=2, dim=0).abs().mean() < ours.points[::count].diff(n=2, dim=0).abs().mean()
        )


@pytest.mark.parametrize(("count", "frames"), [(0, 6), (1, 6), (2, 6), (0, 1), (1, 1), (2, 1)])
def test_crops_are_cut_anew_where_they_hold_still(nodes, find, track, count, frames):
    image = clip(count, frames)
    faces = track(image, find(image))[0]
    mask = torch.zeros(1, *image.shape[1:3])
    mask[:, 200:600] = 1
    for size, template in ((96, "ffhq"), (64, "free")):
        cut = nodes["LikenessAlignFaces"].execute(image, faces, size, template).args[1]
        crops, steady, masks = nodes["LikenessSmoothAlignment"].execute(image, cut, padding="edge", mask=mask).args
        assert crops.shape == (frames * count, size, size, 3)
        assert masks.shape == (frames * count, size, size)
        if not count:
            continue
        if frames > 1:
            places, before = (one.matrix[::count, :, 2] for one in (steady, cut))
            assert places.diff(n=2, dim=0).abs().mean() < before.diff(n=2, dim=0).abs().mean()
        else:  # alone it has nothing to be steadier than
            torch.testing.assert_close(steady.matrix, cut.matrix, atol=1e-4, rtol=0)
        assert nodes["LikenessSmoothAlignment"].execute(image, cut).args[2] is None
        back = nodes["LikenessPasteFaces"].execute(image, crops, steady, blend="change").args[0]
        torch.testing.assert_close(back, image)


def test_smoothing_refuses_the_alignment_of_another_clip(nodes, find, track):
    image = clip(1, 4)
    faces = find(image)
    cut = nodes["LikenessAlignFaces"].execute(image, faces, 64, "dlib").args[1]
    with pytest.raises(ValueError, match="connect Track Faces first"):
        nodes["LikenessSmoothAlignment"].execute(image, cut)
    cut = nodes["LikenessAlignFaces"].execute(image, track(image, faces)[0], 64, "dlib").args[1]
    with pytest.raises(ValueError, match="Expected the 4 images of 800 x 512 that the faces were found in, got"):
        nodes["LikenessSmoothAlignment"].execute(image[:3], cut)


def test_the_track_of_another_clip_is_refused(nodes, find, track):
    image = clip(1, 4)
    faces = track(image, find(image))[0]
    for other in (image[:3], image[:, :100]):
        with pytest.raises(ValueError, match="Expected the 4 images of 800 x 512 that the faces were found in, got"):
            track(other, faces)
        with pytest.raises(ValueError, match="Expected the 4 images of 800 x 512 that the faces were found in, got"):
            nodes["LikenessAlignFaces"].execute(other, faces, 64, "dlib")
        with pytest.raises(ValueError, match="Expected the 4 images of 800 x 512 that the faces were found in, got"):
            nodes["LikenessPickFaces"].execute(other, faces)


def test_landmarks_of_other_faces_are_refused(nodes, find, track):
    image = clip(2, 3)
    faces = track(image, find(image))[0]
    (landmarker,) = nodes["LikenessLoadFaceLandmarker"].execute("mediapipe_mesh/attention").args
    landmarks = nodes["LikenessFindLandmarks"].execute(landmarker, image, faces).args[0]
    with pytest.raises(ValueError, match="must be about the same faces, got 6 and 3 faces"):
        nodes["LikenessSmoothFaces"].execute(faces.select(faces.track == 0), landmarks=landmarks)
