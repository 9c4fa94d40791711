"""What is less new than a document says, going by the dates of the others."""

from collections.abc import Callable, Sequence

import msgspec
import pytest

from service.core import documents, grounding
from service.core.entities import entities
from service.core.staleness import stale
from service.core.types import (
    Attribution,
    Caveat,
    Date,
    DateBasis,
    Document,
    DocumentFacts,
    DraftQuote,
    Entity,
    Evidence,
    KeyPoint,
    Mention,
    Source,
)

Read = Callable[..., tuple[Source, ...]]

NEW = "The actor Tom Hale has a new partnership with the director Ana Diaz. Nothing else is known."
SAME = "The actor Tom Hale works with the director Ana Diaz. It began in spring."


def cited(*evidence: Evidence) -> KeyPoint:
    """A point with evidence."""
    return KeyPoint(
        id="k1",
        text="A claim.",
        importance="must",
        kind="fact",
        stance="asserted",
        polarity="affirmed",
        attribution=Attribution(),
        evidence=evidence,
    )


def of(source: Source, iso: str | None, basis: DateBasis = "stated") -> DocumentFacts:
    """What is known of a document, with a date."""
    date = Date(text=iso or "", iso=iso, basis=basis if iso else "none")
    return msgspec.structs.replace(documents.facts(source), date=date)


def found(read: Sequence[Source], *days: str | DocumentFacts | None) -> tuple[Caveat, ...]:
    """What is stale where a point cites each sentence."""
    facts = [day if isinstance(day, DocumentFacts) else of(source, day) for source, day in zip(read, days, strict=True)]
    index = grounding.build_index(read)
    points: list[KeyPoint] = []
    for source in read:
        for one in source.readable:
            quote = DraftQuote(quote=source.text[one.start : one.end], document=source.document.id, sentence=one.number)
            place = grounding.locate(quote, index)
            assert isinstance(place, Evidence)
            points.append(cited(place))
    spans = [(place.document, place.start, place.end) for point in points for place in point.evidence]
    return stale(read, facts, points, entities(read, spans))


def test_what_an_undated_document_calls_new_may_be_as_old_as_a_dated_one(sources: Read) -> None:
    """Both sides are cited, and the words that call it new are given."""
    read = sources(NEW, SAME)
    (caveat,) = found(read, None, "2020-05-05")
    assert (caveat.code, caveat.documents) == ("stale", ("d1", "d2"))
    assert caveat.text == (
        "d1 has no date and says “new partnership”; d2, of 2020-05-05, reports on the same: it may be as old."
    )
    assert [(place.document, place.quote[:24]) for place in caveat.evidence] == [
        ("d1", "The actor Tom Hale has a"),
        ("d2", "The actor Tom Hale works"),
    ]


def test_an_inferred_date_is_the_earliest_that_it_may_be(sources: Read) -> None:
    """It is the day of a post that the document quotes."""
    read = sources(NEW, SAME)
    (caveat,) = found(read, None, of(read[1], "2020-05-05", "inferred"))
    assert "; d2, not before 2020-05-05, reports" in caveat.text


def test_the_oldest_report_is_the_one_that_tells(sources: Read) -> None:
    """One caveat for a document, however many report the same."""
    (caveat,) = found(sources(NEW, SAME, SAME, SAME), None, "2021-01-01", "2020-05-05", "2022")
    assert caveat.documents == ("d1", "d3")


def test_what_an_older_document_calls_new_counts_from_its_day(sources: Read) -> None:
    """Where both state their day, half a year apart or more."""
    (caveat,) = found(sources(NEW, SAME), "2019-05-05", "2020-05-05")
    assert caveat.text == (
        "d1 is of 2019-05-05, and d2 of 2020-05-05 reports on the same: “new partnership” in the older one counts "
        "from then."
    )


@pytest.mark.parametrize(
    ("mine", "others"),
    [
        ("2020-01-01", "2020-06-28"),
        ("2020", "2021-03"),
        ("2020-05-05", "2019-05-05"),
        ("2020-05-05", None),
        ("2020-02-31", "2021-05-05"),
    ],
)
def test_dates_that_are_near_or_vague_say_nothing(sources: Read, mine: str, others: str | None) -> None:
    """179 days; a year that may end the day before; a document that is the younger one; no day that there is."""
    assert found(sources(NEW, SAME), mine, others) == ()


def test_half_a_year_is_180_days(sources: Read) -> None:
    """From the last day that the older may be of to the first of the younger."""
    assert len(found(sources(NEW, SAME), "2020-01-01", "2020-06-29")) == 1


def test_an_inferred_day_of_the_older_document_says_nothing(sources: Read) -> None:
    """Nor one of the younger: it is only a bound."""
    read = sources(NEW, SAME)
    assert found(read, of(read[0], "2019-01-01", "inferred"), "2021-01-01") == ()
    assert found(read, "2019-01-01", of(read[1], "2021-01-01", "inferred")) == ()


@pytest.mark.parametrize(
    "other",
    [
        "The actor Tom Hale is at home. It began in spring.",
        "The actor Tom Hale is at home. The director Ana Diaz is not.",
        "Nobody is at home. It is late.",
    ],
)
def test_one_name_is_not_the_same_story(sources: Read, other: str) -> None:
    """Two names count only where one point cites both."""
    assert found(sources(NEW, other), None, "2020-05-05") == ()


def test_nothing_is_stale_where_no_date_is_known(sources: Read) -> None:
    """Nor in a document by itself, nor without points."""
    read = sources(NEW, SAME)
    assert found(read, None, None) == ()
    assert found(read[:1], None) == ()
    assert found(sources(f"{NEW} {SAME}"), "2020-05-05") == ()
    assert stale(read, [of(read[0], None), of(read[1], "2020")], [], []) == ()
    assert stale([], [], [], []) == ()


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("have recently met", "recently"),
        ("are about to film", "are about to"),
        ("will film next year", "next year"),
        ("made the latest film", "latest film"),
        ("are now in Rome", "now"),
        ("gave a brand-new interview", "brand-new interview"),
        ("met", None),
        ("met in New York", None),
        ("wait for a new generation", None),
        ("renewed their vows", None),
        ("have been apart until now", None),
        ("heard the news", None),
    ],
)
def test_words_that_call_something_new(sources: Read, words: str, shown: str | None) -> None:
    """A name that begins with New is none, nor is what is young or renewed."""
    read = sources(f"The actor Tom Hale and the director Ana Diaz {words}. It is so.", SAME)
    caveats = found(read, None, "2020-05-05")
    assert [f"“{shown}”" in caveat.text for caveat in caveats] == ([True] if shown else [])


def test_other_languages_are_left_alone(sources: Read) -> None:
    """The words are English."""
    read = [msgspec.structs.replace(source, language="de") for source in sources(NEW, SAME)]
    assert found(read, None, "2020-05-05") == ()


def test_the_new_partnership_of_the_seeds_may_be_of_may_2020(
    sources: Read, cruise: str, see_you: str, musk: str
) -> None:
    """Article 000 is undated, 004 quotes a post; 002, about another film, is left alone, whatever is cited."""
    read = sources(cruise, see_you, musk)
    (caveat,) = found(read, *(documents.facts(source) for source in read))
    assert caveat.documents == ("d1", "d3")
    assert "“new partnership”" in caveat.text
    assert "not before 2020-05-05" in caveat.text


def test_five_hundred_points_and_thousands_of_names_take_no_time() -> None:
    """Names are looked up, not gone through for each pair of points."""
    read = [Source(document=Document(id=name, text="x" * 60_000), language="en", sentences=()) for name in ("d1", "d2")]
    named = [
        Entity(
            id=f"e{n}",
            name=f"Name{n}",
            aliases=(),
            type="person",
            name_conflict=(),
            mentions=tuple(Mention(document=name, start=n * 20, end=n * 20 + 5) for name in ("d1", "d2")),
        )
        for n in range(3_000)
    ]
    points = [
        cited(
            *(
                Evidence(
                    document=name,
                    sentence=n,
                    quote="a new film",
                    start=n * 100,
                    end=n * 100 + 90,
                    prefix="",
                    suffix="",
                    match="exact",
                )
                for name in ("d1", "d2")
            )
        )
        for n in range(500)
    ]
    assert len(stale(read, [of(read[0], None), of(read[1], "2020")], points, named)) == 1
