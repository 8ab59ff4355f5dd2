"""BERT as BLIP has it: an encoder of text that, where it is shown a picture, looks at it in every layer.

BERT, NAACL 2019. https://arxiv.org/abs/1810.04805. BLIP, ICML 2022. https://arxiv.org/abs/2201.12086. Unlike
Hugging Face's BERT this one has no token types. A text is read alone and unpadded, so nothing is masked.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from ..weights import StateDict, count

HEAD = 64  # channels of each head; no tensor shows it
EPSILON = 1e-12  # of the norms


def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """(N, L, D) what queries find in (N, M, D) keys and values, in heads of 64 channels."""
    q, k, v = (torch.unflatten(x, -1, (-1, HEAD)).transpose(1, 2) for x in (query, key, value))
    return scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)


class Projections(nn.Module):
    """Queries from one sequence, keys and values from another."""

    def __init__(self, width: int, given: int) -> None:
        super().__init__()
        self.query, self.key, self.value = nn.Linear(width, width), nn.Linear(given, width), nn.Linear(given, width)

    def forward(self, x: Tensor, seen: Tensor) -> Tensor:
        return attend(self.query(x), self.key(seen), self.value(seen))


class Merge(nn.Module):
    """What was found, added to what was there, and normalised."""

    def __init__(self, given: int, width: int) -> None:
        super().__init__()
        self.dense = nn.Linear(given, width)
        self.LayerNorm = nn.LayerNorm(width, eps=EPSILON)

    def forward(self, found: Tensor, x: Tensor) -> Tensor:
        return self.LayerNorm(self.dense(found) + x)


class Attention(nn.Module):
    def __init__(self, width: int, given: int) -> None:
        super().__init__()
        self.self, self.output = Projections(width, given), Merge(width, width)

    def forward(self, x: Tensor, seen: Tensor) -> Tensor:
        return self.output(self.self(x, seen), x)


class Intermediate(nn.Module):
    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.dense = nn.Linear(width, hidden)

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.gelu(self.dense(x))


class Layer(nn.Module):
    """The text looks at itself, then at the picture if there is one."""

    def __init__(self, width: int, given: int, hidden: int) -> None:
        super().__init__()
        self.attention, self.crossattention = Attention(width, width), Attention(width, given)
        self.intermediate, self.output = Intermediate(width, hidden), Merge(hidden, width)

    def forward(self, x: Tensor, picture: Tensor | None) -> Tensor:
        x = self.attention(x, x)
        if picture is not None:
            x = self.crossattention(x, picture)
        return self.output(self.intermediate(x), x)


class Embeddings(nn.Module):
    """What each token is and where it stands."""

    def __init__(self, tokens: int, places: int, width: int) -> None:
        super().__init__()
        self.word_embeddings, self.position_embeddings = nn.Embedding(tokens, width), nn.Embedding(places, width)
        self.LayerNorm = nn.LayerNorm(width, eps=EPSILON)

    def forward(self, tokens: Tensor) -> Tensor:
        places = torch.arange(tokens.shape[1], device=tokens.device)
        return self.LayerNorm(self.word_embeddings(tokens) + self.position_embeddings(places))


class Encoder(nn.Module):
    def __init__(self, layers: int, width: int, given: int, hidden: int) -> None:
        super().__init__()
        self.layer = nn.ModuleList(Layer(width, given, hidden) for _ in range(layers))

    def forward(self, x: Tensor, picture: Tensor | None) -> Tensor:
        for layer in self.layer:
            x = layer(x, picture)
        return x


class Bert(nn.Module):
    def __init__(self, tokens: int, places: int, layers: int, width: int, given: int, hidden: int) -> None:
        super().__init__()
        self.embeddings = Embeddings(tokens, places, width)
        self.encoder = Encoder(layers, width, given, hidden)

    def forward(self, tokens: Tensor, picture: Tensor | None = None) -> Tensor:
        """(N, L, D) from (N, L) token numbers, and with a picture from (N, M, given) its patches."""
        return self.encoder(self.embeddings(tokens), picture)


def hparams(state_dict: StateDict, prefix: str) -> dict[str, Any]:
    """The arguments of ``Bert``; ``prefix`` goes before the names of its tensors."""
    tokens, width = state_dict[f"{prefix}embeddings.word_embeddings.weight"].shape
    first = f"{prefix}encoder.layer.0"
    return {
        "tokens": tokens,
        "places": len(state_dict[f"{prefix}embeddings.position_embeddings.weight"]),
        "layers": count(state_dict, f"{prefix}encoder.layer"),
        "width": width,
        "given": state_dict[f"{first}.crossattention.self.key.weight"].shape[1],
        "hidden": len(state_dict[f"{first}.intermediate.dense.weight"]),
    }
