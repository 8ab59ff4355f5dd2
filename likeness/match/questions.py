"""Attributes that nobody trained a head for: questions in words, answered by how well their texts fit a face.

Nobody published a protocol for FLIP. The answers are CLIP's: similarities divided by the trained temperature become
probabilities among the texts of one question. The matching head answers, too: by its logit.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..types import Attributes, Faces, LabelSet

ASKED = "asked"  # the set of all questions of yes and no
PLACE = "{}"  # where a template takes the label
# Words of a question about race, gender or age, which no model knows of a person.
AGES = "age aged old young year years adult child kid baby teenager elderly senior"
GENDERS = "gender sex male female man woman men women boy girl lady gentleman"
RACES = "race racial ethnicity ethnic asian african caucasian european indian hispanic latino latina arab"
APPARENT = frozenset(f"{AGES} {GENDERS} {RACES}".split())


@dataclass(frozen=True)
class Question:
    """One question: what its answers are called, and a text for each."""

    name: str  # of the set that the answers are; ``ASKED`` for yes and no
    labels: tuple[str, ...]  # of yes and no the one that is yes
    texts: tuple[str, ...]  # a text per label; of yes and no two, for yes and for no

    @property
    def exclusive(self) -> bool:
        """Whether one of several answers holds."""
        return self.name != ASKED


def read_questions(lines: str, template: str, opposite: str) -> tuple[Question, ...]:
    """Questions as people write them, a line each.

    ``eyeglasses`` asks yes or no by the templates; ``smile = She smiles | She does not smile`` by texts of its own;
    ``hair: black hair | blond hair | bald = A man without hair`` asks which of several.

    Args:
        lines: The questions.
        template: The text of a label, with {} where the label goes.
        opposite: The text of its opposite, for yes and no.

    Raises:
        ValueError: A line is none of these, a template has no {}, or a name stands twice; says which.
    """
    for what in (template, opposite):
        if PLACE not in what:
            raise ValueError(f"Expected a template with {PLACE} where the label goes, got {what!r}.")
    found = [_read(line, template, opposite) for line in map(str.strip, lines.splitlines()) if line]
    if not found:
        raise ValueError('Expected questions, a line each, got none: write, for example, "eyeglasses".')
    names = [question.name if question.exclusive else question.labels[0] for question in found]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ValueError(f"Expected each question once, got {twice} twice: name one of them otherwise.")
    return tuple(found)


def _read(line: str, template: str, opposite: str) -> Question:
    name, colon, rest = line.partition(":")
    if not colon or "=" in name:  # a colon in a text of one's own is no name's
        label, equals, own = (part.strip() for part in line.partition("="))
        pair = tuple(text.strip() for text in own.split("|")) if equals else _pair(label, template, opposite)
        if not label or len(pair) != 2 or not all(pair):
            raise ValueError(
                f'Expected a label, or "label = text for yes | text for no", got {line!r}: for one of several answers '
                'write "name: answer | answer".'
            )
        return Question(ASKED, (label,), pair)
    answers = [tuple(part.strip() for part in answer.partition("=")) for answer in rest.split("|")]
    labels = tuple(label for label, _, _ in answers)
    texts = tuple(text if equals else template.replace(PLACE, label) for label, equals, text in answers)
    if not name.strip() or len(labels) < 2 or not all(labels) or not all(texts) or len(set(labels)) < len(labels):
        raise ValueError(f'Expected "name: answer | answer", two different answers or more, got {line!r}.')
    if name.strip() == ASKED:
        raise ValueError(f"Expected another name than {ASKED}, which the questions of yes and no have, got {line!r}.")
    return Question(name.strip(), labels, texts)


def _pair(label: str, template: str, opposite: str) -> tuple[str, ...]:
    return template.replace(PLACE, label), opposite.replace(PLACE, label)


def texts_of(questions: Sequence[Question], opposites: bool = True) -> tuple[str, ...]:
    """The texts that have to be matched, in the order that ``answer`` takes.

    Args:
        questions: The questions.
        opposites: Whether those for no as well.
    """
    return tuple(text for question in questions for text in _used(question, opposites))


def _used(question: Question, opposites: bool) -> tuple[str, ...]:
    return question.texts if opposites or question.exclusive else question.texts[:1]


def answer(faces: Faces, questions: Sequence[Question], evidence: Tensor, opposites: bool = True) -> Attributes:
    """The probability of each answer for each face.

    Args:
        faces: Whom it is about.
        questions: What was asked.
        evidence: (N, K) what speaks for each of ``texts_of``: a similarity by the temperature, or the logit that face
            and text belong together less that they do not.
        opposites: Whether evidence for no is there, which a yes is weighed against; else a yes stands for itself.
    """
    columns = torch.split(evidence, [len(_used(question, opposites)) for question in questions], 1)
    plain, sets, chosen = [], [], []
    for question, column in zip(questions, columns, strict=True):
        if question.exclusive:
            sets.append(LabelSet(question.name, question.labels, exclusive=True, apparent=_apparent(question)))
            chosen.append(column.softmax(1))
        else:
            plain.append(column.softmax(1)[:, :1] if opposites else column.sigmoid())
    asked = [question for question in questions if not question.exclusive]
    if asked:
        labels = tuple(question.labels[0] for question in asked)
        apparent = tuple(label for question in asked for label in _apparent(question))
        sets.insert(0, LabelSet(ASKED, labels, apparent=apparent))
    return Attributes(faces, tuple(sets), torch.cat([*plain, *chosen], 1))


def _apparent(question: Question) -> tuple[str, ...]:
    """The labels that tell race, gender or age, as far as the words show."""
    about = _words(question.name) & APPARENT
    return tuple(label for label in question.labels if about or _words(label) & APPARENT)


def _words(text: str) -> set[str]:
    return set(re.findall(r"[a-z]+", text.lower()))
