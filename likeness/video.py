"""Videos frame by frame in constant memory: read a chunk, edit it, write it, keep sound and time stamps.

A result is written beside its final name and renamed when it is whole, so a stopped run leaves nothing behind.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import av
import numpy as np
import torch
from torch import Tensor

Source = str | Path | BinaryIO
CHUNK = 16  # frames
ALIGNED = 32  # pixels; FFmpeg's colour conversion is exact only on rows of such lengths
MP4_AUDIO = ("aac", "mp3", "ac3", "eac3", "alac", "flac", "opus")  # what an .mp4 may carry unchanged


@dataclass(frozen=True)
class Frames:
    """Some consecutive frames of a video."""

    image: Tensor  # (T, H, W, 3) float32 RGB in [0, 1], upright
    start: int  # the first frame's number, from 0
    times: tuple[Fraction, ...]  # when each is shown, seconds

    def __len__(self) -> int:
        return len(self.image)


@dataclass(frozen=True)
class Info:
    """What a video's header and its frames' own time stamps say."""

    image_size: tuple[int, int]  # (height, width), pixels, upright
    frame_count: int
    rate: Fraction  # frames a second, on average
    has_audio: bool


def inspect(source: Source) -> Info:
    """The size, length and rate of a video, counted, not guessed from its header.

    Raises:
        ValueError: It is no video, is damaged, or holds no frame.
    """
    with _open(source) as container:
        stream = _video(container, source)
        count = sum(packet.size > 0 for packet in container.demux(stream))
        if not count:
            raise ValueError(f"Expected a video with frames, got none in {_name(source)}: record or export it again.")
    with _open(source) as container:  # anew, for not every kind can be wound back
        stream = _video(container, source)
        rotation = next((frame.rotation for frame in container.decode(stream)), 0)
        size = (stream.width, stream.height) if rotation % 180 else (stream.height, stream.width)
        return Info(size, count, Fraction(stream.average_rate or 25), bool(container.streams.audio))


def read(source: Source, chunk: int = CHUNK, start: float = 0.0, duration: float = 0.0) -> Iterator[Frames]:
    """A video's frames in chunks; one chunk is in memory at a time.

    Args:
        source: A path or an open file.
        chunk: Frames at a time.
        start: Seconds to leave out at the beginning.
        duration: Seconds to read, all by default.

    Raises:
        ValueError: It is no video, or ends before its last frame.
    """
    with _open(source) as container:
        stream = _video(container, source)
        stream.thread_type = "AUTO"
        images: list[np.ndarray[Any, Any]] = []
        times: list[Fraction] = []
        number = 0
        try:
            for shown, frame in enumerate(container.decode(stream)):
                time = _time(frame, shown, stream)
                if time < start:
                    continue
                if duration and time >= start + duration:
                    break
                images.append(_pixels(frame))
                times.append(time)
                if len(images) == chunk:
                    yield _frames(images, number, times)
                    number += len(images)
                    images, times = [], []
        except av.FFmpegError as error:
            seen = number + len(images)
            raise ValueError(
                f"Expected a whole video, got {_name(source)}, damaged after frame {seen} ({error.strerror}): "
                "export it again."
            ) from error
        if images:
            yield _frames(images, number, times)
        elif not number:
            raise ValueError(f"Expected a video with frames, got none in {_name(source)}: check start and duration.")


class Writer:
    """A video being written, H.264 in .mp4; use it in a ``with`` block, which gives it its final name at the end.

    The sound and the time base of ``like`` are taken over; frames keep the times they are written with.
    """

    def __init__(
        self,
        target: str | Path,
        like: Source | None = None,
        rate: Fraction = Fraction(25),
        crf: float = 17,
        start: float = 0.0,
        duration: float = 0.0,
    ) -> None:
        """A file to be.

        Args:
            target: The .mp4.
            like: The video whose sound and time base are taken over.
            rate: Frames a second.
            crf: H.264's quality: 0 is lossless, 17 looks it, 51 is worst.
            start: Seconds of ``like`` that are left out at the beginning, as for ``read``.
            duration: Seconds of ``like`` that are taken, all by default.
        """
        self.target, self.part = Path(target), Path(f"{target}.part")
        self.like, self.rate, self.crf = like, rate, crf
        self.start, self.stop = start, start + duration if duration else float("inf")
        self.count, self._last = 0, -1

    def __enter__(self) -> Writer:
        self.target.parent.mkdir(parents=True, exist_ok=True)
        self._container = av.open(str(self.part), "w", format="mp4")
        self._source = None if self.like is None else _open(self.like)
        self._stream: Any = None
        return self

    def write(self, image: Tensor, times: tuple[Fraction, ...] | None = None) -> None:
        """Append (T, H, W, 3) RGB frames in [0, 1], shown at these seconds, else one after another at the rate."""
        for number, frame in enumerate(image):
            if self._stream is None:
                self._begin(frame.shape[0], frame.shape[1])
            picture = av.VideoFrame.from_ndarray(_bytes(frame), format="rgb24")
            time = Fraction(self.count) / self.rate if times is None else times[number] - Fraction(self.start)
            base = self._stream.codec_context.time_base
            self._last = max(self._last + 1, round(time / base))  # two frames never share a time
            picture.pts, picture.time_base = self._last, base
            _mark(picture)
            self._container.mux(self._stream.encode(picture))
            self.count += 1

    def _begin(self, height: int, width: int) -> None:
        self._stream = stream = self._container.add_stream("libx264", rate=self.rate)
        stream.width, stream.height = width, height
        stream.pix_fmt = "yuv444p" if width % 2 or height % 2 or not self.crf else "yuv420p"
        stream.options = {"crf": str(self.crf), "preset": "veryfast" if self.crf else "ultrafast"}
        video = self._source.streams.video[0] if self._source and self._source.streams.video else None
        stream.codec_context.time_base = (video.time_base if video else None) or 1 / self.rate
        _mark(stream.codec_context)
        audio = next((s for s in self._source.streams.audio if s.codec_context), None) if self._source else None
        if audio is None:
            self._sound = None
        elif audio.codec_context.name in MP4_AUDIO:
            self._sound = (audio, self._container.add_stream_from_template(audio))
        else:
            self._sound = (audio, self._container.add_stream("aac", rate=audio.rate))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                if not self.count:
                    raise ValueError(f"Expected frames for {self.target.name}, got none: check what was selected.")
                self._container.mux(self._stream.encode(None))
                self._add_sound()
                self._container.close()
                os.replace(self.part, self.target)
        finally:
            with suppress(av.FFmpegError):  # already closed, or a half written file that is thrown away
                self._container.close()
            if self._source:
                self._source.close()
            self.part.unlink(missing_ok=True)

    def _add_sound(self) -> None:
        if self._sound is None or self._source is None:
            return
        source, target = self._sound
        copied = source.codec_context.name in MP4_AUDIO
        early = round(self.start / source.time_base) if self.start else 0
        for packet in self._source.demux(source):
            time = None if packet.pts is None else float(packet.pts * source.time_base)
            if time is not None and (time >= self.stop or (self.start and time < self.start)):
                continue  # from second 0 on, what lies before it is the encoder's own lead
            if copied and packet.dts is not None:
                packet.pts, packet.dts, packet.stream = packet.pts - early, packet.dts - early, target
                self._container.mux(packet)
            elif not copied:
                for frame in packet.decode():
                    frame.pts = None if frame.pts is None else frame.pts - early
                    self._container.mux(target.encode(frame))
        if not copied:
            self._container.mux(target.encode(None))


def edit(
    source: Source,
    target: str | Path,
    change: Callable[[Frames], Tensor],
    chunk: int = CHUNK,
    crf: float = 17,
    start: float = 0.0,
    duration: float = 0.0,
) -> Path:
    """A video whose frames were changed chunk by chunk: same length, same times, same sound.

    Args:
        source: The video.
        target: The .mp4 to be; it appears when it is whole.
        change: Gives (T, H', W', 3) for a chunk of T frames.
        chunk: Frames at a time.
        crf: H.264's quality, 0 (lossless) to 51.
        start: Seconds to leave out at the beginning.
        duration: Seconds to take, all by default.

    Raises:
        ValueError: The video is damaged, or ``change`` gave another number of frames.
    """
    with Writer(target, source, inspect(source).rate, crf, start, duration) as writer:
        for frames in read(source, chunk, start, duration):
            changed = change(frames)
            if len(changed) != len(frames):
                raise ValueError(f"Expected {len(frames)} frames back from the edit, got {len(changed)}.")
            writer.write(changed, frames.times)
    return Path(target)


def _open(source: Source) -> Any:
    if not isinstance(source, str | Path):
        source.seek(0)
    try:
        return av.open(str(source) if isinstance(source, str | Path) else source)
    except av.FFmpegError as error:
        raise ValueError(
            f"Expected a video, got {_name(source)} ({error.strerror}): choose a file that a player opens."
        ) from error


def _video(container: Any, source: Source) -> Any:
    if not container.streams.video:
        raise ValueError(f"Expected a video, got {_name(source)}, which has no pictures: choose another file.")
    return container.streams.video[0]


def _name(source: Source) -> str:
    return Path(source).name if isinstance(source, str | Path) else "a file in memory"


def _time(frame: Any, number: int, stream: Any) -> Fraction:
    """When a frame is shown, seconds; a stream without time stamps, such as bare H.264, runs at its rate."""
    if frame.pts is None:
        return Fraction(number) / Fraction(stream.average_rate or 25)
    return Fraction(frame.pts) * Fraction(frame.time_base or stream.time_base)


def _pixels(frame: Any) -> np.ndarray[Any, Any]:
    """(H, W, 3) uint8, upright."""
    height, width = frame.height, frame.width
    if width % ALIGNED:
        wide = frame.reformat(width=width, height=height, format="gbrp")
        pixels = wide.to_ndarray()
    else:
        pixels = frame.to_ndarray(format="rgb24")
    turns = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(pixels, turns)) if turns else pixels


def _frames(images: list[np.ndarray[Any, Any]], start: int, times: list[Fraction]) -> Frames:
    return Frames(torch.from_numpy(np.stack(images)).float() / 255, start, tuple(times))


def _bytes(frame: Tensor) -> np.ndarray[Any, Any]:
    return (frame[..., :3].float().cpu() * 255).round().clamp(0, 255).byte().contiguous().numpy()


def _mark(target: Any) -> None:
    """Say how colours are stored: BT.709 at video levels, which players assume."""
    from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc

    target.color_primaries, target.color_trc = ColorPrimaries.BT709, ColorTrc.BT709
    target.colorspace, target.color_range = Colorspace.ITU709, ColorRange.MPEG
