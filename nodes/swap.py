"""Face swapping nodes."""

import torch
from comfy_api.latest import io

from ..likeness import swap
from ..likeness.select import fill_missing, one_face
from . import convert, host
from .missing import missing_input

FOLDER = host.model_folder("face_swap")


class LoadFaceSwapper(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessLoadFaceSwapper",
            display_name="Load Face Swapper",
            category="likeness/swap",
            description="Loads a system that puts one person's face on another. A file of your own is recognised by "
            "its tensors.",
            search_aliases=["face swap", "faceswap", "inswapper", "reactor", *(s.name for s in swap.SYSTEMS)],
            inputs=[
                io.Combo.Input(
                    "model",
                    options=host.list_models(FOLDER, swap.SYSTEMS),
                    tooltip="Published weights by name, or a file in models/face_swap.",
                ),
                host.engine_input(),
            ],
            hidden=[io.Hidden.unique_id],
            outputs=[host.FaceSwapper.Output("swapper", tooltip="The system, for Swap Faces.")],
        )

    @classmethod
    def validate_inputs(cls, model) -> bool | str:
        # Naming ``model`` here lets a shared workflow reach this message instead of "not in list".
        return host.check_model(FOLDER, model, swap.SYSTEMS)

    @classmethod
    def execute(cls, model, engine="auto") -> io.NodeOutput:
        loaded = host.load_model(FOLDER, model, swap.SYSTEMS, engine)
        host.show(cls, loaded.engine)
        return io.NodeOutput(loaded)


class SwapFaces(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessSwapFaces",
            display_name="Swap Faces",
            category="likeness/swap",
            description="Gives the faces of an image or a video the face of another person. Expression and light stay "
            "those of the image.",
            search_aliases=["face swap", "faceswap", "replace face", "change face", "deepfake", "reactor"],
            inputs=[
                host.FaceSwapper.Input("swapper", tooltip="From Load Face Swapper."),
                io.Image.Input("image", tooltip="Where faces are to change: images or the frames of a video."),
                host.faces_input("Which faces of the image are to change; all of these will."),
                io.Image.Input("source_image", tooltip="A picture of the person they are to get the face of."),
                host.faces_input("That person's face, the only one; pick it with Select Faces.", name="source_faces"),
                missing_input(),
            ],
            outputs=[
                io.Image.Output("image", tooltip="The images with that face."),
                io.Mask.Output("mask", tooltip="How much of each pixel is swapped; where it is 0 nothing changed."),
            ],
        )

    @classmethod
    def execute(cls, swapper, image, faces, source_image, source_faces, missing="error") -> io.NodeOutput:
        found = fill_missing(convert.to_faces(faces, image), missing)
        source = convert.rgb(source_image), one_face(convert.to_faces(source_faces, source_image))
        parts = list(swapper.each(lambda network, *chunk: network.swap(*chunk, *source), image, found))
        images, masks = map(torch.cat, zip(*parts, strict=True))
        return io.NodeOutput(convert.to_host(images), convert.to_host(masks))


NODES = (LoadFaceSwapper, SwapFaces)
