"""The numbers that a claim states, and how one stands to another's. Words are read in English alone."""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Literal

import msgspec

from service.core import cues, dated, figures
from service.core.beside import Near, Relation, near
from service.core.lexicon import COUNTED, ORDINALS, tokenise
from service.core.text import stems
from service.core.types import Number, Value

_LONG_VALUE, _LONGEST_VALUE = 6, 40
"""Digits: of values that may have been rounded; of those that are reckoned with."""
_OTHER_UNIT, _ROUNDED, _ABOUT = Fraction(2, 100), Fraction(1, 100), Fraction(5, 100)
"""How far equal values may lie apart, by the larger: in two units; one rounded, if long; one "about" so much."""

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
    limit: str = ""
    """What says so: "more than"."""
    about: bool = False
    near: Near = Near()


def numbers(text: str, fields: Sequence[Number] = (), *, english: bool = True) -> tuple[Figure, ...]:
    """The numbers of a claim in order, dates left out; where its words hold none, those given beside it.

    >>> [(one.shown, sorted(one.values), one.near.noun) for one in numbers("Two men died on 5 May; it cost $1,600.")]
    [('Two', ['2'], ('men', 'die')), ('$1,600', ['1600'], ())]
    """
    found = sorted(_read(text) if english else _digits(text), key=lambda figure: figure.at)
    if found and english:
        return tuple(found)
    held = {value for figure in found for value in figure.values} | loose(text)
    beside = {one.value: one.text for one in fields if one.value and _PLAIN.fullmatch(one.value)}
    given = (Figure(shown=shown, values=frozenset({value})) for value, shown in beside.items() if value not in held)
    return (*found, *given)


def as_written(text: str, figure: Figure) -> str:
    """A number of a claim with what bounds it and the unit that it counts.

    >>> [as_written(text, numbers(text)[0]) for text in ["It took more than 24 months."]]
    ['more than 24 months']
    """
    counted = _COUNTED.match(text, figure.at + len(figure.shown)) if figure.at >= 0 else None
    unit_too = counted[0] if counted and stems(counted[1])[:1] == list(figure.near.noun[:1]) and unit(figure) else ""
    return f"{figure.limit} {figure.shown}{unit_too}".lstrip()


def loose(text: str) -> frozenset[str]:
    """Values that a text gives in other ways: in dates, and in words such as "both" and "dozen"."""
    words = [token.word.removesuffix("s") for token in tokenise(text)]
    days = " ; ".join(word for date in cues.dates(text) for word in date.text.split())
    return frozenset(
        [str(COUNTED[word]) for word in words if word in COUNTED]
        + [number.value for number in cues.numbers(days) if number.value]
        + [digits.lstrip("0") for digits in re.findall(r"[0-9]+", days)]
    )


def _read(text: str) -> Iterator[Figure]:
    taken = dated.spans(text)
    end = 0
    for one in figures.figures(text):
        start = text.find(one.text, end)
        if start < 0:  # put in other digits, as "half a million" is
            yield Figure(shown=one.text, values=one.values, currency=one.currency)
            continue
        end = start + len(one.text)
        before, beside = text[max(0, start - 30) : start], near(text, start, end)
        more, less = _MORE.search(before), _LESS.search(before)
        if "%" in one.text:
            beside = msgspec.structs.replace(beside, noun=("percent",))
        if not _is_within(start, taken):
            yield Figure(
                shown=one.text,
                values=one.values,
                at=start,
                currency=one.currency,
                ordinal=one.text[-2:] in ("st", "nd", "rd", "th"),
                bound="more" if more else "less" if less else None,
                limit=(more or less or [""])[0].rstrip(" $€£¥"),
                about=_SOME.search(before) is not None,
                near=beside,
            )
    for token in tokenise(text):
        if token.word in ORDINALS and not _is_within(token.start, taken):
            value, beside = str(ORDINALS[token.word]), near(text, token.start, token.end)
            yield Figure(shown=token.text, values=frozenset({value}), at=token.start, ordinal=True, near=beside)


def _is_within(at: int, spans: Sequence[tuple[int, int]]) -> bool:
    return any(start <= at < end for start, end in spans)


_COUNTED = re.compile(r"[\s-]?([^\W\d_]+)")
_PLAIN = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_DIGITS = re.compile(r"\d+(?:[.,'’٬٫]\d+|\s\d{3}(?!\d))*")


def _digits(text: str) -> Iterator[Figure]:
    """Digits in any language; plain years are dates."""
    years = dated.spans(text, english=False)
    for match in _DIGITS.finditer(text):
        plain = "".join(str(unicodedata.digit(char)) for char in match[0] if char.isdigit()).lstrip("0") or "0"
        if not _is_within(match.start(), years):
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
