"""The lines above an article: who wrote it, and the day that it states as its own. The rules know English."""

import re
from collections.abc import Iterator

from service.core import cues
from service.core.text import lines
from service.core.types import Date, Source

LONGEST_LINE = 120
"""Characters of a line that may be a dateline."""
_DATELINES = 3
"""Short lines at the top of a text among which a dateline is looked for."""
_LINES = 6
_TOP = 4_000
"""Characters that are read for them."""
_DAY = len("2025-10-14")
_MOST_WORDS = 10
_LONGEST_MONTH = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_ISO_TIME = re.compile(r"(?<=\d{4}-\d\d-\d\d)T(?=\d\d:)")
_LABEL = re.compile(
    r"\b(?:(?:first|originally|last)\s+)?(?:published|posted|updated|modified|created|issued|filed|released?|dated?)\b"
    r"(?:\s+(?:on|at)\b)?\s*[:=]?",
    re.IGNORECASE,
)
_TIME = re.compile(
    r"\b\d{1,2}[:.]\d{2}(?::\d{2}(?:\.\d+)?)?(?:\s*[ap]\.?m\b\.?)?(?:\s?(?:Z\b|[+-]\d\d:?\d\d\b|[A-Z]{2,5}\b))?"
    r"|\b\d{1,2}\s?[ap]\.?m\b\.?|\b\d{1,2}\s+min(?:utes?)?\s+read\b",
    re.IGNORECASE,
)
_BYLINE = re.compile(r"(?:(?:Words|Written|Reporting|Report|Story|Photos?|Photographs?)\s+)?[Bb]y\s+[A-Z]")
_JOINING = frozenset("by and of the for at in de van von und al bin".split())
_WORD = re.compile(r"[^\W_][\w.’'-]*")
_PLACE = re.compile(r"\W*(?:[A-Z][A-Z.’'-]+(?:[ ,]+[A-Z][\w.’'-]*){0,5},?\s*(?:[/(][^)/\n]{2,40}[/)]\s*)?)?")
_AGENCY = re.compile(r"\s*,?\s*(?:[/(][^)/\n]{2,40}[/)]\s*)*(?:-{1,2}|–|—)(?:\s|$)")


def stated_date(source: Source) -> Date | None:
    """The day that a document states as its own at its top: in a line by itself, or before a wire report's first words.

    A day within a sentence is none: it may be any day.
    """
    short = 0
    for line in _top(source):
        found = wire_date(line)
        if found is None and len(line) <= LONGEST_LINE and short < _DATELINES:
            short += 1
            found = line_date(line)
        if found:
            return found
    return None


def line_date(line: str) -> Date | None:
    """The day in a line that holds nothing else but labels, times, names and places.

    >>> [line_date(t).iso for t in ("14 October 2025", "Published: Oct. 14, 2025, 10:30 GMT", "By Jo Ray, 5 May 2020")]
    ['2025-10-14', '2025-10-14', '2020-05-05']
    >>> line_date("It was closed on 5 May 2020."), line_date("What Happened on 5 May 2020"), line_date("May 2020")
    (None, None, None)
    """
    if len(line) > LONGEST_LINE or "@" in line:
        return None
    rest = _ISO_TIME.sub(" ", line)
    days = _days(rest)
    if not days:
        return None
    rest = _LABEL.sub(" | ", rest)
    before = rest[: rest.find(days[0].text)]
    for date in cues.dates(rest):
        rest = rest.replace(date.text, " ")
    words = _WORD.findall(_TIME.sub(" ", rest))
    named = all(word[0].isupper() or word.lower() in _JOINING for word in words)
    runs_on = re.search(r"\b[a-z][\w’]*\s*$", before) is not None
    return days[0] if named and not runs_on and len(words) <= _MOST_WORDS else None


def wire_date(text: str) -> Date | None:
    """The day in the dateline with which a wire report begins.

    >>> wire_date("LONDON, Oct 14, 2025 (Reuters) - The bridge is closed.").iso
    '2025-10-14'
    >>> wire_date("LONDON, Oct 14 (Reuters) - The bridge is closed.")
    """
    head = text[: 2 * LONGEST_LINE]
    for day in _days(head)[:1]:
        at = head.find(day.text)
        if _PLACE.fullmatch(head, 0, at) and _AGENCY.match(head, at + len(day.text)):
            return day
    return None


def is_furniture(sentence: str) -> bool:
    """Whether a sentence is a line that says when or by whom, and nothing else.

    >>> is_furniture("By Ana Ruiz and Jo Ray"), is_furniture("14 October 2025"), is_furniture("By Monday it was gone.")
    (True, True, False)
    """
    line = sentence.strip()
    if len(line) > LONGEST_LINE:
        return False
    if _BYLINE.match(line) and line[-1] not in ".!?":
        return all(word[0].isupper() or word.lower() in _JOINING for word in _WORD.findall(line))
    return line_date(line) is not None


def _days(text: str) -> list[Date]:
    """Dates of the text that name a day which there can be."""
    return [
        date
        for date in cues.dates(text)
        if date.iso and len(date.iso) == _DAY and int(date.iso[8:]) <= _LONGEST_MONTH[int(date.iso[5:7]) - 1]
    ]


def _top(source: Source) -> Iterator[str]:
    """The first lines of a document that are neither blank nor masked."""
    text = source.text[:_TOP]
    found = (
        text[line.start : line.end]
        for line in lines(text)
        if line.end > line.start and not any(span.start <= line.start < span.end for span in source.masked)
    )
    for line, _ in zip(found, range(_LINES), strict=False):
        yield line
