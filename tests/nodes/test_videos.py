"""Swap Video, Reenact Video and Anonymize Video: length, times and sound stay, and a stopped run leaves nothing."""

import os
import shutil
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch

import factories

ROOT = Path(__file__).parents[2]
FRAMES = 18
UNEVEN = [number * 40 + (9, 0, 17)[number % 3] for number in range(FRAMES)]  # milliseconds
HOPPER = "105 62 60 85"  # her face in her photo


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """Eighteen frames at uneven times, with sound: the astronaut drifts, and is gone in frames 8 and 9."""
    target = tmp_path_factory.mktemp("clips") / "uneven.mp4"
    photo = factories.read_photo("astronaut")[0, 0:240, 100:340].reshape(120, 2, 120, 2, 3).mean((1, 3))
    with av.open(str(target), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "10"})
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        sound = container.add_stream("aac", rate=16000)
        for number, time in enumerate(UNEVEN):
            frame = torch.full((120, 160, 3), 0.4)
            if number not in (8, 9):
                frame[:, 2 * number : 2 * number + 120] = photo
            picture = av.VideoFrame.from_ndarray((frame.numpy() * 255).astype(np.uint8))
            picture.pts, picture.time_base = time, Fraction(1, 1000)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
        tone = np.sin(np.arange(16000 * FRAMES // 25) / 20).astype(np.float32)[None]
        heard = av.AudioFrame.from_ndarray(tone, "fltp", "mono")
        heard.sample_rate, heard.pts = 16000, 0
        container.mux(sound.encode(heard))
        container.mux(sound.encode(None))
    return target


@pytest.fixture
def made(pack) -> Path:
    """Where videos are made."""
    import folder_paths

    folder = Path(folder_paths.get_temp_directory())
    shutil.rmtree(folder, ignore_errors=True)
    return folder


@pytest.fixture
def clip(pack, path, base):
    from comfy_api.latest import InputImpl

    return InputImpl.VideoFromFile(str(path))


@pytest.fixture
def seen(nodes, clip):
    """The astronaut's face in each frame that shows it."""
    (detector,) = nodes["LikenessLoadFaceDetector"].execute("yunet/2023mar").args
    with torch.inference_mode():
        return nodes["LikenessTrackVideo"].execute(clip, detector, bridge=0, smooth=False).args[0]


@pytest.fixture
def run(nodes, seen):
    """Runs a verb on a clip and gives the new VIDEO."""
    hopper = factories.read_photo("grace_hopper")[:, ::2, ::2]
    (whose,) = nodes["LikenessFacesFromBoxes"].execute(hopper, HOPPER).args
    (swapper,) = nodes["LikenessLoadFaceSwapper"].execute("mesh_swap/mediapipe").args
    (reenactor,) = nodes["LikenessLoadReenactor"].execute("mesh_warp/mediapipe").args
    given = {
        "LikenessSwapVideo": lambda clip: (swapper, clip, seen, hopper, whose),
        "LikenessReenactVideo": lambda clip: (reenactor, hopper, whose, clip, seen),
        "LikenessAnonymizeVideo": lambda clip: (clip, seen, "pixelate"),
    }

    def execute(verb, clip, **more):
        with torch.inference_mode():
            return nodes[verb].execute(*given[verb](clip), **more).args[0]

    return execute


VERBS = pytest.mark.parametrize("verb", ["LikenessSwapVideo", "LikenessReenactVideo", "LikenessAnonymizeVideo"])


def milliseconds(video) -> list[int]:
    with av.open(video.get_stream_source()) as container:
        return [round(frame.time * 1000) for frame in container.decode(video=0)]


def heard(source) -> np.ndarray:
    with av.open(str(source)) as container:
        return np.concatenate([frame.to_ndarray().mean(0) for frame in container.decode(audio=0)])


@VERBS
def test_every_frame_comes_back_at_its_own_time_with_the_sound(run, clip, path, verb):
    result = run(verb, clip)
    assert milliseconds(result) == UNEVEN
    assert np.array_equal(heard(result.get_stream_source()), heard(path))


@VERBS
def test_a_stopped_run_leaves_no_file_and_none_was_ever_half_there(run, clip, made, monkeypatch, verb):
    import comfy.utils

    calls, there = [], []

    def update(*_):
        calls.append(1)
        files = [file.name for file in made.glob("*")]
        if len(calls) == (1 if verb != "LikenessReenactVideo" else 2 + FRAMES):
            there.extend(files)
            raise KeyboardInterrupt  # as ComfyUI stops a node that moves its progress bar

    monkeypatch.setattr(comfy.utils.ProgressBar, "update", update)
    with pytest.raises(KeyboardInterrupt):
        run(verb, clip)
    assert [name.endswith(".part") for name in there] == [True]
    assert not list(made.glob("*"))


def test_faceless_frames_stay_as_they_are(run, clip):
    before = clip.get_components().images
    for verb in ("LikenessSwapVideo", "LikenessAnonymizeVideo"):
        after = run(verb, clip, crf=2.0).get_components().images
        changed = (after - before).abs().mean((1, 2, 3))
        assert changed[8:10].max() < 0.006
        assert changed[[*range(8), *range(10, FRAMES)]].min() > 0.006


def test_a_photo_holds_still_or_leaves_out_frames_without_its_driver(run, clip, pack):
    assert milliseconds(run("LikenessReenactVideo", clip)) == UNEVEN
    left = run("LikenessReenactVideo", clip, missing="skip")
    assert milliseconds(left) == [time for number, time in enumerate(UNEVEN) if number not in (8, 9)]
    with pytest.raises(pack.likeness.types.NoFaceError, match="got none in images 8 to 9 of 18"):
        run("LikenessReenactVideo", clip, missing="error")


@VERBS
def test_faces_of_another_video_are_refused_and_nothing_is_left(run, clip, made, verb):
    from comfy_api.latest import InputImpl, Types

    parts = clip.get_components()
    shorter = InputImpl.VideoFromComponents(Types.VideoComponents(parts.images[:7], parts.frame_rate))
    with pytest.raises(ValueError, match="Expected faces of this video's 7 frames, got faces of 18: connect the video"):
        run(verb, shorter)
    assert not list(made.glob("*"))


MEMORY = """
import resource, sys
from pathlib import Path
import torch
from headless import standalone
nodes = standalone.start(Path(sys.argv[1])).nodes
from comfy_api.latest import InputImpl
clip = InputImpl.VideoFromFile(sys.argv[2])
(one,) = nodes["LikenessFacesFromBoxes"].execute(torch.zeros(1, 48, 64, 3), "16 8 32 40").args
count = int(sys.argv[3])
from dataclasses import replace
index = torch.arange(count)
faces = replace(one.select(torch.zeros(count, dtype=torch.int64)), image_count=count, image_index=index, id=index * 0)
faces = replace(faces, track=index * 0)
with torch.inference_mode():
    crops, alignment, _ = nodes["LikenessCropVideo"].execute(clip, faces, 32).args
    pasted = nodes["LikenessPasteVideo"].execute(clip, crops, alignment).args[0]
    hidden = nodes["LikenessAnonymizeVideo"].execute(pasted, faces, "pixelate").args[0]
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_memory_does_not_grow_with_the_length(tmp_path, base, pack):
    from test_video import write_clip

    peaks = []
    for count in (200, 2000):
        source = write_clip(tmp_path / f"{count}.mp4", count, (48, 64), sound=None)
        call = [sys.executable, "-c", MEMORY, str(base), str(source), str(count)]
        done = subprocess.run(call, cwd=ROOT, env={**os.environ, "COMFYUI_PATH": ""}, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        peaks.append(int(done.stdout.split()[-1]))
    assert peaks[1] / peaks[0] < 1.05


LONG = """
import resource, sys
from dataclasses import replace
from pathlib import Path
import torch
from headless import standalone
nodes = standalone.start(Path(sys.argv[1])).nodes
from comfy_api.latest import InputImpl
verb, clip, count = sys.argv[2], InputImpl.VideoFromFile(sys.argv[3]), int(sys.argv[4])

def run(node, *given):
    return nodes["Likeness" + node].execute(*given).args

photo = torch.load(sys.argv[5])
(whose,) = run("FacesFromBoxes", photo, "26 12 40 50")
index = torch.arange(count)
faces = replace(whose.select(index * 0), image_count=count, image_index=index, id=index * 0, track=index * 0)
with torch.inference_mode():
    if verb == "swap":
        run("SwapVideo", *run("LoadFaceSwapper", "mesh_swap/mediapipe"), clip, faces, photo, whose)
    elif verb == "reenact":
        run("ReenactVideo", *run("LoadReenactor", "mesh_warp/mediapipe"), photo, whose, clip, faces)
    else:
        found, *_ = run("TrackVideo", clip, *run("LoadFaceDetector", "yunet/2023mar"))
        assert len(found) == count, f"{len(found)} faces"
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.skipif(not os.environ.get("LIKENESS_LONG"), reason="takes minutes: set LIKENESS_LONG=1 to run it")
@pytest.mark.parametrize("verb", ["swap", "reenact", "track"])
def test_memory_of_a_verb_does_not_grow_with_the_length(tmp_path, base, verb):
    from likeness import video

    photo = factories.read_photo("astronaut")[0, 0:288, 100:484].reshape(96, 3, 128, 3, 3).mean((1, 3))
    torch.save(photo[None].contiguous(), tmp_path / "photo.pt")
    peaks = []
    for count in (200, 2000):
        with video.Writer(tmp_path / f"{count}.mp4") as writer:
            for number in range(count):  # she sways
                writer.write(photo.roll(round(6 * np.sin(number / 9)), 1)[None])
        call = [sys.executable, "-c", LONG, base, verb, tmp_path / f"{count}.mp4", str(count), tmp_path / "photo.pt"]
        env = {**os.environ, "COMFYUI_PATH": ""}
        done = subprocess.run([*map(str, call)], cwd=ROOT, env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        peaks.append(int(done.stdout.split()[-1]))
    assert peaks[1] / peaks[0] < 1.05
