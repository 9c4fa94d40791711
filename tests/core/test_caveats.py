"""What a reader is told before relying on a summary, and what of a model's warnings is passed on."""

from collections.abc import Callable

import pytest

from service.core.caveats import caveats, chosen
from service.core.documents import facts
from service.core.grounding import build_index
from service.core.types import Caveat, Document, KeyPoint, Source, Stance, SummaryResult

Read = Callable[..., tuple[Source, ...]]
Summarise = Callable[..., SummaryResult]

TEXT = "The ship left at noon. See https://harbour.example/log for the recent log."


def said(code: str, text: str, *documents: str) -> Caveat:
    """A model's caveat."""
    return Caveat(code=code, text=text, documents=documents)  # type: ignore[arg-type]


def test_a_models_caveat_stands_after_the_services_own(sources: Read) -> None:
    """The gravest of each first."""
    index = build_index(sources(TEXT))
    own = (said("hedged", "Own hedged.", "d1"), said("instructions", "Own orders.", "d1"))
    given = (said("hedged", "Theirs.", "d1"), said("stale", "Old.", "d1"))
    found = chosen(own, given, index)
    assert [one.text for one in found.caveats] == ["Own orders.", "Own hedged.", "Old."]
    assert found.dropped == ()


def test_what_the_service_has_seen_is_not_said_twice(sources: Read) -> None:
    """Of the same document; of another one it is news."""
    index = build_index(sources(TEXT, TEXT))
    found = chosen((said("stale", "Own.", "d1"),), (said("stale", "A.", "d1"), said("stale", "B.", "d2")), index)
    assert [one.text for one in found.caveats] == ["Own.", "B."]


def test_whether_a_document_is_dated_the_service_sees_itself(sources: Read) -> None:
    """A model that reads the third part of a report does not see the date at its top."""
    index = build_index(sources(TEXT))
    assert chosen((), (said("undated", "It bears no date.", "d1"),), index).caveats == ()


def test_a_caveat_with_a_url_that_no_source_holds_is_dropped_and_listed(sources: Read) -> None:
    """One that a source holds may be named."""
    index = build_index(sources(TEXT))
    given = (said("missing", "See https://evil.example/x.", "d1"), said("missing", "See https://harbour.example/log."))
    found = chosen((), given, index)
    assert [one.text for one in found.caveats] == ["See https://harbour.example/log."]
    assert [(drop.part, drop.reason) for drop in found.dropped] == [("caveat", "url_not_in_source")]


def test_the_same_words_are_said_once(sources: Read) -> None:
    """By a model that reads two parts of a text."""
    twice = said("missing", "No budget is given.", "d1")
    assert len(chosen((), (twice, twice), build_index(sources(TEXT))).caveats) == 1


@pytest.mark.parametrize(("stance", "hedged"), [("reported", True), ("joke", True), ("planned", False)])
def test_weak_points_are_named(sources: Read, stance: Stance, hedged: bool) -> None:
    """Those that are not stated as fact; a plan is stated as one."""
    read = sources(TEXT)
    point = KeyPoint(
        id="k1",
        text="It left.",
        importance="must",
        kind="fact",
        stance=stance,
        polarity="affirmed",
        attribution={},  # type: ignore[arg-type]
        evidence=(),
    )
    found = [one for one in caveats(read, [facts(one) for one in read], [point]) if one.code == "hedged"]
    assert [("k1" in one.text) for one in found] == [True] * hedged


def test_documents_are_called_what_a_reader_knows_them_by(sources: Read) -> None:
    """By title or file, not by a number of ours."""
    (read,) = sources(TEXT)
    document = Document(id="d1", text=TEXT, name="log.txt", title="The Harbour Log")
    source = Source(document=document, language="de", sentences=read.sentences)
    found = {one.code: one for one in caveats([source], [facts(source)], [])}
    assert set(found) == {"undated", "language_unchecked", "missing"}
    assert all("The Harbour Log" in one.text and one.documents == ("d1",) for one in found.values())
