"""Sentence borders and languages, with the real libraries and without a network."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.adapters.language import detect_language, split_sentences


def split(text: str) -> list[str]:
    """The sentences of a paragraph, stripped."""
    return [text[start:end].strip() for start, end in split_sentences(text)]


@given(st.text(alphabet=st.sampled_from("aB.!? 。！؟।”’\n\u00a0🚀\u0301"), max_size=80))
def test_sentences_cover_the_paragraph_in_order(text: str) -> None:
    """Nothing is lost between them but white space, and none overlaps another."""
    at = 0
    left = []
    for start, end in split_sentences(text):
        assert at <= start <= end <= len(text)
        left.append(text[at:start])
        at = end
    assert not "".join([*left, text[at:]]).strip()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It left. It was late.", ["It left.", "It was late."]),
        ("Mr. Fleming Jr. met Dr. Kelly.", ["Mr. Fleming Jr. met Dr. Kelly."]),
        ("它离开了。已经很晚了！", ["它离开了。", "已经很晚了！"]),
        ("他说“很好。”然后走了。", ["他说“很好。”", "然后走了。"]),
        ("هل وصل؟ نعم وصل.", ["هل وصل؟", "نعم وصل."]),
        ("वह गया। वह आया।", ["वह गया।", "वह आया।"]),
    ],
)
def test_sentences_end_where_their_language_ends_them(text: str, expected: list[str]) -> None:
    """With full stops of other scripts too, which no space need follow."""
    assert split(text) == expected


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The ship left the harbour at noon and was late for once.", "en"),
        ("Das Schiff verließ den Hafen am Mittag und kam zu spät an.", "de"),
        ("这是一个关于太空电影的故事。他说这部电影很好，演员将前往国际空间站。", "zh"),
        ("هذا نص عربي عن الفضاء والأفلام التي تصور هناك", "ar"),
    ],
)
def test_languages_are_told_apart(text: str, language: str) -> None:
    """By ISO 639-1 code."""
    assert detect_language(text) == language


@pytest.mark.parametrize("text", ["", "1946", "...", "Hello", "1 2 3 " * 500, "🚀" * 500])
def test_a_text_with_too_few_letters_has_no_known_language(text: str) -> None:
    """Better none than a guess."""
    assert detect_language(text) is None


def test_a_heading_in_another_language_decides_nothing(see_you: str) -> None:
    """All of a text is sampled, not its first line."""
    heading = "Últimas noticias de hoy en España y en el mundo: fútbol, política, sociedad y economía\n\n"
    assert detect_language(heading + see_you) == "en"


def test_seeds_are_english(cruise: str, see_you: str, musk: str) -> None:
    """With all their names, tweets and titles."""
    assert [detect_language(text) for text in (cruise, see_you, musk)] == ["en", "en", "en"]
