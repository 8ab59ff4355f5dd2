"""Nodes for codes that a generator makes faces of: edited along published directions, and looked at."""

from pathlib import Path

from comfy_api.latest import io

from ..likeness.embed import face_directions
from ..likeness.manifest import Model, read_models
from . import convert, host, weights

FOLDER = host.model_folder("face_directions")


def sets() -> dict[str, Model]:
    """The published sets of directions, by family."""
    return {model.id.partition("/")[2]: model for model in read_models("face_directions")}


def edits() -> list[str]:
    """What may be chosen: published edits by name, then the user's own files."""
    known = sets()
    theirs = {file.name for model in known.values() for file in model.files}
    parts = {family: [file.part for file in model.files] for family, model in known.items()}
    parts["ganspace"] = list(face_directions.GANSPACE)
    own = [name for name in host.list_models(FOLDER, ()) if name.lower().endswith(face_directions.SUFFIXES)]
    return [
        *(f"{family}/{name}" for family in face_directions.FAMILIES for name in parts[family]),
        *(name for name in own if name not in theirs),
    ]


def read(edit: str) -> face_directions.Direction:
    """The direction of a choice, downloaded where the user lets nodes do so.

    Raises:
        FileNotFoundError: It is not installed; says what to get and where.
    """
    family, _, name = edit.partition("/")
    published = sets().get(family)
    if published is None or Path(name).suffix:
        return face_directions.read(Path(host.find_model(FOLDER, edit, ())[0]))
    weights.bring(published)
    files = zip((file.part for file in published.files), map(Path, weights.find(published)), strict=True)
    return face_directions.published(edit, dict(files))


class EditFaceCode(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        layer = {"default": 0, "min": 0, "max": 18, "optional": True, "advanced": True}
        return io.Schema(
            node_id="LikenessEditFaceCode",
            display_name="Edit Face Code",
            category="likeness/codes",
            description="Makes the person of a code older, smiling, with open eyes: moves it along a published "
            "direction of StyleGAN2's faces.",
            search_aliases=["interfacegan", "ganspace", "stylegan edit", "w+ direction", "age slider", "smile slider"],
            inputs=[
                host.FaceEmbeddings.Input("embeddings", tooltip="Codes by e4e, from Embed Faces or Load Identity."),
                io.Combo.Input(
                    "edit",
                    options=edits(),
                    default="interfacegan/age",
                    tooltip="Where to go: a published direction by name, or a file of your own in "
                    "models/face_directions.",
                ),
                io.Float.Input(
                    "strength",
                    default=2.0,
                    min=-40.0,
                    max=40.0,
                    step=0.1,
                    tooltip="How far, either way; it was published with -4 to 4. With ganspace it is where to end up: "
                    "0 is the mean face's value, whatever the person's was.",
                ),
                io.Int.Input("first_layer", tooltip="The first layer to move, from 1; 0 as published.", **layer),
                io.Int.Input(
                    "last_layer",
                    tooltip="The last: 1 to 4 hold pose and shape, 5 to 8 features, then colours. 0 as published.",
                    **layer,
                ),
            ],
            outputs=[host.FaceEmbeddings.Output("embeddings", tooltip="The edited codes, in their order.")],
        )

    @classmethod
    def validate_inputs(cls, edit) -> bool | str:
        # Naming ``edit`` here lets a shared workflow reach this message instead of "not in list".
        family, _, name = (edit or "").partition("/")
        if family in sets() and not Path(name).suffix:
            known = edit in edits()
            return weights.missing(sets()[family]) or known or f"Expected one of {', '.join(edits())}, got {edit}."
        return host.check_model(FOLDER, edit or "", ())

    @classmethod
    def execute(cls, embeddings, edit, strength, first_layer=0, last_layer=0) -> io.NodeOutput:
        edited = face_directions.edit(embeddings, read(edit), strength, first_layer, last_layer)
        return io.NodeOutput(edited)


class PreviewFaceCode(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessPreviewFaceCode",
            display_name="Preview Face Code",
            category="likeness/codes",
            description="The face that StyleGAN2 makes of a code: what an encoder took from a photo, and what an edit "
            "does, before anything is sampled.",
            search_aliases=["stylegan2", "decode w+", "invert face", "e4e reconstruction", "latent preview"],
            inputs=[
                host.FaceEmbedder.Input("embedder", tooltip="e4e, which holds the generator: from Load Face Embedder."),
                host.FaceEmbeddings.Input("embeddings", tooltip="Codes of this encoder."),
            ],
            outputs=[io.Image.Output("image", tooltip="A picture of 1024 pixels for each code.")],
        )

    @classmethod
    def execute(cls, embedder, embeddings) -> io.NodeOutput:
        if not hasattr(embedder.patcher.model, "draw"):
            raise ValueError(
                f"Expected an encoder with a generator, such as e4e, got {embedder.patcher.model.space}: choose e4e in "
                "Load Face Embedder."
            )
        return io.NodeOutput(convert.to_host(embedder.ready().draw(embeddings)))


NODES = (EditFaceCode, PreviewFaceCode)
