"""Crops of faces: cut for people who edit pixels, cut anew where they hold still, and pasted back."""

from typing import Any

from comfy_api.latest import io

from ..likeness.color import METHODS
from ..likeness.geometry import CROPS, PADDING, align, check_image, cut_again, cut_mask
from ..likeness.paste import Blend, paste
from ..likeness.smooth import smooth_alignment
from . import convert, host
from .tracks import how_inputs


def cutting_inputs() -> list[Any]:
    """What crops show outside the picture, and a mask that is cut with them: ``padding`` and ``mask``."""
    return [
        io.Combo.Input(
            "padding",
            options=list(PADDING),
            optional=True,
            advanced=True,
            tooltip="What a crop shows outside the picture: black, the border's pixels, or a mirror image.",
        ),
        io.Mask.Input(
            "mask", optional=True, tooltip="A mask of the images to cut as well: one per image, or one for all."
        ),
    ]


def joining_inputs() -> list[Any]:
    """How crops and photos are joined: ``feather``, ``blend`` and ``color``; read them with ``how_to_join``."""
    return [
        io.Float.Input(
            "feather",
            default=0.05,
            min=0.0,
            max=0.5,
            step=0.01,
            optional=True,
            tooltip="Width of the fade along the crop's border, as a share of its side.",
        ),
        io.Combo.Input(
            "blend",
            options=["replace", "change", "multiband"],
            default="replace",
            optional=True,
            tooltip="replace takes the crop; change adds only what an editor changed, the rest stays exact; "
            "multiband fades broad tones far and detail near.",
        ),
        io.Combo.Input(
            "color",
            options=["none", *METHODS],
            default="none",
            optional=True,
            tooltip="Gives the crop the photo's colours first: mean and spread in Lab, their full covariance, "
            "or the histogram.",
        ),
    ]


def how_to_join(feather: float, blend: str, color: str, grain: bool = False) -> Blend:
    """What ``joining_inputs`` say."""
    return Blend(feather, blend == "change", blend == "multiband", color, grain)


class AlignFaces(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessAlignFaces",
            display_name="Align Faces",
            category="likeness/crops",
            description="Cuts every face upright into a square image, to edit it and paste it back.",
            search_aliases=["crop face", "face crop", "warp face", "face align"],
            inputs=[
                io.Image.Input("image", tooltip="The images that the faces were found in."),
                host.faces_input("Which faces to cut, with five points."),
                io.Int.Input("size", default=512, min=16, max=8192, step=1, tooltip="Side of a crop in pixels."),
                io.Combo.Input(
                    "template",
                    options=list(CROPS),
                    advanced=True,
                    tooltip="Where the five points go in the crop; liveportrait and head show the whole head. free "
                    "takes the box, upright, and needs no points.",
                ),
                io.Float.Input(
                    "margin",
                    default=0.0,
                    min=-0.4,
                    max=4.0,
                    step=0.05,
                    optional=True,
                    advanced=True,
                    tooltip="How much more to show on each side, as a share of the crop; negative: less.",
                ),
                *cutting_inputs(),
            ],
            outputs=[
                io.Image.Output("crops", tooltip="One square image per face."),
                host.FaceAlignment.Output("alignment", tooltip="How they were cut, for Paste Faces."),
                io.Mask.Output("masks", tooltip="The mask, cut like the crops, if one is connected; for Paste Faces."),
            ],
        )

    @classmethod
    def execute(cls, image, faces, size, template, margin=0.0, padding="black", mask=None) -> io.NodeOutput:
        found = convert.to_faces(faces, image)
        crops, alignment = align(convert.rgb(image), found, template, size, "bicubic", padding, margin)
        masks = None if mask is None else convert.to_host(cut_mask(convert.mask(mask), alignment))
        return io.NodeOutput(convert.to_host(crops), alignment, masks)


class SmoothAlignment(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessSmoothAlignment",
            display_name="Smooth Alignment",
            category="likeness/crops",
            description="Takes the shake out of crops that are cut already, track by track, and cuts them anew.",
            search_aliases=["stabilize crop", "steady crop", "jitter", "smooth matrix", "crop again"],
            inputs=[
                io.Image.Input("image", tooltip="The images that the faces were cut from."),
                host.FaceAlignment.Input("alignment", tooltip="Of faces with tracks, from Align Faces."),
                *how_inputs(),
                *cutting_inputs(),
            ],
            outputs=[
                io.Image.Output("crops", tooltip="The crops, cut where they hold still; one per face."),
                host.FaceAlignment.Output("alignment", tooltip="How they were cut now, for Paste Faces."),
                io.Mask.Output("masks", tooltip="The mask, cut like the crops, if one is connected; for Paste Faces."),
            ],
        )

    @classmethod
    def execute(cls, image, alignment, mode="zero phase", rate=25.0, padding="black", mask=None) -> io.NodeOutput:
        check_image(image, alignment.faces)
        steady = smooth_alignment(alignment, mode == "causal", rate)
        crops = cut_again(convert.rgb(image), steady, "bicubic", padding)
        masks = None if mask is None else convert.to_host(cut_mask(convert.mask(mask), steady))
        return io.NodeOutput(convert.to_host(crops), steady, masks)


class PasteFaces(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessPasteFaces",
            display_name="Paste Faces",
            category="likeness/crops",
            description="Puts edited crops back where Align Faces cut them. Pixels outside stay as they are.",
            search_aliases=["uncrop face", "face composite", "stitch face"],
            inputs=[
                io.Image.Input("image", tooltip="The images that the faces were cut from."),
                io.Image.Input(
                    "crops",
                    tooltip="The edited crops, one per face, in their order. Of another size they are resized back.",
                ),
                host.FaceAlignment.Input("alignment", tooltip="From Align Faces."),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="How much of each crop to take: a square of any size, one for all or one per crop; all by "
                    "default.",
                ),
                io.Mask.Input(
                    "occlusion",
                    optional=True,
                    tooltip="What is in front of the faces and stays: one mask, or one per image.",
                ),
                *joining_inputs(),
                io.Boolean.Input(
                    "grain",
                    default=False,
                    optional=True,
                    advanced=True,
                    tooltip="Gives the crop the photo's grain first.",
                ),
            ],
            outputs=[io.Image.Output("image", tooltip="The images with the crops in place.")],
        )

    @classmethod
    def execute(
        cls,
        image,
        crops,
        alignment,
        mask=None,
        occlusion=None,
        feather=0.05,
        blend="replace",
        color="none",
        grain=False,
    ) -> io.NodeOutput:
        how = how_to_join(feather, blend, color, grain)
        masks = (None if given is None else convert.mask(given) for given in (mask, occlusion))
        return io.NodeOutput(convert.to_host(paste(convert.canvas(image), convert.rgb(crops), alignment, *masks, how)))


NODES = (AlignFaces, SmoothAlignment, PasteFaces)
