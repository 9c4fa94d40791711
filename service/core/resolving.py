"""What resolves a conflict without a judge: a later source, or a claim to a first that is limited on one side."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from service.core.documents import Days, called, days_of
from service.core.lexicon import FUNCTION_WORDS, SENTENCE_OPENERS, tokenise
from service.core.types import Conflict, ConflictKind, ConflictSide, DocumentFacts

_DATED: frozenset[ConflictKind] = frozenset({"status", "date", "number", "scope", "name"})
_LIMITED: frozenset[ConflictKind] = frozenset({"first_claim", "scope"})
_TWO = 2
_ENDS = (".", "!", "?", "…", ".”", '."')
_SUPERLATIVE = re.compile(
    r"(?:\b(?P<holder>[A-Z][\w.’'-]{0,40}?)['’]s?\s+(?:very\s+)?)?"
    r"\b(?P<head>first|only|earliest|largest|biggest|longest|oldest|youngest|highest|fastest|deepest)\b(?:-ever\b)?"
    r"(?P<what>(?:[\s-]+(?!(?:to|was|were|is|are|has|had|have|will|would|could|may|might|which|who|that|and|but|while|when"
    r"|as|by|said|says|according)\b)[\w’'-]+(?:,(?=\s+[\w-]+\s+\w))?){1,14})",
)
_SAME_THING = {"movie": "film", "movies": "film", "films": "film", "motion": "film", "picture": "film"}
_SAYS_NOTHING = FUNCTION_WORDS | {"ever"}
_FEWEST_WORDS = 2


class _Claim(NamedTuple):
    """A claim to be first, or the like."""

    head: str
    words: frozenset[str]
    """Of what it is the first, the holder left out."""
    holder: str | None
    """Whose first it is: "Hollywood's first"."""
    names: frozenset[str]
    """In the whole quote."""


def resolved(conflict: Conflict, facts: Mapping[str, DocumentFacts]) -> Conflict:
    """The conflict with what resolves it, if anything does; else both sides stand.

    `qualified`: one side claims a first, and the other claims it with a limit. `later_source`: the documents of one
    side all state a day after the days that those of the other state; the note then names the later one.
    """
    if len(conflict.sides) != _TWO:
        return conflict
    one, other = conflict.sides
    if conflict.kind in _LIMITED and (_is_limited(one, other) or _is_limited(other, one)):
        return msgspec.structs.replace(conflict, resolution="qualified")
    later = conflict.kind in _DATED and (_later(one, other, facts) or _later(other, one, facts))
    if not later:
        return conflict
    end = "" if conflict.note.endswith(_ENDS) else "."
    note = f"{conflict.note}{end} The later source is {called(later)} ({later.date.iso})."
    return msgspec.structs.replace(conflict, resolution="later_source", note=note)


def _later(side: ConflictSide, than: ConflictSide, facts: Mapping[str, DocumentFacts]) -> DocumentFacts | None:
    """The latest document of a side all of which are later than all of another's, as they state themselves."""
    own, others = (_stated(one, facts) for one in (side, than))
    if not own or not others or min(days.first for days, _ in own) <= max(days.last for days, _ in others):
        return None
    return max(own, key=lambda pair: pair[0])[1]


def _stated(side: ConflictSide, facts: Mapping[str, DocumentFacts]) -> Sequence[tuple[Days, DocumentFacts]]:
    """The documents of a side with the days that they state; none where one of them states none."""
    documents = [facts.get(document) for document in dict.fromkeys(place.document for place in side.evidence)]
    found = [
        (days, fact)
        for fact in documents
        if fact is not None and fact.date.basis == "stated" and (days := days_of(fact.date.iso))
    ]
    return found if len(found) == len(documents) else []


def _is_limited(side: ConflictSide, by: ConflictSide) -> bool:
    """Whether a claim to a first is one of the other side's too, with a limit there that it lacks.

    Either the other's says whose first it is ("Hollywood's first film shot in space"), and this one does not; or its
    words are this one's and more ("first fictional film shot in space"), and both quotes name somebody or something in
    common: a wider first of one work and a narrower one of another contradict each other.
    """
    return any(
        claim.head == limit.head
        and len(claim.words) >= _FEWEST_WORDS
        and (
            (claim.words <= limit.words and limit.holder is not None and claim.holder is None)
            or (claim.words < limit.words and not claim.names.isdisjoint(limit.names))
        )
        for claim in _claims(side)
        for limit in _claims(by)
    )


def _claims(side: ConflictSide) -> Iterator[_Claim]:
    for place in side.evidence:
        names = frozenset(
            token.word.removesuffix("'s")
            for token in tokenise(place.quote)
            if token.text[:1].isupper() and not (token.opens and token.word in SENTENCE_OPENERS)
        )
        for match in _SUPERLATIVE.finditer(place.quote):
            yield _Claim(head=match["head"], words=_words(match["what"]), holder=match["holder"], names=names)


def _words(text: str) -> frozenset[str]:
    return frozenset(
        _SAME_THING.get(part, part)
        for token in tokenise(text)
        for part in token.word.split("-")
        if part not in _SAYS_NOTHING
    )
