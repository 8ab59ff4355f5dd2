"""Faces hidden in images and videos, with the question whether they still are recognised."""

from comfy_api.latest import io

from ..likeness.anonymize import WAYS, anonymize, check_substitute, report
from . import convert, host
from .streams import quality_input, rewrite


def way_inputs() -> list[io.Input]:
    """The widgets of both nodes."""
    return [
        io.Combo.Input(
            "way",
            options=list(WAYS),
            default="pixelate",
            tooltip="blur and pixelate leave a few coarse cells; replace lets the surroundings grow over the face, or "
            "shows the substitute.",
        ),
        io.Int.Input(
            "cells",
            default=6,
            min=1,
            max=64,
            optional=True,
            tooltip="How many cells are left along the longer side of a face; fewer hide more.",
        ),
        io.Float.Input(
            "margin",
            default=0.35,
            min=0.0,
            max=2.0,
            step=0.05,
            optional=True,
            advanced=True,
            tooltip="How far beyond its box a face is hidden, as a share of the box.",
        ),
        io.Image.Input(
            "substitute", optional=True, tooltip="What replace shows instead: one picture for all, or one per face."
        ),
    ]


class AnonymizeFaces(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessAnonymizeFaces",
            display_name="Anonymize Faces",
            category="likeness/privacy",
            description="Hides faces by blur, by large pixels or by a substitute, and asks a recogniser whether they "
            "are hidden.",
            search_aliases=["anonymise", "blur face", "pixelate face", "mosaic", "censor", "privacy", "de-identify"],
            inputs=[
                io.Image.Input("image", tooltip="The images in which faces are to be hidden."),
                host.faces_input("Whom to hide."),
                *way_inputs(),
                host.FaceEmbedder.Input(
                    "embedder", optional=True, tooltip="From Load Face Embedder: it tries to recognise them afterwards."
                ),
            ],
            outputs=[
                io.Image.Output("image", tooltip="The images with the faces hidden."),
                io.Mask.Output("mask", tooltip="What was changed; where it is 0 nothing was."),
                io.Int.Output("recognised", tooltip="How many are still recognised; 0 too where no embedder is there."),
                io.String.Output("report", tooltip="A line per face: how like it is to what it was."),
            ],
        )

    @classmethod
    def execute(cls, image, faces, way, cells=6, margin=0.35, substitute=None, embedder=None) -> io.NodeOutput:
        picture, found = convert.rgb(image), convert.to_faces(faces, image)
        instead = None if substitute is None else convert.rgb(substitute)
        hidden, mask = anonymize(picture, found, way, cells, margin, instead)
        known, text = 0, "not tried: connect an embedder"
        if embedder is not None:
            before, after = (embedder.run(lambda net, *chunk: net.embed(*chunk), it, found) for it in (picture, hidden))
            known, text = report(before, after)
        return io.NodeOutput(convert.to_host(hidden), convert.to_host(mask), known, text)


class AnonymizeVideo(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessAnonymizeVideo",
            display_name="Anonymize Video",
            category="likeness/privacy",
            description="Hides faces in a video of any length. The sound stays, and voices tell who speaks.",
            search_aliases=["anonymise video", "blur faces in video", "pixelate", "mosaic", "privacy", "long video"],
            inputs=[
                io.Video.Input("video", tooltip="The video in which faces are to be hidden."),
                host.Faces.Input("faces", tooltip="Whom to hide, from Track Video: it bridges frames where they fade."),
                *way_inputs(),
                quality_input(17),
            ],
            outputs=[io.Video.Output("video", tooltip="The video with the faces hidden, as long as it was.")],
        )

    @classmethod
    def execute(cls, video, faces, way, cells=6, margin=0.35, substitute=None, crf=17.0) -> io.NodeOutput:
        instead = None if substitute is None else convert.rgb(substitute)
        check_substitute(instead, faces)

        def change(frames):
            stop = frames.start + len(frames)
            here = (faces.image_index >= frames.start) & (faces.image_index < stop)
            some = instead if instead is None or len(instead) == 1 else instead[here]
            found = faces.images(frames.start, stop)
            return anonymize(frames.image, found, way, cells, margin, some)[0], frames.times

        return io.NodeOutput(rewrite(video, faces, change, crf))


NODES = (AnonymizeFaces, AnonymizeVideo)
