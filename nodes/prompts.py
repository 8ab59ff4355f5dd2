"""Prompts about a person."""

from typing import Any

from comfy_api.latest import io

from ..likeness.adapt import Contrary
from . import host, texts
from .adapt import Adapter, look_inputs, read_person

PUBLISHED = -1.0  # of merge_percent


class IdentityPrompt(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessIdentityPrompt",
            display_name="Identity Prompt",
            category="likeness/prompts",
            description="A prompt about a person, for adapters that have a say in it: the person takes the place of a "
            "word, or is heard beside the words.",
            search_aliases=["clip text encode", "face prompt", "id token", "photo of a id person", "arc2face encoder"],
            inputs=[
                host.IdentityAdapter.Input("adapter", tooltip="From Load Identity Adapter."),
                io.String.Input(
                    "text",
                    default="",
                    multiline=True,
                    tooltip="The prompt, weights as (word:1.2) and embeddings as ever; empty: the adapter's own. "
                    "Arc2Face puts the person where it says id.",
                ),
                io.Clip.Input(
                    "clip",
                    optional=True,
                    tooltip="The model's text encoder, for adapters that bring none of their own.",
                ),
                io.Image.Input(
                    "image", optional=True, tooltip="A picture of the person, for adapters that look at one."
                ),
                host.faces_input("The person's face in that picture, with five points.", optional=True),
                host.FaceEmbeddings.Input(
                    "embeddings",
                    optional=True,
                    tooltip="The person's identity, for adapters that take one; of several the middle.",
                ),
                *look_inputs(),
                io.Float.Input(
                    "merge_percent",
                    default=PUBLISHED,
                    min=PUBLISHED,
                    max=1.0,
                    step=0.01,
                    optional=True,
                    advanced=True,
                    tooltip="From which share of the sampling on the person is heard in the prompt; -1: as published. "
                    "For adapters that have such a moment.",
                ),
                io.String.Input(
                    "against",
                    default="",
                    multiline=True,
                    optional=True,
                    advanced=True,
                    tooltip="For a negative prompt: the prompt that it goes with; the adapter says nobody in it where "
                    "that names the person. Empty: this is no negative prompt.",
                ),
            ],
            outputs=[
                io.Conditioning.Output("conditioning", tooltip="For a sampler, as positive; with against, as negative.")
            ],
        )

    @classmethod
    def execute(
        cls,
        adapter,
        text,
        clip=None,
        image=None,
        faces=None,
        embeddings=None,
        parsing=None,
        clip_vision=None,
        merge_percent=PUBLISHED,
        against="",
    ) -> io.NodeOutput:
        encoder = choose_text(adapter, clip)
        person = read_person(image, faces, None, embeddings, parsing, clip_vision)
        words = adapter.words.ready()
        if against.strip():
            check_contrary(adapter)
            return io.NodeOutput(texts.conditioning(words.against(encoder, text, against, person)))
        merge = choose_merge(adapter, merge_percent)
        phases = words.prompt(encoder, text if text.strip() else words.sentence, person, merge)
        return io.NodeOutput(texts.conditioning(phases))


def choose_text(adapter: Adapter, clip: Any) -> texts.Text:
    """The adapter's own text encoder, or the model's.

    Raises:
        ValueError: It has no say in the prompt, or there are two text encoders, or none.
    """
    title = adapter.network.title
    if adapter.words is None:
        raise ValueError(
            f"Expected an adapter that has a say in the prompt, got {title}: write the prompt in CLIP Text Encode, and "
            "connect the adapter to Apply Identity Adapter."
        )
    if adapter.text is not None and clip is not None:
        raise ValueError(
            f"Expected no clip, for {title} brings a text encoder of its own, got one: leave clip unconnected."
        )
    if adapter.text is None and clip is None:
        raise ValueError(f"Expected the clip of the model, which {title} takes, got none: connect the checkpoint's.")
    return adapter.text or texts.Text(clip)


def check_contrary(adapter: Adapter) -> None:
    """Raise ValueError unless the adapter has a say in the negative prompt too."""
    if not isinstance(adapter.words.patcher.model, Contrary):
        raise ValueError(
            f"Expected an adapter that has a say in the negative prompt, got {adapter.network.title}: write it in CLIP "
            "Text Encode, and leave against empty."
        )


def choose_merge(adapter: Adapter, percent: float) -> float:
    """From when on the person is heard.

    Raises:
        ValueError: The adapter has no such moment.
    """
    published = adapter.words.patcher.model.merge
    if percent < 0:
        return published or 0.0
    if published is None:
        raise ValueError(
            f"Expected merge_percent at -1, for with {adapter.network.title} the person is heard from the start, got "
            f"{percent}: set it to -1."
        )
    return percent


NODES = (IdentityPrompt,)
