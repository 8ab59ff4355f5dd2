"""A schema with every input that the stand-ins know, written as a node writes it."""

from typing import Any


def schema(io: Any) -> Any:
    """The schema, of ComfyUI's classes or of the stand-ins'."""
    option = io.DynamicCombo.Option
    common = {"tooltip": "What it is.", "advanced": True, "display_name": "shown"}
    nested = io.DynamicCombo.Input("deep", options=[option("x", []), option("y", [io.Mask.Input("mask")])])
    return io.Schema(
        node_id="LikenessProbe",
        display_name="Probe",
        category="likeness/probe",
        description="Probes.",
        search_aliases=["a", "b"],
        hidden=[io.Hidden.unique_id],
        is_output_node=True,
        inputs=[
            *(
                getattr(io, kind).Input(kind.lower(), **common)
                for kind in (
                    "Image",
                    "Mask",
                    "Audio",
                    "Video",
                    "Mesh",
                    "Model",
                    "Clip",
                    "ClipVision",
                    "Vae",
                    "Conditioning",
                )
            ),
            io.AnyType.Input("any", optional=True),
            io.Load3DCamera.Input("camera", optional=True),
            io.Custom("LIKENESS_FACES").Input("faces", optional=True, lazy=True),
            io.Int.Input("int", default=1, min=0, max=9, step=1, **common),
            io.Int.Input("forced", default=1, force_input=True, extra_dict={"more": 3}),
            io.Float.Input("float", default=0.5, min=0.0, max=1.0, step=0.1, round=0.01),
            io.Boolean.Input("boolean", default=False, label_on="yes", label_off="no", **common),
            io.String.Input("string", default="", placeholder="words", optional=True),
            io.String.Input("text", multiline=True, default="a"),
            io.Combo.Input("combo", options=["a", "b"], default="b", **common),
            io.Combo.Input("photo", options=["a.png"], upload=io.UploadType.image),
            io.BoundingBox.Input("box"),
            io.BoundingBox.Input("boxes", force_input=True, optional=True),
            io.MultiType.Input("two", [io.Mesh, io.Image, io.Mesh], **common),
            io.MultiType.Input(
                io.String.Input("typed", default="x", tooltip="Its."), [io.BoundingBox], tooltip="Mine."
            ),
            io.MultiType.Input(io.Mesh.Input("mesh_or", optional=True), [io.Video]),
            io.DynamicCombo.Input(
                "mode", options=[option("one", []), option("two", [io.Int.Input("n"), nested])], tooltip="What to do."
            ),
        ],
        outputs=[
            io.Image.Output("image", tooltip="An image."),
            io.Mask.Output(),
            io.Combo.Output("choice"),
            io.Float.Output("score", display_name="Score", is_output_list=True),
        ],
    )


def node(io: Any) -> type:
    body = {"define_schema": classmethod(lambda cls: schema(io)), "execute": classmethod(lambda cls, **given: None)}
    return type("Probe", (io.ComfyNode,), body)
