"""ConsistentID's prompt: a sentence about the face beside it, whose words are told of the face's parts.

The authors tell the words for ears of the picture of an eye, and those for eyes of an ear's, where both are seen: the
sentence has them in one order, the pictures in another, in training too, so it stays.

The negative prompt is told of no picture at the places where the prompt names a part, at every step: SDXL's pipeline
sets one aside that is not, but its encoder writes into that one too. Up to the moment of merging the denoiser hears SD
1.5's sentence without the parts, and of SDXL's prompt nothing but the prompt. A prompt that with the sentence is too
long for CLIP's 77 tokens comes after it; what is beyond them, which the authors cut off, is heard here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from .facial_encoder import FacialEncoder
from .facial_parts import cut_out, look
from .person import Person
from .words import Lines, Phase, TextEncoder

TITLE = "ConsistentID"
LENGTH = 77  # tokens that CLIP reads at once, the text's start and end and one for each part that is named included
END = 49407  # of CLIP's vocabulary
ENCODERS = {"sd15": {"l"}, "sdxl": {"l", "g"}}
CLAUSES = {"face": "The person has one face", "ears": "two ears", "eyes": "two eyes", "nose": "one nose"}
MOUTH = {"sd15": "and one mouth", "sdxl": "and a mouth"}
BEFORE = {"sd15": "Detail:", "sdxl": "; Detail:"}


class FacialWords(nn.Module):
    """A person's face in a prompt."""

    sentence = "a photo of a person"
    merge = 31 / 50  # the authors' steps 0 to 30 of 50 hear the text alone

    def __init__(self, facial: FacialEncoder, model: str) -> None:
        super().__init__()
        self.facial, self.model = facial, model

    def prompt(self, encoder: TextEncoder, text: str, person: Person, merge: float) -> list[Phase]:
        """The text alone, then the text that was told of the parts."""
        pictures = cut_out(person, TITLE)
        looks = look(person, torch.stack([*pictures.values()]), self.size, TITLE)
        lines, places = self.place(encoder, text, [*pictures])
        whole = encoder.encode(lines)
        alone = whole if self.model == "sd15" else encoder.encode(encoder.tokenize(text))
        told = replace(whole, cond=self.tell(whole.cond, looks, places), start=max(merge, 0.0))
        return [phase for phase in (replace(alone, end=min(merge, 1.0)), told) if phase.start < phase.end]

    def against(self, encoder: TextEncoder, text: str, prompt: str, person: Person) -> list[Phase]:
        """The negative prompt ``text`` to a prompt: told of no picture where that one is told of a part."""
        parts = [*cut_out(person, TITLE)]
        _, places = self.place(encoder, prompt, parts)
        nothing = look(person, None, self.size, TITLE).expand(len(parts), -1, -1)
        said = encoder.encode(encoder.tokenize(text))
        return [replace(said, cond=self.tell(said.cond, nothing, places))]

    @property
    def size(self) -> int:
        """Of CLIP vision's hidden states."""
        return self.facial.visual_projection.proj_in.in_features

    def place(self, encoder: TextEncoder, text: str, parts: Sequence[str]) -> tuple[Lines, Tensor]:
        """A prompt with the sentence about the face, and (P,) the tokens that name its parts.

        Raises:
            ValueError: The text encoder is another model's.
        """
        said = {**CLAUSES, "mouth": MOUTH[self.model]}
        clauses = [clause for part, clause in said.items() if part in parts]
        caption = " , ".join(clauses) + " ,"
        words = [word.startswith("embedding:") for word in text.split() or [""]]  # such a word must stand alone
        before, after = (" " if alone else "" for alone in (words[-1], words[0]))
        lines, last = encoder.tokenize(f"{text}{before}{BEFORE[self.model]}{caption}"), True  # the sentence is last
        if set(lines) != ENCODERS[self.model]:
            raise ValueError(
                f"Expected the clip of the model that the adapter is for, with the encoders "
                f"{', '.join(sorted(ENCODERS[self.model]))}, got one with {', '.join(sorted(lines))}: connect that "
                "checkpoint's."
            )
        if len(read(lines)) + 2 + len(clauses) > LENGTH:
            lines, last = encoder.tokenize(f"{BEFORE[self.model]}{caption} Caption:{after}{text}"), False
        places, tokens = zip(*read(lines), strict=True)
        sentence = tuple(token for _, token in read(encoder.tokenize(caption)))
        starts = [n for n in range(len(tokens)) if tokens[n : n + len(sentence)] == sentence]
        if not starts:
            raise ValueError(
                f'Expected "{caption}" in the prompt\'s tokens, got others: use a CLIP with its own tokenizer.'
            )
        until = [" , ".join(clauses[: count + 1]) for count in range(len(clauses))]
        lengths = [len(read(encoder.tokenize(begun))) for begun in until]
        start = starts[-1 if last else 0]
        return lines, torch.tensor([places[start + length - 1] for length in lengths])

    def tell(self, cond: Tensor, looks: Tensor, places: Tensor) -> Tensor:
        """(1, L, D) a text that was told of pictures at some of its tokens."""
        given = self.facial.visual_projection.latents  # where the network is by now
        told = self.facial(cond[0].to(given), looks.to(given), places.to(given.device))
        return told[None].to(cond)


def read(lines: Lines) -> list[tuple[int, int]]:
    """Where each token of a text is, and which it is (-1: a vector), without starts, ends and what fills a line up."""
    found, before = [], 0
    for line in lines["l"]:
        known = [-1 if isinstance(token, Tensor) else int(token) for token, *_ in line]
        end = known.index(END) if END in known else len(known)
        found += [(before + n, known[n]) for n in range(1, end)]
        before += len(line)
    return found
