"""Scraping leftovers: found, and reported with a reason, but never deleted.

Masking a real paragraph is worse than keeping a teaser, so a stretch is masked only on more than one sign.
"""

import re
from collections.abc import Iterable, Sequence

import msgspec

from service.core.text import is_blank, lines
from service.core.types import MaskedSpan, Sentence, Span

MASKING_VERSION = "1"

_TEASER_END = re.compile(r"(?:…|\.\.\.|\[…\]|\[\.\.\.\])(?:\s*(?:read more|continue reading|more)\W*)?$", re.IGNORECASE)
_STATEMENT_END = re.compile(r"[.!?:;,][\"'”’)\]]*$")
_FURNITURE = re.compile(
    r"""^\W*(?:
        no\ more\ (?:pages|posts|articles|stories)\ to\ load | end\ of\ (?:content|article|page)
      | (?:load|show|see|view)\ more(?:\ (?:posts|articles|stories|news|comments))? | loading(?:\ more)?
      | (?:read|watch)\ (?:more|next|also) | continue\ reading(?:\ below)?
      | related(?:\ (?:articles|posts|stories|news|topics|content))?
      | (?:more|latest|top|trending|popular|recommended|most\ (?:read|popular))\ (?:news|stories|articles|posts)
      | (?:more|latest)\ (?:from|in)\ .{2,40}
      | you\ (?:may|might)\ also\ (?:like|enjoy|be\ interested\ in) | recommended(?:\ for\ you)?
      | advertisement | advert | sponsored(?:\ content)?
      | story\ continues\ below(?:\ (?:this\ )?(?:ad|advert|advertisement))?
      | share(?:\ (?:this|on|via)\b.{0,40})? | tweet\ this | print\ this(?:\ (?:page|article))? | copy\ link
      | (?:click\ here\ to\ )?(?:sign\ up|subscribe)(?:\ (?:to|for)\ (?:our|the)\b.{0,60})?
      | skip\ to\ (?:main\ )?content | back\ to\ top | (?:leave|post|add)\ a\ comment | comments?(?:\ \(\d+\))?
      | all\ rights\ reserved | (?:next|previous)\ (?:article|story|post)
    )\W*$""",
    re.IGNORECASE | re.VERBOSE,
)
_SECTION = re.compile(r"^[A-Z][\w&'’-]*(?:\s+[\w&'’-]+){0,3}$")
_MOST_TITLE_WORDS = 40
_FEWEST_TEASERS = 2
_FEWEST_UNSIGNED_TEASERS = 3


def mask(text: str) -> tuple[MaskedSpan, ...]:
    r"""Spans of scraping leftovers, in order, none overlapping.

    A tail of teasers is masked from its heading to the end of the text: titles without a full stop, each followed by a
    line that breaks off in an ellipsis, at least two of them with a heading or page furniture beside them, or three
    without. Elsewhere only whole lines that are page furniture ("Advertisement") are masked.

    >>> text = "Prices rose.\nNews\nStar speaks out\nAfter days of…\nRain is coming\nIt may…\nLoad more"
    >>> [(text[m.start:m.end][:4], m.reason) for m in mask(text)]
    [('News', 'teasers')]
    >>> mask("He paused…\nAnd then?\nNothing…")
    ()
    """
    found = [line for line in lines(text) if line.start < line.end]
    tail = _tail(text, found)
    body = found if tail is None else [line for line in found if line.end <= tail]
    masked = [
        MaskedSpan(start=line.start, end=line.end, reason="page_furniture")
        for line in body
        if _FURNITURE.match(text[line.start : line.end]) and _stands_apart(text, line)
    ]
    if tail is not None:
        masked.append(MaskedSpan(start=tail, end=len(text), reason="teasers"))
    return tuple(masked)


def _stands_apart(text: str, line: Span) -> bool:
    """Whether a line ends like furniture, not like a sentence that happens to read so ("Comments.")."""
    return text[line.end - 1] not in ".!?,;" or text[line.start : line.end].endswith("...")


def _tail(text: str, found: Sequence[Span]) -> int | None:
    """Where a tail of teasers begins; None where there is none."""
    at = len(found)
    furniture = teasers = 0
    while at > 0:
        last = text[found[at - 1].start : found[at - 1].end]
        if _FURNITURE.match(last):
            furniture += 1
            at -= 1
        elif _TEASER_END.search(last) and at > 1 and _is_title(text[found[at - 2].start : found[at - 2].end]):
            teasers += 1
            at -= 2
        else:
            break
    headed = teasers > 0 and at > 0 and _SECTION.match(text[found[at - 1].start : found[at - 1].end]) is not None
    if headed:
        at -= 1
    signed = headed or furniture > 0
    if at == 0 and not signed:
        # Without a body before it there is nothing to tell a tail from a list: read it all.
        return None
    if teasers < (_FEWEST_TEASERS if signed else _FEWEST_UNSIGNED_TEASERS):
        return None
    return found[at].start


def _is_title(line: str) -> bool:
    return not _STATEMENT_END.search(line) and len(line.split()) <= _MOST_TITLE_WORDS and not _FURNITURE.match(line)


def marked(sentences: Iterable[Sentence], masked: Sequence[MaskedSpan]) -> tuple[Sentence, ...]:
    """The sentences in order, those that begin in a masked span marked so."""
    found: list[Sentence] = []
    spans = iter(masked)
    span = next(spans, None)
    for sentence in sentences:
        while span is not None and span.end <= sentence.start:
            span = next(spans, None)
        inside = span is not None and span.start <= sentence.start
        found.append(msgspec.structs.replace(sentence, masked=True) if inside else sentence)
    return tuple(found)


def is_all_masked(text: str) -> bool:
    r"""Whether no word stands outside the masked spans.

    >>> is_all_masked("Advertisement\n\nLoad more"), is_all_masked("Advertisement\n\nIt rained.")
    (True, False)
    """
    at = 0
    for span in mask(text):
        if not is_blank(text[at : span.start]):
            return False
        at = span.end
    return is_blank(text[at:])
