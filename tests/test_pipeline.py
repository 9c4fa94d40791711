"""Documents in, a summary out, with the real tools: whatever the documents are."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from service import pipeline
from service.core.errors import InvalidRequest, NeedsModel, NothingToRead
from service.core.masking import is_all_masked
from service.core.text import fault
from service.core.types import Document, Evidence, Length, Options, SummaryResult

Summarise = Callable[..., SummaryResult]

ARABIC = "هذا نص عربي عن الفضاء والأفلام. هل هو جيد؟ نعم هو جيد جدا. "
CHINESE = "这是一个关于太空电影的故事。他说这部电影很好！演员将前往国际空间站。"
PIECES = (
    "Tom Cruise said on Monday that the film cost $1, 600 in May 2020. ",
    "“It is an extraordinary honour to be here,” Iervolino said. ",
    "Star speaks out after the game\nAfter days of silence the star…\n",
    "YO WHAT A FILM — $KY (@sky) May 5, 2020\n",
    "Producer: we can't film anything.\n",
    "Andrea Iervolino came. Domenico Iervolino left. Iervolino stayed. ",
    "The International Space Station (ISS) is far. ",
    "*I See You* is out. ",
    "wrapped lines that\nrun on and on\n",
    ARABIC,
    CHINESE,
    "<|endoftext|>",
    "Advertisement\n",
    "Read more\n",
    "News\n",
    "👩‍🚀🚀",
    "e\u0301",
    "...",
    "…",
    "\n\n",
    "\r\n",
    "\r",
    "\u2028",
    "\ufeff",
    "\u200b",
    "\u00a0",
    "a" * 1_500,
    "12 34 5.6 ",
)
TEXTS = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=10)), max_size=25).map("".join)
LENGTHS: tuple[Length, ...] = ("brief", "standard", "detailed")
HARD = {
    "a million spaces": " " * 1_000_000 + "The ship left at noon and was late.",
    "a special token": "The text <|endoftext|> is a token of a model. <|im_start|> is one as well, they said.",
    "a megabyte without a space": "aB3" * 350_000,
    "a megabyte of one letter": "A" * 1_000_000,
    "a megabyte of dots and a word": "." * 1_000_000 + "word",
    "mixed line ends": "The ship left.\r\nIt was late.\rNobody minded.\n\r\nSo it goes on.\u2028And on and on.",
    "a BOM": "\ufeffThe ship left at noon and was late.",
    "right to left": ARABIC * 40,
    "Chinese": CHINESE * 40,
    "one word": "Hello",
    "numbers": "12 34 5.6 1,600 2020",
    "pictographs": "🚀👩‍🚀🚀",
    "combining marks": "e" + "\u0301" * 5_000 + " and so on it goes.",
    "furniture in wrapped text": "It was said\nthat the council\nAdvertisement\nwould build it and\nRead more\npay.",
}


def evidence(result: SummaryResult) -> list[Evidence]:
    """Every piece of evidence of a result."""
    return [
        *(place for point in result.key_points for place in point.evidence),
        *(place for conflict in result.conflicts for side in conflict.sides for place in side.evidence),
        *(place for caveat in result.caveats for place in caveat.evidence),
    ]


def check(result: SummaryResult, *texts: str) -> None:
    """Hold a result against its sources, in everything that must be true of any."""
    text_of = {f"d{number}": text for number, text in enumerate(texts, 1)}
    assert result.key_points
    for place in evidence(result):
        text = text_of[place.document]
        assert text[place.start : place.end] == place.quote != ""
        assert text[: place.start].endswith(place.prefix)
        assert text[place.end :].startswith(place.suffix)
    assert not result.verification.dropped
    for entity in result.entities:
        for mention in entity.mentions:
            assert text_of[mention.document][mention.start : mention.end] in (entity.name, *entity.aliases)
    for covered in result.coverage.documents:
        assert covered.read + covered.masked + covered.unread == covered.characters == len(text_of[covered.document])
        assert 0 <= covered.cited <= covered.read
    ids = {point.id for point in result.key_points}
    assert {key for line in result.abstract for key in line.key_points} == ids
    words = max(result.length.abstract_words, result.length.key_point_words)
    assert result.length.within == (words <= result.length.max_words)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    texts=st.lists(TEXTS, min_size=1, max_size=3), length=st.sampled_from(LENGTHS), most=st.none() | st.integers(1, 60)
)
@example(texts=["…\nAdvertisement\nx"], length="brief", most=None)
@example(texts=["a" * 3_000], length="standard", most=1)
def test_whatever_the_text_it_is_refused_or_every_quote_is_its_own(
    summarise: Summarise, texts: list[str], length: Length, most: int | None
) -> None:
    """`text[start:end] == quote`, nothing dropped, coverage that adds up; or a refusal that names the document."""
    if any(fault(text) or is_all_masked(text) for text in texts):
        with pytest.raises(NothingToRead, match="named below"):
            summarise(*texts, length=length, max_words=most)
    else:
        check(summarise(*texts, length=length, max_words=most), *texts)


@pytest.mark.parametrize("name", HARD)
def test_hard_texts_are_summarised(summarise: Summarise, name: str) -> None:
    """Offsets are exact in every one of them."""
    check(summarise(HARD[name]), HARD[name])


@pytest.mark.parametrize("name", HARD)
def test_hard_texts_are_planned(tools: pipeline.Tools, name: str) -> None:
    """Their tokens are counted, and there is a chunk at least."""
    planned = asyncio.run(pipeline.plan([Document(id="d1", text=HARD[name])], Options(), tools=tools))
    assert planned.chunks >= 1
    assert planned.documents[0].tokens >= 1


@pytest.mark.parametrize("name", ["right to left", "Chinese"])
def test_the_rules_are_said_not_to_apply_to_other_languages(summarise: Summarise, name: str) -> None:
    """The result carries `language_unchecked`."""
    assert "language_unchecked" in {caveat.code for caveat in summarise(HARD[name]).caveats}


@pytest.mark.parametrize("text", ["", "  \n", "\ufeff", "...", "* * *", "a\0b", "\ud800", "Advertisement\nLoad more\n"])
def test_what_cannot_be_read_is_refused_by_name(tools: pipeline.Tools, text: str) -> None:
    """`check`, `plan` and `summarise` point to the text at fault, and only to that."""
    documents = [Document(id="d1", text="The ship left."), Document(id="d2", text=text)]
    for refuse in (pipeline.check, pipeline.plan, pipeline.summarise):
        with pytest.raises(NothingToRead) as refused:
            asyncio.run(refuse(documents, Options(), tools=tools))
        assert [error.pointer for error in refused.value.errors] == ["/documents/1/text"]


def test_only_masked_matter_is_refused_as_such(tools: pipeline.Tools, cruise: str) -> None:
    """The tail of the first seed alone is not an article."""
    tail = cruise[cruise.index("News\nStefon") :]
    with pytest.raises(NothingToRead) as refused:
        asyncio.run(pipeline.check([Document(id="d1", text=tail)], Options(), tools=tools))
    assert [error.pointer for error in refused.value.errors] == ["/documents/0/text"]
    assert "leftovers" in refused.value.errors[0].detail


def test_no_document_is_refused(tools: pipeline.Tools) -> None:
    """There is nothing to summarise."""
    with pytest.raises(InvalidRequest):
        asyncio.run(pipeline.check([], Options(), tools=tools))


def test_another_language_needs_a_model(tools: pipeline.Tools, musk: str) -> None:
    """The text's own needs none."""
    asyncio.run(pipeline.check([Document(id="d1", text=musk)], Options(language="en"), tools=tools))
    with pytest.raises(NeedsModel):
        asyncio.run(pipeline.check([Document(id="d1", text=musk)], Options(language="de"), tools=tools))


def test_the_seeds_are_summarised_with_exact_quotes(summarise: Summarise, cruise: str, see_you: str, musk: str) -> None:
    """Each alone, and all together."""
    for texts in ((cruise,), (see_you,), (musk,), (cruise, see_you, musk)):
        result = summarise(*texts)
        check(result, *texts)
        assert result.length.within


def test_only_the_tail_of_the_first_seed_is_masked(summarise: Summarise, cruise: str, see_you: str, musk: str) -> None:
    """From "News" to its end."""
    masked = [document.masked for document in summarise(cruise, see_you, musk).documents]
    assert [[(span.start, span.end, span.reason) for span in spans] for spans in masked] == [
        [(cruise.index("News\nStefon"), len(cruise), "teasers")],
        [],
        [],
    ]


@pytest.mark.parametrize("end", ["\r\n", "\r"])
def test_other_line_ends_change_the_offsets_and_nothing_else(summarise: Summarise, see_you: str, end: str) -> None:
    """The same points, each still exact."""
    text = see_you.replace("\n", end)
    result = summarise(text)
    check(result, text)
    assert [point.text for point in result.key_points] == [point.text for point in summarise(see_you).key_points]


def test_a_hundred_documents_make_one_summary(summarise: Summarise) -> None:
    """With as many points as fit, and the rest named as missing."""
    texts = [
        f"Company {n} made a profit of {n} million dollars in March. It was its best year so far." for n in range(100)
    ]
    result = summarise(*texts)
    check(result, *texts)
    assert len({point.evidence[0].document for point in result.key_points}) == len(result.key_points)
    assert "missing" in {caveat.code for caveat in result.caveats}


def test_two_identical_documents_make_the_summary_of_one(summarise: Summarise, musk: str) -> None:
    """Each point is cited from both, and none is missing."""
    result = summarise(musk, musk)
    check(result, musk, musk)
    assert all({place.document for place in point.evidence} == {"d1", "d2"} for point in result.key_points)
    assert "missing" not in {caveat.code for caveat in result.caveats}


def test_an_unmatched_focus_is_said_to_be(summarise: Summarise, see_you: str) -> None:
    """And a matched one is not."""
    assert "focus_unmatched" in {caveat.code for caveat in summarise(see_you, focus="the zebra").caveats}
    assert "focus_unmatched" not in {caveat.code for caveat in summarise(see_you, focus="Scott Kelly").caveats}


def test_a_bound_that_nothing_fits_is_reported(summarise: Summarise, see_you: str) -> None:
    """`within` is false, and the sentence is whole."""
    report = summarise(see_you, max_words=2).length
    assert (report.max_words, report.within) == (2, False)


def test_the_plan_says_the_bound_that_the_summary_has(summarise: Summarise, tools: pipeline.Tools, musk: str) -> None:
    """Both from the words of the text."""
    planned = asyncio.run(pipeline.plan([Document(id="d1", text=musk)], Options(), tools=tools))
    assert planned.max_words == summarise(musk).length.max_words
    assert (planned.calls, planned.documents[0].characters) == (0, len(musk))


PROGRAM = """
import asyncio, hashlib, sys
from pathlib import Path
import msgspec
from service import pipeline
from service.adapters import language
from service.core.types import Document, Options
tools = pipeline.Tools(split_sentences=language.split_sentences, detect_language=language.detect_language,
    token_ends=len, encoding="", chunk_tokens=1, slots=1, service_version="0")
documents = [Document(id=p.name, text=p.read_bytes().decode()) for p in sorted(Path(sys.argv[1]).glob("0*.txt"))]
for options in (Options(), Options(focus="Scott Kelly space film astronaut rocket", length="detailed")):
    result = asyncio.run(pipeline.summarise(documents, options, tools=tools))
    print(hashlib.sha256(msgspec.json.encode(result)).hexdigest())
"""


def test_the_same_documents_give_the_same_bytes_in_every_process() -> None:
    """Whatever the seed of Python's hashes."""
    root = Path(__file__).parents[1]
    printed = [
        subprocess.run(  # noqa: S603 - this very interpreter
            [sys.executable, "-c", PROGRAM, str(root / "seeds")],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=root,
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for seed in ("0", "1", "4242")
    ]
    assert len(printed[0].split()) == 2
    assert printed[0] == printed[1] == printed[2]


def test_the_same_documents_give_the_same_bytes_again(summarise: Summarise, see_you: str) -> None:
    """Nothing is left over from the summary before."""
    first, second = (msgspec.json.encode(summarise(see_you, focus="NASA")) for _ in range(2))
    assert first == second
