"""Videos that are no good through the streams: refused with what to do, and nothing is left."""

import shutil
from functools import partial
from pathlib import Path

import av
import pytest
import torch

from test_video import write_clip


@pytest.fixture
def made(pack) -> Path:
    """Where videos are made, empty."""
    import folder_paths

    folder = Path(folder_paths.get_temp_directory())
    shutil.rmtree(folder, ignore_errors=True)
    return folder


@pytest.fixture
def streams(nodes, base, tmp_path):
    """Every stream node as a function of a VIDEO and the faces in it."""
    image = torch.rand(1, 64, 96, 3)
    (face,) = nodes["LikenessFacesFromBoxes"].execute(image, "20 10 40 44").args
    (swapper,) = nodes["LikenessLoadFaceSwapper"].execute("mesh_swap/mediapipe").args
    (reenactor,) = nodes["LikenessLoadReenactor"].execute("mesh_warp/mediapipe").args
    (detector,) = nodes["LikenessLoadFaceDetector"].execute("yunet/2023mar").args
    run = {
        name: nodes[f"Likeness{name}Video"].execute
        for name in ("Track", "Crop", "Swap", "Reenact", "Anonymize", "Paste")
    }
    crops = write_clip(tmp_path / "crops.mp4", 40, (64, 64))
    return {
        "Track": lambda clip, faces: run["Track"](clip, detector),
        "Crop": lambda clip, faces: run["Crop"](clip, faces, 64, "arcface112"),
        "Swap": lambda clip, faces: run["Swap"](swapper, clip, faces, image, face),
        "Reenact": lambda clip, faces: run["Reenact"](reenactor, image, face, clip, faces),
        "Anonymize": lambda clip, faces: run["Anonymize"](clip, faces, "blur"),
        "Paste": lambda clip, faces: run["Paste"](clip, video(crops), cuts(nodes, faces)),
    }


def video(path: Path):
    from comfy_api.latest import InputImpl

    return InputImpl.VideoFromFile(str(path))


def write_nothing(path: Path) -> Path:
    """A video without frames."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        container.start_encoding()
    return path


def write_half(path: Path, count: int, size: tuple[int, int] = (64, 96)) -> Path:
    """The first 4000 bytes of a video."""
    path.write_bytes(write_clip(path.with_stem("whole"), count, size).read_bytes()[:4000])
    return path


def faces_of(nodes, count: int, size: tuple[int, int] = (64, 96)):
    return nodes["LikenessFacesFromBoxes"].execute(torch.zeros(count, *size, 3), "20 10 40 44").args[0]


def cuts(nodes, faces):
    """How Align Faces cuts these faces."""
    image = torch.zeros(faces.image_count, *faces.image_size, 3)
    return nodes["LikenessAlignFaces"].execute(image, faces, 64, "dlib").args[1]


NAMES = pytest.mark.parametrize("name", ["Track", "Crop", "Swap", "Reenact", "Anonymize", "Paste"])


@NAMES
def test_a_video_without_frames_is_refused(streams, nodes, made, tmp_path, name):
    path = write_nothing(tmp_path / "empty.mp4")
    with pytest.raises(ValueError, match=r"Expected a video.*, got .*empty\.mp4.*: "):
        streams[name](video(path), faces_of(nodes, 4))
    assert not list(made.glob("*"))


@NAMES
def test_a_truncated_video_is_refused_where_it_breaks(streams, nodes, made, tmp_path, name):
    cut = write_half(tmp_path / "cut.mp4", 40)
    with pytest.raises(ValueError, match=r"Expected a .*video, got cut\.mp4.*: (choose|export)"):
        streams[name](video(cut), faces_of(nodes, 40))
    assert not list(made.glob("*"))


@pytest.mark.parametrize("name", ["Crop", "Anonymize"])
def test_a_video_of_odd_size_without_sound_passes(streams, nodes, tmp_path, name):
    path = write_clip(tmp_path / "odd.mp4", 4, (63, 95), sound=None)
    result = streams[name](video(path), faces_of(nodes, 4, (63, 95))).args[0]
    with av.open(result.get_stream_source()) as container:
        assert not container.streams.audio
        sizes = {(frame.height, frame.width) for frame in container.decode(video=0)}
    assert sizes == {(63, 95) if name == "Anonymize" else (64, 64)}


@pytest.mark.parametrize("write", [write_nothing, partial(write_half, count=40)], ids=["empty", "truncated"])
def test_crops_that_are_no_good_leave_nothing_either(nodes, made, tmp_path, write):
    clip, crops = write_clip(tmp_path / "clip.mp4", 40), write(tmp_path / "bad.mp4")
    with pytest.raises(ValueError, match=r"Expected .*video.*, got .*bad\.mp4.*: "):
        nodes["LikenessPasteVideo"].execute(video(clip), video(crops), cuts(nodes, faces_of(nodes, 40)))
    assert not list(made.glob("*"))


def test_pasting_keeps_an_odd_size_without_sound(nodes, tmp_path):
    clip = write_clip(tmp_path / "odd.mp4", 4, (63, 95), sound=None)
    crops = write_clip(tmp_path / "crops.mp4", 4, (64, 64), sound=None)
    alignment = cuts(nodes, faces_of(nodes, 4, (63, 95)))
    result = nodes["LikenessPasteVideo"].execute(video(clip), video(crops), alignment).args[0]
    with av.open(result.get_stream_source()) as container:
        assert not container.streams.audio
        assert [(frame.height, frame.width) for frame in container.decode(video=0)] == [(63, 95)] * 4
