"""A claim, read: its words, numbers, dates and names, as far as its language is known."""

from collections.abc import Iterable

from service.core import called, dated, stated
from service.core.called import Known, Name
from service.core.dated import Day
from service.core.lexicon import content, tokenise
from service.core.stated import Figure
from service.core.types import KeyPoint, Value

ONE_CLAIM = 0.6
"""Words that the shorter of two claims shares with the longer, to be about one thing as a whole."""
_MOST_CHARACTERS = 5_000
"""Of a claim that are read: what is longer is none."""
_MOST_VALUES = 100
"""Numbers, dates or names of a claim that are compared: it is none if it has more."""


class Reading(Value, frozen=True, kw_only=True):
    """A claim, read."""

    point: KeyPoint
    text: str
    english: bool
    words: frozenset[str]
    said: str
    """The claim without its numbers and dates: "May" is no "may"."""
    about: frozenset[str]
    """Stems of what is said that tell what it is about; in other languages than English, all words of it."""
    numbers: tuple[Figure, ...]
    counted: frozenset[str]
    """Values of dates, and of words that count in another way, such as "both"."""
    days: tuple[Day, ...]
    names: tuple[Name, ...]
    speakers: tuple[Name, ...]
    """Names in what is given as the speaker."""

    @property
    def quotes(self) -> str:
        """What it rests on."""
        return "\n".join(place.quote for place in self.point.evidence)


def read(point: KeyPoint, known: Known, *, english: bool) -> Reading:
    """Read a claim, as far as its language is known."""
    text = point.text[:_MOST_CHARACTERS]
    numbers = stated.numbers(text, point.numbers, english=english)[:_MOST_VALUES]
    days = dated.days(text, point.dates, english=english)[:_MOST_VALUES]
    said = _without(text, (*numbers, *days))
    left = {token.word for token in tokenise(said)}
    return Reading(
        point=point,
        text=text,
        english=english,
        words=frozenset(token.word.removesuffix("'s") for token in tokenise(text)),
        said=said,
        about=frozenset(content(" ".join(left)) if english else left),
        numbers=numbers,
        counted=stated.loose(text) if english else frozenset(),
        days=days,
        names=called.called(text, known)[:_MOST_VALUES] if english else (),
        speakers=called.called(point.attribution.who or "", known) if english else (),
    )


def _without(text: str, values: Iterable[Figure | Day]) -> str:
    parts, end = [], 0
    for value in sorted((value for value in values if value.at >= 0), key=lambda value: value.at):
        parts.append(text[end : max(end, value.at)])
        end = max(end, value.at + len(value.shown))
    return " ".join((*parts, text[end:]))


def overlap(a: Reading, b: Reading) -> float:
    """The words that the shorter of two claims shares with the longer, as a share of its own."""
    return len(a.about & b.about) / max(1, min(len(a.about), len(b.about)))
