"""Verbs over videos of any length: swap, reenact and hide faces chunk by chunk, with sound and times."""

import logging
from fractions import Fraction

import comfy.utils
import torch
from comfy_api.latest import InputImpl, io

from ..likeness.reenact.driving import Settings, rows_by_frame
from ..likeness.select import fill_missing, one_face, shown_rows
from ..likeness.value import collect
from . import convert, host
from .missing import missing_input
from .reenact import gain_input
from .streams import check_length, frames_of, quality_input, recorder, rewrite


class SwapVideo(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessSwapVideo",
            display_name="Swap Video",
            category="likeness/videos",
            description="Gives the faces of a video of any length the face of another person. Sound and times are "
            "kept; memory does not grow with the length.",
            search_aliases=["video face swap", "faceswap video", "reactor video", "deepfake", "long video"],
            inputs=[
                host.FaceSwapper.Input("swapper", tooltip="From Load Face Swapper."),
                io.Video.Input("video", tooltip="The video in which faces are to change."),
                host.Faces.Input("faces", tooltip="Which faces: from Track Video, chosen with Select Faces."),
                io.Image.Input("source_image", tooltip="A picture of the person they are to get the face of."),
                host.faces_input("That person's face, the only one; pick it with Select Faces.", name="source_faces"),
                missing_input("skip"),
                quality_input(17),
            ],
            outputs=[io.Video.Output("video", tooltip="The video with that face, as long as it was.")],
        )

    @classmethod
    def execute(cls, swapper, video, faces, source_image, source_faces, missing="skip", crf=17.0) -> io.NodeOutput:
        found = fill_missing(faces, missing)
        source = convert.rgb(source_image), one_face(convert.to_faces(source_faces, source_image))

        def change(frames):
            here = found.images(frames.start, frames.start + len(frames))
            return swapper.ready().swap(frames.image, here, *source)[0], frames.times

        return io.NodeOutput(rewrite(video, found, change, crf))


class ReenactVideo(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessReenactVideo",
            display_name="Reenact Video",
            category="likeness/videos",
            description="Makes the face in a photo move as the face of a driving video of any length does, with that "
            "video's sound and times.",
            search_aliases=["animate portrait", "talking photo", "long video", "face reenactment", "live portrait"],
            inputs=[
                host.Reenactor.Input("reenactor", tooltip="From Load Reenactor."),
                io.Image.Input("image", tooltip="The photo whose face is to move; it keeps its size."),
                host.faces_input("The one face in the photo that is to move."),
                io.Video.Input("driving", tooltip="The video whose motion is taken over; its sound is kept."),
                host.Faces.Input("driving_faces", tooltip="Its one face: from Track Video through Select Faces."),
                missing_input("hold"),
                gain_input("turn", "How much of the turn of the driving head is taken over; 0 holds the head still."),
                gain_input("shift", "How much of its way across and towards the camera is taken over."),
                gain_input("expression", "How much of mouth, eyes and brows is taken over."),
                quality_input(17),
            ],
            hidden=[io.Hidden.unique_id],
            outputs=[
                io.Video.Output("video", tooltip="The photo moving: a frame for each driving frame."),
                io.String.Output("warnings", tooltip="What will not look right and why, a line each; mostly empty."),
            ],
        )

    @classmethod
    def execute(
        cls,
        reenactor,
        image,
        faces,
        driving,
        driving_faces,
        missing="hold",
        turn=1.0,
        shift=1.0,
        expression=1.0,
        crf=17.0,
    ) -> io.NodeOutput:
        rows_by_frame(driving_faces, missing)
        rows, shown = shown_rows(driving_faces, missing)
        network = reenactor.ready()
        source = network.prepare(convert.rgb(image), convert.to_faces(faces, image))
        motion, times = follow(reenactor, driving, driving_faces)
        motion = motion if torch.equal(rows, torch.arange(len(motion))) else motion.select(rows)
        warnings = network.cautions(source, motion)
        for warning in warnings:
            logging.warning("Likeness: %s", warning)
        host.show(cls, "\n".join(warnings))
        progress = comfy.utils.ProgressBar(len(motion))
        with recorder(driving, crf) as writer:
            moved = reenactor.ready().reenact(source, motion, Settings(turn, shift, expression))
            for (frame, _), number in zip(moved, shown.tolist(), strict=True):
                writer.write(frame[None], (times[number],))
                progress.update(1)
        return io.NodeOutput(InputImpl.VideoFromFile(str(writer.target)), "\n".join(warnings))


def follow(reenactor, clip, faces) -> tuple[object, list[Fraction]]:
    """The motion of a video's faces, a row per face, and when each frame is shown; only these are kept."""
    times: list[Fraction] = []

    def parts():
        for frames in frames_of(clip):
            times.extend(frames.times)
            yield reenactor.ready().motion(frames.image, faces.images(frames.start, frames.start + len(frames)))

    motion = collect(parts())
    check_length(faces, len(times))
    return motion, times


NODES = (SwapVideo, ReenactVideo)
