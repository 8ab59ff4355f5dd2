"""What an identity adapter takes and gives, and what it can be asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from ..geometry import check_image
from ..select import name_images
from ..types import Embeddings, Faces, NoFaceError, ParsingMap
from ..weights import StateDict, System, UnsupportedCheckpointError

Key = tuple[str, int, int]  # a transformer block of the denoiser: "input", "middle" or "output", number, depth


@dataclass(frozen=True, eq=False)
class Person:
    """Who is to be shown, in all the ways that adapters ask for; what was not given is None."""

    image: Tensor | None = None  # (B, H, W, 3) RGB in [0, 1], pictures of one person
    faces: Faces | None = None  # that person's faces in these images
    head: Tensor | None = None  # (B, H, W) in [0, 1], what of the images is the head
    embeddings: Embeddings | None = None  # identity vectors of that person
    parsing: ParsingMap | None = None  # the parts of these faces
    look: Callable[[Tensor | None], Tensor] | None = None  # see ``facial_parts.look``

    def pictures(self, adapter: str) -> tuple[Tensor, Faces]:
        """The images and the faces in them, of which there is at least one.

        Args:
            adapter: Who asks, for the message.

        Raises:
            ValueError: They were not given, there is no face, or an image has several.
        """
        if self.image is None or self.faces is None:
            raise ValueError(f"Expected an image of the person and the faces in it, got none: {adapter} needs both.")
        check_image(self.image, self.faces)
        if not len(self.faces):
            raise NoFaceError(
                f"Expected a face of the person, got none in {len(self.image)} images: lower the detector's threshold "
                "or take another picture."
            )
        counts = self.faces.image_index.bincount()
        if several := (counts > 1).nonzero().flatten().tolist():
            raise ValueError(
                f"Expected one person, got {int(counts.max())} faces in {name_images(several, len(self.image))}: pick "
                "one with Select Faces, and chain a node for each person."
            )
        return self.image, self.faces

    def vectors(self, adapter: str, space: str, weights: str = "") -> Tensor:
        """(N, D) the vectors of ``identities``, as their network gave them."""
        return self.identities(adapter, space, weights).embedding

    def identities(self, adapter: str, space: str, weights: str = "") -> Embeddings:
        """The identity vectors, of which there is at least one.

        Args:
            adapter: Who asks, for the message.
            space: How the name of the space begins that the adapter was trained on.
            weights: The id of the published weights that it was trained on; vectors that say that they are of other
                published ones are refused. "" takes all of the space.

        Raises:
            ValueError: They were not given, are of another space or other weights, or there are none.
        """
        wanted = weights or space
        if self.embeddings is None:
            raise ValueError(f"Expected an identity by {wanted}, got none: {adapter} needs the output of Embed Faces.")
        known, licence, _ = self.embeddings.weights.partition("; licence: ")
        other = bool(weights and licence) and known != weights
        if other or not self.embeddings.space.startswith(space):
            raise ValueError(
                f"Expected an identity by {wanted}, which {adapter} was trained on, got "
                f"{known if other else self.embeddings.space}: choose that model in Load Face Embedder."
            )
        if not len(self.embeddings):
            raise NoFaceError("Expected the identity of a face, got none: check what was detected.")
        return self.embeddings


@dataclass(frozen=True, eq=False)
class Tokens:
    """What the blocks are told of a person."""

    person: Tensor  # (T, D)
    nobody: Tensor  # (T, D) what they are told of no one, as the adapter was trained


@dataclass(frozen=True, eq=False)
class Site:
    """Where in a block an adapter works.

    At the hook "middle" ``x`` is the residual stream between self-attention and cross-attention. At "attn2" it is what
    cross-attention is fed, normalised, and q, k, v are the block's own projections, before heads are split.
    """

    x: Tensor  # (B, N, C)
    heads: int
    attend: Callable[..., Tensor] | None = None  # the host's attention: (q, k, v, heads) to (B, N, C)
    q: Tensor | None = None  # (B, N, C)
    k: Tensor | None = None  # (B, M, C)
    v: Tensor | None = None  # (B, M, C)
    before: Callable[[], Tensor] | None = None  # "attn2": makes what the attention gives without this adapter
    alone: Callable[[], Tensor] | None = None  # "attn2": makes ``plain``; the same as ``before`` where no one adds
    told: tuple[bool, ...] | None = None  # of each row, whether it is told of the person; None: its tokens show it

    @cached_property
    def text(self) -> Tensor:
        """(B, N, C) at "attn2": what the attention gives without this adapter, before its output projection."""
        if self.before is None:
            raise ValueError("Expected a site in a cross-attention, got one in the residual stream.")
        return self.before()

    @cached_property
    def plain(self) -> Tensor:
        """(B, N, C) at "attn2": what the block's own q, k and v give, without anyone's addition."""
        if self.q is None or self.k is None or self.v is None:
            raise ValueError("Expected a site in a cross-attention, got one in the residual stream.")
        return self.alone() if self.alone else self.attention(self.q, self.k, self.v)

    def at(self, rows: list[int]) -> Site:
        """Some rows of it, to attend anew: what others add is left behind."""
        q, k, v = (None if t is None else pick(t, rows) for t in (self.q, self.k, self.v))
        return Site(pick(self.x, rows), self.heads, self.attend, q, k, v)

    def attention(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """(B, N, C) softmax attention with the block's heads."""
        return self.attend(q, k, v, self.heads) if self.attend else attention(q, k, v, self.heads)


class Adapter(Protocol):
    """What the network of a system in ``SYSTEMS`` is, besides an ``nn.Module``."""

    title: str  # for people: "FaceChain-FACT"
    base: str  # for people, what it was trained on: "Stable Diffusion 1.5"
    hook: str  # "middle" or "attn2": where its blocks work, see ``Site``; "" where it has none
    negative: str  # "person" or "nobody": whom the negative prompt's rows were told of where it was published
    parts: Mapping[str, str]  # its sub-networks: how the names of their tensors begin, and what they are
    # Optional, ``like``: what else has the same tensors, in words; a file of one's own is then believed by its name.

    def split(self) -> tuple[Encoder | None, Mapping[Key, Block]]:
        """The module that runs once, and those that run in the denoiser, by the block they belong to.

        One that works in the prompt alone has neither; see ``words.Speaker``.
        """
        ...


@runtime_checkable
class Tuned(Protocol):
    """An adapter, see ``Adapter``, that was trained together with a LoRA on the denoiser's own weights."""

    def lora(self) -> dict[str, Tensor]:
        """It by diffusers' names, which the host's own loader reads; it is on wherever the adapter is."""
        ...


class Encoder(Protocol):
    """An ``nn.Module``: ``encode(person)`` gives tokens."""

    def encode(self, person: Person) -> Tokens: ...


class Block(Protocol):
    """An ``nn.Module`` that computes what a site becomes."""

    width: int  # channels of the block it belongs to
    context: int  # width of the text that block attends

    def __call__(self, site: Site, tokens: Tensor, weight: float) -> Tensor:
        """(B, N, C) "middle": the residual stream changed; "attn2": the attention's output changed.

        Args:
            site: Where it works.
            tokens: (B, T, D) what each row is told.
            weight: How much of the adapter; 1 as published.
        """
        ...


def pick(x: Tensor, rows: list[int]) -> Tensor:
    """(len(rows), ...) some rows of a tensor; unlike an index in brackets it makes no device wait for the processor."""
    return x if rows == [*range(len(x))] else torch.cat([x[row : row + 1] for row in rows])


def attention(q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
    """(B, N, C) softmax attention of (B, N, C) queries over (B, M, C) keys and values, channels split into heads."""
    q, k, v = (t.reshape(*t.shape[:2], heads, -1).transpose(1, 2) for t in (q, k, v))
    out = nn.functional.scaled_dot_product_attention(q, k, v)
    return out.transpose(1, 2).flatten(2)


def check_layout(state_dict: StateDict, systems: Iterable[System], name: str = "") -> None:
    """Say what a file is that no adapter can be built of, where that is known.

    Args:
        state_dict: Its tensors.
        systems: The candidates.
        name: How the file, or the published weights, are called.

    Raises:
        UnsupportedCheckpointError: It is a LoRA, an adapter that lacks one of its sub-networks, or by its tensors no
            adapter for certain and by its name none either.
    """
    if state_dict and all("lora" in name or name.endswith(".alpha") for name in state_dict):
        raise UnsupportedCheckpointError(
            f"Expected an identity adapter, got a LoRA of {len(state_dict)} tensors: load it with Load LoRA."
        )
    for system in systems:
        if all(key in state_dict for key in system.keys):
            network: Any = system.network
            parts = network.parts.items()
            lacking = [what for start, what in parts if not any(name.startswith(start) for name in state_dict)]
            if lacking:
                raise UnsupportedCheckpointError(
                    f"Expected all of {network.title}, got a file without {' and without '.join(lacking)}: "
                    f"choose it by its name ({system.name}/...), which joins all its files."
                )
            if (like := getattr(network, "like", "")) and system.name not in name.lower():
                raise UnsupportedCheckpointError(
                    f"Expected {network.title}, which has the same tensors as {like}, got {name or 'a file'}, which "
                    f"may be either: choose {system.name}/..., or put {system.name} into the name of your file."
                )
