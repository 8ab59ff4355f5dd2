"""VIDEO: a file, or frames with their rate; decoded and encoded by PyAV with the settings that ComfyUI uses."""

import math
import shutil
from dataclasses import dataclass
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc

BYTES = ("yuvj420p", "yuvj422p", "yuvj444p", "rgb24", "rgba", "pal8")  # decoded to bytes, the rest to floats
ALIGNED = 32  # pixels; FFmpeg converts rows of other lengths with memory that is not theirs


@dataclass
class VideoComponents:
    images: torch.Tensor  # (B, H, W, 3) in [0, 1]
    frame_rate: Fraction
    audio: dict[str, Any] | None = None
    metadata: dict[str, str] | None = None
    alpha: torch.Tensor | None = None  # (B, H, W, 1) in [0, 1]


class VideoFromFile:
    def __init__(self, file: str) -> None:
        self.file = file

    def get_stream_source(self) -> str:
        return self.file

    def get_components(self) -> VideoComponents:
        with av.open(self.file) as container:
            if not container.streams.video:
                raise ValueError(f"Expected pictures in {self.file}, got none: choose an image or a video.")
            video = container.streams.video[0]
            audio = next((stream for stream in reversed(container.streams.audio) if stream.codec_context), None)
            unpack, resample = _Unpack(video), av.AudioResampler(format="fltp").resample
            pictures: list[np.ndarray] = []
            sounds: list[av.AudioFrame] = []
            for packet in container.demux(*filter(None, (video, audio))):
                try:
                    frames = packet.decode()
                except av.InvalidDataError:  # a damaged frame is left out
                    continue
                if packet.stream is video:
                    pictures += map(unpack, frames)
                else:
                    sounds += [part for frame in frames for part in resample(frame)]
            pixels = torch.from_numpy(np.stack(pictures)) if pictures else torch.zeros(0, 0, 0, 3)
            pixels = pixels.float() / 255 if pixels.dtype == torch.uint8 else pixels
            alpha = pixels[..., 3:] if pixels.shape[-1] == 4 else None
            rate, heard = Fraction(video.average_rate or 1), _join(sounds, audio) if sounds else None
            return VideoComponents(pixels[..., :3], rate, heard, container.metadata, alpha)

    def save_to(self, path: str, crf: float | None = None) -> None:
        if crf is not None or Path(self.file).suffix != Path(path).suffix:
            raise ValueError(f"Expected to keep {Path(self.file).suffix} as it is: run this workflow on a ComfyUI.")
        shutil.copyfile(self.file, path)


class VideoFromComponents:
    def __init__(self, components: VideoComponents) -> None:
        self.components = components

    def get_components(self) -> VideoComponents:
        return self.components

    def get_stream_source(self) -> BytesIO:
        self.save_to(held := BytesIO())
        held.seek(0)
        return held

    def save_to(self, path: str | BytesIO, crf: float | None = None) -> None:
        """H.264 in BT.709 and, where there is sound, AAC."""
        images, audio = self.components.images, self.components.audio
        rate = Fraction(round(self.components.frame_rate * 1000), 1000)
        with av.open(
            path, "w", format="mp4", options={"movflags": "use_metadata_tags" + "+faststart" * isinstance(path, str)}
        ) as target:
            stream = target.add_stream("h264", rate=rate, options={} if crf is None else {"crf": str(crf)})
            stream.height, stream.width, stream.pix_fmt = *images.shape[1:3], "yuv420p"
            _mark(stream.codec_context)
            if audio:  # before the first packet, for both streams stand in the header
                wave = audio["waveform"][0, :, : math.ceil(int(audio["sample_rate"]) / rate * len(images))]
                layout = {1: "mono", 2: "stereo", 6: "5.1"}.get(len(wave), "stereo")
                encoder = target.add_stream("aac", rate=int(audio["sample_rate"]), layout=layout)
            for image in images:
                pixels = (image * 255).clamp(0, 255).byte().cpu().numpy()
                frame = av.VideoFrame.from_ndarray(pixels).reformat(format="yuv420p", dst_colorspace=Colorspace.ITU709)
                _mark(frame)
                target.mux(stream.encode(frame))
            target.mux(stream.encode(None))
            if audio:
                frame = av.AudioFrame.from_ndarray(wave.float().cpu().contiguous().numpy(), "fltp", layout)
                frame.sample_rate, frame.pts = int(audio["sample_rate"]), 0
                target.mux(encoder.encode(frame))
                target.mux(encoder.encode(None))


def _mark(target: Any) -> None:
    """Say how colours are stored: BT.709, sRGB's curve, video levels."""
    target.color_primaries, target.color_trc = ColorPrimaries.BT709, ColorTrc.IEC61966_2_1
    target.colorspace, target.color_range = Colorspace.ITU709, ColorRange.MPEG


def _join(sounds: list[av.AudioFrame], stream: av.AudioStream) -> dict[str, Any]:
    """AUDIO from second 0 on; encoders put some silence before it."""
    early = max(0, int(-sounds[0].pts * stream.time_base * stream.sample_rate))
    wave = np.concatenate([frame.to_ndarray() for frame in sounds], axis=1)[None, :, early:]
    return {"waveform": torch.from_numpy(wave), "sample_rate": stream.sample_rate}


class _Unpack:
    """(H, W, 3 or 4) pixels, upright, of a stream's frames; its first frame decides on their format."""

    def __init__(self, stream: av.VideoStream) -> None:
        self.stream, self.format, self.padded = stream, "", None

    def __call__(self, frame: av.VideoFrame) -> np.ndarray:
        height, width, turned = frame.height, frame.width, frame.rotation // 90
        if not self.format:
            alpha = frame.format.name == "pal8" or any(part.is_alpha for part in frame.format.components)
            formats = ("rgba", "rgb24") if frame.format.name in BYTES else ("gbrapf32le", "gbrpf32le")
            self.format = formats[not alpha]
        if self.format.startswith("gbr") and width % ALIGNED:
            self.padded = self.padded or self._pad(frame)
            self.padded.vpush(frame)
            frame = self.padded.vpull()
        return np.rot90(frame.to_ndarray(format=self.format)[:height, :width], turned).copy()

    def _pad(self, frame: av.VideoFrame) -> av.filter.Graph:
        right, bottom = -frame.width % ALIGNED, -frame.height % ALIGNED
        size, base = {"width": frame.width, "height": frame.height}, self.stream.time_base
        graph = av.filter.Graph()
        graph.link_nodes(
            graph.add_buffer(**size, format=frame.format.name, time_base=base),
            graph.add("pad", f"{frame.width + right}:{frame.height + bottom}:0:0"),
            graph.add("fillborders", f"left=0:right={right}:top=0:bottom={bottom}:mode=smear"),
            graph.add("buffersink"),
        ).configure()
        return graph
