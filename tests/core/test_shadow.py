"""The searchable copy of a text, and the way back to the text."""

import unicodedata
from typing import Literal

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from service.core.shadow import fold, is_inside_word, occurrences, shadow

AWKWARD = "aé“”’—…*_ \n\r\t\u00a0\u200b\u00ad\ufeffﬁＡ½ﾞｶ\u0301\u0323각ᅡ한İß天👩\u200d🚀\ufe0fשׁ\u202e"
texts = st.text(st.one_of(st.sampled_from(AWKWARD), st.characters(codec="utf-8")), max_size=60)


@pytest.mark.parametrize(
    ("text", "searched"),
    [
        ("“I can’t,” he said", '"I can\'t," he said'),
        ("«bon» ‹mot› „gut‚ 6′ 2″", "\"bon\" 'mot' \"gut' 6' 2\""),
        ("astronaut—340 days – a ‑ b ― c − d", "astronaut-340 days - a - b - c - d"),
        ("titled *I See You*, is", "titled I See You, is"),
        ("**bold** * item", "bold item"),
        ("one\r\n\r\n two\u00a0three\u2003\tfour", "one two three four"),
        ("Wait… what", "Wait... what"),
        ("ﬁlm ＮＡＳＡ １６", "film NASA 16"),
        ("cafe\u0301", "café"),
        ("soft\u00adhyphen zero\u200bwidth \ufeffmark", "softhyphen zerowidth mark"),
        ("ｶﾞ", "ガ"),
        ("snake_case _it_", "snake_case _it_"),
        ("", ""),
    ],
)
def test_typography_is_levelled(text: str, searched: str) -> None:
    """Marks, dashes, emphasis, white space and compatibility forms are searched in one plain form."""
    assert shadow(text).text == searched


def test_a_found_span_leads_back_to_the_exact_original() -> None:
    """Emphasis marks inside a found span belong to it; those around it do not."""
    text = "drama titled *I See You*, is"
    made = shadow(text)
    start = made.text.index("I See You")
    span = made.original(start, start + len("I See You"))
    assert text[span.start : span.end] == "I See You"
    span = made.original(made.text.index("titled"), made.text.index(", is"))
    assert text[span.start : span.end] == "titled *I See You"


def test_combining_marks_stay_with_their_letter() -> None:
    """A letter and its marks map to each other as one, in whatever order the marks came."""
    text = "xe\u0301\u0323y"
    made = shadow(text)
    at = len("x")
    assert made.text == unicodedata.normalize("NFKC", text)
    assert made.original(at, at + 1).start == 1
    assert made.original(at, made.text.index("y")).end == text.index("y")


def test_a_ligature_is_never_cut() -> None:
    """A span that begins or ends inside a ligature takes all of it."""
    made = shadow("ﬁlm")
    assert (made.original(0, 1).start, made.original(0, 1).end) == (0, 1)
    assert (made.original(1, 4).start, made.original(1, 4).end) == (0, 3)


def test_folding_keeps_the_length() -> None:
    """Letters whose folding is longer stay one letter, so that the same map serves."""
    assert fold("İSTANBUL Straße ŉ") == "İstanbul straße ŉ"
    assert len(fold(AWKWARD)) == len(AWKWARD)


def test_positions_count_from_the_first_character_at_or_after_an_offset() -> None:
    """An offset inside what was removed or joined is the position of what follows."""
    made = shadow("a  *b")
    assert made.text == "a b"
    assert [made.position(offset) for offset in range(6)] == [0, 1, 2, 2, 2, 3]


@given(texts)
@example("\u0301" * 100)
@example("ﷺ" * 3)
def test_every_character_maps_into_the_text_in_order(text: str) -> None:
    """The map is within the text, never runs backwards, and no piece of it is empty."""
    made = shadow(text)
    assert len(made.text) == len(made.starts) == len(made.ends) == len(made.folded)
    assert np.all(made.starts >= 0)
    assert np.all(made.ends <= len(text))
    assert np.all(made.starts < made.ends)
    assert np.all(np.diff(made.starts) >= 0)
    assert np.all(np.diff(made.ends) >= 0)


@given(st.lists(st.tuples(texts, st.sampled_from([" ", "\n", "\u00a0", ", "])), max_size=8), st.data())
def test_any_span_is_found_in_the_shadow_of_the_whole(pieces: list[tuple[str, str]], data: st.DataObject) -> None:
    """What is cut out of a text where no cluster is cut has its shadow in the shadow of the text."""
    text = "".join(piece + separator for piece, separator in pieces)
    borders = [0, len(text)] + [at for at in range(len(text)) if text[at].isspace() or text[at - 1 : at].isspace()]
    start, end = sorted((data.draw(st.sampled_from(borders)), data.draw(st.sampled_from(borders))))
    assert shadow(text[start:end]).text.strip() in shadow(text).text


@given(texts, st.sampled_from(["NFC", "NFD"]))
def test_composed_and_decomposed_texts_have_one_shadow(text: str, form: Literal["NFC", "NFD"]) -> None:
    """Normalising cluster by cluster comes to the same as normalising the whole."""
    assert shadow(unicodedata.normalize(form, text)).text == shadow(text).text


def test_a_word_inside_another_is_no_occurrence() -> None:
    """Only whole words are found."""
    assert list(occurrences("start art, art", "art", 0, 14)) == [6, 11]


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("st", "art"),
        ("3", ".5"),
        ("1,", "600"),
        ("ca", "n't"),
        ("can", "’t"),
        ("can’", "t"),
        ("3.", "5"),
        ("cafe", "\u0301"),
        ("राम", "\u093e"),
    ],
)
def test_a_cut_may_not_divide_a_word_a_number_or_a_negation(left: str, right: str) -> None:
    """Words, figures, n't forms and letters with their marks hold together."""
    assert is_inside_word(left + right, len(left))


@pytest.mark.parametrize(
    ("left", "right"),
    [("Cruise", "’s"), ("(", "ISS"), ("在", "北京"), ("340", "天"), ("one", ", 2"), ("_", "it"), ("", "a")],
)
def test_a_cut_may_fall_at_any_other_place(left: str, right: str) -> None:
    """Punctuation, possessives, and scripts without spaces hold nothing together."""
    assert not is_inside_word(left + right, len(left))
