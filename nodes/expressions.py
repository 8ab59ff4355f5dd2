"""Expressions on faces: the parts that people read them by, one canonical face, and the numbers of a FLAME face."""

import torch
from comfy_api.latest import io

from ..likeness.adapt import expression as codes
from ..likeness.audit import canonical_warp, ekman
from ..likeness.audit.expression_explainability import per_image
from ..likeness.select import fill_missing_in
from . import convert, host
from .missing import missing_input
from .reports import check_input, input_path, state_of


class ExpressionMask(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessExpressionMask",
            display_name="Expression Mask",
            category="likeness/expressions",
            description="The parts of a face that people read an expression by, after Ekman: on each face of an image, "
            "or on the canonical face.",
            search_aliases=["ekman", "FACS", "action units", "emotion mask", "facial expression regions"],
            inputs=[
                io.Combo.Input(
                    "expression",
                    options=[*ekman.EXPRESSIONS, "all"],
                    tooltip="Which one; all gives six masks, on the canonical face only.",
                ),
                host.landmarks_input(
                    "The faces, from Find Landmarks: the mask is made in their images. Without them it is made on the "
                    "canonical face, 224 x 275.",
                    optional=True,
                ),
                missing_input("skip"),
            ],
            outputs=[
                io.Mask.Output("mask", tooltip="One per image, or on the canonical face."),
                io.String.Output("names", tooltip="The expression's name; of all six a line each."),
            ],
        )

    @classmethod
    def execute(cls, expression, landmarks=None, missing="skip") -> io.NodeOutput:
        if landmarks is None:
            names = ekman.EXPRESSIONS if expression == "all" else (expression,)
            masks = torch.stack([ekman.canonical_mask(name) for name in names])
            return io.NodeOutput(convert.to_host(masks), "\n".join(names))
        given = fill_missing_in(convert.to_landmarks(landmarks), missing)
        return io.NodeOutput(convert.to_host(ekman.image_masks(given, expression)), expression)


class WarpToCanonicalFace(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessWarpToCanonicalFace",
            display_name="Warp to Canonical Face",
            category="likeness/expressions",
            description="Brings every face, and what is masked on it, onto one canonical face of 224 x 275: there heat "
            "maps of many people can be compared and added up.",
            search_aliases=["normalize face", "face warp", "piecewise affine", "frontal", "mean face", "delaunay"],
            inputs=[
                io.Image.Input("image", tooltip="The images that the landmarks are of."),
                host.landmarks_input("The faces, from Find Landmarks."),
                io.Mask.Input(
                    "mask", optional=True, tooltip="What to bring along, such as heat maps: one per image or for all."
                ),
                io.Boolean.Input(
                    "fills",
                    default=False,
                    optional=True,
                    advanced=True,
                    tooltip="Switch on where each photo is a crop that a face fills, as in the paper: the photo's "
                    "borders then go to the canonical picture's.",
                ),
                missing_input("skip"),
            ],
            outputs=[
                io.Image.Output("image", tooltip="One canonical face per face; black where its photo does not reach."),
                io.Mask.Output("mask", tooltip="The mask there; without one, how far each photo reaches."),
            ],
        )

    @classmethod
    def execute(cls, image, landmarks, mask=None, fills=False, missing="skip") -> io.NodeOutput:
        given, pixels = fill_missing_in(convert.to_landmarks(landmarks), missing), convert.rgb(image)
        carried = torch.ones(pixels.shape[:3]) if mask is None else per_image(convert.mask(mask), pixels)
        warped = canonical_warp.warp(torch.cat([pixels, carried[..., None]], -1), given, fills)
        return io.NodeOutput(convert.to_host(warped[..., :3]), convert.to_host(warped[..., 3]))


class UnwarpCanonicalFace(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessUnwarpCanonicalFace",
            display_name="Unwarp Canonical Face",
            category="likeness/expressions",
            description="Puts what lies on the canonical face back on the faces of an image: the inverse of Warp to "
            "Canonical Face.",
            search_aliases=["inverse warp", "unnormalize face", "mean heat map on a photo", "face texture"],
            inputs=[
                io.Mask.Input("mask", tooltip="On the canonical face, 224 x 275: one for all faces, or one each."),
                host.landmarks_input("The faces to put it on, from Find Landmarks."),
                io.Image.Input(
                    "image", optional=True, tooltip="Pictures on the canonical face, to be put back as well."
                ),
                io.Boolean.Input(
                    "fills",
                    default=False,
                    optional=True,
                    advanced=True,
                    tooltip="Switch on where each photo is a crop that a face fills, as in the paper: the photo's "
                    "borders then go to the canonical picture's.",
                ),
            ],
            outputs=[
                io.Mask.Output("mask", tooltip="One per image of the faces; 0 where none is."),
                io.Image.Output(
                    "image", tooltip="The pictures there, black around them; without any the mask in gray."
                ),
            ],
        )

    @classmethod
    def execute(cls, mask, landmarks, image=None, fills=False) -> io.NodeOutput:
        given = convert.to_landmarks(landmarks)
        masks = canonical_warp.unwarp(convert.mask(mask)[..., None], given, fills)
        pixels = (
            masks.expand(-1, -1, -1, 3) if image is None else canonical_warp.unwarp(convert.rgb(image), given, fills)
        )
        return io.NodeOutput(convert.to_host(masks[..., 0]), convert.to_host(pixels))


class ExpressionParameters(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessExpressionParameters",
            display_name="Expression Parameters",
            category="likeness/expressions",
            description="An expression as 55 numbers, for Arc2Face's expression adapter: those that SMIRK read off a "
            "face, from a file, with more on top by hand.",
            search_aliases=["SMIRK", "FLAME expression", "blendshapes", "facial expression", "smile", "npy"],
            inputs=[
                io.String.Input(
                    "file",
                    default="",
                    tooltip="A .npy of (N, 55) numbers, or a .safetensors with SMIRK's expression_params, "
                    "eyelid_params and jaw_params, in ComfyUI's input folder; empty: FLAME's mean face.",
                ),
                io.Int.Input("frame", default=0, min=0, max=1000000, tooltip="Which of the file's rows, from 0."),
                io.String.Input(
                    "expression",
                    default="",
                    multiline=True,
                    tooltip="What to add to FLAME's coefficients: up to 50 numbers, the first move most.",
                ),
                io.Float.Input(
                    "eyelids", default=0.0, min=-1.0, max=1.0, step=0.05, tooltip="How much further the eyes close."
                ),
                io.Float.Input(
                    "jaw_open",
                    default=0.0,
                    min=-1.0,
                    max=1.0,
                    step=0.01,
                    tooltip="How much further the jaw opens, radians; 0.3 is a wide open mouth.",
                ),
                io.Float.Input(
                    "jaw_aside",
                    default=0.0,
                    min=-0.2,
                    max=0.2,
                    step=0.01,
                    tooltip="How much further the jaw turns aside, radians.",
                ),
            ],
            outputs=[
                host.FaceEmbeddings.Output(
                    "expression", tooltip="For Apply Identity Adapter's embeddings, with Arc2Face's expression adapter."
                )
            ],
        )

    @classmethod
    def validate_inputs(cls, file) -> bool | str:
        return not file or check_input(file)

    @classmethod
    def fingerprint_inputs(cls, file, **_) -> float:
        return state_of(file) if file else 0.0

    @classmethod
    def execute(cls, file, frame, expression, eyelids, jaw_open, jaw_aside) -> io.NodeOutput:
        rows = codes.read(input_path(file)) if file.strip() else torch.zeros(1, codes.SIZE)
        start = codes.pick(rows, frame) if file.strip() else rows[0]
        return io.NodeOutput(codes.add(start, codes.numbers(expression), eyelids, jaw_open, jaw_aside))


NODES = (ExpressionMask, WarpToCanonicalFace, UnwarpCanonicalFace, ExpressionParameters)
