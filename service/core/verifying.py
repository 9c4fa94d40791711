"""A draft held against its sources: quotes located, points checked, and an account of what became of each."""

from collections.abc import Iterable, Sequence

import msgspec

from service.core import checking, cues, grounding
from service.core.types import Check, Date, Draft, DraftPoint, Dropped, Evidence, KeyPoint, Number, Value, Verification

_NOTHING_QUOTED = ("no_evidence", "The point comes without a quote.")


class Examined(Value, frozen=True, kw_only=True):
    """What became of a point's quotes, and what keeps it from being shown."""

    evidence: tuple[Evidence, ...]
    """Of its quotes that were located; no span twice."""
    matches: tuple[str, ...]
    """How each located quote was, repeated ones included."""
    missing: tuple[tuple[str, grounding.Missing], ...]
    """Quotes that were not, as they were given."""
    checks: tuple[Check, ...]
    """Blocking ones."""

    @property
    def fault(self) -> tuple[str, str] | None:
        """Why the point cannot be shown, as a code and a sentence; None where it can."""
        if not self.evidence:
            return (self.missing[0][1].reason, self.missing[0][1].detail) if self.missing else _NOTHING_QUOTED
        return (self.checks[0].code, self.checks[0].detail) if self.checks else None


class Verified(Value, frozen=True, kw_only=True):
    """A draft's points as they stand up to the sources."""

    points: tuple[KeyPoint, ...]
    ids: dict[int, str]
    """Of the kept points, by their position in the draft."""
    verification: Verification


def examine(point: DraftPoint, index: grounding.Index) -> Examined:
    """Locate every quote of a point, and hold the point against what was located."""
    places = [(quote.quote, grounding.locate(quote, index)) for quote in point.quotes]
    found = [place for _, place in places if isinstance(place, Evidence)]
    evidence = tuple({(place.document, place.start, place.end): place for place in found}.values())
    return Examined(
        evidence=evidence,
        matches=tuple(place.match for place in found),
        missing=tuple((quote, place) for quote, place in places if isinstance(place, grounding.Missing)),
        checks=checking.blocking(point, evidence, index) if evidence else (),
    )


def account(points: Sequence[DraftPoint], examined: Sequence[Examined]) -> Verification:
    """What became of points and quotes as they were given, before anything was mended."""
    matches = [match for one in examined for match in one.matches]
    dropped = [
        Dropped(text=point.text, reason=one.fault[0], detail=one.fault[1])
        for point, one in zip(points, examined, strict=True)
        if one.fault
    ]
    return Verification(
        points_given=len(points),
        points_kept=len(points) - len(dropped),
        quotes_given=sum(len(point.quotes) for point in points),
        exact=matches.count("exact"),
        normalised=matches.count("normalised"),
        ellipsis=matches.count("ellipsis"),
        fuzzy=matches.count("fuzzy"),
        repaired=0,
        dropped=(*dropped, *lost_quotes(one for one in examined if one.fault is None)),
    )


def lost_quotes(examined: Iterable[Examined]) -> list[Dropped]:
    """The quotes that could not be located, of points that stand on others."""
    return [
        Dropped(text=quote, reason=missing.reason, detail=missing.detail, part="quote")
        for one in examined
        for quote, missing in one.missing
    ]


def verify(draft: Draft, index: grounding.Index) -> Verified:
    """The points of a draft that stand up to its sources, numbered; the others are dropped, and listed."""
    examined = [examine(point, index) for point in draft.points]
    points: list[KeyPoint] = []
    ids: dict[int, str] = {}
    for position, (point, one) in enumerate(zip(draft.points, examined, strict=True)):
        if one.fault is None:
            ids[position] = f"k{len(points) + 1}"
            points.append(key_point(ids[position], point, one.evidence))
    return Verified(points=tuple(points), ids=ids, verification=account(draft.points, examined))


def key_point(point_id: str, point: DraftPoint, evidence: tuple[Evidence, ...]) -> KeyPoint:
    """A point that stands, under an id: with its evidence, and the numbers and dates that stand there."""
    return KeyPoint(
        id=point_id,
        text=point.text,
        importance=point.importance,
        kind=point.kind,
        stance=point.stance,
        polarity=point.polarity,
        attribution=point.attribution,
        evidence=evidence,
        numbers=_numbers(point, evidence),
        dates=_dates(point, evidence),
    )


def _numbers(point: DraftPoint, evidence: Sequence[Evidence]) -> tuple[Number, ...]:
    """The listed numbers that stand in the claim or its quotes, and those of the claim that the list leaves out.

    Each with its value, where it has one.
    """
    texts = _texts(point, evidence)
    values = {number.value for text in texts for number in cues.numbers(text)} - {None}
    valued = [msgspec.structs.replace(number, value=number.value or _value(number.text)) for number in point.numbers]
    listed = [one for one in valued if one.value in values or any(one.text in text for text in texts)]
    known = {number.value or number.text for number in listed}
    return (*listed, *(number for number in cues.numbers(point.text) if (number.value or number.text) not in known))


def _value(text: str) -> str | None:
    """Of a number as it stands in a text, where it is one."""
    found = cues.numbers(text)
    return found[0].value if len(found) == 1 else None


def _dates(point: DraftPoint, evidence: Sequence[Evidence]) -> tuple[Date, ...]:
    """The listed dates that stand in the claim or its quotes, and those of the claim that the list leaves out."""
    own = [date for date in point.dates if any(date.text in text for text in _texts(point, evidence))]
    listed = " ".join(date.text for date in own)
    return (*own, *(date for date in cues.dates(point.text) if date.text not in listed))


def _texts(point: DraftPoint, evidence: Sequence[Evidence]) -> tuple[str, ...]:
    return (point.text, *(place.quote for place in evidence))
