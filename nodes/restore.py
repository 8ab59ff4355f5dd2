"""Face restoration with the user's own files."""

import torch
from comfy_api.latest import io

from ..likeness import swap
from ..likeness.select import fill_missing
from . import convert, host
from .missing import missing_input

FOLDER = host.model_folder("facerestore_models")  # where other packs keep such files too


class LoadFaceRestorer(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessLoadFaceRestorer",
            display_name="Load Face Restorer",
            category="likeness/restore",
            description="Loads a face restorer that you own as an .onnx file: GFPGAN, CodeFormer, RestoreFormer, GPEN.",
            search_aliases=["gfpgan", "codeformer", "restoreformer", "gpen", "face restore", "face enhance"],
            inputs=[
                io.Combo.Input(
                    "model",
                    options=host.list_models(FOLDER, swap.RESTORERS),
                    tooltip="A file in models/facerestore_models.",
                ),
                host.engine_input(),
            ],
            hidden=[io.Hidden.unique_id],
            outputs=[host.FaceRestorer.Output("restorer", tooltip="For Restore Faces.")],
        )

    @classmethod
    def validate_inputs(cls, model) -> bool | str:
        # Naming ``model`` here lets a shared workflow reach this message instead of "not in list".
        return host.check_model(FOLDER, model, swap.RESTORERS)

    @classmethod
    def execute(cls, model, engine="auto") -> io.NodeOutput:
        loaded = host.load_model(FOLDER, model, swap.RESTORERS, engine)
        host.show(cls, loaded.engine)
        return io.NodeOutput(loaded)


class RestoreFaces(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessRestoreFaces",
            display_name="Restore Faces",
            category="likeness/restore",
            description="Restores small, blurred or damaged faces in images or the frames of a video, each in its "
            "aligned crop. Pixels outside the crops stay as they are.",
            search_aliases=["face restoration", "gfpgan", "codeformer", "enhance face", "fix face", "deblur face"],
            inputs=[
                host.FaceRestorer.Input("restorer", tooltip="From Load Face Restorer."),
                io.Image.Input("image", tooltip="Images, or the frames of a video."),
                host.faces_input("Whom to restore, with five points."),
                io.Float.Input(
                    "strength",
                    default=1.0,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    optional=True,
                    tooltip="How much of the restored face is taken.",
                ),
                io.Float.Input(
                    "fidelity",
                    default=0.7,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    optional=True,
                    tooltip="Of CodeFormer: 0 invents most, 1 stays truest to the input. Other files do not ask.",
                ),
                missing_input("skip"),
            ],
            outputs=[
                io.Image.Output("image", tooltip="The images with the faces restored."),
                io.Image.Output("crops", tooltip="The restored crops, one per face."),
            ],
        )

    @classmethod
    def execute(cls, restorer, image, faces, strength=1.0, fidelity=0.7, missing="skip") -> io.NodeOutput:
        found = fill_missing(convert.to_faces(faces, image), missing)
        parts = restorer.each(lambda network, *chunk: network.restore(*chunk, strength, fidelity), image, found)
        images, crops = map(torch.cat, zip(*parts, strict=True))
        return io.NodeOutput(convert.to_host(images), convert.to_host(crops))


NODES = (LoadFaceRestorer, RestoreFaces)
