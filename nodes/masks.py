"""Masks, whoever made them: larger, softer, steady over time."""

from comfy_api.latest import io

from ..likeness import mask as masks
from . import convert


class RefineMask(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessRefineMask",
            display_name="Refine Mask",
            category="likeness/masks",
            description="Unites two masks, fills holes, grows or shrinks, steadies over time and feathers, in that "
            "order.",
            search_aliases=[
                "combine masks",
                "union mask",
                "grow mask",
                "expand mask",
                "feather mask",
                "blur mask",
                "shrink mask",
                "erode",
                "dilate",
            ],
            inputs=[
                io.Mask.Input("mask", tooltip="Any mask; a batch is taken for the frames of a video."),
                io.Float.Input(
                    "grow", default=0.0, min=-1024.0, max=1024.0, tooltip="Pixels outward; negative shrinks."
                ),
                io.Float.Input("feather", default=8.0, min=0.0, max=1024.0, tooltip="Width of the soft edge, pixels."),
                io.Float.Input(
                    "inside",
                    default=1.0,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    optional=True,
                    advanced=True,
                    tooltip="Share of the soft edge that lies inside: 1 never shows more than the mask, 0 never less.",
                ),
                io.Float.Input(
                    "steady",
                    default=0.0,
                    min=0.0,
                    max=50.0,
                    optional=True,
                    tooltip="Average the edges over this many frames on both sides, against flicker.",
                ),
                io.Boolean.Input(
                    "fill_holes", default=False, optional=True, advanced=True, tooltip="Fill what the mask encloses."
                ),
                io.Mask.Input(
                    "union",
                    optional=True,
                    tooltip="Any other mask of the same size, added first: one per frame, or one for all.",
                ),
            ],
            outputs=[io.Mask.Output("mask", tooltip="The refined mask.")],
        )

    @classmethod
    def execute(cls, mask, grow, feather, inside=1.0, steady=0.0, fill_holes=False, union=None) -> io.NodeOutput:
        result = convert.mask(mask)
        if union is not None:
            result = masks.unite(result, convert.mask(union))
        if fill_holes:
            result = masks.fill_holes(result)
        result = masks.steady(masks.grow(result, grow), steady)
        return io.NodeOutput(convert.to_host(masks.feather(result, feather, inside)))


NODES = (RefineMask,)
