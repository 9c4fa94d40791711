"""Where a quote stands in its source, or why it cannot be found: what an engine says it copied is never believed.

The ladder, first hit wins: as it stands; in the normalised shadow; the parts of an ellipsis; nearly, with no word
changed that changes the claim. Then, to say what is wrong: the other documents, and the masked spans. What is returned
is always the source's own text. Similarity alone verifies nothing: "430 days" for "340 days" scores 99 of 100.
"""

import re
import unicodedata
from array import array
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from rapidfuzz import fuzz
from rapidfuzz.distance import Indel

from service.core.lexicon import UNSPACED, Protected, Token, is_latin, protected_difference, tokenise
from service.core.shadow import Shadow, fold, indexed_occurrences, is_inside_word, occurrences, shadow
from service.core.text import is_blank
from service.core.types import DraftQuote, Evidence, Match, Sentence, Source, Span, Value

GROUNDING_VERSION = "1"

_CONTEXT_CHARACTERS = 32
_NEAR_CHARACTERS = 2_000
"""Either side of the named sentence; searched before the whole document."""
_SHORT_WORDS = 2
_SHORT_CHARACTERS = 8
_PART_WORDS = 2
_PART_CHARACTERS = 8
"""A part of an ellipsis has that many words or that many characters."""
_ELLIPSIS_REACH_CHARACTERS = 400
_FUZZY_CUTOFF = 85.0
_FUZZY_SHARE = 0.80
"""Of tokens that are equal, in order, on both sides (the normalised Indel similarity)."""
_FUZZY_TOKENS = 4
_FUZZY_LONGEST_CHARACTERS = 2_000
_FUZZY_NEAR_CHARACTERS = 500
_FUZZY_TRIES = 16
_FUZZY_TRIES_A_WORD = 6
_FUZZY_REFUSALS = 3
_FUZZY_REACH_TOKENS = 8
"""Source words that may lie between one word of a quote and the next before that word counts as not copied. Generous,
because a span cut short may leave a "reportedly" outside and so unseen."""

_WORD = re.compile(rf"[^\W_{UNSPACED}]+")
_LOOSE_ENDS = re.compile(r"^(?:\[ ?\.{3,} ?\]|\.{3,}|[\"' ])+|(?:\[ ?\.{3,} ?\]|[\"' .])+$")
_ELLIPSIS = re.compile(r"\[ ?\.{3,} ?\]|\( ?\.{3,} ?\)|\.{3,}|\. \. \.")  # in a shadow, where "…" is "..."
_EDGES = "\"' "


class Missing(Value, frozen=True, kw_only=True):
    """A quote that cannot stand as evidence. `document` and `span` say where it was found, where that is the fault."""

    reason: Literal["not_found", "wrong_document", "boilerplate", "empty"]
    detail: str
    document: str | None = None
    span: Span | None = None


@dataclass(frozen=True, eq=False)
class Searchable:
    """A source with what searching needs, each part made when it is first asked for.

    Sentences and masked spans stand in order, and masked spans do not overlap.
    """

    source: Source

    @cached_property
    def shadow(self) -> Shadow:
        """The text as it is searched when it does not stand there letter for letter."""
        return shadow(self.source.text)

    @cached_property
    def words(self) -> Mapping[str, Sequence[int]]:
        """Each word of the folded shadow, with the positions where it begins."""
        positions: defaultdict[str, array[int]] = defaultdict(lambda: array("i"))
        for match in _WORD.finditer(self.shadow.folded):
            positions[match[0]].append(match.start())
        return dict(positions)

    @cached_property
    def _sentence_starts(self) -> Sequence[int]:
        return array("i", (sentence.start for sentence in self.source.sentences))

    @cached_property
    def _masked_ends(self) -> Sequence[int]:
        return array("i", (span.end for span in self.source.masked))

    def sentence_at(self, offset: int) -> Sentence | None:
        """Give the sentence that an offset lies in, or the one before it; None only where there are no sentences."""
        at = max(0, bisect_right(self._sentence_starts, offset) - 1)
        return self.source.sentences[at] if self.source.sentences else None

    def sentence_numbered(self, number: int | None) -> Span | None:
        """Give where the sentence of that number stands, if there is one."""
        if number is None:
            return None
        at = bisect_left(self.source.sentences, number, key=lambda sentence: sentence.number)
        found = [one for one in self.source.sentences[at : at + 1] if one.number == number]
        return Span(start=found[0].start, end=found[0].end) if found else None

    def everywhere(self, haystack: str, needle: str) -> Iterator[int]:
        """Give the places of a needle in the text, or in its shadow, from the left."""
        starts = self.shadow.starts if haystack is self.source.text else None
        yield from indexed_occurrences(haystack, needle, self.words, starts)

    def is_masked(self, span: Span) -> bool:
        """Say whether a span overlaps a masked one."""
        at = bisect_right(self._masked_ends, span.start)
        return at < len(self.source.masked) and self.source.masked[at].start < span.end


@dataclass(frozen=True, eq=False)
class Index:
    """The sources of a summary by document id, ready to be searched."""

    documents: Mapping[str, Searchable]


def build_index(sources: Iterable[Source]) -> Index:
    """Make sources searchable; once for all quotes of a summary."""
    return Index(documents={source.document.id: Searchable(source) for source in sources})


def locate(quote: DraftQuote, sources: Index) -> Evidence | Missing:
    """Find a quote in the document it names, preferring the sentence it names, or say why it cannot be evidence."""
    home = sources.documents.get(quote.document)
    if home is not None and (whole := _whole_sentence(home, quote)):
        return _evidence(home, _Hit(span=whole, match="exact"))
    wanted = _wanted(quote.quote)
    if wanted is None:
        return Missing(reason="empty", detail="The quote holds no words.")
    masked: list[Missing] = []
    refused: list[_Refused] = []
    for hit in _ladder(home, wanted, home.sentence_numbered(quote.sentence)) if home else ():
        if isinstance(hit, _Refused):
            refused.append(hit)
        elif home is not None and not home.is_masked(hit.span):
            return _evidence(home, hit)
        else:
            masked.append(_masked(quote.document, hit.span))
    # A short quote that stands here too often is not one of another document.
    elsewhere = () if wanted.short and refused else sources.documents.items()
    for name, other in elsewhere:
        for hit in _verbatim(other, wanted, None) if other is not home else ():
            if isinstance(hit, _Refused):
                continue
            if not other.is_masked(hit.span):
                detail = f"The quote stands in document {name!r}, not in {quote.document!r}."
                return Missing(reason="wrong_document", detail=detail, document=name, span=hit.span)
            masked.append(_masked(name, hit.span))
    return next(iter(masked), None) or Missing(reason="not_found", detail=_why(wanted, home, refused))


def _whole_sentence(home: Searchable, quote: DraftQuote) -> Span | None:
    """The sentence that a quote names, where it is that sentence letter for letter.

    A piece of a stretch without spaces begins and ends inside a word, where the ladder, rightly, looks for no quote.
    """
    span = home.sentence_numbered(quote.sentence)
    if span is None or is_blank(quote.quote) or home.is_masked(span):
        return None
    return span if home.source.text[span.start : span.end] == quote.quote else None


# --- a quote, prepared -----------------------------------------------------------------------------------------------


class _Wanted(Value, frozen=True, kw_only=True):
    """A quote in the forms in which it is looked for."""

    text: str
    shadows: tuple[str, ...]
    """As it is, without marks around it, without dots at its ends: in this order."""
    folded: tuple[str, ...]
    parts: tuple[str, ...]
    """What stands between ellipses, as shadows; one where there is none."""
    words: tuple[str, ...]
    """Of its barest form, without case."""
    short: bool


def _wanted(quote: str) -> _Wanted | None:
    """Prepare a quote; None if it is empty or nothing but punctuation."""
    text = quote.strip()
    whole = shadow(text).text.strip()
    unmarked = whole.strip(_EDGES)
    bare = _LOOSE_ENDS.sub("", whole)
    if all(unicodedata.category(char)[0] in "PZC" for char in bare):
        return None
    shadows = tuple(dict.fromkeys((whole, unmarked, unmarked.removesuffix("."), bare)))
    return _Wanted(
        text=text,
        shadows=shadows,
        folded=tuple(map(fold, shadows)),
        parts=tuple(part for piece in _ELLIPSIS.split(whole) if (part := piece.strip(_EDGES))),
        words=tuple(_WORD.findall(fold(bare))),
        short=_count(bare) <= _SHORT_WORDS or len(bare) < _SHORT_CHARACTERS,
    )


def _count(text: str) -> int:
    """Count words, whether they are letters and digits or other signs between spaces."""
    return max(len(text.split()), len(tokenise(text)))


# --- the ladder ------------------------------------------------------------------------------------------------------


class _Hit(Value, frozen=True, kw_only=True):
    span: Span
    match: Match


class _Refused(Value, frozen=True, kw_only=True):
    """A passage much like the quote, and what kind of word makes it say something else; or one of several."""

    span: Span
    difference: Protected | Literal["place"]


def _ladder(document: Searchable, wanted: _Wanted, near: Span | None) -> Iterator[_Hit | _Refused]:
    """Give the places where a quote may stand, best first."""
    yield from _verbatim(document, wanted, near)
    if len(wanted.parts) > 1:
        yield from _ellipsis(document, wanted.parts, near)
    elif not wanted.short:
        yield from _fuzzy(document, wanted, near)


def _verbatim(document: Searchable, wanted: _Wanted, near: Span | None) -> Iterator[_Hit | _Refused]:
    """Give the places of all words of a quote as they are, or as their shadow is."""
    # The shadow comes before the ellipsis: a source may have dots of its own, and then nothing was left out.
    for match, search in _searches(document, wanted, near):
        hits = (_Hit(span=span, match=match) for span in search)
        yield from _well_placed(document, hits, near) if wanted.short else hits


def _searches(document: Searchable, wanted: _Wanted, near: Span | None) -> Iterator[tuple[Match, Iterator[Span]]]:
    text, length = document.source.text, len(wanted.text)
    yield "exact", (Span(start=at, end=at + length) for at in _hits(document, text, wanted.text, near))
    if all(word in document.words for word in wanted.words):
        made = document.shadow
        for haystack, forms in ((made.text, wanted.shadows), (made.folded, wanted.folded)):
            for form in forms:
                hits = _hits(document, haystack, form, _in_shadow(made, near))
                yield "normalised", (made.original(at, at + len(form)) for at in hits)


def _well_placed(document: Searchable, hits: Iterator[_Hit], near: Span | None) -> Sequence[_Hit | _Refused]:
    """Keep the places that a very short quote may have: within the named sentence, or the only one there is."""
    clear: list[_Hit] = []
    masked: list[_Hit] = []
    for hit in hits:
        (masked if document.is_masked(hit.span) else clear).append(hit)
        # The nearest comes first: if that one is outside the named sentence, all are.
        if clear and near and near.start <= clear[0].span.start and clear[0].span.end <= near.end:
            return clear
        if len(clear) > 1:
            return [_Refused(span=clear[0].span, difference="place")]
    return clear or masked


def _ellipsis(document: Searchable, parts: Sequence[str], near: Span | None) -> Iterator[_Hit]:
    """Give the spans that hold all parts in order, near enough together and in one paragraph."""
    if any(_count(part) < _PART_WORDS and len(part) < _PART_CHARACTERS for part in parts):
        return
    made = document.shadow
    beside = _in_shadow(made, near)
    endings = dict.fromkeys((parts[-1], parts[-1].removesuffix(".")))
    for haystack, form in ((made.text, str), (made.folded, fold)):
        for ending in endings:
            first, *rest = map(form, (*parts[:-1], ending))
            for start in _hits(document, haystack, first, beside):
                reach = made.position(int(made.starts[start]) + _ELLIPSIS_REACH_CHARACTERS)
                end = _end_in_order(haystack, rest, start + len(first), reach)
                if end is not None and _in_one_paragraph(document, span := made.original(start, end)):
                    yield _Hit(span=span, match="ellipsis")


def _end_in_order(haystack: str, parts: Sequence[str], start: int, stop: int) -> int | None:
    """Give the end of the last part when all parts follow one another in `[start:stop]`."""
    for part in parts:
        at = next(occurrences(haystack, part, start, stop), None)
        if at is None:
            return None
        start = at + len(part)
    return start if start <= stop else None


def _in_one_paragraph(document: Searchable, span: Span) -> bool:
    first, last = document.sentence_at(span.start), document.sentence_at(span.end - 1)
    return first is not None and last is not None and first.paragraph == last.paragraph


def _fuzzy(document: Searchable, wanted: _Wanted, near: Span | None) -> Iterator[_Hit | _Refused]:
    """Give passages nearly like the quote, near the named sentence and around the quote's rarest words."""
    form, folded = wanted.shadows[-1], wanted.folded[-1]
    tokens = tokenise(form)
    # What a changed word does to the meaning is only known for English.
    english = document.source.language in (None, "en") and is_latin(form)
    if not english or len(tokens) < _FUZZY_TOKENS or len(form) > _FUZZY_LONGEST_CHARACTERS:
        return
    refusals = 0
    for window in _windows(document, folded, near):
        hit = _align(document.shadow, folded, tokens, window)
        # A word put in at the end of a quote is not held by a next paragraph that happens to hold it.
        if isinstance(hit, _Hit) and not _in_one_paragraph(document, hit.span):
            continue
        refusals += isinstance(hit, _Refused)
        if hit is not None:
            yield hit
        if refusals == _FUZZY_REFUSALS:
            return


def _windows(document: Searchable, folded: str, near: Span | None) -> Iterator[Span]:
    """Give the stretches of the shadow worth aligning: a bounded number, however long the text."""
    made, slack, middle = document.shadow, _slack(folded), 0
    if near is not None:
        middle = made.position(near.start)
        reach = min(_FUZZY_NEAR_CHARACTERS, len(folded)) + slack
        end = min(made.position(near.end), middle + _NEAR_CHARACTERS)
        yield Span(start=max(0, middle - reach), end=end + len(folded) + slack)
    occurring = {match.group(): match.start() for match in _WORD.finditer(folded) if match.group() in document.words}
    tried: list[int] = []
    for word in sorted(occurring, key=lambda word: len(document.words[word])):
        positions = document.words[word]
        at = bisect_left(positions, middle)
        nearest = positions[max(0, at - _FUZZY_TRIES_A_WORD) : at + _FUZZY_TRIES_A_WORD]
        for position in sorted(nearest, key=lambda position: abs(position - middle))[:_FUZZY_TRIES_A_WORD]:
            start = position - occurring[word]
            if any(abs(start - other) <= slack // 2 for other in tried):
                continue
            if len(tried) == _FUZZY_TRIES:
                return
            tried.append(start)
            yield Span(start=max(0, start - slack), end=start + len(folded) + slack)


def _slack(folded: str) -> int:
    """Give the shadow characters by which a passage may lie beside where it is looked for.

    Bounded, as the cost of an alignment grows with it times the square of the quote's length.
    """
    return min(max(40, len(folded) // 4), 120)


def _align(made: Shadow, folded: str, tokens: Sequence[Token], window: Span) -> _Hit | _Refused | None:
    """Hold a quote against the passage most like it in a stretch of the shadow."""
    text = made.folded[window.start : window.end]
    # Where too few words stand at all, their order need not be looked at: share = 2 common / (quote + passage).
    if sum(token.word in text for token in tokens) < len(tokens) * _FUZZY_SHARE / (2 - _FUZZY_SHARE):
        return None
    alignment = fuzz.partial_ratio_alignment(folded, text, score_cutoff=_FUZZY_CUTOFF)
    if alignment is None:
        return None
    start = max(0, window.start + alignment.dest_start - _slack(folded))
    end = min(len(made.text), window.start + alignment.dest_end + _slack(folded))
    around = tokenise(made.text[start:end])
    around = around[is_inside_word(made.text, start) : len(around) - is_inside_word(made.text, end)]
    passage = _passage(tokens, around)
    if not passage or _share(tokens, passage) < _FUZZY_SHARE:
        return None
    span = made.original(start + passage[0].start, start + passage[-1].end)
    difference = protected_difference(tokens, passage)
    return _Refused(span=span, difference=difference) if difference else _Hit(span=span, match="fuzzy")


def _share(a_tokens: Sequence[Token], b_tokens: Sequence[Token]) -> float:
    return Indel.normalized_similarity([token.word for token in a_tokens], [token.word for token in b_tokens])


def _passage(tokens: Sequence[Token], around: Sequence[Token]) -> Sequence[Token]:
    """Give the run of tokens that a quote was copied from: the most words in common, then the shortest run.

    Sellers' approximate matching (J. Algorithms 1, 1980) over tokens. A cost and the start of its run share one number,
    so that the lower cost wins, and among equal costs the later start.
    """
    ids = {token.word: at for at, token in enumerate(around)}
    words = np.array([ids[token.word] for token in around], dtype=np.int64)
    places = np.arange(len(around) + 1, dtype=np.int64)
    step = len(around) + 1
    costs = -places
    for token in tokens:
        copied = np.where(words == ids.get(token.word, -1), costs[:-1], np.iinfo(np.int64).max)
        costs = costs + _FUZZY_REACH_TOKENS * step
        costs[1:] = np.minimum(costs[1:], copied)
        costs = np.minimum.accumulate(costs - places * step) + places * step
    end = int(costs.argmin())
    start = int(-costs[end] % step)
    return _widened(tokens, around, start, end) if start < end else ()


def _widened(tokens: Sequence[Token], around: Sequence[Token], start: int, end: int) -> Sequence[Token]:
    """Stretch a run within its sentence over what stands in place of the quote's first and last words."""
    # A quote that begins "she was" where the source has "he is not" has no word in common there; unstretched, the "not"
    # would stay outside the run, and unseen.
    changes = list(Indel.opcodes([token.word for token in tokens], [token.word for token in around[start:end]]))
    before, after = (change.src_end - change.src_start for change in (changes[0], changes[-1]))
    if changes[0].tag == "delete":
        while before and start and not around[start].opens:
            start, before = start - 1, before - 1
    if changes[-1].tag == "delete":
        while after and end < len(around) and not around[end].opens:
            end, after = end + 1, after - 1
    return around[start:end]


# --- searching -------------------------------------------------------------------------------------------------------


def _hits(document: Searchable, haystack: str, needle: str, near: Span | None) -> Iterator[int]:
    """Give the places where a needle stands as whole words: the nearest to a span first, or from the left."""
    if near is None:
        yield from document.everywhere(haystack, needle)
        return

    def distance(at: int) -> tuple[bool, int]:
        return not near.start <= at < near.end, max(near.start - at - len(needle), at - near.end, 0)

    start, stop = max(0, near.start - _NEAR_CHARACTERS - len(needle)), near.end + _NEAR_CHARACTERS
    yield from sorted(occurrences(haystack, needle, start, stop + len(needle)), key=distance)
    yield from sorted((at for at in document.everywhere(haystack, needle) if not start <= at <= stop), key=distance)


def _in_shadow(made: Shadow, span: Span | None) -> Span | None:
    return span and Span(start=made.position(span.start), end=made.position(span.end))


# --- what comes out --------------------------------------------------------------------------------------------------


def _evidence(document: Searchable, hit: _Hit) -> Evidence:
    text, start, end = document.source.text, hit.span.start, hit.span.end
    sentence = document.sentence_at(start)
    return Evidence(
        document=document.source.document.id,
        sentence=sentence.number if sentence else 1,
        quote=text[start:end],
        start=start,
        end=end,
        prefix=text[max(0, start - _CONTEXT_CHARACTERS) : start],
        suffix=text[end : end + _CONTEXT_CHARACTERS],
        match=hit.match,
    )


def _masked(document: str, span: Span) -> Missing:
    detail = "The quote stands in a part of the page that is not the article."
    return Missing(reason="boilerplate", detail=detail, document=document, span=span)


def _why(wanted: _Wanted, document: Searchable | None, refused: Sequence[_Refused]) -> str:
    """Say why a quote was not found, without its words."""
    if document is None:
        return "No document has that id; name one of those given."
    if wanted.short:
        return "The quote is too short to be placed: it stands neither in the named sentence nor just once elsewhere."
    if len(wanted.parts) > 1:
        reach = f"{_ELLIPSIS_REACH_CHARACTERS} characters of one paragraph"
        return f"The parts around the ellipsis do not stand in order within {reach}."
    if refused:
        span, difference = refused[0].span, refused[0].difference
        return f"The nearest passage, [{span.start}:{span.end}), differs in a word that counts ({difference})."
    return "No passage of the document is near enough to the quote; copy it exactly."
