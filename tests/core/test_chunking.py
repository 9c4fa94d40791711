"""Chunks tile the text, follow it, and never exceed their budget."""

import random
import re
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from service.adapters.tokens import Tokens, load
from service.core.chunking import MIN_BUDGET_TOKENS, parts_for, split
from service.core.errors import BadSettings, InternalError
from service.core.types import Chunk, Document, MaskedSpan, Sentence, Source

SEEDS = Path(__file__).parent.parent.parent / "seeds"
ENCODINGS = ("cl100k_base", "o200k_base")
PIECES = (
    *("The ", "film ", "isn't ", "NASA", "said, ", "camelCase", "1,600", "“no.” ", "end. ", "What?! ", "a", " b", "/"),
    *(" ", "  ", "\t", "\n", "\n\n", "\r\n", "\n \n", "\n  ", "\n/", "\u00a0", "\u3000", "\u2028", "\x1c", "\r"),
    *(
        "漢字",
        "かな。",
        "ＡＢ",
        "ａａａ",
        "กำลัง",
        "कि",
        "٣١٤",
        "२०२४",
        "1234567",
        "😀",
        "👍🏽",
        "👩‍👩‍👧",
        "🫠",
        "e\u0301",
    ),
    *("<|endoftext|>", "...", "'s", "'", "=" * 9, "\x00", "ႃႃ", "漢ABC", "ÀÉ", "ǅ", "ʰ"),
)
TEXTS = st.lists(
    st.one_of(
        st.sampled_from(PIECES),
        st.tuples(st.sampled_from(PIECES), st.integers(2, 60)).map(lambda piece: piece[0] * piece[1]),
        st.text(max_size=8),
    ),
    max_size=60,
).map("".join)


@cache
def tokens(encoding: str) -> Tokens:
    """An encoding, loaded once."""
    return load(encoding)


def letters(text: str) -> NDArray[np.int64]:
    """An encoding in which every character is a token."""
    return np.arange(1, len(text) + 1)


def source_of(text: str, *, hidden: frozenset[int] = frozenset()) -> Source:
    """A text with its sentences, found the simple way; those whose number is hidden are masked up to the next one."""
    found = list(re.finditer(r"\S(?:.*?[.!?。]+[”\"]?(?=\s|$)|.*?。|.*$)", text, re.MULTILINE))
    paragraph, end, sentences, masked = 1, 0, [], []
    for number, match in enumerate(found, start=1):
        paragraph += "\n\n" in text[end : match.start()]
        end = match.start() + len(match.group().rstrip())
        sentences.append(
            Sentence(number=number, start=match.start(), end=end, paragraph=paragraph, masked=number in hidden)
        )
        if number in hidden:
            until = found[number].start() if number < len(found) else len(text)
            masked.append(MaskedSpan(start=match.start(), end=until, reason="teasers"))
    document = Document(id="d", text=text)
    return Source(document=document, language=None, sentences=tuple(sentences), masked=tuple(masked))


def unmasked(source: Source) -> str:
    """The text without its masked spans."""
    kept = bytearray(b"\x01") * len(source.text)
    for span in source.masked:
        kept[span.start : span.end] = bytes(span.end - span.start)
    return "".join(character for character, keep in zip(source.text, kept, strict=True) if keep)


def text_of(source: Source, chunk: Chunk) -> str:
    """The texts of a chunk's spans, joined."""
    return "".join(source.text[span.start : span.end] for span in chunk.spans)


def texts(source: Source, chunks: tuple[Chunk, ...]) -> list[str]:
    """The text of each chunk."""
    return [text_of(source, chunk) for chunk in chunks]


def article(*, paragraphs: int, seed: int = 7) -> str:
    """Paragraphs of the seeds in a shuffled order, each said to be another."""
    found = [line for path in sorted(SEEDS.glob("*.txt")) for line in path.read_text(encoding="utf-8").split("\n\n")]
    long = [line for line in found if len(line) > 200]
    chosen = random.Random(seed).choices(long, k=paragraphs)  # noqa: S311 - the same article every time
    return "\n\n".join(f"Item {number}. {line}" for number, line in enumerate(chosen, start=1))


@pytest.mark.parametrize("encoding", ENCODINGS)
@settings(max_examples=150, deadline=None)
@given(
    text=TEXTS,
    hidden=st.frozensets(st.integers(1, 12), max_size=4),
    budget=st.integers(MIN_BUDGET_TOKENS, 80),
    parts=st.none() | st.integers(1, 9),
)
def test_chunks_tile_the_unmasked_text_within_their_budget(
    encoding: str, text: str, hidden: frozenset[int], budget: int, parts: int | None
) -> None:
    """Joined they are the unmasked text; each is counted right, by itself, and within the budget."""
    source = source_of(text, hidden=hidden)
    chunks = split(source, ends=tokens(encoding).ends, budget=budget, parts=parts)
    if unmasked(source).strip():
        assert "".join(texts(source, chunks)) == unmasked(source)
    else:
        assert chunks == ()
    assert [chunk.tokens for chunk in chunks] == [tokens(encoding).count(part) for part in texts(source, chunks)]
    assert all(0 < chunk.tokens <= budget for chunk in chunks)


@settings(max_examples=60, deadline=None)
@given(text=TEXTS, hidden=st.frozensets(st.integers(1, 12), max_size=4), parts=st.none() | st.integers(1, 9))
def test_spans_are_in_order_and_apart(text: str, hidden: frozenset[int], parts: int | None) -> None:
    """Spans are not empty, do not overlap, stay within the document, and chunks are numbered from 1."""
    source = source_of(text, hidden=hidden)
    chunks = split(source, ends=letters, budget=40, parts=parts)
    spans = [span for chunk in chunks for span in chunk.spans]
    assert all(0 <= span.start < span.end <= len(text) for span in spans)
    assert all(before.end <= after.start for before, after in pairwise(spans))
    assert [(chunk.index, chunk.of) for chunk in chunks] == [(n, len(chunks)) for n in range(1, len(chunks) + 1)]
    assert all(before.end < after.start for chunk in chunks for before, after in pairwise(chunk.spans))


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize(
    "text",
    [
        pytest.param("abcdefghij" * 15_000, id="letters"),
        pytest.param("漢字かな交じり文です。" * 12_000, id="CJK"),
        pytest.param("漢字かな交じり文です" * 12_000, id="CJK without stops"),
        pytest.param("😀👍🏽👩‍👩‍👧" * 14_000, id="emoji"),
        pytest.param("ａ" * 20_000, id="letters that share tokens"),
        pytest.param("٣١٤" * 40_000, id="Arabic digits"),
        pytest.param(("٣١" * 999 + "1234567" * 999) * 8, id="digits of two scripts"),
        pytest.param("漢ABCdef" * 15_000, id="mixed case"),
        pytest.param("x" + " " * 300_000 + "y", id="spaces"),
        pytest.param("x" + "\n" * 120_000 + "y", id="line ends"),
        pytest.param("word " * 30_000, id="no sentence end"),
    ],
)
def test_odd_texts_are_cut_within_the_budget(encoding: str, text: str) -> None:
    """Nothing is lost and nothing exceeds the budget where there is no good place to cut, across windows too."""
    source = source_of(text)
    chunks = split(source, ends=tokens(encoding).ends, budget=1_000)
    assert "".join(texts(source, chunks)) == text
    assert all(chunk.tokens == tokens(encoding).count(text_of(source, chunk)) <= 1_000 for chunk in chunks)
    assert len(chunks) <= 1.05 * tokens(encoding).count(text) / 1_000 + 1


@pytest.mark.parametrize("text", ["", " ", "\n\n \t\n"])
def test_white_space_alone_gives_no_chunk(text: str) -> None:
    """There is nothing to read in it."""
    assert split(source_of(text), ends=letters, budget=100) == ()


def test_a_text_that_is_all_masked_gives_no_chunk() -> None:
    """What is left is nothing, or white space."""
    assert split(source_of("  One. Two.", hidden=frozenset({1, 2})), ends=letters, budget=100) == ()


def test_a_text_within_the_budget_is_one_chunk_with_its_white_space() -> None:
    """White space at either end belongs to the chunk."""
    (chunk,) = split(source_of("\n  One. Two.\n"), ends=letters, budget=100)
    assert [(span.start, span.end) for span in chunk.spans] == [(0, 13)]


def test_a_masked_span_within_a_chunk_divides_it_into_spans() -> None:
    """The chunk reads on after the masked span."""
    source = source_of("One. Two. Three.", hidden=frozenset({2}))
    (chunk,) = split(source, ends=letters, budget=100)
    assert texts(source, (chunk,)) == ["One. Three."]
    assert [(span.start, span.end) for span in chunk.spans] == [(0, 5), (10, 16)]


def test_tokens_are_those_of_the_joined_spans() -> None:
    """A chunk is counted as it will be read: without what is masked."""
    source = source_of("One. Two. Three.", hidden=frozenset({2}))
    (chunk,) = split(source, ends=letters, budget=100)
    assert chunk.tokens == len("One. Three.")


@pytest.mark.parametrize("parts", [1, 2, 3, 5, 8, 13])
def test_there_are_as_many_parts_as_asked_where_the_budget_allows(parts: int) -> None:
    """No more and no fewer, and none far from the others in size."""
    source = source_of(article(paragraphs=120))
    chunks = split(source, ends=tokens("o200k_base").ends, budget=40_000, parts=parts)
    sizes = [chunk.tokens for chunk in chunks]
    assert len(chunks) == parts
    assert max(sizes) <= 1.5 * sum(sizes) / parts


def test_there_are_more_parts_than_asked_where_one_would_exceed_the_budget() -> None:
    """The budget wins."""
    source = source_of(article(paragraphs=60))
    chunks = split(source, ends=tokens("o200k_base").ends, budget=500, parts=2)
    assert len(chunks) > 2
    assert all(chunk.tokens <= 500 for chunk in chunks)


def test_a_text_of_fewer_tokens_than_parts_has_one_token_in_each() -> None:
    """There cannot be more chunks than tokens."""
    assert len(split(source_of("abc"), ends=letters, budget=100, parts=9)) == 3


def test_without_parts_there_are_about_as_few_as_the_budget_allows() -> None:
    """Chunks are nearly full although they end where sentences do."""
    source = source_of(article(paragraphs=120))
    chunks = split(source, ends=tokens("o200k_base").ends, budget=1_000)
    total = sum(chunk.tokens for chunk in chunks)
    assert len(chunks) <= -(-total // 950)


def test_chunks_start_with_paragraphs_where_the_budget_leaves_room() -> None:
    """Every border is a paragraph start."""
    source = source_of(article(paragraphs=120))
    chunks = split(source, ends=tokens("o200k_base").ends, budget=9_000, parts=6)
    assert all(text.startswith("Item ") for text in texts(source, chunks))


def test_chunks_start_with_sentences_where_a_paragraph_is_too_long() -> None:
    """A border within a paragraph is a sentence start; the blank before it goes with it."""
    source = source_of("A sentence that goes on. " * 400)
    chunks = split(source, ends=tokens("o200k_base").ends, budget=500)
    assert all(text.startswith((" A sentence", "A sentence")) for text in texts(source, chunks))
    assert all(text.rstrip().endswith("on.") for text in texts(source, chunks))


def test_chunks_start_with_words_where_a_sentence_is_too_long() -> None:
    """A border within a sentence is before a blank."""
    source = source_of("extraordinary circumstances " * 300)
    first, *rest = texts(source, split(source, ends=letters, budget=500))
    assert first.startswith("extra")
    assert all(re.match(r" (extraordinary|circumstances) ", text) for text in rest)


def test_line_ends_stay_with_the_chunk_before_and_indentation_with_the_one_after() -> None:
    """A line is never torn from its indentation."""
    source = source_of("One two three.\n\n \n  Four five six.")
    chunks = split(source, ends=letters, budget=20)
    assert texts(source, chunks) == ["One two three.\n\n \n", "  Four five six."]


@pytest.mark.parametrize("place", [0, 1, 5, 20])
def test_a_small_edit_leaves_nearly_all_chunks_as_they_were(place: int) -> None:
    """A sentence added to a paragraph changes the chunk that has it, and at most one border."""
    paragraphs = article(paragraphs=200).split("\n\n")
    edited = [*paragraphs[:place], paragraphs[place] + " A word was added here.", *paragraphs[place + 1 :]]
    sources = [source_of("\n\n".join(lines)) for lines in (paragraphs, edited)]
    before, after = (
        texts(source, split(source, ends=tokens("o200k_base").ends, budget=6_000, parts=10)) for source in sources
    )
    assert len(before) == len(after) == 10
    assert len(set(before) & set(after)) >= 8


def test_a_budget_in_which_a_character_may_not_fit_is_refused() -> None:
    """The message says what the least budget is."""
    with pytest.raises(BadSettings, match="fewer than 16"):
        split(source_of("text"), ends=letters, budget=15)


def test_an_encoding_that_does_not_describe_the_text_is_an_error() -> None:
    """Chunks are never made from offsets that do not belong to the text."""
    with pytest.raises(InternalError, match="character 3 of 4"):
        split(source_of("text"), ends=lambda text: np.arange(1, len(text)), budget=100)


def test_a_text_is_encoded_once_where_its_borders_are_clean() -> None:
    """Prose costs one pass."""
    read: list[int] = []

    def ends(text: str) -> NDArray[np.int64]:
        read.append(len(text))
        return tokens("o200k_base").ends(text)

    text = article(paragraphs=120)
    assert len(split(source_of(text), ends=ends, budget=500)) > 20
    assert read == [len(text)]


def test_only_the_surroundings_of_other_borders_are_encoded_again() -> None:
    """A line without spaces costs less than one pass and a half."""
    read: list[int] = []

    def ends(text: str) -> NDArray[np.int64]:
        read.append(len(text))
        return tokens("o200k_base").ends(text)

    text = "abcdefghij" * 15_000
    assert len(split(source_of(text), ends=ends, budget=1_000)) > 20
    assert sum(read) < 1.5 * len(text)


@pytest.mark.parametrize(("count", "detail", "latency"), [(1, 1, 1), (6_000, 1, 1), (6_001, 3, 3), (60_000, 20, 16)])
def test_parts_follow_the_plan(count: int, detail: int, latency: int) -> None:
    """One up to the size that stays whole, then one for 3,000 tokens, or as many as there are slots."""
    assert parts_for(count, plan="detail", slots=16) == detail
    assert parts_for(count, plan="latency", slots=16) == latency


def test_a_long_text_has_more_parts_than_slots() -> None:
    """Under the latency plan no part is meant to have more than 6,000 tokens."""
    assert parts_for(600_000, plan="latency", slots=16) == 100


@given(count=st.integers(0, 10**7), slots=st.integers(1, 500), whole=st.integers(1, 10**5))
def test_there_is_always_a_part(count: int, slots: int, whole: int) -> None:
    """Whatever is asked, there is at least one part, and at most one for each token."""
    for plan in ("detail", "latency"):
        assert 1 <= parts_for(count, plan=plan, slots=slots, whole=whole) <= max(count, 1)
