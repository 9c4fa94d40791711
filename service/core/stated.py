"""The numbers and dates that a claim states, and how one stands to another's. Words are read in English alone."""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Literal

import msgspec

from service.core import cues, figures
from service.core.lexicon import COUNTED, FUNCTION_WORDS, NUMBER_WORDS, ORDINALS, Token, content, tokenise
from service.core.text import stems
from service.core.types import Date, Number, Value

Relation = Literal["same", "different", "open", "apart"]
"""Two values that are the same as far as both go; that are of one thing and differ; that differ, and nothing tells
what of; that have nothing to do with one another."""

_NEXT_WORDS = 2
_FAR_WORDS = 6
_LONG_VALUE, _LONGEST_VALUE = 6, 40
"""Digits: of values that may have been rounded; of those that are reckoned with."""
_OTHER_UNIT, _ROUNDED, _ABOUT = Fraction(2, 100), Fraction(1, 100), Fraction(5, 100)
"""How far equal values may lie apart, by the larger: in two units; one rounded, if long; one "about" so much."""

_BREAK = re.compile(r"[,;:—–()…]|[.!?](?:\s|$)")
_CLOSERS = frozenset("aboard across during per since within via toward towards ago including than".split())
"""They end the noun that a number counts, as function words do."""
_PASSED = frozenset("of the a an its his her their these those".split())
"""They may stand between a number and what it counts."""
_SIGN = r"\s(?:[$€£¥]\s?)?$"
_MORE = re.compile(rf"\b(?:more than|over|above|at least|no (?:fewer|less) than|upwards of){_SIGN}", re.IGNORECASE)
_LESS = re.compile(
    rf"\b(?<!no )(?:less than|fewer than|under|below|at most|up to|(?:no|not) more than){_SIGN}", re.IGNORECASE
)
_SOME = re.compile(
    rf"\b(?:about|around|roughly|some|approximately|nearly|almost|close to|an? estimated|something like){_SIGN}",
    re.IGNORECASE,
)
_UNITS: Mapping[str, tuple[str, Fraction]] = {
    stems(word)[0]: (dimension, Fraction(size))
    for dimension, units in (
        ("time", "second 1/86400 minute 1/1440 hour 1/24 day 1 week 7 month 487/16 year 1461/4 decade 7305/2"),
        (
            "length",
            "centimetre 1/100 metre 1 meter 1 kilometre 1000 kilometer 1000 km 1000 mile 1609 foot 3/10 feet 3/10",
        ),
        ("mass", "gram 1/1000 kilogram 1 kg 1 tonne 1000 ton 1000 pound 9/20"),
        ("share", "percent 1 cent 1"),
    )
    for word, size in zip(units.split()[::2], units.split()[1::2], strict=True)
}
"""Stems of units, each with its dimension and size; "cent" is that of "per cent"."""


class Near(Value, frozen=True, kw_only=True):
    """The words beside something in a claim, as stems; those of its own clause."""

    before: str | None = None
    after: tuple[str, ...] = ()
    noun: tuple[str, ...] = ()
    """Of what stands after it, the noun that it counts, with its adjectives."""


class Figure(Value, frozen=True, kw_only=True):
    """A number that a claim states."""

    shown: str
    values: frozenset[str]
    """All that it may stand for, in plain digits."""
    at: int = -1
    """Where it stands in the claim; -1 where it is only given beside the words."""
    currency: str | None = None
    ordinal: bool = False
    bound: Literal["more", "less"] | None = None
    about: bool = False
    near: Near = Near()


class Day(Value, frozen=True, kw_only=True):
    """A date that a claim states, as far as it goes."""

    shown: str
    at: int = -1
    parts: Mapping[str, int]
    """What the words say: year, month, day, weekday, or how many units from now."""
    meant: Mapping[str, int] = msgspec.field(default_factory=dict)
    """Year, month and day, as far as they are given beside the words."""
    near: Near = Near()


# --- the words beside ------------------------------------------------------------------------------------------------


def near(text: str, start: int, end: int, *, english: bool = True) -> Near:
    """The words beside a stretch of a claim; in other languages than English, the very next ones as they are.

    >>> near("Kelly spent 340 long days aboard the station.", 12, 15)
    Near(before='spent', after=('long', 'day'), noun=('long', 'day'))
    """
    tokens = tokenise(text)
    before = _run(text, [token for token in reversed(tokens) if token.end <= start], start)
    after = _run(text, [token for token in tokens if token.start >= end], end)
    if not english:
        following = tuple(token.word for token in after[:1])
        return Near(before=before[0].word if before else None, after=following, noun=following)
    return Near(
        before=next((stem for token in before for stem in _content(token)), None),
        after=tuple(stem for token in after for stem in _content(token))[:_NEXT_WORDS],
        noun=_noun(after),
    )


def _run(text: str, tokens: Sequence[Token], edge: int) -> list[Token]:
    """The nearest tokens on one side of an offset, up to the border of its clause."""
    found: list[Token] = []
    for token in tokens[:_FAR_WORDS]:
        between = text[token.end : edge] if token.end <= edge else text[edge : token.start]
        if _BREAK.search(between):
            break
        found.append(token)
        edge = token.start if token.end <= edge else token.end
    return found


def _noun(after: Sequence[Token]) -> tuple[str, ...]:
    found: list[str] = []
    for token in after:
        if token.word in _CLOSERS or (token.word in FUNCTION_WORDS and (found or token.word not in _PASSED)):
            break
        found += _content(token)
    return tuple(found)


def _content(token: Token) -> list[str]:
    return [] if token.word in NUMBER_WORDS or token.text[0].isdigit() else content(token.word)


# --- numbers ---------------------------------------------------------------------------------------------------------


def numbers(text: str, fields: Sequence[Number] = (), *, english: bool = True) -> tuple[Figure, ...]:
    """The numbers of a claim in order, dates left out; where its words hold none, those given beside it.

    >>> [(one.shown, sorted(one.values), one.near.noun) for one in numbers("Two men died on 5 May; it cost $1,600.")]
    [('Two', ['2'], ('men', 'die')), ('$1,600', ['1600'], ())]
    """
    found = sorted(_read(text) if english else _digits(text), key=lambda figure: figure.at)
    if found and english:
        return tuple(found)
    held = {value for figure in found for value in figure.values} | loose(text)
    beside = {one.value: one.text for one in fields if one.value and one.value not in held}
    return (*found, *(Figure(shown=shown, values=frozenset({value})) for value, shown in beside.items()))


def loose(text: str) -> frozenset[str]:
    """Values that a text gives in other ways: in dates, and in words such as "both" and "dozen"."""
    words = [token.word.removesuffix("s") for token in tokenise(text)]
    dated = " ; ".join(word for date in cues.dates(text) for word in date.text.split())
    return frozenset(
        [str(COUNTED[word]) for word in words if word in COUNTED]
        + [number.value for number in cues.numbers(dated) if number.value]
        + [digits.lstrip("0") for digits in re.findall(r"[0-9]+", dated)]
    )


def _read(text: str) -> Iterator[Figure]:
    dated = [(day.at, day.at + len(day.shown)) for day in _read_days(text)]
    end = 0
    for one in figures.figures(text):
        start = text.find(one.text, end)
        if start < 0:  # put in other digits, as "half a million" is
            yield Figure(shown=one.text, values=one.values, currency=one.currency)
            continue
        end = start + len(one.text)
        before, beside = text[max(0, start - 30) : start], near(text, start, end)
        if "%" in one.text:
            beside = msgspec.structs.replace(beside, noun=("percent",))
        if not _is_within(start, dated):
            yield Figure(
                shown=one.text,
                values=one.values,
                at=start,
                currency=one.currency,
                ordinal=one.text[-2:] in ("st", "nd", "rd", "th"),
                bound="more" if _MORE.search(before) else "less" if _LESS.search(before) else None,
                about=_SOME.search(before) is not None,
                near=beside,
            )
    for token in tokenise(text):
        if token.word in ORDINALS and not _is_within(token.start, dated):
            value, beside = str(ORDINALS[token.word]), near(text, token.start, token.end)
            yield Figure(shown=token.text, values=frozenset({value}), at=token.start, ordinal=True, near=beside)


def _is_within(at: int, spans: Sequence[tuple[int, int]]) -> bool:
    return any(start <= at < end for start, end in spans)


_DIGITS = re.compile(r"\d+(?:[.,'’٬٫]\d+|\s\d{3}(?!\d))*")
_YEAR = re.compile(r"(?:1[5-9]|20)[0-9]{2}")


def _digits(text: str) -> Iterator[Figure]:
    """Digits in any language; plain years are dates."""
    for match in _DIGITS.finditer(text):
        plain = "".join(str(unicodedata.digit(char)) for char in match[0] if char.isdigit()).lstrip("0") or "0"
        if not _YEAR.fullmatch(match[0]):
            beside = near(text, *match.span(), english=False)
            yield Figure(shown=match[0], values=frozenset({plain}), at=match.start(), near=beside)


def of_numbers(one: Figure, other: Figure) -> Relation:
    """How a number of one claim stands to a number of another.

    >>> [of_numbers(numbers(a)[0], numbers(b)[0]) for a, b in (("It has two rooms.", "It has 2 rooms."),
    ...     ("340 days passed.", "430 days passed."), ("340 days passed.", "Five men left."))]
    ['same', 'different', 'apart']
    """
    if one.ordinal != other.ordinal:
        return "apart"
    if _is_equal(one, other):
        return "different" if {one.bound, other.bound} == {"more", "less"} else "same"
    nouns, units = (one.near.noun, other.near.noun), (unit(one), unit(other))
    if units[0] and units[1] and units[0][0] != units[1][0]:
        return "apart"
    if (units[0] is None) != (units[1] is None) or (one.currency is None) != (other.currency is None):
        return "apart" if all(figure.near.noun or figure.currency for figure in (one, other)) else "open"
    # That both count days tells little, that both count deaths tells all.
    named = [noun[bool(unit) :] for noun, unit in zip(nouns, units, strict=True)]
    if set(named[0]) & set(named[1]) or (one.near.before is not None and one.near.before == other.near.before):
        return "different"
    return "apart" if all(named) else "open"


def unit(figure: Figure) -> tuple[str, Fraction] | None:
    """The dimension and size of what a number counts, where that is a unit."""
    return _UNITS.get(figure.near.noun[0]) if figure.near.noun else None


def _is_equal(one: Figure, other: Figure) -> bool:
    """Whether two values are the same, in whatever unit, as exactly as both are given."""
    if one.currency and other.currency and one.currency != other.currency:
        return False
    a, b = unit(one), unit(other)
    if a and b and a != b:
        return a[0] == b[0] and _is_close(one, other, _OTHER_UNIT, (a[1], b[1]))
    if one.values & other.values:
        return True
    if one.about or other.about:
        return _is_close(one, other, _ABOUT)
    digits = {len(value.rstrip("0")) for figure in (one, other) for value in figure.values if len(value) >= _LONG_VALUE}
    return len(digits) > 1 and _is_close(one, other, _ROUNDED)


def _is_close(
    one: Figure, other: Figure, least: Fraction, sizes: Sequence[Fraction] = (Fraction(1), Fraction(1))
) -> bool:
    for a in one.values:
        for b in other.values:
            if len(a) <= _LONGEST_VALUE and len(b) <= _LONGEST_VALUE:
                x, y = Fraction(a) * sizes[0], Fraction(b) * sizes[1]
                if abs(x - y) <= least * max(x, y):
                    return True
    return False


# --- dates -----------------------------------------------------------------------------------------------------------

_MONTHS = "january february march april may june july august september october november december".split()
_WEEKDAYS = "mon tues wednes thurs fri satur sun".split()
_NAMED = "|".join(month.title() for month in _MONTHS)
_DAY_OF_MONTH = re.compile(rf"\b(?P<day>0?[1-9]|[12]\d|3[01])(?:st|nd|rd|th)?\s+(?:of\s+)?(?P<month>{_NAMED})\b")
_MONTH_ALONE = re.compile(
    rf"\b(?:(?:in|since|by|until|from|of|last|next|this|late|early|mid)[\s-]+(?P<after>May|March)"
    rf"|(?P<month>{_NAMED.replace('March|', '').replace('May|', '')}))\b"
)
_STEP = re.compile(r",?\s+(?:of\s+)?")
_OF_NOW = re.compile(r"(next|last|this)\s+(\w+)")
_AGO = re.compile(r"(.+?)\s+(year|month|week|day|decade)s?\s+(ago|back|earlier|later)")
_DAYS = {"yesterday": -1, "today": 0, "tonight": 0, "tomorrow": 1}
_SHIFTS = {"next": 1, "last": -1, "this": 0}
_ISO = ("year", "month", "day")


def days(text: str, fields: Sequence[Date] = (), *, english: bool = True) -> tuple[Day, ...]:
    """The dates of a claim in order; where its words hold none, those given beside it.

    >>> [(day.shown, dict(day.parts)) for day in days("On 5 May he said it was filmed two years ago.")]
    [('5 May', {'day': 5, 'month': 5}), ('two years ago', {'years from now': -2})]
    """
    found = _joined(text, sorted(_read_days(text) if english else _years(text), key=lambda day: day.at))
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


def _joined(text: str, found: Sequence[Day]) -> list[Day]:
    """Dates, those made one that are given in two steps: "November of next year", "Monday, May 5"."""
    joined: list[Day] = []
    for day in found:
        last = joined[-1] if joined else None
        end = last.at + len(last.shown) if last else 0
        if last and _STEP.fullmatch(text, end, day.at) and last.parts.keys().isdisjoint(day.parts):
            shown = text[last.at : day.at + len(day.shown)]
            joined[-1] = Day(shown=shown, at=last.at, parts={**last.parts, **day.parts})
        else:
            joined.append(day)
    return joined


def _is_part(one: str, other: str) -> bool:
    return one.casefold() in other.casefold() or other.casefold() in one.casefold()


def _iso(value: str) -> dict[str, int]:
    """The parts of a prefix of YYYY-MM-DD; none where it is something else."""
    return (
        dict(zip(_ISO, map(int, value.split("-")), strict=False))
        if re.fullmatch(r"[0-9]{4}(-[0-9]{2}){0,2}", value)
        else {}
    )


def _read_days(text: str) -> Iterator[Day]:
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
    for match in _DIGITS.finditer(text):
        if _YEAR.fullmatch(match[0]):
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
            (int(number.value) for number in cues.numbers(ago[1]) if number.value and number.value.isdigit()), None
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
