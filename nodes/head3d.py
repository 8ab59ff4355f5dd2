"""3D head nodes: a head from a photo."""

import torch
from comfy_api.latest import io

from ..likeness import head3d
from ..likeness.select import fill_missing
from ..likeness.value import cat
from . import convert, convert3d, host
from .missing import missing_input

FOLDER = host.model_folder("head3d")


class LoadHeadLifter(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessLoadHeadLifter",
            display_name="Load Head Lifter",
            category="likeness/head3d",
            description="Loads a system that makes a 3D head from a photo. A file of your own is recognised by its "
            "tensors.",
            search_aliases=["3d face", "face reconstruction", "mediapipe", *(s.name for s in head3d.SYSTEMS)],
            inputs=[
                io.Combo.Input(
                    "model",
                    options=host.list_models(FOLDER, head3d.SYSTEMS),
                    tooltip="Published weights by name, or a file in models/head3d.",
                ),
                host.engine_input(),
            ],
            hidden=[io.Hidden.unique_id],
            outputs=[host.HeadLifter.Output("lifter", tooltip="The system, for Lift Head.")],
        )

    @classmethod
    def validate_inputs(cls, model) -> bool | str:
        # Naming ``model`` here lets a shared workflow reach this message instead of "not in list".
        return host.check_model(FOLDER, model, head3d.SYSTEMS)

    @classmethod
    def execute(cls, model, engine="auto") -> io.NodeOutput:
        loaded = host.load_model(FOLDER, model, head3d.SYSTEMS, engine)
        host.show(cls, loaded.engine)
        return io.NodeOutput(loaded)


class LiftHead(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessLiftHead",
            display_name="Lift Head",
            category="likeness/head3d",
            description="Makes a 3D head of each face, upright and looking forward, with the photo on it.",
            search_aliases=["3d face", "face to mesh", "face reconstruction", "head mesh", "photo to 3d"],
            inputs=[
                host.HeadLifter.Input("lifter", tooltip="From Load Head Lifter."),
                io.Image.Input("image", tooltip="The images that the faces were found in."),
                host.faces_input("Whose heads to make; boxes are enough."),
                io.Int.Input(
                    "texture_size",
                    default=1024,
                    min=64,
                    max=4096,
                    step=64,
                    optional=True,
                    advanced=True,
                    tooltip="Side of a texture in pixels. 1024 keeps all of a face up to some 500 pixels wide.",
                ),
                missing_input(),
            ],
            outputs=[
                io.Mesh.Output("mesh", tooltip="One textured head per face, in metres, y up, looking along +z."),
                io.Image.Output("texture", tooltip="One texture per face, to edit or to look at."),
                io.Load3DCamera.Output("camera", tooltip="Through it a head lies where its photo shows it."),
            ],
        )

    @classmethod
    def execute(cls, lifter, image, faces, texture_size=1024, missing="error") -> io.NodeOutput:
        found = fill_missing(convert.to_faces(faces, image), missing)
        heads = lifter.each(lambda network, *chunk: network.lift(*chunk, texture_size), image, found)
        meshes, textures, cameras = zip(*heads, strict=True)
        texture = torch.cat(textures)
        mesh = convert3d.from_mesh(cat(meshes), texture)
        return io.NodeOutput(mesh, convert.to_host(texture), convert3d.from_cameras(cameras))


NODES = (LoadHeadLifter, LiftHead)
