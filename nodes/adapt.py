"""Identity adapter nodes: a person in what ComfyUI's sampler makes."""

import weakref
from functools import partial
from typing import Any

import comfy.model_management
import torch
from comfy_api.latest import io
from torch import Tensor, nn

from ..likeness import adapt
from ..likeness.geometry import check_image
from ..likeness.types import ParsingMap, same_faces
from ..likeness.weights import build
from . import convert, host, texts

FOLDER = host.model_folder("face_adapter")
PUBLISHED = "as published"
REMEMBERED = 4  # persons by their inputs, so that turning a widget reads no picture again


class Adapter:
    """An identity adapter whose parts ComfyUI manages: what reads a person, what works in the sampler, what speaks."""

    def __init__(self, network: nn.Module) -> None:
        encoder, self.blocks = network.split()
        self.network = network
        speaks = isinstance(network, adapt.Speaker)
        brought = network.text_encoder() if speaks else None
        self.text = None if brought is None else texts.make(brought)  # None: it takes the model's
        self.encoder = None if encoder is None else host.Model(host.movable(encoder))
        self.inside = host.Model(host.movable(nn.ModuleList(self.blocks.values()))) if self.blocks else None
        self.words = host.Model(host.movable(network.words())) if speaks else None
        self.patcher, *_ = self.get_models()
        self._known: list[tuple[list[Any], adapt.Tokens]] = []

    def get_models(self) -> list[Any]:
        """All patchers; ComfyUI asks."""
        parts = (self.encoder, self.inside, self.text, self.words)
        return [part.patcher for part in parts if part is not None]

    def encode(self, person: adapt.Person, *inputs: Any) -> adapt.Tokens:
        """What the blocks are told of a person, remembered as long as the inputs live that he was made of."""
        for held, tokens in self._known:
            if all(recall() is value for recall, value in zip(held, inputs, strict=True)):
                return tokens
        tokens = self.encoder.ready().encode(person)
        self._known = [([*map(remember, inputs)], tokens), *self._known][:REMEMBERED]
        return tokens


def remember(value: Any) -> Any:
    """What gives a value back as long as it lives, and never where that cannot be told."""
    if value is None:
        return lambda: None
    try:
        return weakref.ref(value)
    except TypeError:  # a list of boxes
        return object


class LoadIdentityAdapter(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessLoadIdentityAdapter",
            display_name="Load Identity Adapter",
            category="likeness/adapt",
            description="Loads a network that shows one person in what the sampler makes. A file of your own is "
            "recognised by its tensors.",
            search_aliases=[
                "face id",
                "ipadapter faceid",
                "instantid",
                "pulid",
                "consistent character",
                *dict.fromkeys(system.name for system in adapt.SYSTEMS),
            ],
            inputs=[
                io.Combo.Input(
                    "model",
                    options=host.list_models(FOLDER, adapt.SYSTEMS),
                    tooltip="Published weights by name, or a file in models/face_adapter.",
                ),
            ],
            hidden=[io.Hidden.unique_id],
            outputs=[
                host.IdentityAdapter.Output(
                    "adapter", tooltip="The network, for Apply Identity Adapter and Identity Prompt."
                )
            ],
        )

    @classmethod
    def validate_inputs(cls, model) -> bool | str:
        # Naming ``model`` here lets a shared workflow reach this message instead of "not in list".
        return host.check_model(FOLDER, model, adapt.SYSTEMS)

    @classmethod
    def execute(cls, model) -> io.NodeOutput:
        tensors = host.read_choice(FOLDER, model, adapt.SYSTEMS)
        adapt.check_layout(tensors, adapt.SYSTEMS, model)
        loaded = Adapter(build(tensors, adapt.SYSTEMS))
        host.show(cls, f"{loaded.network.title} for {loaded.network.base}")
        return io.NodeOutput(loaded)


class ApplyIdentityAdapter(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessApplyIdentityAdapter",
            display_name="Apply Identity Adapter",
            category="likeness/adapt",
            description="Shows a person in what the sampler makes. Chain one for each person, each with a mask; LoRA, "
            "ControlNet and other adapters go on working beside it.",
            search_aliases=["face id", "ipadapter faceid", "instantid", "pulid", "same face", "consistent character"],
            inputs=[
                io.Model.Input("model", tooltip="The model that the adapter was trained for, or one made from it."),
                host.IdentityAdapter.Input("adapter", tooltip="From Load Identity Adapter."),
                io.Float.Input(
                    "weight",
                    default=1.0,
                    min=0.0,
                    max=3.0,
                    step=0.05,
                    tooltip="How strongly the person is shown; 0 changes nothing, 1 is how it was trained. A LoRA that "
                    "the adapter was trained with, as ConsistentID was, is whole at every weight but 0.",
                ),
                io.Float.Input(
                    "start_percent",
                    default=0.0,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="When it begins, as a share of the sampling: later leaves the layout to the prompt. "
                    "ConsistentID's LoRA is on throughout.",
                ),
                io.Float.Input(
                    "end_percent",
                    default=1.0,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="When it ends, as a share of the sampling.",
                ),
                io.Image.Input("image", optional=True, tooltip="One or more pictures of the person."),
                host.faces_input("The person's face in each of these pictures, with five points.", optional=True),
                io.Mask.Input(
                    "head_mask",
                    optional=True,
                    tooltip="What of these pictures is the head, hair included: for adapters trained on heads before "
                    "black. From Parse Faces.",
                ),
                host.FaceEmbeddings.Input(
                    "embeddings", optional=True, tooltip="The person's identity, for adapters that take one."
                ),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="Where the person may appear, in the shape of the picture that is made; else everywhere. "
                    "ConsistentID's LoRA is on everywhere.",
                ),
                io.Combo.Input(
                    "negative",
                    options=[PUBLISHED, "person", "nobody"],
                    default=PUBLISHED,
                    optional=True,
                    advanced=True,
                    tooltip="Whom the negative prompt's half sees: the same person, or nobody, which pushes likeness.",
                ),
                *look_inputs(),
            ],
            outputs=[io.Model.Output("model", tooltip="The model that shows the person, for a sampler.")],
        )

    @classmethod
    def execute(
        cls,
        model,
        adapter,
        weight,
        start_percent,
        end_percent,
        image=None,
        faces=None,
        head_mask=None,
        embeddings=None,
        mask=None,
        negative=PUBLISHED,
        parsing=None,
        clip_vision=None,
    ) -> io.NodeOutput:
        sampling = inside_sampler()
        check_blocks(adapter)
        sampling.check_model(model, adapter.network, adapter.blocks)
        given = image, faces, head_mask, embeddings, parsing, clip_vision
        tokens = adapter.encode(read_person(*given), *given)
        negative = adapter.network.negative if negative == PUBLISHED else negative
        who = sampling.Applied(
            adapter.network,
            adapter.blocks,
            adapter.inside.patcher,
            tokens,
            negative,
            weight,
            start_percent,
            end_percent,
            mask,
        )
        return io.NodeOutput(sampling.apply(model, who))


def inside_sampler() -> Any:
    """The module that patches ComfyUI's sampler; loaded late, for only ComfyUI has one."""
    try:
        from . import sampling
    except ImportError as error:
        raise RuntimeError(
            "Expected ComfyUI, whose sampler an identity adapter works in, got its stand-ins: set COMFYUI_PATH to a "
            "ComfyUI and COMFYUI_PYTHON to its interpreter, and run the workflow with that."
        ) from error
    return sampling


def check_blocks(adapter: Adapter) -> None:
    """Raise ValueError unless the adapter works inside the model."""
    if not adapter.blocks:
        raise ValueError(
            f"Expected an adapter that works inside the model, got {adapter.network.title}, which works in the prompt: "
            "connect it to Identity Prompt."
        )


def look_inputs() -> list[Any]:
    """The sockets of what some adapters look at besides; ``read_person`` reads them."""
    return [
        host.FaceParsing.Input(
            "parsing",
            optional=True,
            tooltip="The parts of these faces, for adapters that look at each. From Parse Faces.",
        ),
        io.ClipVision.Input(
            "clip_vision", optional=True, tooltip="For adapters that look through CLIP. From Load CLIP Vision."
        ),
    ]


def read_person(
    image: Tensor | None,
    faces: Any = None,
    head_mask: Tensor | None = None,
    embeddings: Any = None,
    parsing: ParsingMap | None = None,
    clip_vision: Any = None,
) -> adapt.Person:
    """A person from what the sockets give."""
    look = None if clip_vision is None else partial(look_through, clip_vision)
    if image is None:
        return adapt.Person(embeddings=embeddings, parsing=parsing, look=look)
    found = None if faces is None else convert.to_faces(faces, image)
    if found is not None:
        check_image(image, found)
        found = found if parsing is None else same_faces(found, parsing)
    return adapt.Person(convert.rgb(image), found, read_head(head_mask, image), embeddings, parsing, look)


def look_through(clip_vision: Any, image: Tensor | None) -> Tensor:
    """(B, T, D) CLIP vision's hidden states before the last, of (B, H, W, 3) images cut square in their middle.

    None is seen as zeros; no image is, for ComfyUI's preprocessing rounds to 256 steps.
    """
    if image is not None:
        return clip_vision.encode_image(image, crop=True)["penultimate_hidden_states"]
    comfy.model_management.load_model_gpu(clip_vision.patcher)
    nothing = torch.zeros(1, 3, clip_vision.image_size, clip_vision.image_size, device=clip_vision.load_device)
    return clip_vision.model(pixel_values=nothing, intermediate_output=-2)[1].cpu()


def read_head(mask: Tensor | None, image: Tensor) -> Tensor | None:
    """(B, H, W) float32 on the CPU, a mask for each image."""
    if mask is None:
        return None
    if mask.shape[1:] != image.shape[1:3] or len(mask) not in (1, len(image)):
        raise ValueError(
            f"Expected a head_mask of {len(image)} images of {image.shape[2]} x {image.shape[1]}, got {len(mask)} of "
            f"{mask.shape[2]} x {mask.shape[1]}: make it of the same image."
        )
    return torch.as_tensor(mask, dtype=torch.float32, device="cpu").expand(len(image), -1, -1)


NODES = (LoadIdentityAdapter, ApplyIdentityAdapter)
