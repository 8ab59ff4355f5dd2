"""Videos of any length in the memory of one second: VIDEO in, VIDEO out, chunk by chunk, with sound and times."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from uuid import uuid4

import comfy.utils
import folder_paths
import torch
from comfy_api.latest import InputImpl, io

from ..likeness import track
from ..likeness import video as clips
from ..likeness.geometry import TEMPLATES, align, extent
from ..likeness.paste import paste_
from ..likeness.select import fill_missing
from ..likeness.smooth import smooth_faces
from ..likeness.value import cat
from . import convert, host
from .crops import how_to_join, joining_inputs
from .missing import missing_input
from .tracks import describe


def origin(clip) -> tuple[clips.Source, float, float]:
    """Where a VIDEO is read from: a file, the seconds left out, the seconds taken (0: all)."""
    source = clip.get_stream_source()
    window = clip.get_active_trim_window() if hasattr(clip, "get_active_trim_window") else (0.0, 0.0)
    return (source, *window)


def frames_of(clip) -> Iterator[clips.Frames]:
    """A VIDEO's frames in chunks; moves the progress bar, can be interrupted."""
    source, start, duration = origin(clip)
    progress = comfy.utils.ProgressBar(clips.inspect(source).frame_count)
    for frames in clips.read(source, host.CHUNK, start, duration):
        yield frames
        progress.update(len(frames))


def temporary() -> Path:
    """A new file name in ComfyUI's temp folder; nothing is there yet."""
    return Path(folder_paths.get_temp_directory(), f"likeness_{uuid4().hex}.mp4")


@contextmanager
def recorder(clip, crf: float) -> Iterator[clips.Writer]:
    """A new video in ComfyUI's temp folder, with the sound of a VIDEO; nothing is left behind when it fails.

    Args:
        clip: The VIDEO.
        crf: H.264's quality.
    """
    source, start, duration = origin(clip)
    with clips.Writer(temporary(), source, clips.inspect(source).rate, crf, start, duration) as writer:
        yield writer


def rewrite(clip, faces, change: Callable[[clips.Frames], tuple[torch.Tensor, tuple[Fraction, ...]]], crf: float):
    """A VIDEO whose frames were changed chunk by chunk.

    Args:
        clip: The VIDEO; its sound is kept.
        faces: What is known about its frames.
        change: Gives frames and when they are shown.
        crf: H.264's quality.
    """
    seen = 0
    with recorder(clip, crf) as writer:
        for frames in frames_of(clip):
            writer.write(*change(frames))
            seen += len(frames)
        check_length(faces, seen)
    return InputImpl.VideoFromFile(str(writer.target))


def check_length(faces, seen: int) -> None:
    """Raise ValueError unless faces are those of a video of so many frames."""
    if faces.image_count != seen:
        raise ValueError(
            f"Expected faces of this video's {seen} frames, got faces of {faces.image_count}: connect the video that "
            "went into Track Video."
        )


def quality_input(default: float) -> io.Float.Input:
    return io.Float.Input(
        "crf",
        default=default,
        min=0.0,
        max=51.0,
        optional=True,
        advanced=True,
        tooltip="H.264's quality: 0 is lossless, 17 looks it, 51 is worst.",
    )


class TrackVideo(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessTrackVideo",
            display_name="Track Video",
            category="likeness/streams",
            description="Finds and follows the faces of a video of any length; only boxes and points are kept in "
            "memory.",
            search_aliases=["video face tracking", "long video", "stream", "face track"],
            inputs=[
                io.Video.Input("video", tooltip="The video."),
                host.FaceDetector.Input("detector", tooltip="From Load Face Detector."),
                host.FaceEmbedder.Input(
                    "embedder",
                    optional=True,
                    tooltip="From Load Face Embedder: nobody is mixed up, even after leaving the picture or a cut.",
                ),
                io.Float.Input(
                    "threshold",
                    default=0.7,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    optional=True,
                    tooltip="How sure a face must be to count.",
                ),
                io.Int.Input(
                    "bridge",
                    default=12,
                    min=0,
                    max=1000,
                    optional=True,
                    tooltip="The longest gap, in frames, that is filled with a moved box.",
                ),
                io.Boolean.Input(
                    "smooth", default=True, optional=True, tooltip="Take the shake out of boxes and points."
                ),
            ],
            outputs=[
                host.Faces.Output("faces", tooltip="All faces with their tracks; choose one with Select Faces."),
                host.FaceEmbeddings.Output(
                    "embeddings", tooltip="Who they are, if an embedder is connected, for Select Faces."
                ),
                io.Int.Output("count", tooltip="How many tracks there are."),
                io.String.Output("summary", tooltip="A line per track."),
            ],
        )

    @classmethod
    def execute(cls, video, detector, embedder=None, threshold=0.7, bridge=12, smooth=True) -> io.NodeOutput:
        found, known, glances = [], [], []
        for frames in frames_of(video):
            found.append(detector.ready().detect(frames.image, threshold))
            if embedder is not None:
                known.append(embedder.ready().embed(frames.image, found[-1]))
            glances.append(track.thumbnails(frames.image))
        embeddings = cat(known) if known else None
        tracked = track.track(cat(found), embeddings, track.find_cuts(torch.cat(glances)), bridge)
        faces = smooth_faces(tracked) if smooth else tracked
        known = track.identify(faces, embeddings) if known else None
        return io.NodeOutput(faces, known, len(set(faces.track.tolist())), describe(faces))


class CropVideo(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessCropVideo",
            display_name="Crop Video",
            category="likeness/streams",
            description="A video of one person's face, upright and steady, to edit and paste back.",
            search_aliases=["face video", "crop face video", "wan animate face", "steady crop"],
            inputs=[
                io.Video.Input("video", tooltip="The video that the faces were tracked in."),
                host.Faces.Input("faces", tooltip="One person, from Track Video and Select Faces."),
                io.Int.Input("size", default=512, min=16, max=2048, step=16, tooltip="Side of the crop in pixels."),
                io.Combo.Input(
                    "template", options=list(TEMPLATES), optional=True, tooltip="Where the five points go in the crop."
                ),
                missing_input("hold"),
                quality_input(8),
            ],
            outputs=[
                io.Video.Output("crops", tooltip="A frame per face, with the sound."),
                host.FaceAlignment.Output("alignment", tooltip="How they were cut, for Paste Video."),
                io.BoundingBox.Output("boxes", tooltip="What of each frame a crop shows: one list of boxes per frame."),
            ],
        )

    @classmethod
    def execute(cls, video, faces, size, template="arcface112", missing="hold", crf=8.0) -> io.NodeOutput:
        whole = fill_missing(faces, missing)
        if len(whole) and int(torch.bincount(whole.image_index).max()) > 1:
            raise ValueError(
                f"Expected one face in a frame, got {len(whole)} faces in {whole.image_count} frames: connect Select "
                "Faces between, by track or by similarity."
            )
        parts = []

        def cut(frames):
            here = whole.images(frames.start, frames.start + len(frames))
            crops, alignment = align(frames.image, here, template, size, "bicubic")
            parts.append(alignment)
            return crops, tuple(frames.times[index] for index in here.image_index.tolist())

        crops = rewrite(video, whole, cut, crf)
        alignment = cat(parts)
        return io.NodeOutput(crops, alignment, convert.faces_to_boxes(replace(whole, bbox=extent(alignment))))


class PasteVideo(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessPasteVideo",
            display_name="Paste Video",
            category="likeness/streams",
            description="Puts a video of edited crops back where Crop Video cut them. Everything else stays.",
            search_aliases=["uncrop video", "stitch face video", "composite video"],
            inputs=[
                io.Video.Input("video", tooltip="The video that the crops were cut from; its sound is kept."),
                io.Video.Input("crops", tooltip="The edited crops, as many as were cut, of any square size."),
                host.FaceAlignment.Input("alignment", tooltip="From Crop Video."),
                io.Mask.Input(
                    "mask", optional=True, tooltip="How much of each crop to take: one mask for all, or one per crop."
                ),
                *joining_inputs(),
                quality_input(17),
            ],
            outputs=[io.Video.Output("video", tooltip="The video with the crops in place, as long as it was.")],
        )

    @classmethod
    def execute(
        cls, video, crops, alignment, mask=None, feather=0.05, blend="replace", color="none", crf=17.0
    ) -> io.NodeOutput:
        how = how_to_join(feather, blend, color)
        edited = Reel(crops, len(alignment))
        masks = None if mask is None else convert.mask(mask)
        if masks is not None and len(masks) not in (1, len(alignment)):
            raise ValueError(f"Expected 1 mask or {len(alignment)}, one per crop, got {len(masks)}.")

        def put(frames):
            stop = frames.start + len(frames)
            index = alignment.faces.image_index
            rows = torch.where((index >= frames.start) & (index < stop))[0]
            here = alignment.select(rows)
            here = replace(here, faces=here.faces.images(frames.start, stop))
            some = masks if masks is None or len(masks) == 1 else masks[rows]
            return paste_(frames.image, edited.take(len(rows)), here, some, blend=how), frames.times

        result = rewrite(video, alignment.faces, put, crf)
        edited.check_end()
        return io.NodeOutput(result)


class Reel:
    """A VIDEO from which frames are taken as many at a time as are asked for."""

    def __init__(self, clip, count: int) -> None:
        source, start, duration = origin(clip)
        self.chunks, self.held = clips.read(source, host.CHUNK, start, duration), torch.zeros(0)
        self.count, self.taken = count, 0

    def take(self, count: int) -> torch.Tensor:
        """(count, H, W, 3) the next frames."""
        while len(self.held) < count:
            more = next(self.chunks, None)
            if more is None:
                raise self.wrong(self.taken + len(self.held))
            self.held = torch.cat([self.held, more.image]) if len(self.held) else more.image
        frames, self.held = self.held[:count], self.held[count:]
        self.taken += count
        return frames if count else torch.zeros(0, 1, 1, 3)

    def check_end(self) -> None:
        left = len(self.held) + sum(len(more) for more in self.chunks)
        if left:
            raise self.wrong(self.taken + left)

    def wrong(self, got: int) -> ValueError:
        return ValueError(
            f"Expected {self.count} crops, one per face that was cut, got a video of {got} frames: edit each frame, "
            "drop none and add none."
        )


NODES = (TrackVideo, CropVideo, PasteVideo)
