"""Identity embedding nodes."""

from collections.abc import Callable
from dataclasses import replace

from comfy_api.latest import io
from torch import Tensor

from ..likeness import embed
from ..likeness.audit.table import Table
from ..likeness.embed import recognizability
from ..likeness.types import Faces, NoFaceError
from . import convert, host
from .adapt import read_head

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
                io.Image.Input(
                    "average",
                    optional=True,
                    tooltip="Only for the encoders that were pretrained on StyleGAN (IR_50_ReStyle): the average image "
                    "of their training, 112 x 112, which they see beside every face. Other models take none.",
                ),
            ],
            hidden=[io.Hidden.unique_id],
            outputs=[host.FaceEmbedder.Output("embedder", tooltip="The network, for Embed Faces.")],
        )

    @classmethod
    def validate_inputs(cls, model) -> bool | str:
        # Naming ``model`` here lets a shared workflow reach this message instead of "not in list".
        return host.check_model(FOLDER, model, embed.SYSTEMS)

    @classmethod
    def execute(cls, model, engine="auto", average=None) -> io.NodeOutput:
        loaded = host.load_model(FOLDER, model, embed.SYSTEMS, engine)
        embed.choose_average(loaded.patcher.model, None if average is None else convert.rgb(average))
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
                io.Mask.Input(
                    "head_mask",
                    optional=True,
                    tooltip="What of these images is the head, hair included: the rest becomes white for e4e, whose "
                    "codes are to be the W+ adapter's. From Parse Faces.",
                ),
            ],
            outputs=[host.FaceEmbeddings.Output("embeddings", tooltip="One identity per face, in their order.")],
        )

    @classmethod
    def execute(cls, embedder, image, faces, head_mask=None) -> io.NodeOutput:
        found = convert.to_faces(faces, image)
        known = embedder.run(verb(embedder, read_head(head_mask, image)), image, found)
        return io.NodeOutput(replace(known, weights=embedder.weights))


def verb(embedder: host.Model, head: Tensor | None) -> Callable:
    """What embeds chunk after chunk, with their part of the heads where an encoder takes any.

    Raises:
        ValueError: It takes none.
    """
    if head is None:
        return lambda network, *chunk: network.embed(*chunk)
    network = embedder.patcher.model
    if not getattr(network, "head_on", ""):
        raise ValueError(
            f"Expected an encoder of heads before a plain ground, such as e4e, for head_mask, got {network.space}, "
            "which sees faces as they are: leave head_mask unconnected."
        )
    parts = iter(head.split(host.CHUNK))
    return lambda network, *chunk: network.embed(*chunk, next(parts))


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


class Recognizability(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessRecognizability",
            display_name="Recognizability",
            category="likeness/embed",
            description="How recognisable each face is to its encoder: how far its vector lies from those of faces "
            "that nobody could recognise. VLRFR's idea without its training, which nobody published.",
            search_aliases=["face quality", "VLRFR", "low resolution face", "blurred face", "quality score"],
            inputs=[
                host.FaceEmbedder.Input("embedder", tooltip="The encoder that made the embeddings."),
                host.FaceEmbeddings.Input("embeddings", tooltip="The faces, from Embed Faces."),
                io.Float.Input(
                    "least",
                    default=0.0,
                    min=0.0,
                    max=10.0,
                    step=0.01,
                    tooltip="Faces below it are left out; 0 keeps all. Each encoder has a scale of its own: look at "
                    "the table.",
                ),
                io.Float.Input(
                    "reproject",
                    default=0.0,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    optional=True,
                    advanced=True,
                    tooltip="Takes from the kept vectors what all unrecognisable faces have in common: 1 all, 0 "
                    "nothing. They are then in a space of their own, without a threshold.",
                ),
            ],
            outputs=[
                host.FaceEmbeddings.Output("embeddings", tooltip="The faces that are recognisable enough."),
                host.Faces.Output("faces", tooltip="Where they are; none of saved identities."),
                host.Table.Output("table", tooltip="A row per face given: its index, and whether it is kept."),
                io.Float.Output("lowest", tooltip="The lowest index of all; not a number without a face."),
            ],
        )

    @classmethod
    def execute(cls, embedder, embeddings, least, reproject=0.0) -> io.NodeOutput:
        network = embedder.ready()
        if network.space != embeddings.space:
            raise ValueError(
                f"Expected embeddings of the encoder {network.space}, got {embeddings.space}: connect the one that "
                "made them."
            )
        middle = recognizability.centre(network)
        index = recognizability.index(embeddings, middle)
        kept = index >= least
        rows = zip(range(len(index)), index.tolist(), kept.tolist(), strict=True)
        table = Table.of(("face", "index", "kept"), rows)
        some = recognizability.reproject(embeddings.select(kept), middle, reproject)
        faces = Faces.empty((1, 1)) if some.faces is None else some.faces
        return io.NodeOutput(some, faces, table, min(index.tolist(), default=float("nan")))


NODES = (LoadFaceEmbedder, EmbedFaces, CompareFaces, Recognizability)
