"""Generators led by landmarks: the dots a control net is shown, what to try next, and which picture shows a face."""

import math

from comfy_api.latest import io

from ..likeness.audit import detection_rate
from ..likeness.geometry import check_image
from ..likeness.landmark import chatanything
from ..likeness.landmark.chatanything import LAST, OTHERWISE, RADIUS, SIDE
from ..likeness.select import fill_missing_in
from . import convert, host
from .missing import missing_input


class DrawLandmarkGuidance(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessDrawLandmarkGuidance",
            display_name="Draw Landmark Guidance",
            category="likeness/guidance",
            description="Draws 68 white dots on black, as the face landmark ControlNet of SD 1.5 expects.",
            search_aliases=["chatanything", "face landmark controlnet", "control image", "68 landmarks", "dlib dots"],
            inputs=[
                host.landmarks_input("From Find Landmarks: FAN's 68 points, or MediaPipe's mesh."),
                io.Int.Input("width", default=SIDE, min=16, max=8192, step=8, tooltip="Of the picture to be made."),
                io.Int.Input("height", default=SIDE, min=16, max=8192, step=8, tooltip="Of the picture to be made."),
                io.Float.Input(
                    "radius",
                    default=RADIUS,
                    min=0.5,
                    max=64.0,
                    step=0.5,
                    optional=True,
                    advanced=True,
                    tooltip="Of a dot, pixels. The control net was shown 2.5.",
                ),
                missing_input(),
            ],
            outputs=[io.Image.Output("image", tooltip="A control image for each image; all its faces are drawn.")],
        )

    @classmethod
    def execute(cls, landmarks, width, height, radius=RADIUS, missing="error") -> io.NodeOutput:
        shown = fill_missing_in(convert.to_landmarks(landmarks), missing)
        return io.NodeOutput(convert.to_host(chatanything.draw_dots(shown, (height, width), radius)))


class RetrySchedule(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessRetrySchedule",
            display_name="Landmark Retry Schedule",
            category="likeness/guidance",
            description="What to make a picture with when the attempts before it showed no face: ChatAnything's steps.",
            search_aliases=["chatanything", "retry", "denoise schedule", "loop", "attempt"],
            inputs=[
                io.Int.Input("attempt", default=0, min=0, max=LAST, tooltip="0 is the first, 7 the last."),
                io.Boolean.Input(
                    "has_face",
                    default=True,
                    tooltip="Whether a detector finds a face in the reference: from one with a face the strength falls "
                    "from 1 by 0.04 an attempt, from one without it rises from 0.85 and stays at 1.",
                ),
                io.String.Input("prompt", default="", multiline=True, tooltip="What the picture is to show."),
                io.Boolean.Input(
                    "words",
                    default=True,
                    optional=True,
                    advanced=True,
                    tooltip="Each retry also puts one of Female, female, beautiful, small, cute before the prompt, as "
                    "published: part of its gain is another prompt, and not everybody's face. Off keeps the prompt.",
                ),
                io.Int.Input(
                    "seed",
                    default=0,
                    min=0,
                    max=2**32 - 1,
                    control_after_generate=False,
                    optional=True,
                    advanced=True,
                    tooltip="Which words; the same seed gives the same ones.",
                ),
            ],
            outputs=[
                io.Float.Output("strength", tooltip="For the sampler's denoise."),
                io.Float.Output("control", tooltip="For the strength of Apply ControlNet."),
                io.String.Output("prompt", tooltip="For the text encoder."),
            ],
        )

    @classmethod
    def execute(cls, attempt, has_face, prompt, words=True, seed=0) -> io.NodeOutput:
        made = chatanything.attempt(attempt, has_face, prompt, words, seed)
        return io.NodeOutput(made.strength, made.control, made.prompt)


class PickDetectable(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessPickDetectable",
            display_name="Pick Detectable",
            category="likeness/guidance",
            description="Takes the first of some pictures in which a detector found a face, and says how sure it was.",
            search_aliases=["detectability", "face gate", "chatanything", "keep first face", "candidates", "has face"],
            inputs=[
                io.Image.Input("image", tooltip="The candidates, a batch."),
                host.faces_input("What a detector found in them, any detector: from Detect Faces."),
                io.Float.Input(
                    "threshold", default=0.7, min=0.0, max=1.0, step=0.01, tooltip="How sure a face must be to count."
                ),
                io.Combo.Input(
                    "otherwise",
                    options=list(OTHERWISE),
                    default="error",
                    optional=True,
                    advanced=True,
                    tooltip="When no picture shows a face: error stops, surest takes the picture of the highest score, "
                    "first the first. Then detected is false.",
                ),
            ],
            outputs=[
                io.Image.Output("image", tooltip="The picture that was taken."),
                io.Boolean.Output("detected", tooltip="Whether it shows a face: for a loop, or a switch."),
                io.Float.Output("score", tooltip="Of its surest face; 0 where none was found."),
                io.Int.Output("index", tooltip="Which of the candidates it is, from 0."),
                host.Faces.Output("faces", tooltip="Its faces."),
                io.String.Output("table", tooltip="A line per candidate: image, score, detected."),
            ],
        )

    @classmethod
    def execute(cls, image, faces, threshold, otherwise="error") -> io.NodeOutput:
        found = convert.to_faces(faces, image)
        check_image(image, found)
        index = chatanything.first_detectable(found, threshold, otherwise)
        scores, passed = chatanything.detectability(found), chatanything.is_detectable(found, threshold)
        lines = [f"{i} {score:.3f} {'yes' if passed[i] else 'no'}" for i, score in enumerate(scores.tolist())]
        table = "\n".join(["image score detected", *lines])
        taken = found.images(index, index + 1)
        return io.NodeOutput(image[index : index + 1], bool(passed[index]), float(scores[index]), index, taken, table)


class DetectionRate(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessDetectionRate",
            display_name="Detection Rate Report",
            category="likeness/guidance",
            description="In which share of some pictures a detector finds a face, and of others beside them, with how "
            "sure these numbers are.",
            search_aliases=[
                "chatanything",
                "face detection rate",
                "detectability",
                "wilson interval",
                "compare batches",
            ],
            inputs=[
                host.Faces.Input("a", tooltip="What Detect Faces found in the first pictures."),
                io.Float.Input(
                    "threshold", default=0.7, min=0.0, max=1.0, step=0.01, tooltip="How sure a face must be to count."
                ),
                host.Faces.Input(
                    "b", optional=True, tooltip="What the same detector found in other pictures, made with guidance."
                ),
                io.String.Input("name_a", default="without guidance", optional=True, tooltip="What a is called."),
                io.String.Input("name_b", default="with guidance", optional=True, tooltip="What b is called."),
            ],
            outputs=[
                host.Report.Output("report", tooltip="Rates, Wilson's intervals and the difference, for Save Report."),
                io.Float.Output("rate_a", tooltip="The share of the first pictures, from 0 to 1."),
                io.Float.Output("rate_b", tooltip="The share of the others; nan without them."),
            ],
        )

    @classmethod
    def execute(cls, a, threshold, b=None, name_a="without guidance", name_b="with guidance") -> io.NodeOutput:
        if b is not None and name_a == name_b:
            raise ValueError(f"Expected two names, got {name_a} twice: call one of them something else.")
        made = detection_rate.report({name_a: a} if b is None else {name_a: a, name_b: b}, threshold)
        return io.NodeOutput(made, *[*made.table["rate"].tolist(), math.nan][:2])


NODES = (DrawLandmarkGuidance, RetrySchedule, PickDetectable, DetectionRate)
