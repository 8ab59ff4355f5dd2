"""Identities of a folder and in files."""

from dataclasses import replace
from pathlib import Path

import comfy.utils
import torch
from comfy_api.latest import io

from ..likeness.identity import file as files
from ..likeness.identity import folder as folders
from ..likeness.identity.gallery import Gallery, as_gallery
from ..likeness.types import Faces
from . import host
from .identity import set_input
from .reports import check_input, input_path, place, state_of


class EmbedFolder(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessEmbedFolder",
            display_name="Embed Folder",
            category="likeness/gallery",
            description="The identities of all photos in a folder, named by their files. A bad photo is listed, and "
            "nothing else is lost.",
            search_aliases=["face database", "index photos", "scan folder", "photo library", "face gallery"],
            inputs=[
                host.FaceDetector.Input("detector", tooltip="From Load Face Detector."),
                host.FaceEmbedder.Input("embedder", tooltip="From Load Face Embedder."),
                io.String.Input("folder", default="", tooltip="In ComfyUI's input folder; empty: that folder itself."),
                io.Boolean.Input(
                    "every_face",
                    default=True,
                    optional=True,
                    tooltip="All faces of a photo; off: the one that is meant, large and near the centre.",
                ),
                io.String.Input(
                    "pattern", default="*", optional=True, tooltip="What their names must match, such as holiday_*."
                ),
                io.Float.Input(
                    "threshold",
                    default=0.7,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    optional=True,
                    advanced=True,
                    tooltip="How sure the detector must be.",
                ),
            ],
            outputs=[
                host.Gallery.Output("gallery", tooltip="One identity per face, for Find Identity and Cluster Faces."),
                host.Table.Output("bad", tooltip="Photos without an identity, and why."),
                io.Int.Output("count", tooltip="How many faces there are."),
            ],
        )

    @classmethod
    def validate_inputs(cls, folder) -> bool | str:
        return check_input(folder)

    @classmethod
    def fingerprint_inputs(cls, folder, pattern="*", **_) -> list:
        paths = folders.photos(input_path(folder), pattern)
        return [[str(path), path.stat().st_mtime] for path in paths]

    @classmethod
    def execute(cls, detector, embedder, folder, every_face=True, pattern="*", threshold=0.7) -> io.NodeOutput:
        root = input_path(folder)
        paths = folders.photos(root, pattern)
        looking = folders.Looking(detector.ready(), embedder.ready(), threshold, every_face)
        progress, seen = comfy.utils.ProgressBar(len(paths)), []
        with torch.inference_mode():
            for one in folders.look(paths, root, looking):
                seen.append(one)
                progress.update(1)
        gallery, bad = folders.collect(seen, embedder.weights)
        return io.NodeOutput(gallery, bad, len(gallery))


class SaveIdentity(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessSaveIdentity",
            display_name="Save Identity",
            category="likeness/gallery",
            description="Keeps identities in a safetensors file with their space, their threshold, and which weights "
            "made them under which terms.",
            search_aliases=["save face model", "export embedding", "face database", "store identity"],
            inputs=[
                set_input("identities", "One or more: from Embed Faces, Fuse Identity, Embed Folder, Cluster Faces."),
                io.String.Input(
                    "filename_prefix", default="identities/likeness", tooltip="Folder and name of the file."
                ),
                io.String.Input(
                    "names",
                    default="",
                    multiline=True,
                    optional=True,
                    tooltip="A line each; empty: as they are called.",
                ),
                io.String.Input("note", default="", optional=True, tooltip="What to say besides: whose, from where."),
            ],
            outputs=[
                io.String.Output("file", tooltip="Where it is, for Load Identity."),
                io.String.Output("about", tooltip="What was saved."),
            ],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, identities, filename_prefix, names="", note="") -> io.NodeOutput:
        gallery = as_gallery(identities)
        lines = tuple(line.strip() for line in names.splitlines() if line.strip())
        gallery = files.without_faces(Gallery(gallery.identities, lines or gallery.names))
        stem, shown = place(filename_prefix, "output")
        path = files.save(gallery, stem.with_name(f"{stem.name}.safetensors"), note)
        name = f"{Path(shown['subfolder'], path.name).as_posix()} [output]"
        about = files.described(files.Loaded(gallery, "Likeness identity", note))
        ui = {"files": [{**shown, "filename": path.name}], "text": (about,)}
        return io.NodeOutput(name, about, ui=ui)


class LoadIdentity(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessLoadIdentity",
            display_name="Load Identity",
            category="likeness/gallery",
            description="Identities from a file: of Save Identity, a face model of ReActor, or a NumPy array.",
            search_aliases=["load face model", "ReActor", "npy", "import embedding", "face database"],
            inputs=[
                io.String.Input(
                    "file",
                    default="likeness_1.safetensors",
                    tooltip="A .safetensors or .npy in ComfyUI's input folder; of the output folder with [output] "
                    "behind it, as Save Identity gives it.",
                ),
                host.FaceEmbedder.Input(
                    "embedder",
                    optional=True,
                    tooltip="The model that made the vectors, for files that do not say: ReActor's are of buffalo_l's "
                    "ArcFace. Without it they are compared with each other only.",
                ),
            ],
            outputs=[
                host.FaceEmbeddings.Output("identities", tooltip="For Compare Faces, Select Faces and all others."),
                host.Gallery.Output("gallery", tooltip="The same with their names, for Find Identity."),
                io.String.Output("about", tooltip="Size, space, weights and terms, and the note."),
            ],
        )

    @classmethod
    def validate_inputs(cls, file) -> bool | str:
        return check_input(file)

    @classmethod
    def fingerprint_inputs(cls, file, **_) -> float:
        return 0.0 if file is None else state_of(file)

    @classmethod
    def execute(cls, file, embedder=None) -> io.NodeOutput:
        maker = None
        if embedder is not None:
            nobody = Faces.empty((1, 1))
            maker = replace(embedder.ready().embed(torch.zeros(0, 1, 1, 3), nobody), weights=embedder.weights)
        loaded = files.load(input_path(file), maker)
        return io.NodeOutput(loaded.gallery.identities, loaded.gallery, files.described(loaded))


NODES = (EmbedFolder, SaveIdentity, LoadIdentity)
