"""Questions in words, and the probabilities of their answers."""

import pytest
import torch

from likeness.analyze import to_table, to_tags
from likeness.match import Question, answer, read_questions, read_texts, texts_of
from likeness.types import Faces

TEMPLATES = "A face with {}.", "A face without {}."
LINES = """
eyeglasses
smile = She smiles: yes. | She does not smile.

hair: black hair | gray hair | bald = A man without hair
gender: a man | a woman
young = A young face. | An old face.
"""


def people(count: int = 1) -> Faces:
    index = torch.arange(count)
    return Faces((9, 9), 1, index, index * 0, torch.zeros(count, 4), torch.ones(count))


def test_each_way_of_asking_is_read():
    asked = read_questions(LINES, *TEMPLATES)
    assert asked[0] == Question("asked", ("eyeglasses",), ("A face with eyeglasses.", "A face without eyeglasses."))
    assert asked[1] == Question("asked", ("smile",), ("She smiles: yes.", "She does not smile."))
    hair = ("A face with black hair.", "A face with gray hair.", "A man without hair")
    assert asked[2] == Question("hair", ("black hair", "gray hair", "bald"), hair)
    assert [question.exclusive for question in asked] == [False, False, True, True, False]
    assert len(texts_of(asked)) == 2 + 2 + 3 + 2 + 2
    assert len(texts_of(asked, opposites=False)) == 1 + 1 + 3 + 2 + 1


def test_a_yes_is_weighed_against_its_no_and_answers_against_each_other():
    asked = read_questions("hat\nhair: black | red | gray", *TEMPLATES)
    evidence = torch.tensor([[2.0, 0.0, 1.0, 1.0, 1.0], [0.0, 0.0, 9.0, 0.0, 0.0]])
    told = answer(people(2), asked, evidence)
    torch.testing.assert_close(told.of("asked"), torch.tensor([[2.0], [0.0]]).sigmoid())
    torch.testing.assert_close(told.of("hair")[0], torch.full((3,), 1 / 3))
    torch.testing.assert_close(told.of("hair").sum(1), torch.ones(2))
    assert told.of("hair")[1, 0] > 0.99


def test_without_opposites_a_yes_stands_for_itself():
    asked = read_questions("hat\nhair: black | red", *TEMPLATES)
    told = answer(people(), asked, torch.tensor([[3.0, 1.0, 1.0]]), opposites=False)
    torch.testing.assert_close(told.probability, torch.tensor([[torch.tensor(3.0).sigmoid(), 0.5, 0.5]]))


def test_questions_of_yes_and_no_come_first_whatever_their_place():
    asked = read_questions("hair: black | red\nhat\nbeard", *TEMPLATES)
    told = answer(people(), asked, torch.tensor([[0.0, 9.0, 9.0, 0.0, 0.0, 9.0]]))
    assert [(group.name, label) for group, label in told.labels] == [
        ("asked", "hat"),
        ("asked", "beard"),
        ("hair", "black"),
        ("hair", "red"),
    ]
    assert [round(value) for value in told.probability[0].tolist()] == [1, 0, 0, 1]


def test_what_tells_race_gender_or_age_is_marked_as_apparent():
    asked = read_questions(LINES + "race: black | white\nhat", *TEMPLATES)
    told = answer(people(), asked, torch.zeros(1, len(texts_of(asked))))
    marked = {group.name: group.apparent for group in told.sets}
    assert marked == {
        "asked": ("young",),
        "hair": (),
        "gender": ("a man", "a woman"),
        "race": ("black", "white"),
    }
    assert "gender a man 0.500 apparent, model output" in to_table(told)
    assert "a man" not in to_tags(told)
    assert "black hair" in to_tags(told, 0.3)


def test_nobody_is_asked_about_without_error():
    asked = read_questions(LINES, *TEMPLATES)
    assert answer(people(0), asked, torch.zeros(0, len(texts_of(asked)))).probability.shape == (0, 8)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("", "Expected questions, a line each, got none"),
        ("smile = She smiles.", 'Expected a label, or "label = text for yes'),
        ("smile = a | b | c", "Expected a label, or"),
        ("= a | b", "Expected a label, or"),
        ("smile = | b", "Expected a label, or"),
        ("hair: black", "two different answers or more, got 'hair: black'"),
        ("hair: black | black", "two different answers or more"),
        ("hair: black | ", "two different answers or more"),
        ("hair: black | bald =", "two different answers or more"),
        (": black | red", "two different answers or more"),
        ("asked: black | red", "Expected another name than asked"),
        ("hat\nhat", "Expected each question once, got hat twice"),
        ("hair: a | b\nhair: c | d", "Expected each question once, got hair twice"),
    ],
)
def test_what_is_no_question_is_said(lines, said):
    with pytest.raises(ValueError, match=said):
        read_questions(lines, *TEMPLATES)


def test_a_template_without_a_place_is_refused():
    for templates in (("A face.", TEMPLATES[1]), (TEMPLATES[0], "No face.")):
        with pytest.raises(ValueError, match=r"Expected a template with \{\} where the label goes, got '(A|No) face"):
            read_questions("hat", *templates)


def test_texts_are_lines():
    assert read_texts(" a face \n\n another\n") == ("a face", "another")
    with pytest.raises(ValueError, match="Expected a text, got none"):
        read_texts(" \n ")
