"""How recognisable faces are to an encoder."""

from comfy_api.latest import io

from ..likeness.audit.table import Table
from ..likeness.embed import recognizability
from ..likeness.types import Faces
from . import host


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


NODES = (Recognizability,)
