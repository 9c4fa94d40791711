"""The dates that a claim states, and how one stands to another's. Words are read in English alone."""

import re
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from service.core import cues
from service.core.beside import Near, Relation, near
from service.core.types import Date, Value

_MONTHS = "january february march april may june july august september october november december".split()
_WEEKDAYS = "mon tues wednes thurs fri satur sun".split()
_NAMED = "|".join(month.title() for month in _MONTHS)
_DAY_OF_MONTH = re.compile(rf"\b(?P<day>0?[1-9]|[12]\d|3[01])(?:st|nd|rd|th)?\s+(?:of\s+)?(?P<month>{_NAMED})\b")
_MONTH_ALONE = re.compile(
    rf"\b(?:(?:in|since|by|until|from|of|last|next|this|late|early|mid)[\s-]+(?P<after>May|March)"
    rf"|(?P<month>{_NAMED.replace('March|', '').replace('May|', '')}))\b"
)
_STEP, _OF = re.compile(r",?\s+(?:of\s+)?"), re.compile(r"\s+of\s+")
_COUNT = re.compile(r"[0-9]{1,9}")
_OF_NOW = re.compile(r"(next|last|this)\s+(\w+)")
_AGO = re.compile(r"(.+?)\s+(year|month|week|day|decade)s?\s+(ago|back|earlier|later)")
_DAYS = {"yesterday": -1, "today": 0, "tonight": 0, "tomorrow": 1}
_SHIFTS = {"next": 1, "last": -1, "this": 0}
_CALENDAR = frozenset({"year", "month", "day", "weekday"})
_ISO = ("year", "month", "day")
_YEAR = re.compile(r"(?<![\d.,'’٬٫])(?:1[5-9]|20)[0-9]{2}(?!\d|[.,'’٬٫]\d)")


class Day(Value, frozen=True, kw_only=True):
    """A date that a claim states, as far as it goes."""

    shown: str
    at: int = -1
    parts: Mapping[str, int]
    """What the words say: year, month, day, weekday, or how many units from now."""
    meant: Mapping[str, int] = msgspec.field(default_factory=dict)
    """Year, month and day, as far as they are given beside the words."""
    near: Near = Near()


def days(text: str, fields: Sequence[Date] = (), *, english: bool = True) -> tuple[Day, ...]:
    """The dates of a claim in order; where its words hold none, those given beside it.

    >>> [(day.shown, dict(day.parts)) for day in days("On 5 May he said it was filmed two years ago.")]
    [('5 May', {'day': 5, 'month': 5}), ('two years ago', {'years from now': -2})]
    """
    found = _found(text, english=english)
    given = [(date, _iso(date.iso)) for date in fields if date.iso]
    if not found:
        return tuple(Day(shown=date.text, parts={}, meant=meant) for date, meant in given)
    return tuple(
        msgspec.structs.replace(
            day,
            meant=next((meant for date, meant in given if _is_part(day.shown, date.text)), {}),
            near=near(text, day.at, day.at + len(day.shown), english=english),
        )
        for day in found
    )


def spans(text: str, *, english: bool = True) -> list[tuple[int, int]]:
    """Where the dates of a claim stand."""
    return [(day.at, day.at + len(day.shown)) for day in _found(text, english=english)]


def _found(text: str, *, english: bool) -> list[Day]:
    """The dates in a text, those made one that are given in two steps."""
    joined: list[Day] = []
    for day in sorted(_read(text) if english else _years(text), key=lambda day: day.at):
        if joined and _goes_on(text, joined[-1], day):
            last = joined.pop()
            shown = text[last.at : day.at + len(day.shown)]
            day = Day(shown=shown, at=last.at, parts={**last.parts, **day.parts})  # noqa: PLW2901 - the two as one
        joined.append(day)
    return joined


def _goes_on(text: str, one: Day, other: Day) -> bool:
    """Whether a date goes on with the next one: "November of next year", "Monday, May 5"."""
    if not (one.parts and other.parts and one.parts.keys().isdisjoint(other.parts)):
        return False
    pattern = _STEP if {*one.parts, *other.parts} <= _CALENDAR else _OF
    return pattern.fullmatch(text, one.at + len(one.shown), other.at) is not None


def _is_part(one: str, other: str) -> bool:
    return one.casefold() in other.casefold() or other.casefold() in one.casefold()


def _iso(value: str) -> dict[str, int]:
    """The parts of a prefix of YYYY-MM-DD; none where it is something else."""
    return (
        dict(zip(_ISO, map(int, value.split("-")), strict=False))
        if re.fullmatch(r"[0-9]{4}(-[0-9]{2}){0,2}", value)
        else {}
    )


def _read(text: str) -> Iterator[Day]:
    taken: list[tuple[int, int]] = []
    for date in cues.dates(text):
        start = text.index(date.text, taken[-1][1] if taken else 0)
        taken.append((start, start + len(date.text)))
        yield Day(shown=date.text, at=start, parts=_iso(date.iso) if date.iso else _relative(date.text))
    for pattern in (_DAY_OF_MONTH, _MONTH_ALONE):
        for match in pattern.finditer(text):
            name = "month" if match["month"] else "after"
            start = match.start() if "day" in match.groupdict() else match.start(name)
            if not any(a < match.end() and start < b for a, b in taken):
                taken.append((start, match.end()))
                parts = {"day": int(match["day"])} if "day" in match.groupdict() else {}
                month = _MONTHS.index(match[name].lower()) + 1
                yield Day(shown=text[start : match.end()], at=start, parts={**parts, "month": month})


def _years(text: str) -> Iterator[Day]:
    """Plain years, in any language."""
    for match in _YEAR.finditer(text):
        yield Day(shown=match[0], at=match.start(), parts={"year": int(match[0])})


def _relative(text: str) -> dict[str, int]:
    """What a date without a year says; nothing where it is vague, as "a few years back" is."""
    plain = " ".join(text.lower().split())
    weekday = next((n for n, name in enumerate(_WEEKDAYS) if plain.endswith(f"{name}day")), None)
    if plain in _DAYS:
        return {"days from now": _DAYS[plain]}
    if weekday is not None:
        return {"weekday": weekday}
    if shift := _OF_NOW.fullmatch(plain):
        return {f"{shift[2]}s from now": _SHIFTS[shift[1]]}
    if ago := _AGO.fullmatch(plain):
        counted = {"a": 1, "an": 1, "one": 1}.get(ago[1]) or next(
            (int(number.value) for number in cues.numbers(ago[1]) if number.value and _COUNT.fullmatch(number.value)),
            None,
        )
        return {f"{ago[2]}s from now": counted * (1 if ago[3] == "later" else -1)} if counted else {}
    month = next((n for n, name in enumerate(_MONTHS, 1) if plain[:3] == name[:3]), None)
    day = re.search(r"\d+", plain)
    return {"month": month, "day": int(day[0])} if month and day else {}


def of_days(one: Day, other: Day) -> Relation:
    """How a date of one claim stands to a date of another; of one given less fully, what it gives is compared.

    >>> a, b, c = (days(text)[0] for text in ("It was on May 5, 2020.", "It was in 2020.", "It was in 2021."))
    >>> of_days(a, b), of_days(b, c)
    ('same', 'open')
    """
    ours, theirs = one.parts, other.parts
    if not ours.keys() & theirs.keys():
        ours, theirs = {**one.meant, **one.parts}, {**other.meant, **other.parts}
    shared = ours.keys() & theirs.keys()
    if all(ours[part] == theirs[part] for part in shared):
        return "same" if shared else "apart"
    beside = (one.near.before, other.near.before), (one.near.after[:1], other.near.after[:1])
    return "different" if any(a and a == b for a, b in beside) else "open"
