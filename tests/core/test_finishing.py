"""What a draft becomes once it is held against its sources."""

from collections.abc import Callable
from pathlib import Path

import msgspec

from service.core.finishing import finish
from service.core.grounding import build_index
from service.core.types import (
    Draft,
    DraftLine,
    DraftPoint,
    DraftQuote,
    Manifest,
    Options,
    Source,
    SummaryResult,
)

Read = Callable[..., tuple[Source, ...]]
Summarise = Callable[..., SummaryResult]

MANIFEST = Manifest(
    engine="llm",
    service_version="0",
    prompt=None,
    endpoint=None,
    model=None,
    parameters=Options(),
    versions={},
)
TEXT = "The ship left at noon with 340 men. It was late for once. Nobody on board minded at all."


def finished(read: tuple[Source, ...], *quotes: str, max_words: int = 100) -> SummaryResult:
    """The result of a draft with a point for each quote from the first document."""
    points = tuple(DraftPoint(text=quote, quotes=(DraftQuote(quote=quote, document="d1"),)) for quote in quotes)
    lines = tuple(DraftLine(text=quote, points=(n,)) for n, quote in enumerate(quotes))
    drafted = Draft(headline="A ship", abstract=lines, points=points)
    return finish(drafted, read, build_index(read), manifest=MANIFEST, max_words=max_words)


def codes(result: SummaryResult) -> list[str]:
    """The codes of the caveats."""
    return [caveat.code for caveat in result.caveats]


def test_a_point_whose_quote_is_not_found_is_dropped_and_listed(sources: Read) -> None:
    """With its line of the abstract; the numbering has no gap."""
    result = finished(sources(TEXT), "The ship left at noon with 430 men.", "It was late for once.")
    assert [(point.id, point.text) for point in result.key_points] == [("k1", "It was late for once.")]
    assert [(line.text, line.key_points) for line in result.abstract] == [("It was late for once.", ("k1",))]
    assert [(drop.part, drop.text, drop.reason) for drop in result.verification.dropped] == [
        ("key_point", "The ship left at noon with 430 men.", "not_found"),
        ("abstract", "The ship left at noon with 430 men.", "lost_support"),
    ]
    assert (result.verification.points_given, result.verification.points_kept) == (2, 1)


def test_a_quote_from_a_masked_part_is_no_evidence(sources: Read, cruise: str) -> None:
    """The tail of teasers cannot be cited."""
    result = finished(sources(cruise), "Stefon Diggs is finally speaking out.")
    assert not result.key_points
    assert [drop.reason for drop in result.verification.lost_points] == ["boilerplate"]


def test_a_point_without_a_quote_is_dropped(sources: Read) -> None:
    """For want of evidence."""
    read = sources(TEXT)
    drafted = Draft(headline="", abstract=(), points=(DraftPoint(text="It sank.", quotes=()),))
    result = finish(drafted, read, build_index(read), manifest=MANIFEST, max_words=10)
    assert [drop.reason for drop in result.verification.dropped] == ["no_evidence"]


def test_one_quote_given_twice_is_one_piece_of_evidence(sources: Read) -> None:
    """The same place is not counted twice."""
    read = sources(TEXT)
    quote = DraftQuote(quote="It was late for once.", document="d1")
    drafted = Draft(headline="", abstract=(), points=(DraftPoint(text="Late.", quotes=(quote, quote)),))
    (point,) = finish(drafted, read, build_index(read), manifest=MANIFEST, max_words=10).key_points
    assert len(point.evidence) == 1


def test_the_bound_on_words_is_reported_as_broken_where_it_is(sources: Read) -> None:
    """What was asked and what came out stand side by side."""
    report = finished(sources(TEXT), "It was late for once.", max_words=3).length
    assert (report.max_words, report.abstract_words, report.key_point_words, report.within) == (3, 5, 5, False)
    assert finished(sources(TEXT), "It was late for once.", max_words=5).length.within


def test_the_two_iervolinos_are_a_conflict_with_both_sides_quoted(summarise: Summarise, see_you: str) -> None:
    """Each side quotes a sentence with its own form of the name."""
    (conflict,) = summarise(see_you).conflicts
    assert (conflict.kind, conflict.scope) == ("name", "within")
    quotes = [[place.quote for place in side.evidence] for side in conflict.sides]
    assert [len(side) for side in quotes] == [1, 1]
    assert "Andrea Iervolino" in quotes[0][0]
    assert "Domenico Iervolino" in quotes[1][0]
    assert all(see_you[e.start : e.end] == e.quote for side in conflict.sides for e in side.evidence)


def test_the_long_text_has_no_name_conflict(summarise: Summarise) -> None:
    """It has a widow, a namesake, and offices with a place in their name, and all are told apart."""
    path = Path(__file__).parents[1] / "texts" / "harbour-inquiry.txt"
    result = summarise(path.read_bytes().decode())
    assert result.conflicts == ()
    assert (result.documents[0].date.iso, result.documents[0].date.basis) == ("2025-03-14", "stated")


def test_points_name_the_entities_that_their_evidence_holds(summarise: Summarise, see_you: str) -> None:
    """By id, and only those."""
    result = summarise(see_you)
    name_of = {entity.id: entity for entity in result.entities}
    (point,) = [point for point in result.key_points if "Scott Kelly" in point.text]
    assert {"Scott Kelly", "NASA", "I See You", "Deadline"} == {name_of[entity].name for entity in point.entities}


def test_a_document_without_a_date_has_a_caveat(summarise: Summarise, see_you: str) -> None:
    """A date stated by the sender would do."""
    assert "undated" in codes(summarise(see_you))


def test_a_stated_date_needs_no_caveat(sources: Read) -> None:
    """The sender's is one."""
    (read,) = sources(TEXT)
    dated = msgspec.structs.replace(
        read, document=msgspec.structs.replace(read.document, published_at="2020-05-05T10:00:00Z")
    )
    assert "undated" not in codes(finished((dated,), "It was late for once."))


def test_a_date_is_inferred_from_a_quoted_tweet_and_still_caveated(summarise: Summarise, musk: str) -> None:
    """The article cannot be older than what it quotes."""
    result = summarise(musk)
    assert (result.documents[0].date.iso, result.documents[0].date.basis) == ("2020-05-05", "inferred")
    (caveat,) = [caveat for caveat in result.caveats if caveat.code == "undated"]
    assert "not before 2020-05-05" in caveat.text


def test_a_date_that_the_text_states_at_its_top_needs_no_caveat(sources: Read) -> None:
    """The reader need not be told what he can read."""
    (read,) = sources(f"Bridge to close\n\n14 October 2025\n\n{TEXT}")
    assert "undated" not in codes(finished((read,), "It was late for once."))


def undated(result: SummaryResult) -> str:
    """The text of the caveat on dates."""
    return next(caveat.text for caveat in result.caveats if caveat.code == "undated")


def test_only_words_that_the_text_uses_are_said_to_be_unplaced(sources: Read) -> None:
    """A text that speaks of no "recent" or "next year" has no such words to place."""
    assert undated(finished(sources(TEXT), "It was late for once.")) == "No date was recognised in d1."
    read = sources(f"{TEXT} It left recently. It will leave again next year.")
    assert undated(finished(read, "It was late for once.")).endswith("Words like “recently” cannot be placed in time.")
    both = sources(f"{TEXT} It left recently.", f"{TEXT} It will leave again next year.")
    assert "d1, d2. Words like “recently” and “next year” cannot" in undated(finished(both, "It was late for once."))


def test_one_is_singular(sources: Read) -> None:
    """The caveats are sentences, whatever the numbers."""
    read = sources(TEXT, "It rained. It rained again and again in the town.")
    drafted = Draft(
        headline="",
        abstract=(),
        points=(
            DraftPoint(
                text="Late.", quotes=(DraftQuote(quote="It was late for once.", document="d1"),), stance="claimed"
            ),
        ),
    )
    texts = {
        caveat.code: caveat.text
        for caveat in finish(drafted, read, build_index(read), manifest=MANIFEST, max_words=10).caveats
    }
    assert texts["hedged"].startswith("1 of 1 key point is reported, claimed")
    assert texts["missing"].startswith("1 of 2 documents has no point in the summary: d2.")


def test_hedged_points_are_named_with_their_evidence(summarise: Summarise, see_you: str) -> None:
    """The reader is told which points are not stated as fact."""
    result = summarise(see_you)
    weak = [point for point in result.key_points if point.stance == "reported"]
    (caveat,) = [caveat for caveat in result.caveats if caveat.code == "hedged"]
    assert weak
    assert all(point.id in caveat.text for point in weak)
    assert {place.start for point in weak for place in point.evidence} <= {place.start for place in caveat.evidence}


def test_a_document_without_a_point_is_named_as_missing(sources: Read, see_you: str) -> None:
    """The caveat says which, and what to do."""
    result = finished(sources(TEXT, see_you), "It was late for once.")
    (caveat,) = [caveat for caveat in result.caveats if caveat.code == "missing"]
    assert "d2" in caveat.text
    assert "d1" not in caveat.text


def test_another_language_is_said_to_be_unchecked(summarise: Summarise, musk: str) -> None:
    """By document, with the language."""
    result = summarise(musk, "这是一个关于太空电影的故事。他说这部电影很好！演员将前往国际空间站拍摄。")
    (caveat,) = [caveat for caveat in result.caveats if caveat.code == "language_unchecked"]
    assert "d2 (zh)" in caveat.text
    assert "d1" not in caveat.text
    assert "language_unchecked" not in codes(summarise(musk))


def test_a_sentence_cut_inside_a_word_is_evidence(summarise: Summarise) -> None:
    """A stretch without spaces is cut somewhere; the piece is the source's own text all the same."""
    text = "ab" * 5_000
    (point,) = summarise(text).key_points
    assert [text[e.start : e.end] for e in point.evidence] == [e.quote for e in point.evidence]
    assert len(point.evidence[0].quote) == 1_000


def test_a_sentence_of_the_abstract_is_held_against_the_quotes_of_its_points(sources: Read) -> None:
    """A number that they do not hold drops it; a turned negation is shown with a warning."""
    read = sources(TEXT)
    point = DraftPoint(text="It was late.", quotes=(DraftQuote(quote="It was late for once.", document="d1"),))
    lines = [
        DraftLine(text=text, points=(0,)) for text in ("It was 9 days late.", "It was not late for once.", "Late.")
    ]
    result = finish(
        Draft(headline="Late", abstract=tuple(lines), points=(point,)),
        read,
        build_index(read),
        manifest=MANIFEST,
        max_words=100,
    )
    assert [(line.text, [check.code for check in line.checks]) for line in result.abstract] == [
        ("It was not late for once.", ["negation"]),
        ("Late.", []),
    ]
    assert [(drop.part, drop.reason) for drop in result.verification.dropped] == [("abstract", "number_mismatch")]


def test_a_headline_beyond_the_quotes_gives_way_to_the_foremost_point(sources: Read) -> None:
    """It is listed as dropped."""
    read = sources(TEXT)
    point = DraftPoint(text="It was late.", quotes=(DraftQuote(quote="It was late for once.", document="d1"),))
    drafted = Draft(headline="Ship 9 days late", abstract=(), points=(point,))
    result = finish(drafted, read, build_index(read), manifest=MANIFEST, max_words=100)
    assert result.headline == "It was late."
    assert [line.text for line in result.abstract] == ["It was late."]
    assert [(drop.part, drop.text) for drop in result.verification.dropped] == [("headline", "Ship 9 days late")]
