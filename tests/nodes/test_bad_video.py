"""Videos that are no good through the streams: refused with what to do, and nothing is left."""

import shutil
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
def streams(nodes, base):
    """Every stream node as a function of a VIDEO and the faces in it."""
    image = torch.rand(1, 64, 96, 3)
    (face,) = nodes["LikenessFacesFromBoxes"].execute(image, "20 10 40 44").args
    (swapper,) = nodes["LikenessLoadFaceSwapper"].execute("mesh_swap/mediapipe").args
    (reenactor,) = nodes["LikenessLoadReenactor"].execute("mesh_warp/mediapipe").args
    (detector,) = nodes["LikenessLoadFaceDetector"].execute("yunet/2023mar").args
    run = {name: nodes[f"Likeness{name}Video"].execute for name in ("Track", "Crop", "Swap", "Reenact", "Anonymize")}
    return {
        "Track": lambda clip, faces: run["Track"](clip, detector),
        "Crop": lambda clip, faces: run["Crop"](clip, faces, 64, "arcface112"),
        "Swap": lambda clip, faces: run["Swap"](swapper, clip, faces, image, face),
        "Reenact": lambda clip, faces: run["Reenact"](reenactor, image, face, clip, faces),
        "Anonymize": lambda clip, faces: run["Anonymize"](clip, faces, "blur"),
    }


def video(path: Path):
    from comfy_api.latest import InputImpl

    return InputImpl.VideoFromFile(str(path))


def faces_of(nodes, count: int, size: tuple[int, int] = (64, 96)):
    return nodes["LikenessFacesFromBoxes"].execute(torch.zeros(count, *size, 3), "20 10 40 44").args[0]


NAMES = pytest.mark.parametrize("name", ["Track", "Crop", "Swap", "Reenact", "Anonymize"])


@NAMES
def test_a_video_without_frames_is_refused(streams, nodes, made, tmp_path, name):
    path = tmp_path / "empty.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        container.start_encoding()
    with pytest.raises(ValueError, match=r"Expected a video.*, got .*empty\.mp4.*: "):
        streams[name](video(path), faces_of(nodes, 4))
    assert not list(made.glob("*"))


@NAMES
def test_a_truncated_video_is_refused_where_it_breaks(streams, nodes, made, tmp_path, name):
    whole = write_clip(tmp_path / "whole.mp4", 40)
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[:4000])
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
