"""Faces through time: who is who from frame to frame, and tracks that do not shake."""

from dataclasses import replace

import torch
from comfy_api.latest import io

from ..likeness import track
from ..likeness.geometry import check_image
from ..likeness.select import fill_missing, fill_missing_in
from ..likeness.smooth import smooth_faces, smooth_landmarks
from ..likeness.types import same_faces
from . import convert, host
from .missing import missing_input


def describe(faces) -> str:
    """A line per track: its number, its frames, and how many of them were bridged or interpolated."""
    lines = []
    for number in sorted(set(faces.track.tolist())):
        rows = faces.track == number
        frames, bridged = faces.image_index[rows], int((faces.score[rows] == 0).sum())
        filled = f", {bridged} bridged" if bridged else ""
        lines.append(f"track {number}: frames {int(frames.min())} to {int(frames.max())}, {len(frames)} faces{filled}")
    return "\n".join(lines) or "no faces"


def how_inputs() -> tuple[io.Combo.Input, io.Float.Input]:
    """How a track is smoothed: ``mode`` and ``rate``."""
    mode = io.Combo.Input(
        "mode",
        options=["zero phase", "causal"],
        default="zero phase",
        optional=True,
        tooltip="zero phase looks ahead and has no delay; causal knows only earlier frames, as a live picture does.",
    )
    rate = io.Float.Input(
        "rate",
        default=25.0,
        min=1.0,
        max=1000.0,
        optional=True,
        advanced=True,
        tooltip="Frames a second, for causal.",
    )
    return mode, rate


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
                missing_input("skip"),
            ],
            outputs=[
                host.Faces.Output("faces", tooltip="The faces with their tracks, for Select Faces and Smooth Faces."),
                io.Int.Output("count", tooltip="How many tracks there are."),
                io.String.Output("summary", tooltip="A line per track: its frames, and how many were bridged."),
                host.FaceEmbeddings.Output(
                    "embeddings",
                    tooltip="Who the tracked faces are, bridged ones included, if embeddings are connected.",
                ),
            ],
        )

    @classmethod
    def execute(cls, image, faces, embeddings=None, bridge=12, find_cuts=True, missing="skip") -> io.NodeOutput:
        check_image(image, faces)
        glances = [track.thumbnails(chunk) for (chunk,) in host.chunks(image)] if find_cuts and len(image) else []
        cuts = track.find_cuts(torch.cat(glances)) if glances else ()
        tracked = track.track(faces, embeddings, cuts, bridge)
        known = None if embeddings is None else fill_missing_in(track.identify(tracked, embeddings), missing)
        whole = fill_missing(tracked, missing)
        return io.NodeOutput(whole, len(set(whole.track.tolist())), describe(whole), known)


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
                *how_inputs(),
                host.landmarks_input(
                    "Of the same tracked faces, from Find Landmarks, to steady as well.", optional=True
                ),
            ],
            outputs=[
                host.Faces.Output("faces", tooltip="The same faces, steady; for Align Faces."),
                host.Landmarks.Output("landmarks", tooltip="The landmarks, steady, if some are connected."),
            ],
        )

    @classmethod
    def execute(cls, faces, mode="zero phase", rate=25.0, landmarks=None) -> io.NodeOutput:
        how = (mode == "causal", rate)
        steady = smooth_faces(faces, *how)
        if landmarks is None:
            return io.NodeOutput(steady, None)
        mesh = convert.to_landmarks(landmarks)
        whose = replace(same_faces(mesh, faces), track=faces.track, score=faces.score)
        return io.NodeOutput(steady, replace(smooth_landmarks(replace(mesh, faces=whose), *how), faces=steady))


NODES = (TrackFaces, SmoothFaces)
