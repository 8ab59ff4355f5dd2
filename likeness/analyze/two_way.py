"""The two-way transformer of Segment Anything: tokens ask a picture, and the picture asks the tokens.

Segment Anything, ICCV 2023. https://arxiv.org/abs/2304.02643
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import relu, scaled_dot_product_attention

HEADS = 8  # of each attention; no tensor shows them


class Attention(nn.Module):
    """Queries ask keys for values, in ``inside`` dimensions."""

    def __init__(self, width: int, inside: int) -> None:
        super().__init__()
        self.q_proj, self.k_proj = nn.Linear(width, inside), nn.Linear(width, inside)
        self.v_proj, self.out_proj = nn.Linear(width, inside), nn.Linear(inside, width)

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        q, k, v = (
            project(x).unflatten(-1, (HEADS, -1)).transpose(1, 2)
            for project, x in ((self.q_proj, q), (self.k_proj, k), (self.v_proj, v))
        )
        found: Tensor = self.out_proj(scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        return found


class Feedforward(nn.Module):
    """Two layers."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.lin1, self.lin2 = nn.Linear(width, hidden), nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.lin2(relu(self.lin1(x)))
        return made


class TwoWayBlock(nn.Module):
    """Tokens ask each other and the picture, then the picture asks the tokens."""

    def __init__(self, width: int, hidden: int, first: bool) -> None:
        super().__init__()
        self.first = first
        self.self_attn, self.norm1 = Attention(width, width), nn.LayerNorm(width)
        self.cross_attn_token_to_image, self.norm2 = Attention(width, width // 2), nn.LayerNorm(width)
        self.mlp, self.norm3 = Feedforward(width, hidden), nn.LayerNorm(width)
        self.cross_attn_image_to_token, self.norm4 = Attention(width, width // 2), nn.LayerNorm(width)

    def forward(self, tokens: Tensor, image: Tensor, named: Tensor, place: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens and image anew.

        Args:
            tokens: (N, T, D).
            image: (N, L, D).
            named: (N, T, D) what each token is, added where it asks.
            place: (L, D) where each part of the image is, likewise.
        """
        if self.first:  # the tokens are their names
            tokens = self.norm1(self.self_attn(tokens, tokens, tokens))
        else:
            asking = tokens + named
            tokens = self.norm1(tokens + self.self_attn(asking, asking, tokens))
        tokens = self.norm2(tokens + self.cross_attn_token_to_image(tokens + named, image + place, image))
        tokens = self.norm3(tokens + self.mlp(tokens))
        image = self.norm4(image + self.cross_attn_image_to_token(image + place, tokens + named, tokens))
        return tokens, image


class TwoWayTransformer(nn.Module):
    """The decoder's blocks, and the tokens' last look."""

    def __init__(self, width: int, hidden: int, layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(TwoWayBlock(width, hidden, not number) for number in range(layers))
        self.final_attn_token_to_image, self.norm_final_attn = Attention(width, width // 2), nn.LayerNorm(width)

    def forward(self, image: Tensor, place: Tensor, named: Tensor) -> tuple[Tensor, Tensor]:
        tokens = named
        for layer in self.layers:
            tokens, image = layer(tokens, image, named, place)
        looked = self.final_attn_token_to_image(tokens + named, image + place, image)
        return self.norm_final_attn(tokens + looked), image
