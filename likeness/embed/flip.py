"""FLIP: faces and descriptions of faces as vectors of one space, and a head that judges a face and a text together.

FaceCaption-15M: 15M Multimodal Facial Image-Text Dataset. https://arxiv.org/abs/2407.08515
Network: models/ of ddw2AIGROUP2CQUPT/FLIP (no licence file; Apache-2.0 beside the weights). Weights: ckpt/FLIP-base.pth
of OpenFace-CQUPT/FLIP; trained on data for "scientific research purposes only". FLIP-Large and the heads for attributes
are not published. Another FLIP, of ydli-ai, is another model.

The vectors say what a face looks like in words, not who it is: two people whom one sentence describes are alike.

What is easily taken for CLIP's ViT-B/16 normalises all tokens after its last layer, not the first alone. Training
puts a token [ENC] before a text that is judged; the authors' evaluation leaves [CLS] there, and so does this.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, normalize

from ..fingerprint import fingerprint
from ..geometry import check_image
from ..types import Embeddings, Faces, Matches
from ..weights import StateDict, System, count
from . import bert
from .vectors import vectors
from .wordpiece import WordPiece

# CLIP's, of red, green and blue.
MEAN = torch.tensor([0.48145466, 0.4578275, 0.40821073])
DEVIATION = torch.tensor([0.26862954, 0.26130258, 0.27577711])
TOGETHER = 32  # faces
ADDED = 2  # tokens behind the vocabulary's: [DEC] and [ENC], which only training uses
COLDEST, WARMEST = 0.001, 0.5  # what training keeps the temperature between


class Attention(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.q_proj, self.k_proj = nn.Linear(width, width), nn.Linear(width, width)
        self.v_proj, self.out_proj = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.out_proj(bert.attend(self.q_proj(x), self.k_proj(x), self.v_proj(x)))


class MLP(nn.Module):
    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, hidden), nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        x = self.fc1(x)
        return self.fc2(x * (1.702 * x).sigmoid())  # "quick" GELU


class Layer(nn.Module):
    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.self_attn, self.mlp = Attention(width), MLP(width, hidden)
        self.layer_norm1, self.layer_norm2 = nn.LayerNorm(width), nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.self_attn(self.layer_norm1(x))
        return x + self.mlp(self.layer_norm2(x))


class Patches(nn.Module):
    """The patches of a picture, each in its place, behind a token for all of it."""

    def __init__(self, width: int, patch: int, places: int) -> None:
        super().__init__()
        self.class_embedding = nn.Parameter(torch.zeros(width))
        self.patch_embedding = nn.Conv2d(3, width, patch, patch, bias=False)
        self.position_embedding = nn.Embedding(places, width)

    def forward(self, x: Tensor) -> Tensor:
        patches = self.patch_embedding(x).flatten(2).mT
        whole = self.class_embedding.expand(len(x), 1, -1)
        return torch.cat([whole, patches], 1) + self.position_embedding.weight


class VisionTransformer(nn.Module):
    def __init__(self, width: int, hidden: int, patch: int, places: int, layers: int) -> None:
        super().__init__()
        self.embeddings = Patches(width, patch, places)
        self.encoder = nn.ModuleDict({"layers": nn.Sequential(*(Layer(width, hidden) for _ in range(layers)))})
        self.pre_layrnorm, self.post_layrnorm = nn.LayerNorm(width), nn.LayerNorm(width)  # the file's spelling

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1 + patches, width) from (N, 3, S, S)."""
        return self.post_layrnorm(self.encoder["layers"](self.pre_layrnorm(self.embeddings(x))))


class Vocabulary(nn.Module):
    """The file of bert-base-uncased's tokens, which comes with the weights as one of them."""

    text: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("text", torch.zeros(size, dtype=torch.uint8))

    def read(self) -> str:
        return self.text.cpu().numpy().tobytes().decode("utf-8")


class FLIP(nn.Module):
    def __init__(self, vision: dict[str, int], text: dict[str, int], size: int, vocabulary: int) -> None:
        super().__init__()
        self.size, self.side = size, vision["patch"] * round((vision["places"] - 1) ** 0.5)
        self.visual_encoder = nn.ModuleDict({"vision_model": VisionTransformer(**vision)})
        self.text_encoder = bert.Bert(**text)
        self.vision_proj, self.text_proj = nn.Linear(vision["width"], size), nn.Linear(text["width"], size)
        self.itm_head = nn.Linear(text["width"], 2)
        self.temp = nn.Parameter(torch.zeros(()))
        if vocabulary:
            self.vocabulary = Vocabulary(vocabulary)

    @cached_property
    def space(self) -> str:
        """The name of these weights, by their values."""
        held = self.state_dict().items()
        return f"flip-{fingerprint({name: tensor for name, tensor in held if not name.startswith('vocabulary.')})}"

    @property
    def temperature(self) -> float:
        """By which similarities are divided before they are compared as probabilities."""
        return float(self.temp.clamp(COLDEST, WARMEST))

    @cached_property
    def words(self) -> WordPiece:
        """What reads texts.

        Raises:
            ValueError: The vocabulary is missing, or another model's.
        """
        if not hasattr(self, "vocabulary"):
            raise ValueError(
                "Expected the vocabulary of bert-base-uncased with these weights, got none: take flip/base, whose "
                "second file it is, or use them for pictures alone."
            )
        words = WordPiece(self.vocabulary.read())
        known = self.text_encoder.embeddings.word_embeddings.num_embeddings - ADDED
        if words.size != known:
            raise ValueError(
                f"Expected a vocabulary of {known} tokens for these weights, got {words.size}: it is another model's."
            )
        return words

    def look(self, x: Tensor) -> Tensor:
        """(N, 1 + patches, D) what is seen in (N, 3, S, S) crops."""
        seen: Tensor = self.visual_encoder["vision_model"](x)
        return seen

    def embed(self, image: Tensor, faces: Faces) -> Embeddings:
        """What each face looks like, to be compared with texts and with other faces.

        Args:
            image: (B, H, W, 3) RGB in [0, 1].
            faces: The faces in these images; boxes are enough.
        """
        x = crop(image, faces, self.side).to(self.temp)
        return Embeddings(
            faces, self.space, vectors(lambda some: self.vision_proj(self.look(some)[:, 0]), x, self.size)
        )

    def embed_text(self, texts: Sequence[str]) -> Embeddings:
        """One vector per text, of the same space as the faces'.

        Raises:
            ValueError: A text is empty or too long, or there is no vocabulary.
        """
        tokens = [self.words.encode(text)[None].to(self.temp.device) for text in texts]
        read = [self.text_proj(self.text_encoder(one)[:, 0]) for one in tokens]
        found = torch.cat([torch.zeros(0, self.size), *(one.float().cpu() for one in read)])
        return Embeddings(None, self.space, found)

    def match(self, image: Tensor, faces: Faces, texts: Sequence[str]) -> Matches:
        """How well each text fits each face, by their vectors and by the head that looks at both.

        Args:
            image: (B, H, W, 3) RGB in [0, 1].
            faces: The faces in these images; boxes are enough.
            texts: Any number.

        Raises:
            ValueError: A text is empty or too long, or there is no vocabulary.
        """
        tokens = [self.words.encode(text)[None].to(self.temp.device) for text in texts]
        wanted = self.embed_text(texts).normed_embedding
        x, parts = crop(image, faces, self.side).to(self.temp), [torch.zeros(0, len(texts), 3)]
        for some in torch.split(x, TOGETHER) if len(x) else ():
            seen = self.look(some)
            judged = [self.itm_head(self.text_encoder(one.expand(len(seen), -1), seen)[:, 0]) for one in tokens]
            near = normalize(self.vision_proj(seen[:, 0]).float().cpu(), dim=-1) @ wanted.T
            logits = torch.cat([torch.zeros(len(seen), 0, 2), *(one[:, None].float().cpu() for one in judged)], 1)
            parts.append(torch.cat([near[..., None], logits], -1))
        found = torch.cat(parts)
        return Matches(faces, tuple(texts), found[..., 0], found[..., 1:])


def crop(image: Tensor, faces: Faces, side: int) -> Tensor:
    """(N, 3, side, side) what is in each face's box, stretched to a square and normalised.

    The authors cut faces by their detector's boxes and stretch them. A box is cut at the picture's border; of one that
    lies outside the nearest pixel is left.
    """
    check_image(image, faces)
    height, width = faces.image_size
    size = torch.tensor([width, height])
    low, high = (faces.bbox + 0.5).reshape(-1, 2, 2).unbind(1)  # counted from the picture's corner
    first = torch.minimum(low.floor().clamp(min=0).long(), size - 1)
    last = torch.maximum(torch.minimum(high.ceil().long(), size), first + 1)
    crops = [torch.zeros(0, 3, side, side)]
    for index, (x1, y1), (x2, y2) in zip(faces.image_index.tolist(), first.tolist(), last.tolist(), strict=True):
        piece = image[index, y1:y2, x1:x2].movedim(-1, 0)[None]
        crops.append(interpolate(piece, (side, side), mode="bicubic", antialias=True, align_corners=False))
    return (torch.cat(crops).clamp(0, 1) - MEAN[:, None, None]) / DEVIATION[:, None, None]


def hparams(state_dict: StateDict) -> dict[str, Any]:
    """The network's arguments, read off tensor shapes."""
    vision = "visual_encoder.vision_model."
    places, width = state_dict[f"{vision}embeddings.position_embedding.weight"].shape
    return {
        "vision": {
            "width": width,
            "hidden": len(state_dict[f"{vision}encoder.layers.0.mlp.fc1.weight"]),
            "patch": state_dict[f"{vision}embeddings.patch_embedding.weight"].shape[-1],
            "places": places,
            "layers": count(state_dict, f"{vision}encoder.layers"),
        },
        "text": bert.hparams(state_dict, "text_encoder."),
        "size": len(state_dict["vision_proj.weight"]),
        "vocabulary": len(state_dict["vocabulary.text"]) if "vocabulary.text" in state_dict else 0,
    }


SYSTEM = System(
    name="flip",
    keys=("visual_encoder.vision_model.post_layrnorm.weight", "text_proj.weight", "itm_head.weight"),
    hparams=hparams,
    network=FLIP,
    # Of training: copies that follow slowly, queues of what they gave. And numbers of places, which are 0, 1, 2 ...
    unused=(
        *("visual_encoder_m.", "text_encoder_m.", "vision_proj_m.", "text_proj_m."),
        *("image_queue", "text_queue", "idx_queue", "ptr_queue"),
        *("visual_encoder.vision_model.embeddings.position_ids", "text_encoder.embeddings.position_ids"),
    ),
)
