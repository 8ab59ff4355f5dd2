"""Faces through time: who is who from frame to frame, and tracks that do not shake."""

import torch
from comfy_api.latest import io

from ..likeness import track
from ..likeness.geometry import check_image
from ..likeness.smooth import smooth_faces
from . import host


def describe(faces) -> str:
    """A line per track: its number, its frames, and how many of them were bridged."""
    lines = []
    for number in sorted(set(faces.track.tolist())):
        rows = faces.track == number
        frames, bridged = faces.image_index[rows], int((faces.score[rows] == 0).sum())
        filled = f", {bridged} bridged" if bridged else ""
        lines.append(f"track {number}: frames {int(frames.min())} to {int(frames.max())}, {len(frames)} faces{filled}")
    return "\n".join(lines) or "no faces"


class TrackFaces(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessTrackFaces",
            display_name="Track Faces",
            category="likeness/tracks",
            description="Follows each person over the frames. Connect embeddings and nobody is mixed up, even after "
            "leaving the picture or a cut.",
            search_aliases=["face tracking", "track id", "follow face", "re-identification", "scene cut"],
            inputs=[
                io.Image.Input("image", tooltip="The frames of a video; cuts are found in them."),
                host.Faces.Input("faces", tooltip="The faces of all frames, from Detect Faces."),
                host.FaceEmbeddings.Input(
                    "embeddings", optional=True, tooltip="Who they are, from Embed Faces on the same faces."
                ),
                io.Int.Input(
                    "bridge",
                    default=12,
                    min=0,
                    max=1000,
                    optional=True,
                    tooltip="The longest gap, in frames, that is filled with a moved box; such faces get score 0.",
                ),
                io.Boolean.Input(
                    "find_cuts",
                    default=True,
                    optional=True,
                    advanced=True,
                    tooltip="Look for cuts to another shot, over which nobody is followed by motion.",
                ),
            ],
            outputs=[
                host.Faces.Output("faces", tooltip="The faces with their tracks, for Select Faces and Smooth Faces."),
                io.Int.Output("count", tooltip="How many tracks there are."),
                io.String.Output("summary", tooltip="A line per track: its frames, and how many were bridged."),
            ],
        )

    @classmethod
    def execute(cls, image, faces, embeddings=None, bridge=12, find_cuts=True) -> io.NodeOutput:
        check_image(image, faces)
        glances = [track.thumbnails(chunk) for (chunk,) in host.chunks(image)] if find_cuts and len(image) else []
        cuts = track.find_cuts(torch.cat(glances)) if glances else ()
        tracked = track.track(faces, embeddings, cuts, bridge)
        return io.NodeOutput(tracked, len(set(tracked.track.tolist())), describe(tracked))


class SmoothFaces(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessSmoothFaces",
            display_name="Smooth Faces",
            category="likeness/tracks",
            description="Takes the shake out of boxes and points, track by track, so that crops hold still. Fast true "
            "motion is kept.",
            search_aliases=["stabilize face", "jitter", "smooth bbox", "one euro filter", "steady crop"],
            inputs=[
                host.Faces.Input("faces", tooltip="Faces with tracks, from Track Faces."),
                io.Combo.Input(
                    "mode",
                    options=["zero phase", "causal"],
                    default="zero phase",
                    optional=True,
                    tooltip="zero phase looks ahead and has no delay; causal knows only earlier frames, as a live "
                    "picture does.",
                ),
                io.Float.Input(
                    "rate",
                    default=25.0,
                    min=1.0,
                    max=1000.0,
                    optional=True,
                    advanced=True,
                    tooltip="Frames a second, for causal.",
                ),
            ],
            outputs=[host.Faces.Output("faces", tooltip="The same faces, steady; for Align Faces.")],
        )

    @classmethod
    def execute(cls, faces, mode="zero phase", rate=25.0) -> io.NodeOutput:
        return io.NodeOutput(smooth_faces(faces, mode == "causal", rate))


NODES = (TrackFaces, SmoothFaces)
