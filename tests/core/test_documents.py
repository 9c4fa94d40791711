"""What is known of a document: its date, and how much of it was read and cited."""

from collections.abc import Callable
from datetime import date

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.documents import called, coverage, days_of, document_date, facts
from service.core.types import (
    Date,
    Document,
    Evidence,
    Gap,
    MaskedSpan,
    Sentence,
    Source,
)

Read = Callable[..., tuple[Source, ...]]

TEXT = "The ship left at noon with 340 men. It was late for once. Nobody on board minded at all."


def sent(source: Source, published_at: str) -> Source:
    """A document with the date that its sender states."""
    return msgspec.structs.replace(source, document=msgspec.structs.replace(source.document, published_at=published_at))


def model_reads(text: str, iso: str | None) -> Date:
    """A date as a model gives it, which always says that it is stated."""
    return Date(text=text, iso=iso, basis="stated")


# --- its name --------------------------------------------------------------------------------------------------------


def test_a_document_is_called_by_its_title_its_name_or_its_id() -> None:
    """The first that there is, in one line."""
    fact = facts(Source(document=Document(id="d1", text="x"), language="en", sentences=()))
    assert called(fact) == "d1"
    assert called(msgspec.structs.replace(fact, name="a.txt")) == "a.txt"
    assert called(msgspec.structs.replace(fact, name="a.txt", title="A\n title")) == "A title"
    assert len(called(msgspec.structs.replace(fact, title="x" * 500))) == 80


# --- its date --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stated", "iso"),
    [
        ("2020-05-05", "2020-05-05"),
        ("2020-05-05T10:00:00Z", "2020-05-05"),
        ("20200505", "2020-05-05"),
        ("20200505T100000", "2020-05-05"),
        ("2020-05", "2020-05"),
        ("2020", "2020"),
        ("May 5, 2020", "2020-05-05"),
        ("Tue, 05 May 2020 10:00:00 GMT", "2020-05-05"),
    ],
)
def test_the_sender_s_date_is_read_in_any_form(sources: Read, stated: str, iso: str) -> None:
    """As ISO 8601 has it, with hyphens or without, or as people write it; the words stay as they came."""
    (read,) = sources(TEXT)
    assert document_date(sent(read, stated)) == Date(text=stated, iso=iso, basis="stated")


@pytest.mark.parametrize("stated", ["yesterday", "soon", "12345678901", "0"])
def test_what_is_no_date_is_stated_in_vain(sources: Read, stated: str) -> None:
    """The words are kept, and date nothing."""
    (read,) = sources(TEXT)
    assert document_date(sent(read, stated)) == Date(text=stated, iso=None, basis="none")


def test_a_date_at_the_top_is_the_document_s_own(sources: Read) -> None:
    """In a line by itself."""
    (read,) = sources(f"Bridge to close\n\n14 October 2025\n\n{TEXT}")
    assert document_date(read) == Date(text="14 October 2025", iso="2025-10-14", basis="stated")


def test_what_the_sender_states_goes_before_what_the_text_states(sources: Read) -> None:
    """An article may be republished."""
    (read,) = sources(f"14 October 2025\n\n{TEXT}")
    assert document_date(sent(read, "2026-01-01")).iso == "2026-01-01"


def test_a_date_is_inferred_from_a_quoted_post(sources: Read, musk: str) -> None:
    """The article cannot be older than what it quotes."""
    (read,) = sources(musk)
    assert document_date(read) == Date(text="May 5, 2020", iso="2020-05-05", basis="inferred")


def test_a_date_that_a_model_reads_is_inferred(sources: Read) -> None:
    """However sure the model is: a date within a text may be the date of anything."""
    (read,) = sources(f"{TEXT} The hall, on 14 October 2025, was full.")
    read_date = model_reads("14 October 2025", "2025-10-14")
    assert document_date(read, read_date) == Date(text="14 October 2025", iso="2025-10-14", basis="inferred")
    assert facts(read, read_date).date.basis == "inferred"
    assert document_date(read) == Date(text="")


def test_what_is_stated_goes_before_what_a_model_reads(sources: Read) -> None:
    """By the sender, or at the top."""
    text = f"14 October 2025\n\n{TEXT} It burned down on 3 May 2026."
    (read,) = sources(text)
    fire = model_reads("3 May 2026", "2026-05-03")
    assert document_date(read, fire).iso == "2025-10-14"
    assert document_date(sent(read, "2025-10-20"), fire).iso == "2025-10-20"


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("15 October 2025", "2025-10-15"),
        ("14 October 2025", "2024-10-14"),
        ("14 October 2025", "2025-1"),
        ("14 October 2025", None),
        ("October 2025", "2025-10-14"),
        ("4 October 2025", "2025-10-04"),
        ("the hall", "2025-10-14"),
        ("", "2025-10-14"),
        (" ", "2025"),
        ("31 February 2025", "2025-02-31"),
    ],
)
def test_what_the_text_does_not_say_is_no_date(sources: Read, text: str, iso: str | None) -> None:
    """The words have to stand there, whole, and to say that very date."""
    (read,) = sources(f"{TEXT} The hall, on 14 October 2025, was full. It was not 31 February 2025.")
    assert document_date(read, model_reads(text, iso)) == Date(text="")


@pytest.mark.parametrize("iso", ["2025", "2025-10", "2025-10-14"])
def test_a_model_may_say_less_than_the_words_do(sources: Read, iso: str) -> None:
    """The date is then what the words say."""
    (read,) = sources(f"{TEXT} The hall, on 14 October 2025, was full.")
    assert document_date(read, model_reads("14 October 2025", iso)).iso == "2025-10-14"


def test_a_date_in_a_masked_span_is_not_read() -> None:
    """Teasers have dates of their own."""
    text = "It rained. More: 14 October 2025."
    source = Source(
        document=Document(id="d1", text=text),
        language="en",
        sentences=(Sentence(number=1, start=0, end=10, paragraph=1),),
        masked=(MaskedSpan(start=11, end=len(text), reason="teasers"),),
    )
    assert document_date(source, model_reads("14 October 2025", "2025-10-14")) == Date(text="")
    unmasked = msgspec.structs.replace(source, masked=())
    assert document_date(unmasked, model_reads("14 October 2025", "2025-10-14")).iso == "2025-10-14"


def test_the_later_of_a_post_and_of_what_a_model_reads_is_inferred(sources: Read, musk: str) -> None:
    """What is older than a post that the text quotes cannot be its date."""
    (before,) = sources(f"{musk}\nIt was said on 3 March 2016.")
    (after,) = sources(f"{musk}\nIt was said on 3 March 2026.")
    assert document_date(before, model_reads("3 March 2016", "2016-03-03")).iso == "2020-05-05"
    assert document_date(after, model_reads("3 March 2026", "2026-03-03")).iso == "2026-03-03"


# --- how much of it was read and cited -------------------------------------------------------------------------------


def cite(start: int, end: int, document: str = "d1") -> Evidence:
    """Evidence at a place."""
    return Evidence(document=document, sentence=1, quote="", start=start, end=end, prefix="", suffix="", match="exact")


def gap(start: int, end: int, document: str = "d1") -> Gap:
    """A stretch that was not read."""
    return Gap(document=document, start=start, end=end, code="endpoint_timeout", detail="")


def three_sentences(*masked: tuple[int, int]) -> Source:
    """Thirty characters: `Aaaa bbb. Cccc ddd. Eeee fff. `, of two words each."""
    text = "Aaaa bbb. Cccc ddd. Eeee fff. "
    spans = tuple(MaskedSpan(start=start, end=end, reason="teasers") for start, end in masked)
    return Source(
        document=Document(id="d1", text=text),
        language="en",
        sentences=tuple(
            Sentence(
                number=n,
                start=10 * (n - 1),
                end=10 * n - 1,
                paragraph=1,
                masked=any(span.start <= 10 * (n - 1) < span.end for span in spans),
            )
            for n in (1, 2, 3)
        ),
        masked=spans,
    )


def test_coverage_adds_up(sources: Read, cruise: str) -> None:
    """Read, masked and unread characters are all; the cited ones are some of the read."""
    (source,) = sources(cruise)
    at = cruise.index("Yet this is precisely")
    covered = coverage(source, [cite(at, at + 50)], [gap(0, 100)])
    assert covered.read + covered.masked + covered.unread == covered.characters == len(cruise)
    assert covered.masked == len(cruise) - cruise.index("News\nStefon")
    assert (covered.cited, covered.unread, sum(covered.thirds)) == (50, 100, 1)


def test_sentences_and_words_are_counted() -> None:
    """A sentence is cited where a quote has a part in it; one character is enough."""
    covered = coverage(three_sentences(), [cite(2, 4), cite(8, 11)], [])
    assert (covered.sentences, covered.sentences_cited, covered.words) == (3, 2, 6)
    assert (covered.thirds, covered.cited) == ((2, 0, 0), 5)


def test_masked_sentences_are_not_counted() -> None:
    """Nor are their words."""
    covered = coverage(three_sentences((20, 30)), [cite(0, 9)], [])
    assert (covered.sentences, covered.sentences_cited, covered.words) == (2, 1, 4)
    assert (covered.read, covered.masked) == (20, 10)


def test_unread_sentences_are_not_counted_but_their_words_are() -> None:
    """The words say how long the text is, whatever came of it."""
    covered = coverage(three_sentences(), [], [gap(10, 20)])
    assert (covered.sentences, covered.words, covered.unread, covered.read) == (2, 6, 10, 20)


def test_what_is_masked_and_unread_is_masked() -> None:
    """No character is counted twice, however the stretches lie over one another."""
    covered = coverage(three_sentences((5, 12), (15, 20)), [], [gap(10, 18), gap(10, 18), gap(16, 25)])
    assert (covered.masked, covered.unread, covered.read) == (12, 8, 10)


def test_overlapping_quotes_are_cited_once() -> None:
    """Characters are counted, not quotes."""
    covered = coverage(three_sentences(), [cite(0, 9), cite(5, 19), cite(0, 9)], [])
    assert (covered.cited, covered.sentences_cited, sum(covered.thirds)) == (19, 2, 3)


def test_other_documents_count_for_nothing() -> None:
    """Neither their quotes nor their gaps."""
    covered = coverage(three_sentences(), [cite(0, 9, "d2")], [gap(0, 9, "d2")])
    assert (covered.cited, covered.unread, covered.thirds, covered.sentences_cited) == (0, 0, (0, 0, 0), 0)


def test_an_empty_text_is_covered() -> None:
    """There is nothing to divide by."""
    source = Source(document=Document(id="d1", text=""), language=None, sentences=())
    covered = coverage(source, [], [])
    assert (covered.characters, covered.read, covered.sentences, covered.words) == (0, 0, 0, 0)


STRETCHES = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)).map(lambda pair: (min(pair), max(pair))))


@given(quotes=STRETCHES, gaps=STRETCHES, cuts=st.lists(st.integers(0, 30), max_size=6, unique=True).map(sorted))
def test_coverage_is_what_counting_every_character_gives(
    quotes: list[tuple[int, int]], gaps: list[tuple[int, int]], cuts: list[int]
) -> None:
    """Whatever overlaps whatever."""
    masked = [(start, end) for start, end in zip(cuts[::2], cuts[1::2], strict=False) if start < end]
    source = three_sentences(*masked)
    covered = coverage(source, [cite(*one) for one in quotes], [gap(*one) for one in gaps])
    hidden = {at for one in masked for at in range(*one)}
    unread = {at for one in gaps for at in range(*one)} - hidden
    assert covered.masked == len(hidden)
    assert covered.unread == len(unread)
    assert covered.read == 30 - len(hidden | unread)
    assert covered.cited == len({at for one in quotes for at in range(*one)})


# --- its days --------------------------------------------------------------------------------------------------------


@given(st.dates())
def test_days_are_counted_as_the_calendar_counts_them(day: date) -> None:
    """The reference is Python's own."""
    days = days_of(day.isoformat())
    epoch = days_of("0001-01-01")
    assert days is not None
    assert epoch is not None
    assert days.first == days.last
    assert days.first - epoch.first == day.toordinal() - 1


@given(st.text(alphabet="0123456789-x", max_size=11))
def test_no_date_breaks_it(iso: str) -> None:
    """What is no day of the calendar is none."""
    days = days_of(iso)
    assert days is None or days.first <= days.last
