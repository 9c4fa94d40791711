"""Where paragraphs and sentences begin and end, in any text."""

import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import snowballstemmer
from hypothesis import example, given, settings
from hypothesis import strategies as st

from service.adapters.language import split_sentences
from service.core.masking import mask
from service.core.text import MAX_SENTENCE, count_words, fault, is_blank, lines, paragraphs, sentences, stems, words
from service.core.types import MaskedSpan, Span

PIECES = (
    "The ship left at noon. ",
    "It cost 1, 600 dollars",
    "他说很好。",
    "宇宙で映画を撮る！",
    "هل هو جيد؟ ",
    "نص عربي. ",
    "👩‍🚀🚀",
    "e\u0301",
    "“Quite so,” she said. ",
    "Mr. No. 13 ",
    "…",
    "\n",
    "\n\n",
    "\r\n",
    "\r",
    "\u2028",
    "\u0085",
    "\ufeff",
    "\u00a0",
    "\t ",
    "Advertisement\n",
    "a" * 700,
    "<|endoftext|>",
)
TEXTS = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=8)), max_size=40).map("".join)


def cut(text: str, spans: list[Span]) -> list[str]:
    """The texts of spans."""
    return [text[span.start : span.end] for span in spans]


@settings(max_examples=200, deadline=None)
@given(text=TEXTS)
@example(text="a" * 5_000)
@example(text=" " * 5_000 + "x")
@example(text="well, " * 900)
def test_sentences_stand_in_order_and_hold_every_word(text: str) -> None:
    """They are numbered, stripped, never overlap, never too long, and leave nothing out but white space and BOMs."""
    found = sentences(text, split_sentences)
    left, at = [], 0
    for number, sentence in enumerate(found, 1):
        body = text[sentence.start : sentence.end]
        assert sentence.number == number
        assert sentence.start >= at
        assert body == body.strip() != ""
        assert len(body) <= MAX_SENTENCE
        left.append(text[at : sentence.start])
        at = sentence.end
    assert not "".join([*left, text[at:]]).replace("\ufeff", "").strip()


@settings(max_examples=200, deadline=None)
@given(text=TEXTS)
def test_a_sentence_is_wholly_masked_or_not_at_all(text: str) -> None:
    """No sentence runs into a masked span or out of it."""
    masked = mask(text)
    for sentence in sentences(text, split_sentences, masked):
        for span in masked:
            outside = sentence.end <= span.start or span.end <= sentence.start
            assert outside or (span.start <= sentence.start and sentence.end <= span.end)


@settings(max_examples=100, deadline=None)
@given(text=TEXTS)
def test_lines_are_stripped_and_in_order(text: str) -> None:
    """Every line begins after the one before it and carries no white space at its ends."""
    at = 0
    for line in lines(text):
        body = text[line.start : line.end]
        assert line.start >= at
        assert body == body.strip()
        at = line.end


def test_one_line_paragraphs_are_paragraphs() -> None:
    """Where lines end in full stops and begin with capitals, each is a paragraph."""
    text = "The ship left.\nIt was late.\nNobody minded."
    assert cut(text, paragraphs(text)) == ["The ship left.", "It was late.", "Nobody minded."]


def test_wrapped_lines_are_one_paragraph() -> None:
    """Where lines run on with small letters, only blank lines part paragraphs."""
    text = "The ship left the harbour\nat noon and was late\nfor once.\n\nNobody minded."
    assert cut(text, paragraphs(text)) == [
        "The ship left the harbour\nat noon and was late\nfor once.",
        "Nobody minded.",
    ]


def test_a_masked_line_parts_wrapped_text() -> None:
    """Page furniture in the midst of wrapped lines belongs to no sentence around it."""
    text = "The ship left the harbour\nat noon and was\nAdvertisement\nlate for once."
    assert cut(text, paragraphs(text, mask(text))) == [
        "The ship left the harbour\nat noon and was",
        "Advertisement",
        "late for once.",
    ]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\u2028", "\u2029", "\u0085"])
def test_every_line_end_ends_a_line(end: str) -> None:
    """Unix, Windows, old Mac and Unicode line ends part paragraphs alike."""
    text = f"The ship left.{end}It was late."
    assert cut(text, paragraphs(text)) == ["The ship left.", "It was late."]


def test_a_byte_order_mark_belongs_to_no_sentence() -> None:
    """The first sentence begins after it, so that it does not stand in a headline."""
    text = "\ufeffThe ship left."
    assert [(s.start, s.end) for s in sentences(text, split_sentences)] == [(1, len(text))]


def test_sentences_do_not_end_at_initials_and_numbers(see_you: str) -> None:
    """The text "V-2 No. 13 rocket" is not the end of a sentence."""
    found = [see_you[s.start : s.end] for s in sentences(see_you, split_sentences)]
    assert any("V-2 No. 13 rocket in October 1946" in sentence for sentence in found)


def test_a_tweet_is_a_paragraph_of_its_own(musk: str) -> None:
    """The signature of a tweet is not joined to the paragraph after it."""
    found = [musk[s.start : s.end] for s in sentences(musk, split_sentences)]
    assert any(sentence.endswith("May 5, 2020") for sentence in found)
    assert not any("May 5, 2020" in sentence and "one fan said" in sentence for sentence in found)


def test_a_long_sentence_is_cut_after_a_clause() -> None:
    """The first piece ends at the last comma that fits."""
    text = "the ship was late, " * 100
    first = sentences(text, split_sentences)[0]
    assert text[first.start : first.end].endswith("late,")
    assert first.end - first.start > MAX_SENTENCE // 2


def test_masked_spans_out_of_the_text_do_no_harm() -> None:
    """A span that covers everything leaves one paragraph a line."""
    text = "one\ntwo\nthree"
    everything = (MaskedSpan(start=0, end=len(text), reason="teasers"),)
    assert cut(text, paragraphs(text, everything)) == ["one", "two", "three"]


@pytest.mark.parametrize(
    "text", ["", " \n\t", "\ufeff", "\u2028", "...", "* * *", "—", "\u200b", "\u0301", "\ufeff…\n"]
)
def test_a_text_without_a_word_cannot_be_read(text: str) -> None:
    """White space, marks and punctuation alone are refused, with a reason."""
    assert fault(text)


@pytest.mark.parametrize("text", ["a", "1946", "你", "🚀", "$$$", "... a"])
def test_a_text_with_a_word_number_or_pictograph_can_be_read(text: str) -> None:
    """However short it is."""
    assert fault(text) is None
    assert not is_blank(text)


def test_nul_and_half_a_surrogate_pair_are_named_with_their_offset() -> None:
    """The reason says where they stand."""
    assert "offset 3" in str(fault("abc\0"))
    assert "offset 2" in str(fault("ab\ud800"))


def test_chinese_characters_count_as_words() -> None:
    """A text without spaces is not one word."""
    assert count_words("这是电影") == 4
    assert words("don’t stop") == ["don’t", "stop"]


def test_stems_ignore_case_and_possessives() -> None:
    """Forms of a word have one stem."""
    assert stems("Cruise’s films") == stems("CRUISE film")


def test_stems_are_the_same_in_many_threads_at_once() -> None:
    """Summaries are made side by side: a word is stemmed by itself, whatever the others are at."""
    # words that no other test has stemmed, as stems are remembered
    texts = [
        f"{start}{at:o}x{end}" for at in range(600) for start in ("repa", "negoti") for end in ("nings", "ationally")
    ]
    texts = [text.translate(str.maketrans("01234567", "abcdefgh")) for text in texts]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(8) as threads:
            together = list(threads.map(stems, texts * 3))
    finally:
        sys.setswitchinterval(before)
    alone = {text: [snowballstemmer.stemmer("english").stemWord(text)] for text in texts}
    assert together == [alone[text] for text in texts * 3]
