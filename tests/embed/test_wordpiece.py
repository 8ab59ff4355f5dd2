"""Texts become the authors' tokens; what is too long or empty is said."""

import json
from pathlib import Path

import pytest

import golden
from likeness.embed.wordpiece import MOST, WordPiece, clean

GOLDEN = Path(__file__).parents[1] / "checkpoints/flip/golden.json"
TEXTS = (
    'She has LONG, wavy hair -- and high cheekbones! ("smiling")',
    "A man with no beard; his nose: big~ #old",
    "Café   smiling?\n the [CLS] 中face's unheard-of eyeglasses",
)


@pytest.fixture(scope="module")
def words():
    return WordPiece(bytes(json.loads(GOLDEN.read_text())["constants"]["text"]).decode())


@pytest.mark.parametrize("number", range(3))
def test_a_text_becomes_the_authors_tokens(words, number):
    assert golden.difference(GOLDEN, f"tokens{number}", words.encode(TEXTS[number]).float()) == 0


def test_signs_become_blanks_and_letters_small():
    assert clean('  A "Man" (old)... has:no~beard;*#\n') == "a man old has no beard"
    assert clean("long-haired, isn't he?") == "long-haired, isn't he?"


def test_a_mark_in_a_text_is_no_mark(words):
    """Small letters are no marks: nobody writes an end into a text."""
    assert (words.encode("a [SEP] face") == 3).sum() == 1


def test_a_text_of_sixty_five_tokens_is_read_and_a_longer_one_says_from_where_on_it_is_not(words):
    assert len(words.encode("old " * (MOST - 2))) == MOST
    expected = (
        r"at most 65 tokens, .*, got 67 in 'old old .* \.\.\.': its first 63 words fit, drop the rest from 'hair s"
    )
    with pytest.raises(ValueError, match=expected):
        words.encode("old " * (MOST - 2) + "hair smiling")
    with pytest.raises(
        ValueError,
        match=r"got 66 in .*: its first 62 words fit, drop the rest from 'cheekbones' on, or make two texts of it",
    ):
        words.encode("old " * (MOST - 3) + "cheekbones")  # its second piece has no room, so the word has none


@pytest.mark.parametrize("text", ["", "  \n", '..."!'])
def test_a_text_without_words_is_refused(words, text):
    with pytest.raises(ValueError, match="Expected a text with words, got"):
        words.encode(text)


def test_a_file_that_is_no_vocabulary_is_refused():
    with pytest.raises(ValueError, match=r"bert-base-uncased, got 2 lines without \[PAD\], \[UNK\], \[CLS\]"):
        WordPiece("one\ntwo\n")


def test_lines_end_as_on_any_system(words):
    text = bytes(json.loads(GOLDEN.read_text())["constants"]["text"]).decode()
    other = WordPiece(text.replace("\n", "\r\n"))
    assert other.size == words.size
    assert other.encode(TEXTS[0]).tolist() == words.encode(TEXTS[0]).tolist()
