"""Streams: what goes in comes out, with its sound and its times, and memory does not grow."""

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from av.bitstream import BitStreamFilterContext

from likeness import video

ROOT = Path(__file__).parents[1]


def write_clip(
    path: Path,
    count: int = 20,
    size: tuple[int, int] = (64, 96),
    sound: str | None = "aac",
    variable: bool = False,
    rate: int = 25,
) -> Path:
    """A clip of moving colours; with ``variable`` its frames come at uneven times."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate)
        stream.height, stream.width = size
        stream.pix_fmt = "yuv444p" if size[0] % 2 or size[1] % 2 else "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        audio = container.add_stream(sound, rate=16000) if sound else None
        y, x = np.mgrid[: size[0], : size[1]]
        for number in range(count):
            wave = [np.sin((x + 3 * number) / 9), np.cos((y - 2 * number) / 7), np.sin((x + y) / 11 + number / 5)]
            pixels = (127 + 100 * np.stack(wave, -1)).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(pixels)
            frame.pts, frame.time_base = number * 40 + (7 * (number % 3) if variable else 0), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if audio:
            tone = np.sin(np.arange(16000 * count // rate) / 20).astype(np.float32)[None]
            layout = audio.codec_context.format.name
            frame = av.AudioFrame.from_ndarray(
                tone if layout == "fltp" else (tone * 3e4).astype(np.int16), layout, "mono"
            )
            frame.sample_rate, frame.pts = 16000, 0
            container.mux(audio.encode(frame))
            container.mux(audio.encode(None))
    return path


def times(path: Path) -> list[float]:
    with av.open(str(path)) as container:
        return [round(frame.time, 4) for frame in container.decode(video=0)]


def sound(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        return np.concatenate([frame.to_ndarray().mean(0) for frame in container.decode(audio=0)])


def seconds_of_sound(path: Path) -> float:
    with av.open(str(path)) as container:
        return sum(frame.samples / frame.sample_rate for frame in container.decode(audio=0))


def pixels(path: Path) -> torch.Tensor:
    return torch.cat([frames.image for frames in video.read(path)])


@pytest.mark.parametrize("variable", [False, True], ids=["constant rate", "variable rate"])
@pytest.mark.parametrize("size", [(64, 96), (63, 95)], ids=str)
def test_an_unchanged_video_keeps_frames_times_and_sound(tmp_path, size, variable):
    source = write_clip(tmp_path / "in.mp4", 37, size, variable=variable)
    result = video.edit(source, tmp_path / "out.mp4", lambda frames: frames.image, crf=8)
    assert times(result) == times(source)
    assert np.array_equal(sound(result), sound(source))
    error = (pixels(result) - pixels(source)).square().mean()
    assert -10 * error.log10() > 38
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4", "out.mp4"] or len(list(tmp_path.iterdir())) == 2


def test_chunks_are_the_video(tmp_path):
    source = write_clip(tmp_path / "in.mp4", 37)
    whole = pixels(source)
    parts = list(video.read(source, chunk=10))
    assert [(part.start, len(part)) for part in parts] == [(0, 10), (10, 10), (20, 10), (30, 7)]
    assert torch.equal(torch.cat([part.image for part in parts]), whole)
    assert video.inspect(source) == video.Info((64, 96), 37, Fraction(25), True)
    with open(source, "rb") as file:
        assert torch.equal(torch.cat([part.image for part in video.read(file)]), whole)


def test_lossless_is_lossless_but_for_the_colour_space(tmp_path):
    source = write_clip(tmp_path / "in.mp4", 5)
    first = video.edit(source, tmp_path / "a.mp4", lambda frames: frames.image, crf=0)
    assert (pixels(first) - pixels(source)).abs().max() < 5 / 255


@pytest.mark.parametrize("name", ["in.mkv", "in.avi"])
def test_sound_that_an_mp4_cannot_carry_is_encoded_anew(tmp_path, name):
    source = write_clip(tmp_path / name, 25, sound="pcm_s16le")
    result = video.edit(source, tmp_path / "out.mp4", lambda frames: frames.image)
    assert seconds_of_sound(result) == pytest.approx(seconds_of_sound(source), abs=0.1)
    assert len(times(result)) == 25


def test_a_video_without_sound_passes(tmp_path):
    source = write_clip(tmp_path / "in.mp4", sound=None)
    result = video.edit(source, tmp_path / "out.mp4", lambda frames: 1 - frames.image)
    with av.open(str(result)) as container:
        assert not container.streams.audio


def test_a_stream_without_time_stamps_runs_at_its_rate(tmp_path):
    """Bare H.264, which cannot be wound back either."""
    whole, bare = write_clip(tmp_path / "whole.mp4", 20, sound=None), tmp_path / "bare.h264"
    with av.open(str(whole)) as source, av.open(str(bare), "w", format="h264") as container:
        stream = source.streams.video[0]
        target, rewrite = container.add_stream_from_template(stream), BitStreamFilterContext("h264_mp4toannexb", stream)
        for packet in source.demux(stream):
            for part in rewrite.filter(packet) if packet.size else []:
                part.stream = target
                container.mux(part)
    assert (video.inspect(bare).frame_count, video.inspect(bare).image_size) == (20, (64, 96))
    edited = video.edit(bare, tmp_path / "edited.mp4", lambda frames: frames.image)
    with av.open(str(edited)) as container:
        times = [float(frame.pts * frame.time_base) for frame in container.decode(video=0)]
    assert times == pytest.approx([number / 25 for number in range(20)], abs=1e-3)


def test_a_part_of_a_video_keeps_its_sound_in_time(tmp_path):
    source = write_clip(tmp_path / "in.mp4", 100)
    result = video.edit(source, tmp_path / "out.mp4", lambda frames: frames.image, start=1.0, duration=2.0)
    assert times(result) == [round(time - 1, 4) for time in times(source)[25:75]]
    assert seconds_of_sound(result) == pytest.approx(2, abs=0.15)


def test_an_interrupted_edit_leaves_nothing(tmp_path):
    source = write_clip(tmp_path / "in.mp4", 40)

    def stop(frames: video.Frames) -> torch.Tensor:
        if frames.start:
            raise KeyboardInterrupt
        return frames.image

    with pytest.raises(KeyboardInterrupt):
        video.edit(source, tmp_path / "out.mp4", stop)
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


def test_an_older_result_outlives_a_failed_edit(tmp_path):
    source = write_clip(tmp_path / "in.mp4", 20)
    result = video.edit(source, tmp_path / "out.mp4", lambda frames: frames.image)
    before = result.read_bytes()
    with pytest.raises(ValueError, match="Expected 16 frames back from the edit, got 1"):
        video.edit(source, result, lambda frames: frames.image[:1])
    assert result.read_bytes() == before


def test_truncated_empty_and_other_files_are_named(tmp_path):
    source = write_clip(tmp_path / "in.mkv", 200, (128, 192), sound=None)
    for name, data, said in [
        ("text.mp4", b"no video at all", r"Expected a video, got text\.mp4"),
        ("empty.mp4", b"", r"Expected a video, got empty\.mp4"),
    ]:
        (tmp_path / name).write_bytes(data)
        with pytest.raises(ValueError, match=said):
            video.edit(tmp_path / name, tmp_path / "out.mp4", lambda frames: frames.image)
    only_sound = tmp_path / "sound.wav"
    with av.open(str(only_sound), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=16000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1600), np.int16), "s16", "mono")
        frame.sample_rate = 16000
        container.mux(stream.encode(frame))
    with pytest.raises(ValueError, match=r"sound\.wav, which has no pictures"):
        next(video.read(only_sound))
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(write_clip(tmp_path / "whole.mp4", 50).read_bytes()[:3000])
    with pytest.raises(ValueError, match=r"got cut\.mp4"):
        video.edit(cut, tmp_path / "out.mp4", lambda frames: frames.image)
    assert not (tmp_path / "out.mp4").exists()
    assert source.exists()


MEMORY = """
import resource, sys
from likeness import video
video.edit(sys.argv[1], sys.argv[2], lambda frames: 1 - frames.image)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_memory_does_not_grow_with_the_length(tmp_path):
    peaks = []
    for count in (200, 2000):
        source = write_clip(tmp_path / f"{count}.mp4", count, (48, 64), sound=None)
        call = [sys.executable, "-c", MEMORY, str(source), str(tmp_path / "out.mp4")]
        done = subprocess.run(call, cwd=ROOT, capture_output=True, text=True, check=True)
        peaks.append(int(done.stdout))
    assert peaks[1] / peaks[0] < 1.05
