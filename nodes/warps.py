"""RoI tanh warps: a face in fine detail and all of its picture around it, as one square image; and the way back."""

from comfy_api.latest import io

from ..likeness import roi_warp
from ..likeness.roi_tanh import MODES
from . import convert, host


class RoiTanhWarp(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessRoiTanhWarp",
            display_name="RoI Tanh Warp",
            category="likeness/warps",
            description="Shows each face in fine detail and all of its picture around it, squeezed to the border.",
            search_aliases=["tanh warp", "polar warp", "roi warp", "fisheye face", "face unwrap", "tanh polar"],
            inputs=[
                io.Image.Input("image", tooltip="The images that the faces were found in."),
                host.faces_input("Around which faces to warp; boxes are enough."),
                io.Combo.Input(
                    "mode",
                    options=list(MODES),
                    default="cartesian",
                    tooltip="cartesian squeezes x and y, polar unrolls the picture (angles down, radii to the right), "
                    "circular draws it as a disk.",
                ),
                io.Int.Input("size", default=513, min=16, max=2048, tooltip="Side of a warped picture in pixels."),
                io.Boolean.Input(
                    "keep_aspect_ratio",
                    default=True,
                    optional=True,
                    advanced=True,
                    tooltip="Whether angles of polar and circular are the picture's; else the box is stretched to a "
                    "square first.",
                ),
                io.Float.Input(
                    "angular_offset",
                    default=0.0,
                    min=-180.0,
                    max=180.0,
                    step=0.5,
                    optional=True,
                    advanced=True,
                    tooltip="Degrees that the heads tilt clockwise: they stand upright in the warped picture.",
                ),
            ],
            outputs=[
                io.Image.Output("warped", tooltip="One square image per face, black outside the picture."),
                host.FaceWarp.Output("warp", tooltip="How they were warped, for RoI Tanh Restore."),
            ],
        )

    @classmethod
    def execute(cls, image, faces, mode, size, keep_aspect_ratio=True, angular_offset=0.0) -> io.NodeOutput:
        found = convert.to_faces(faces, image)
        warped, warp = roi_warp.warp_faces(convert.rgb(image), found, size, mode, keep_aspect_ratio, angular_offset)
        return io.NodeOutput(convert.to_host(warped), warp)


class RoiTanhRestore(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessRoiTanhRestore",
            display_name="RoI Tanh Restore",
            category="likeness/warps",
            description="Brings warped pictures, or masks of them, back to where they were in their images.",
            search_aliases=["tanh restore", "polar restore", "unwarp face", "roi restore", "tanh polar"],
            inputs=[
                io.MultiType.Input(
                    "warped",
                    [io.Image, io.Mask],
                    tooltip="The warped pictures, edited, or masks of them: in their order, of any size.",
                ),
                host.FaceWarp.Input("warp", tooltip="From RoI Tanh Warp."),
                io.Image.Input(
                    "image", optional=True, tooltip="What is seen where no warped picture reaches; black by default."
                ),
            ],
            outputs=[
                io.Image.Output("image", tooltip="One per image, all its faces together; of masks a grey picture."),
                io.Mask.Output("mask", tooltip="The restored masks; of pictures, how far they reach."),
            ],
        )

    @classmethod
    def execute(cls, warped, warp, image=None) -> io.NodeOutput:
        if warped.ndim == 3:
            mask = roi_warp.restore_masks(warped.float().cpu(), warp)
            restored = mask[..., None].expand(*mask.shape, 3)
        else:
            behind = None if image is None else convert.rgb(image)
            restored, mask = roi_warp.restore_images(convert.rgb(warped), warp, behind)
        return io.NodeOutput(convert.to_host(restored), convert.to_host(mask))


NODES = (RoiTanhWarp, RoiTanhRestore)
