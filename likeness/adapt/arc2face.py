"""Arc2Face: a face out of its ArcFace vector alone, which stands in a prompt where a word was.

"Arc2Face: A Foundation Model for ID-Consistent Human Faces", https://arxiv.org/abs/2403.11641,
https://github.com/foivospar/Arc2Face (MIT). Stable Diffusion 1.5's UNet and CLIP's text model, both trained further on
faces, on Hugging Face under MIT. ArcFace's weights, which it hears, were trained on WebFace42M, for research only.

The UNet and the pose ControlNet are of the ordinary layout: ComfyUI's own loaders take them. Here is the encoder: its
prompt is "photo of a id person", "id" being a vector. Published: CFG 3, 25 steps, 512 x 512, an empty negative prompt
through the same encoder.
"""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor, nn

from ..identity.sphere import mix
from ..weights import StateDict, System, count
from .person import Key, Person
from .words import ClipText, Phase, TextEncoder, replace_word

TITLE = "Arc2Face"
SPACE, WEIGHTS, SIZE = "arcface", "arcface/webface42m_r100", 512  # of the identity it was trained on
WORD = "id"
HEAD_SIZE = 64  # channels of a head of CLIP's text model
LAYERS = "text_model.encoder.layers"


class IdentityWord(nn.Module):
    """A person in the place of one word."""

    sentence, merge = "photo of a id person", None

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def prompt(self, encoder: TextEncoder, text: str, person: Person, merge: float) -> list[Phase]:
        """One phase; of several identities it is the one in their middle."""
        vector = nn.functional.pad(direction(person), (0, self.width - SIZE))
        lines = encoder.tokenize(text)
        return [encoder.encode(replace_word(encoder, lines, WORD, dict.fromkeys(lines, vector)))]

    def against(self, encoder: TextEncoder, text: str, prompt: str, person: Person) -> list[Phase]:
        """The negative prompt, in which nobody is; the published one is empty."""
        return [encoder.encode(encoder.tokenize(text))]


def direction(person: Person) -> Tensor:
    """(512,) a person's identity, of length 1.

    Raises:
        ValueError: It was not given, or is of other weights than Arc2Face was trained on.
    """
    known = person.identities(TITLE, SPACE, WEIGHTS)
    if known.embedding.shape[1] != SIZE:
        raise ValueError(
            f"Expected an identity of {SIZE} numbers, as {WEIGHTS} gives it, got {known.embedding.shape[1]} of "
            f"{known.space}: choose that model in Load Face Embedder."
        )
    return mix(known).normed_embedding[0].float()


class Attention(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.k_proj, self.v_proj, self.q_proj, self.out_proj = (nn.Linear(width, width) for _ in range(4))


class FeedForward(nn.Module):
    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, hidden), nn.Linear(hidden, width)


class Layer(nn.Module):
    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.self_attn = Attention(width)
        self.layer_norm1, self.layer_norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.mlp = FeedForward(width, hidden)


class Encoder(nn.Module):
    def __init__(self, width: int, hidden: int, layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Layer(width, hidden) for _ in range(layers))


class Embeddings(nn.Module):
    def __init__(self, vocabulary: int, length: int, width: int) -> None:
        super().__init__()
        self.token_embedding = nn.Embedding(vocabulary, width)
        self.position_embedding = nn.Embedding(length, width)


class TextModel(nn.Module):
    def __init__(self, vocabulary: int, length: int, width: int, hidden: int, layers: int) -> None:
        super().__init__()
        self.embeddings = Embeddings(vocabulary, length, width)
        self.encoder = Encoder(width, hidden, layers)
        self.final_layer_norm = nn.LayerNorm(width)


class Arc2Face(nn.Module):
    """The weights of its text encoder, which the host runs as a CLIP of its own; it has no blocks."""

    title, base, hook, negative = TITLE, "Stable Diffusion 1.5", "", "nobody"
    parts: ClassVar = {"text_model.": "its text encoder"}
    like = "the text encoder of any Stable Diffusion 1.5"  # tensors do not tell them apart

    def __init__(self, vocabulary: int, length: int, width: int, hidden: int, layers: int) -> None:
        super().__init__()
        self.text_model = TextModel(vocabulary, length, width, hidden, layers)
        self.layers, self.width, self.hidden = layers, width, hidden

    def split(self) -> tuple[None, dict[Key, Any]]:
        return None, {}

    def words(self) -> IdentityWord:
        return IdentityWord(self.width)

    def text_encoder(self) -> ClipText:
        """Its weights, which are the caller's from here on."""
        tensors = self.state_dict()
        self.to("meta")
        return ClipText(tensors, self.layers, self.width, self.width // HEAD_SIZE, self.hidden)


def hparams(state_dict: StateDict) -> dict[str, Any]:
    vocabulary, width = state_dict["text_model.embeddings.token_embedding.weight"].shape
    return {
        "vocabulary": vocabulary,
        "length": len(state_dict["text_model.embeddings.position_embedding.weight"]),
        "width": width,
        "hidden": len(state_dict[f"{LAYERS}.0.mlp.fc1.weight"]),
        "layers": count(state_dict, LAYERS),
    }


SYSTEM = System(
    name="arc2face",
    keys=("text_model.embeddings.token_embedding.weight", "text_model.final_layer_norm.weight"),
    hparams=hparams,
    network=Arc2Face,
    unused=("text_model.embeddings.position_ids",),  # 0 to 76, which older writers of such files saved too
)
