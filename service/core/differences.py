"""What two claims that are one differ in: numbers, dates, names, polarity, stance and speaker.

English is read word by word, with what is given beside the words. Of other languages, digits are compared and what is
given beside the words, and nothing is concluded from words.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from itertools import product
from typing import NamedTuple, TypeVar

from service.core import called, cues, dated, negation, standing, stated
from service.core.beside import Relation
from service.core.called import Known, Name, Naming
from service.core.comparison import Change, ChangeKind
from service.core.dated import Day
from service.core.lexicon import content, tokenise
from service.core.reading import ONE_CLAIM, Reading, overlap
from service.core.stated import Figure
from service.core.types import Polarity

KINDS: tuple[ChangeKind, ...] = ("number", "date", "name", "polarity", "stance", "speaker")
"""In the order in which they matter."""
VALUES: frozenset[ChangeKind] = frozenset({"number", "date", "name", "polarity"})
"""Kinds in which two claims say different things, and not the same thing with another standing."""

_ALIKE = 0.5
"""Words that the shorter claim shares with the longer, for the only value that each has alone to be of one thing."""
_Told = TypeVar("_Told", Figure, Day)


class Differences(NamedTuple):
    """What two claims differ in, and whether they cannot both hold."""

    changes: tuple[Change, ...]
    contradict: bool


def differences(a: Reading, b: Reading, known: Known, *, together: bool, close: bool) -> Differences:
    """What two claims that were found to be one differ in, with both sides' values as they are written.

    Being less detailed is no difference: a value counts that each side has otherwise, and of one thing. Where the
    sources of both hold both values, they may well be of two things, and more has to agree around them.

    Two claims contradict each other

    - where they are close, and negations or opposites turn a word of each against the other, seen from both; or
    - where they cite the same, differ in nothing but their one number or their one date, and one of these does not
      stand in what the other cites;
    - in both cases by the same speaker, and not as a guess, an opinion or a joke where the other is none; or
    - where they cite the same, and one asserts what the other only says is denied.

    All else is a change. In other languages than English, only a number or a date can contradict another.

    Args:
        a: the one claim.
        b: the other.
        known: the names that are known of.
        together: whether the two cite the same.
        close: whether they cite the same, or have most of their words in common.
    """
    english = a.english and b.english
    ours, theirs = (
        [figure for figure in one.numbers if figure.values.isdisjoint(other.counted)] for one, other in ((a, b), (b, a))
    )
    numbers = _conflicts(a, b, ours, theirs, stated.of_numbers, _number_told)
    days = _conflicts(a, b, a.days, b.days, dated.of_days, _day_told)
    alike = overlap(a, b) >= _ALIKE
    names = called.differing(_naming(a), _naming(b), known, alike=alike) if english else []
    turned = english and _is_turned(a, b)
    polarity = _polarities(a, b, turned=turned)
    stance, speaker = standing.stances(a, b), standing.speakers(a, b)
    found: dict[ChangeKind, tuple[str, str] | None] = {
        "number": _shown(a, b, numbers),
        "date": _shown(a, b, days),
        "name": _shown(a, b, names),
        "polarity": polarity,
        "stance": stance,
        "speaker": speaker,
    }
    changes = tuple(Change(kind=kind, a=pair[0], b=pair[1]) for kind in KINDS if (pair := found[kind]))
    alone = len(VALUES & {change.kind for change in changes}) == 1
    clash = (turned and close) or (together and alone and _is_one_value(a, b, numbers, days))
    contradict = (clash and speaker is None and standing.is_as_sure(a, b)) or (
        english and together and standing.is_denied(a, b)
    )
    return Differences(changes, contradict)


def _naming(one: Reading) -> Naming:
    return Naming(names=one.names, tokens=tokenise(one.text), quotes=one.quotes)


def _shown(
    a: Reading, b: Reading, pairs: Sequence[tuple[Figure | Day | Name, Figure | Day | Name]]
) -> tuple[str, str] | None:
    """What differs, as each side writes it, in its order."""
    shown = [
        ", ".join(text for _, text in sorted({(pair[side].at, _as_written(one, pair[side])) for pair in pairs}))
        for side, one in enumerate((a, b))
    ]
    return (shown[0], shown[1]) if pairs else None


def _as_written(one: Reading, value: Figure | Day | Name) -> str:
    return stated.as_written(one.text, value) if isinstance(value, Figure) else value.shown


# --- numbers and dates -----------------------------------------------------------------------------------------------


def _conflicts(
    a: Reading,
    b: Reading,
    ours: Sequence[_Told],
    theirs: Sequence[_Told],
    relation: Callable[[_Told, _Told], Relation],
    told: Callable[[_Told, Reading], bool],
) -> list[tuple[_Told, _Told]]:
    """Values that differ, of those that the other claim does not have."""
    relations = {(x, y): relation(one, other) for x, one in enumerate(ours) for y, other in enumerate(theirs)}
    same = [pair for pair, how in relations.items() if how == "same"]
    taken = _matched(same, ours, theirs)
    left = [[n for n in range(len(some)) if (side, n) not in taken] for side, some in enumerate((ours, theirs))]
    # What stands twice on one side alone has a counterpart too, if not of its own.
    again = {(side, pair[side]) for pair in same for side in (0, 1)}
    only = len(left[0]) == len(left[1]) == 1 and overlap(a, b) >= _ALIKE
    found: list[tuple[_Told, _Told]] = []
    for x, y in product(*left):
        one, other, how = ours[x], theirs[y], relations[x, y]
        if told(one, b) and told(other, a):
            differ = how == "different" and one.near == other.near
        else:
            differ = how == "different" or (how == "open" and only and again.isdisjoint({(0, x), (1, y)}))
        if differ:
            found.append((one, other))
    return found


def _matched(same: Iterable[tuple[int, int]], ours: Sequence[_Told], theirs: Sequence[_Told]) -> set[tuple[int, int]]:
    """Values with a counterpart of their own, as side and place; of several that are the same, those of one noun."""
    taken: set[tuple[int, int]] = set()
    for x, y in sorted(same, key=lambda pair: (ours[pair[0]].near.noun != theirs[pair[1]].near.noun, sum(pair))):
        if (0, x) not in taken and (1, y) not in taken:
            taken |= {(0, x), (1, y)}
    return taken


def _number_told(figure: Figure, by: Reading) -> bool:
    return not figure.values.isdisjoint(_quoted(by.quotes, by.english)[0])


def _day_told(day: Day, by: Reading) -> bool:
    return any(dated.of_days(day, other) == "same" for other in _quoted(by.quotes, by.english)[1])


@lru_cache(maxsize=64)
def _quoted(quotes: str, english: bool) -> tuple[frozenset[str], tuple[Day, ...]]:
    """The values of the numbers in what a claim rests on, and the dates."""
    found = stated.numbers(quotes, english=english)
    return stated.loose(quotes).union(*(one.values for one in found)), dated.days(quotes, english=english)


def _is_one_value(
    a: Reading, b: Reading, numbers: Sequence[tuple[Figure, Figure]], days: Sequence[tuple[Day, Day]]
) -> bool:
    """Whether two claims are the same but for the one number, or the one date, that each of them has."""
    one_claim = overlap(a, b) >= ONE_CLAIM if a.english and b.english else a.about == b.about
    if len(numbers) + len(days) != 1 or not one_claim:
        return False
    if days:
        (one, other), *_ = days
        return len(a.days) == len(b.days) == 1 and not (_day_told(one, b) and _day_told(other, a))
    (first, second), *_ = numbers
    exact = not (first.about or second.about or first.bound or second.bound)
    told = _number_told(first, b) and _number_told(second, a)
    return len(a.numbers) == len(b.numbers) == 1 and exact and not told


# --- polarity --------------------------------------------------------------------------------------------------------


def _is_turned(a: Reading, b: Reading) -> bool:
    """Whether a word that both claims have is denied in one of them: seen from both, as from one it may be chance."""
    ours, theirs = a.text, b.text
    return ours != theirs and negation.turned(ours, [theirs]) and negation.turned(theirs, [ours])


def _polarities(a: Reading, b: Reading, *, turned: bool) -> tuple[str, str] | None:
    """What one affirms and the other negates; what is given beside the words counts only where these are foreign."""
    given = a.point.polarity, b.point.polarity
    if not (a.english and b.english):
        return given if given[0] != given[1] else None
    said: tuple[Polarity, Polarity] = (cues.polarity(a.text), cues.polarity(b.text))
    if turned:
        return said if said[0] != said[1] else _opposites(a, b)
    own = tuple(map(negation.own_polarity, (a.text, b.text)))
    clear = None not in own and own[0] != own[1] and own == given
    return said if clear and overlap(a, b) >= ONE_CLAIM else None


def _opposites(a: Reading, b: Reading) -> tuple[str, str]:
    """The words of each that the other does not have, where no negation tells which is which."""
    sides = []
    for one, other in ((a, b), (b, a)):
        own = [token.text for token in tokenise(one.text) if set(content(token.word)) - other.about]
        sides.append(" ".join(own[:3]))
    return sides[0], sides[1]


def lacking(a: Reading, b: Reading, known: Known) -> tuple[str, ...]:
    """Numbers, dates and names that one claim states and another does not, as they are written.

    A claim that says less is not changed by it; a reader should see what it leaves out all the same.
    """
    values = frozenset().union(b.counted, *(figure.values for figure in b.numbers))
    parts = {part for day in b.days for part in day.parts.items()}
    numbers = [stated.as_written(a.text, figure) for figure in a.numbers if figure.values.isdisjoint(values)]
    days = [day.shown for day in a.days if parts.isdisjoint(day.parts.items())]
    names = called.missing(_naming(a), _naming(b), known) if a.english and b.english else []
    return tuple(dict.fromkeys((*numbers, *days, *(name.shown for name in names))))
