"""Expressions on faces: the parts that people read them by, and one canonical face to bring all faces to."""

import torch
from comfy_api.latest import io

from ..likeness.audit import canonical_warp, ekman
from ..likeness.audit.expression_explainability import per_image
from ..likeness.select import fill_missing_in
from . import convert, host
from .missing import missing_input


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


NODES = (ExpressionMask, WarpToCanonicalFace, UnwarpCanonicalFace)
