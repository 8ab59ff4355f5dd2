"""Matching: images, the faces in them and texts in, how well each text fits each face out."""

from ..embed import flip
from ..weights import System
from .questions import Question, answer, read_questions, texts_of
from .retrieval import Ranking, first, order

SYSTEMS: tuple[System, ...] = (flip.SYSTEM,)

__all__ = ["SYSTEMS", "Question", "Ranking", "answer", "first", "order", "read_questions", "read_texts", "texts_of"]


def read_texts(lines: str) -> tuple[str, ...]:
    """A text a line; empty lines are passed over.

    Raises:
        ValueError: There is none.
    """
    texts = tuple(line.strip() for line in lines.splitlines() if line.strip())
    if not texts:
        raise ValueError("Expected a text, got none: write what a face may show, a text a line.")
    return texts
