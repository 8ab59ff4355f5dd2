"""Identity embedding nodes."""

from dataclasses import replace

from comfy_api.latest import io
from torch import Tensor

from ..likeness import embed
from ..likeness.types import NoFaceError
from . import convert, host

FOLDER = host.model_folder("face_embedding")


class LoadFaceEmbedder(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        names = dict.fromkeys(system.name for system in embed.SYSTEMS)  # one may have networks and graphs
        return io.Schema(
            node_id="LikenessLoadFaceEmbedder",
            display_name="Load Face Embedder",
            category="likeness/embed",
            description="Loads an identity network. A file of your own is recognised by its tensors.",
            search_aliases=["face id", "identity", "insightface", *names],
            inputs=[
                io.Combo.Input(
                    "model",
                    options=host.list_models(FOLDER, embed.SYSTEMS),
                    tooltip="Published weights by name, or a file in models/face_embedding.",
                ),
                host.engine_input(),
            ],
            hidden=[io.Hidden.unique_id],
            outputs=[host.FaceEmbedder.Output("embedder", tooltip="The network, for Embed Faces.")],
        )

    @classmethod
    def validate_inputs(cls, model) -> bool | str:
        # Naming ``model`` here lets a shared workflow reach this message instead of "not in list".
        return host.check_model(FOLDER, model, embed.SYSTEMS)

    @classmethod
    def execute(cls, model, engine="auto") -> io.NodeOutput:
        loaded = host.load_model(FOLDER, model, embed.SYSTEMS, engine)
        loaded.weights = host.terms(model, embed.SYSTEMS)
        host.show(cls, loaded.engine)
        return io.NodeOutput(loaded)


class EmbedFaces(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessEmbedFaces",
            display_name="Embed Faces",
            category="likeness/embed",
            description="One identity vector per face.",
            search_aliases=["face embedding", "face vector", "face recognition"],
            inputs=[
                host.FaceEmbedder.Input("embedder", tooltip="From Load Face Embedder."),
                io.Image.Input("image", tooltip="The images that the faces were found in."),
                host.faces_input("Whom to embed, with five points; FaceNet needs boxes only."),
            ],
            outputs=[host.FaceEmbeddings.Output("embeddings", tooltip="One identity per face, in their order.")],
        )

    @classmethod
    def execute(cls, embedder, image, faces) -> io.NodeOutput:
        found = convert.to_faces(faces, image)
        known = embedder.run(lambda network, *chunk: network.embed(*chunk), image, found)
        return io.NodeOutput(replace(known, weights=embedder.weights))


class CompareFaces(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessCompareFaces",
            display_name="Compare Faces",
            category="likeness/embed",
            description="Whether two faces are one person: the distance, the similarity and the model's own verdict.",
            search_aliases=["face similarity", "face distance", "same person", "verify identity"],
            inputs=[
                host.FaceEmbeddings.Input("a", tooltip="One or more identities: the rows of the table."),
                host.FaceEmbeddings.Input("b", tooltip="One or more identities of the same model: its columns."),
                io.Float.Input(
                    "threshold",
                    default=0.0,
                    min=0.0,
                    max=2.0,
                    step=0.01,
                    optional=True,
                    advanced=True,
                    tooltip="The similarity above which two are one person; with dlib's network the distance below. "
                    "0 takes the one that the model was published with; ArcFace and FaceNet need yours.",
                ),
            ],
            outputs=[
                io.Float.Output(
                    "similarity",
                    tooltip="Cosine of the closest pair, from -1 to 1. dlib's lie over 0.88 even between strangers.",
                ),
                io.Float.Output("distance", tooltip="L2 distance of the closest pair; 0 is the same picture."),
                io.Boolean.Output(
                    "same_person",
                    tooltip="That pair's verdict, by its model's published threshold or yours.",
                ),
                io.String.Output("table", tooltip="All similarities: a line per face of a, a column per face of b."),
                io.String.Output("distances", tooltip="All distances, in the same lines and columns."),
            ],
        )

    @classmethod
    def execute(cls, a, b, threshold=0.0) -> io.NodeOutput:
        if not len(a) or not len(b):
            raise NoFaceError(f"Expected a face on both sides, got {len(a)} and {len(b)}: check what was detected.")
        similarity, distance = a.similarity(b), a.distance(b)
        best = similarity.argmax() if a.metric == "cosine" else distance.argmin()
        verdict = a.same_person(b, threshold or None)
        closest = (values.flatten()[best].item() for values in (similarity, distance, verdict))
        return io.NodeOutput(*closest, write_table(similarity), write_table(distance))


def write_table(values: Tensor) -> str:
    """Numbers as text: a line per row, columns apart by a space."""
    return "\n".join(" ".join(f"{value:.6f}" for value in row) for row in values.tolist())


NODES = (LoadFaceEmbedder, EmbedFaces, CompareFaces)
