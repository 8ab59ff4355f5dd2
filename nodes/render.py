"""Render nodes: what a head looks like from a camera."""

from dataclasses import replace

import torch
from comfy_api.latest import io

from ..likeness.landmark.procrustes import angles_to_rotation
from ..likeness.render.camera import frame, turn
from ..likeness.render.textured import render
from . import convert, convert3d


class RenderMesh(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessRenderMesh",
            display_name="Render Head Mesh",
            category="likeness/render",
            description="A picture of each mesh, turned as you say: with its texture, else the colours of its "
            "vertices, else as clay.",
            search_aliases=["mesh to image", "render mesh", "turn head", "3d preview", "rasterize"],
            inputs=[
                io.Mesh.Input("mesh", tooltip="One mesh or several, for example from Lift Head."),
                io.Float.Input(
                    "yaw", default=0.0, min=-180.0, max=180.0, step=1.0, tooltip="Degrees, nose to the image's right."
                ),
                io.Float.Input("pitch", default=0.0, min=-90.0, max=90.0, step=1.0, tooltip="Degrees, nose up."),
                io.Int.Input("width", default=512, min=16, max=4096, step=8, tooltip="Of the picture, pixels."),
                io.Int.Input("height", default=512, min=16, max=4096, step=8, tooltip="Of the picture, pixels."),
                io.Load3DCamera.Input(
                    "camera",
                    optional=True,
                    tooltip="From Lift Head, to see a head where its photo shows it, or from a core node. Without one "
                    "the mesh fills the picture.",
                ),
                io.Image.Input(
                    "background", optional=True, tooltip="What to render over; the picture takes its size. Else black."
                ),
            ],
            outputs=[
                io.Image.Output("image", tooltip="One picture per mesh."),
                io.Mask.Output("mask", tooltip="How much of each pixel the mesh covers."),
            ],
        )

    @classmethod
    def execute(cls, mesh, yaw, pitch, width, height, camera=None, background=None) -> io.NodeOutput:
        items = convert3d.to_meshes(mesh)
        behind = torch.zeros(1, height, width, 3) if background is None else convert.rgb(background)
        if len(behind) not in (1, len(items)):
            raise ValueError(f"Expected 1 or {len(items)} backgrounds for {len(items)} meshes, got {len(behind)}.")
        size = (behind.shape[1], behind.shape[2])
        given = [None] * len(items) if camera is None else convert3d.to_cameras(camera, len(items), size)
        rotation = angles_to_rotation(*(torch.tensor([angle]) for angle in (yaw, pitch, 0.0)))[0]
        drawn = [(torch.zeros(0, *size, 3), torch.zeros(0, *size))]
        for (item, texture), seen_from in zip(items, given, strict=True):
            turned = replace(item, vertices=turn(item.vertices, rotation))
            drawn.append(render(turned, seen_from or frame(item.vertices, size), texture))
        pictures, masks = map(torch.cat, zip(*drawn, strict=True))
        image = pictures + behind * (1 - masks[..., None])
        return io.NodeOutput(convert.to_host(image), convert.to_host(masks))


NODES = (RenderMesh,)
