"""What an adapter does to a prompt: words and a person in, stretches of conditioning out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from ..weights import StateDict
from .person import Person

Word = tuple[Any, ...]  # a token and its weight: an int of the vocabulary or a vector (D,) in a word's place, a float
Lines = Mapping[str, Sequence[Sequence[Word]]]  # by text encoder ("l", "g"), lines as long as it reads at once


@dataclass(frozen=True, eq=False)
class Phase:
    """What the denoiser is told during a stretch of the sampling."""

    cond: Tensor  # (1, L, D)
    pooled: Tensor | None = None  # (1, P)
    start: float = 0.0  # share of the sampling, 0 to 1
    end: float = 1.0
    more: Mapping[str, Any] = field(default_factory=dict)  # what the host's text encoder says besides


@dataclass(frozen=True, eq=False)
class ClipText:
    """A text model of CLIP that an adapter brings along, in the names of Hugging Face."""

    tensors: StateDict
    layers: int
    width: int
    heads: int
    hidden: int  # width inside its feed-forwards


class TextEncoder(Protocol):
    """The host's text encoder: weights "(word:1.2)" and embeddings in the text are its business."""

    def tokenize(self, text: str) -> Lines: ...

    def encode(self, lines: Lines) -> Phase:
        """Over the whole sampling; ``dataclasses.replace`` makes other stretches of it."""
        ...


class Words(Protocol):
    """An ``nn.Module``: how a person enters a prompt."""

    sentence: str  # the prompt it was published with, in an empty one's place
    merge: float | None  # share of the sampling from which the person's words are heard; None: from the start

    def prompt(self, encoder: TextEncoder, text: str, person: Person, merge: float) -> list[Phase]:
        """What the denoiser is told.

        Args:
            encoder: The network's own or that of the model.
            text: The prompt.
            person: Who is meant.
            merge: From when on the person's words are heard, 0 to 1; nothing to who has no ``merge``.
        """
        ...


@runtime_checkable
class Contrary(Protocol):
    """Words, see ``Words``, that have a say in the negative prompt too."""

    def against(self, encoder: TextEncoder, text: str, prompt: str, person: Person) -> list[Phase]:
        """What the denoiser is told to keep away from.

        Args:
            encoder: As for ``Words.prompt``.
            text: The negative prompt.
            prompt: The prompt that it goes with.
            person: Who is meant there.
        """
        ...


@runtime_checkable
class Speaker(Protocol):
    """An adapter, see ``person.Adapter``, that has a say in the prompt."""

    def words(self) -> Words:
        """The module that does so; it shares no weights with those of ``split``."""
        ...

    def text_encoder(self) -> ClipText | None:
        """The text encoder that it brings along, whose tensors it gives away; None: it takes the model's."""
        ...


def replace_word(encoder: TextEncoder, lines: Lines, word: str, vectors: Mapping[str, Tensor]) -> Lines:
    """A tokenized prompt with a vector in a word's place, wherever it stands; its weights stay.

    Args:
        encoder: What tokenized it.
        lines: The prompt.
        word: One of the vocabulary.
        vectors: (D,) by text encoder.

    Raises:
        ValueError: The word is not in the prompt.
    """
    made, found = {}, 0
    for name, held in lines.items():
        token = encoder.tokenize(word)[name][0][1][0]  # the first is the start of the text
        made[name] = [
            [(vectors[name], *rest) if same(first, token) else (first, *rest) for first, *rest in line] for line in held
        ]
        found += sum(same(first, token) for line in held for first, *_ in line)
    if not found:
        raise ValueError(f'Expected the word "{word}" in the prompt, where the person is put, got none: write it.')
    return made


def same(token: Any, other: int) -> bool:
    return not isinstance(token, Tensor) and token == other
