"""WordPiece: a text as the numbers that BERT reads, by a vocabulary of a word or a piece of one a line.

The splitting is the library tokenizers' (Apache-2.0), which ComfyUI requires, too. What comes before is FLIP's.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from tokenizers import BertWordPieceTokenizer

MOST = 65  # tokens of a text, with those for its beginning and end
SHOWN = 60  # letters of a text that an error shows
SIGNS = re.compile(r'[.!"()*#:;~]')
BLANKS = re.compile(r"\s{2,}")
MARKS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


class WordPiece:
    """Texts in, token numbers out."""

    def __init__(self, vocabulary: str) -> None:
        """Take the vocabulary.

        Args:
            vocabulary: A token a line, its number that of the line, from 0.

        Raises:
            ValueError: It lacks what every BERT vocabulary has.
            ImportError: tokenizers is not installed.
        """
        lines = vocabulary.replace("\r\n", "\n").removesuffix("\n").split("\n")
        numbers = {token: number for number, token in enumerate(lines)}
        if lacking := [mark for mark in MARKS if mark not in numbers]:
            raise ValueError(
                f"Expected the vocabulary of bert-base-uncased, got {len(numbers)} lines without {', '.join(lacking)}: "
                "get the file again."
            )
        self.size = len(numbers)
        self._tokenizer = _tokenizer(numbers)

    def encode(self, text: str) -> Tensor:
        """(L,) int64 the tokens of a text: its beginning, words and pieces of words, its end.

        Raises:
            ValueError: Nothing is left of it, or it is too long; says from where on it would not be read.
        """
        plain = clean(text)
        if not plain:
            raise ValueError(f"Expected a text with words, got {text!r}: write what a face may show.")
        found = self._tokenizer.encode(plain)
        if len(found.ids) > MOST:
            start = plain.rfind(" ", 0, found.offsets[MOST - 1][0]) + 1  # the word that has no room
            fit = len(plain[:start].split())
            raise ValueError(
                f"Expected a text of at most {MOST} tokens, which are words, pieces of long words and two for its "
                f"beginning and end, got {len(found.ids)} in {shortened(plain)!r}: its first {fit} words fit, "
                f"drop the rest from {shortened(plain[start:])!r} on, or make two texts of it."
            )
        return torch.tensor(found.ids)


def clean(text: str) -> str:
    """A text as FLIP was trained on: small letters, most signs as blanks. Source: FLIP, data/utils.py."""
    return BLANKS.sub(" ", SIGNS.sub(" ", text.lower())).strip()


def shortened(text: str) -> str:
    """The beginning of a text, for a message."""
    return text if len(text) <= SHOWN else f"{text[:SHOWN].rstrip()} ..."


def _tokenizer(numbers: dict[str, int]) -> BertWordPieceTokenizer:
    try:
        from tokenizers import BertWordPieceTokenizer
    except ImportError as error:
        raise ImportError(
            "Expected tokenizers, which ComfyUI requires, to read a text, got none: pip install tokenizers."
        ) from error
    return BertWordPieceTokenizer(numbers, lowercase=True)
