"""Load Reenactor and Reenact Face on the stand-ins: no face, one, two; one driving frame and many."""

import pytest
import torch

import factories

MODEL = "mesh_warp/mediapipe"


@pytest.fixture(scope="module")
def clip():
    return factories.read_clip()[10:25:5]  # three frames


def one() -> torch.Tensor:
    """(1, 256, 400, 3) the astronaut."""
    return factories.people(1)[:, ::2, ::2]


@pytest.fixture
def reenact(nodes, base):
    """What Reenact Face gives for a photo, its people, and driving frames of which some have a face."""
    (reenactor,) = nodes["LikenessLoadReenactor"].execute(MODEL).args
    (detector,) = nodes["LikenessLoadFaceDetector"].execute("yunet/2023mar").args

    def run(image, driving, shown=None, **settings):
        with torch.inference_mode():
            faces, *_ = nodes["LikenessDetectFaces"].execute(detector, image, 0.7).args
            leaders, *_ = nodes["LikenessDetectFaces"].execute(detector, driving, 0.7).args
            leaders = leaders if shown is None else leaders.select(torch.tensor(shown, dtype=torch.int64))
            return nodes["LikenessReenactFace"].execute(reenactor, image, faces, driving, leaders, **settings).args

    return run


def test_a_photo_moves_frame_by_frame(reenact, clip):
    image = one()
    frames, moved, warnings = reenact(image, clip)
    assert frames.shape == (3, *image.shape[1:])
    assert moved.shape == (3, *image.shape[1:3])
    assert warnings == ""
    assert torch.equal(frames[moved == 0], image.expand_as(frames)[moved == 0])
    assert len({frame.sum().item() for frame in frames}) == 3


def test_a_photo_of_nobody_or_of_two_is_an_error(pack, reenact, clip):
    with pytest.raises(pack.likeness.types.NoFaceError, match="Expected one face, got none in 1 images"):
        reenact(factories.people(0), clip)
    with pytest.raises(ValueError, match="Expected one face, got 2 in the image: pick one with Select Faces"):
        reenact(factories.people(2), clip)


def test_frames_without_a_driving_face_stop_hold_or_are_left_out(pack, reenact, clip):
    image = one()
    with pytest.raises(pack.likeness.types.NoFaceError, match=r"got none in image 1 of 3 \(counted from 0\)"):
        reenact(image, clip, shown=[0, 2])
    held, *_ = reenact(image, clip, shown=[0, 2], missing="hold", smoothing=0.0)
    assert torch.equal(held[0], held[1])
    assert not torch.equal(held[1], held[2])
    skipped, moved, _ = reenact(image, clip, shown=[0, 2], missing="skip", smoothing=0.0)
    assert len(skipped) == len(moved) == 2
    for missing in ("error", "hold", "skip"):
        with pytest.raises(pack.likeness.types.NoFaceError, match="Expected a driving face, got none in 3 frames"):
            reenact(image, clip, shown=[], missing=missing)


def test_two_driving_faces_in_a_frame_are_an_error(reenact, clip):
    crowd = torch.cat([clip[:2], clip[1:]], 2)
    with pytest.raises(ValueError, match="Expected one driving face in every frame, got several in images 0 to 1 of 2"):
        reenact(one(), crowd)


def test_one_driving_frame_gives_the_photo_and_says_why(reenact, clip):
    image = one()
    frames, _, warnings = reenact(image, clip[:1])
    assert frames.shape == image.shape
    assert (frames - image).abs().max() < 0.1 / 255
    assert "One driving frame shows no motion" in warnings


def test_the_neutral_frame_is_the_photo(reenact, clip):
    image = one()
    frames, *_ = reenact(image, clip, neutral_frame=2, smoothing=0.0)
    assert (frames[2] - image[0]).abs().max() < 0.1 / 255
    with pytest.raises(ValueError, match="Expected a driving face in the neutral frame 9 of 3"):
        reenact(image, clip, neutral_frame=9)


def test_gains_of_zero_give_the_photo(reenact, clip):
    image = one()
    frames, *_ = reenact(image, clip, turn=0.0, shift=0.0, expression=0.0)
    assert (frames - image).abs().max() < 0.1 / 255


def test_glasses_are_warned_of_and_logged(reenact, clip, caplog):
    *_, warnings = reenact(factories.read_photo("grace_hopper")[:, ::2, ::2], clip[:2])
    assert "The photo seems to show glasses" in warnings
    assert "Likeness: The photo seems to show glasses" in caplog.text
