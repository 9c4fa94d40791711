"""What is known of a document: its name, its date, and how much of it was read and cited."""

import hashlib
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from service.core import cues, datelines
from service.core.prompts import clean
from service.core.shadow import occurrences
from service.core.spans import Stretch, common, length, stretch, united
from service.core.text import count_words
from service.core.types import (
    Date,
    Document,
    DocumentCoverage,
    DocumentFacts,
    Evidence,
    Gap,
    Sentence,
    Source,
)

_ISO = re.compile(r"(\d{4})(?:-?(0[1-9]|1[0-2])-?(0[1-9]|[12]\d|3[01])(?!\d)|-(0[1-9]|1[0-2])$|$)", re.ASCII)
_DAY = len("2025-10-14")
_LONGEST_NAME = 80
_AS_FAR_AS_KNOWN = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?")
_LONGEST_MONTH = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


class Days(NamedTuple):
    """The first and the last day that a date may be, as numbers that count on by one a day."""

    first: int
    last: int


def facts(source: Source, read: Date | None = None) -> DocumentFacts:
    """What is known of a document, without its text; `read` is its date as a model reads it."""
    document = source.document
    return DocumentFacts(
        id=document.id,
        sha256=hashlib.sha256(document.text.encode()).hexdigest(),
        characters=len(document.text),
        language=source.language,
        date=document_date(source, read),
        masked=source.masked,
        name=document.name,
        title=document.title,
        url=document.url,
        media_type=document.media_type,
    )


def called(document: Document | DocumentFacts) -> str:
    """What a reader knows a document by: its title, else the name of its file, else its id."""
    name = clean(document.title or "") or clean(document.name or "") or document.id
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"


# --- its date --------------------------------------------------------------------------------------------------------


def document_date(source: Source, read: Date | None = None) -> Date:
    """The date of a document: as its sender or its own top states it, else inferred.

    Inferred is what a model reads, where the text holds it: never more, as it may be the date of anything. A text
    cannot be older than the latest post that it quotes, so that what is read earlier gives way to that.
    """
    if source.document.published_at:
        return _sent(source.document.published_at)
    if line := datelines.stated_date(source):
        return line
    inferred = [*_posted(source), *_held(source, read)]
    if not inferred:
        return Date(text="")
    latest = max(inferred, key=lambda date: date.iso or "")
    return Date(text=latest.text, iso=latest.iso, basis="inferred")


def _sent(stated: str) -> Date:
    """The day that a sender states: ISO 8601 with or without hyphens and time, else as far as it can be read."""
    if iso := _ISO.match(stated):
        return Date(text=stated, iso="-".join(filter(None, iso.groups())), basis="stated")
    read = next((date.iso for date in cues.dates(stated) if date.iso), None)
    return Date(text=stated, iso=read, basis="stated" if read else "none")


def _posted(source: Source) -> list[Date]:
    """Dates of the posts that a document quotes."""
    return [
        date
        for sentence in source.readable
        for text in [source.text[sentence.start : sentence.end]]
        if cues.is_social(text)
        for date in cues.dates(text)
        if date.iso is not None and date.basis == "stated"
    ]


def _held(source: Source, read: Date | None) -> list[Date]:
    """What a model reads as a date, where the document says so in these words outside its masked spans."""
    if read is None or not read.iso or not read.text.strip():
        return []
    words = read.text.strip()
    found = [
        date
        for date in cues.dates(words)
        if date.iso and _begins(date.iso, read.iso) and (len(date.iso) < _DAY or datelines.line_date(date.text))
    ]
    ends = [span.end for span in source.masked]
    for at in occurrences(source.text, words, 0, len(source.text)) if found else ():
        after = bisect_right(ends, at)
        if after == len(ends) or source.masked[after].start >= at + len(words):
            return found[:1]
    return []


def _begins(iso: str, beginning: str) -> bool:
    """Whether a date begins with a year, a month or itself."""
    return iso == beginning or iso.startswith(f"{beginning}-")


def days_of(iso: str | None) -> Days | None:
    """The days that a date may be, a year or a month being many; None where there is none.

    >>> [days.last - days.first + 1 for iso in ("2020", "2020-02", "2020-02-29") if (days := days_of(iso))]
    [366, 29, 1]
    >>> days_of("2020-13"), days_of("2021-02-29"), days_of(None)
    (None, None, None)
    """
    match = _AS_FAR_AS_KNOWN.fullmatch(iso or "")
    if match is None:
        return None
    year, month, day = int(match[1]), int(match[2] or 1), int(match[3] or 1)
    last_month = int(match[2] or 12)
    if not 1 <= month <= len(_LONGEST_MONTH):
        return None
    longest = _length(year, last_month)
    if not 1 <= day <= longest:
        return None
    return Days(first=_ordinal(year, month, day), last=_ordinal(year, last_month, int(match[3] or longest)))


def _length(year: int, month: int) -> int:
    leap = month == 2 and (year % 4 == 0 and (year % 100 != 0 or year % 400 == 0))  # noqa: PLR2004 - the calendar
    return _LONGEST_MONTH[month - 1] + leap


def _ordinal(year: int, month: int, day: int) -> int:
    """Days since the year 0, in the Gregorian calendar."""
    before = year - 1
    return (
        365 * year + before // 4 - before // 100 + before // 400 + sum(_length(year, m) for m in range(1, month)) + day
    )


# --- what became of its text -----------------------------------------------------------------------------------------


def coverage(source: Source, evidence: Sequence[Evidence], gaps: Sequence[Gap]) -> DocumentCoverage:
    """Every character of a document by what became of it; white space between readable sentences counts as read."""
    size = len(source.text)
    own = [place for place in evidence if place.document == source.document.id]
    unread = united(stretch(gap) for gap in gaps if gap.document == source.document.id)
    masked = [(source.document.id, span.start, span.end) for span in source.masked]
    missed = length(unread) - common(unread, masked)
    thirds = [0, 0, 0]
    for place in own:
        thirds[min(2, place.start * 3 // max(size, 1))] += 1
    cited = united(map(stretch, own))
    body = _apart(source.readable, unread)
    return DocumentCoverage(
        document=source.document.id,
        characters=size,
        read=size - length(masked) - missed,
        cited=length(cited),
        masked=length(masked),
        unread=missed,
        thirds=(thirds[0], thirds[1], thirds[2]),
        sentences=len(body),
        sentences_cited=len(body) - len(_apart(body, cited)),
        words=sum(count_words(source.text[sentence.start : sentence.end]) for sentence in source.readable),
    )


def _apart(sentences: Iterable[Sentence], spans: Sequence[Stretch]) -> list[Sentence]:
    """Sentences that no span overlaps; the spans stand in order, apart from one another."""
    starts = [start for _, start, _ in spans]
    return [
        sentence
        for sentence in sentences
        for at in [bisect_left(starts, sentence.end) - 1]
        if at < 0 or spans[at][2] <= sentence.start
    ]
