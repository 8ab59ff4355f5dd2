"""Reenactment nodes: a face in a photo moves as the face of a video does."""

import logging

from comfy_api.latest import io

from ..likeness import reenact
from ..likeness.reenact.driving import Settings, rows_by_frame
from ..likeness.select import fill_missing_in
from . import convert, host
from .missing import missing_input

FOLDER = host.model_folder("face_reenactment")
NAMES = dict.fromkeys(system.name for system in reenact.SYSTEMS)


class LoadReenactor(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessLoadReenactor",
            display_name="Load Reenactor",
            category="likeness/reenact",
            description="Loads what makes a face in a photo move as another one does. A file of your own is recognised "
            "by its tensors.",
            search_aliases=["face reenactment", "animate portrait", "talking photo", "live portrait", *NAMES],
            inputs=[
                io.Combo.Input(
                    "model",
                    options=host.list_models(FOLDER, reenact.SYSTEMS),
                    tooltip="Published weights by name, or a file in models/face_reenactment.",
                ),
                host.engine_input(),
            ],
            hidden=[io.Hidden.unique_id],
            outputs=[host.Reenactor.Output("reenactor", tooltip="For Reenact Face.")],
        )

    @classmethod
    def validate_inputs(cls, model) -> bool | str:
        # Naming ``model`` here lets a shared workflow reach this message instead of "not in list".
        return host.check_model(FOLDER, model, reenact.SYSTEMS)

    @classmethod
    def execute(cls, model, engine="auto") -> io.NodeOutput:
        loaded = host.load_model(FOLDER, model, reenact.SYSTEMS, engine)
        host.show(cls, loaded.engine)
        return io.NodeOutput(loaded)


def gain_input(name: str, tooltip: str) -> io.Float.Input:
    return io.Float.Input(name, default=1.0, min=0.0, max=2.0, step=0.05, optional=True, advanced=True, tooltip=tooltip)


class ReenactFace(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessReenactFace",
            display_name="Reenact Face",
            category="likeness/reenact",
            description="Makes the face in a photo move, speak and blink as the face of a driving video does.",
            search_aliases=["face reenactment", "animate portrait", "talking photo", "expression transfer", "puppet"],
            inputs=[
                host.Reenactor.Input("reenactor", tooltip="From Load Reenactor."),
                io.Image.Input("image", tooltip="The photo whose face is to move; it keeps its size."),
                host.faces_input("The one face in the photo that is to move."),
                io.Image.Input("driving", tooltip="The frames of the video whose motion is taken over, of any size."),
                host.faces_input("The driving face, one in each frame.", name="driving_faces"),
                missing_input(),
                gain_input("turn", "How much of the turn of the driving head is taken over; 0 holds the head still."),
                gain_input("shift", "How much of its way across and towards the camera is taken over."),
                gain_input("expression", "How much of mouth, eyes and brows is taken over."),
                io.Float.Input(
                    "smoothing",
                    default=0.8,
                    min=0.0,
                    max=10.0,
                    step=0.1,
                    optional=True,
                    advanced=True,
                    tooltip="Frames over which the motion is calmed; more takes the life out of speech.",
                ),
                io.Int.Input(
                    "neutral_frame",
                    default=-1,
                    min=-1,
                    max=1_000_000,
                    optional=True,
                    advanced=True,
                    tooltip="The driving frame, from 0, whose pose and expression stand for the photo as it is; "
                    "-1 finds one with open eyes and a quiet mouth.",
                ),
            ],
            hidden=[io.Hidden.unique_id],
            outputs=[
                io.Image.Output("frames", tooltip="The photo moving: a frame for each driving frame."),
                io.Mask.Output("moved", tooltip="Where each frame differs from the photo."),
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
        missing="error",
        turn=1.0,
        shift=1.0,
        expression=1.0,
        smoothing=0.8,
        neutral_frame=-1,
    ) -> io.NodeOutput:
        leaders = convert.to_faces(driving_faces, driving)
        rows_by_frame(leaders, missing)  # before anything is computed
        source = reenactor.ready().prepare(convert.rgb(image), convert.to_faces(faces, image))
        motion = reenactor.run(lambda network, *chunk: network.motion(*chunk), driving, leaders)
        motion = fill_missing_in(motion, missing)
        network = reenactor.ready()
        warnings = network.cautions(source, motion)
        for warning in warnings:
            logging.warning("Likeness: %s", warning)
        host.show(cls, "\n".join(warnings))
        neutral = None if neutral_frame < 0 else neutral_frame
        settings = Settings(turn, shift, expression, smoothing, neutral)
        frames, moved = host.collect(network.reenact(source, motion, settings), len(motion))
        return io.NodeOutput(frames, moved, "\n".join(warnings))


NODES = (LoadReenactor, ReenactFace)
