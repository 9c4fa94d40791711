"""What two claims that are one differ in: numbers, dates, names, polarity, stance and speaker.

English is read word by word, with what is given beside the words. Of other languages, digits are compared and what is
given beside the words, and nothing is concluded from words.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import product
from typing import NamedTuple, TypeVar

from service.core import called, cues, negation, stated
from service.core.called import Known, Name, Naming
from service.core.comparison import Change, ChangeKind
from service.core.lexicon import FUNCTION_WORDS, content, tokenise
from service.core.stated import Day, Figure, Relation
from service.core.types import Attribution, KeyPoint, Polarity, Stance, Value

KINDS: tuple[ChangeKind, ...] = ("number", "date", "name", "polarity", "stance", "speaker")
"""In the order in which they matter."""
VALUES: frozenset[ChangeKind] = frozenset({"number", "date", "name", "polarity"})
"""Kinds in which two claims say different things, and not the same thing with another standing."""

_ALIKE = 0.5
"""Words that the shorter claim shares with the longer, for the only number of each to be of one thing."""
_ONE_CLAIM = 0.6
"""The same, for two claims to be about one thing as a whole."""

Standing = str
"""A stance; one for those that assert, and one for those that pass on."""
_FIRM, _TOLD = "asserted", "reported"
_STANDINGS: dict[Stance, Standing] = {"confirmed": _FIRM, "claimed": _TOLD}
_UNSURE = frozenset({"conditional", "opinion", "joke"})
_NOBODY = frozenset({(), ("author",), ("article",), ("text",), ("narrator",)})

_CLAUSE = re.compile(
    r"[,;:—–()…]|\b(?i:and|but|which|who|because|since|although|though|while|when|as)\b|[.!?]+(?:\s|$)"
)
_GIVEN = re.compile(r"\b(?:since|because|as|who|which)\b([^,;:.]*)")
"""What a claim takes for granted: "is busy because he has a son"."""
_HEDGED = re.compile(
    r"\b(?:reportedly|allegedly|supposedly|purportedly|apparently|rumou?red|unconfirmed|said to)\b", re.IGNORECASE
)
_TELLS = re.compile(
    r"\b(?:sa(?:y|ys|id|ying)|tells?|told|according to|view(?:s|ed)?|opinion|accounts?|add(?:s|ed)|argue[sd]?|writes?"
    r"|wrote|announce[sd]?|reveal(?:s|ed)?|disclose[sd]?|confirm(?:s|ed)?|claim(?:s|ed)?|deni(?:es|ed)|joke[sd]?|stress(?:es|ed)?"
    r"|emphasi[sz]e[sd]?|express(?:es|ed)?|voice[sd]?|question(?:s|ed)?|think(?:s)?|thought|believe[sd]?|describe[sd]?"
    r"|call(?:s|ed)?|note[sd]?|warn(?:s|ed)?|insist(?:s|ed)?|state[sd]?|report(?:s|ed)?|hint(?:s|ed)?|imagine[sd]?"
    r"|find(?:s)?|found|regard(?:s|ed)?|conclude[sd]?|promise[sd]?|explain(?:s|ed)?|quoted|cited|prais(?:es|ed))\b",
    re.IGNORECASE,
)

_Told = TypeVar("_Told", Figure, Day)


class Reading(Value, frozen=True, kw_only=True):
    """A claim, read."""

    point: KeyPoint
    english: bool
    words: frozenset[str]
    about: frozenset[str]
    """Stems of the words that say what it is about; in other languages than English, all words but figures."""
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


class Differences(NamedTuple):
    """What two claims differ in, and whether they cannot both hold."""

    changes: tuple[Change, ...]
    contradict: bool


def read(point: KeyPoint, known: Known, *, english: bool) -> Reading:
    """Read a claim, as far as its language is known."""
    tokens = tokenise(point.text)
    plain = [token.word.removesuffix("'s") for token in tokens]
    figures = {word for word in plain if any(map(str.isdigit, word))}
    return Reading(
        point=point,
        english=english,
        words=frozenset(plain),
        about=frozenset(content(" ".join(set(plain) - figures)) if english else set(plain) - figures),
        numbers=stated.numbers(point.text, point.numbers, english=english),
        counted=stated.loose(point.text) if english else frozenset(),
        days=stated.days(point.text, point.dates, english=english),
        names=called.called(point.text, known) if english else (),
        speakers=called.called(point.attribution.who or "", known) if english else (),
    )


def differences(a: Reading, b: Reading, known: Known, *, together: bool, close: bool) -> Differences:
    """What two claims that were found to be one differ in, with both sides' values as they are written.

    Being less detailed is no difference: a value counts that each side has otherwise, and of one thing. Where the
    sources of both hold both values, they may well be of two things, and more has to agree around them.

    Two claims contradict each other where nobody else is made to say them, neither is a guess, an opinion or a joke
    where the other is not, and either

    - they are close, and negations or opposites turn a word of each against the other, both ways round; or
    - they cite the same, and one affirms what the other only says is denied; or
    - they cite the same, differ in nothing but their one number or their one date, and one of these does not stand
      in what the other cites.

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
    days = _conflicts(a, b, a.days, b.days, stated.of_days, _day_told)
    alike = _overlap(a, b) >= _ALIKE
    names = called.differing(_naming(a), _naming(b), known, alike=alike) if english else []
    turned = english and _is_turned(a, b)
    polarity = _polarities(a, b, turned=turned)
    stance, speaker = _stances(a, b), _speakers(a, b)
    found: dict[ChangeKind, tuple[str, str] | None] = {
        "number": _shown(numbers),
        "date": _shown(days),
        "name": _shown(names),
        "polarity": polarity,
        "stance": stance,
        "speaker": speaker,
    }
    changes = tuple(Change(kind=kind, a=pair[0], b=pair[1]) for kind in KINDS if (pair := found[kind]))
    alone = len(VALUES & {change.kind for change in changes}) == 1
    contradict = (
        speaker is None
        and _is_as_sure(a, b)
        and (
            (turned and close)
            or (english and together and _is_denied(a, b))
            or (together and alone and _is_one_value(a, b, numbers, days))
        )
    )
    return Differences(changes, contradict)


def _naming(one: Reading) -> Naming:
    return Naming(names=one.names, text=one.point.text, quotes=one.quotes)


def _overlap(a: Reading, b: Reading) -> float:
    return len(a.about & b.about) / max(1, min(len(a.about), len(b.about)))


def _shown(pairs: Sequence[tuple[Figure | Day | Name, Figure | Day | Name]]) -> tuple[str, str] | None:
    if not pairs:
        return None
    a, b = (dict.fromkeys(pair[side].shown for pair in pairs) for side in (0, 1))
    return ", ".join(a), ", ".join(b)


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
    only = len(left[0]) == len(left[1]) == 1 and _overlap(a, b) >= _ALIKE
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
    for x, y in sorted(same, key=lambda pair: ours[pair[0]].near.noun != theirs[pair[1]].near.noun):
        if (0, x) not in taken and (1, y) not in taken:
            taken |= {(0, x), (1, y)}
    return taken


def _number_told(figure: Figure, by: Reading) -> bool:
    held = stated.loose(by.quotes).union(*(other.values for other in stated.numbers(by.quotes, english=by.english)))
    return not figure.values.isdisjoint(held)


def _day_told(day: Day, by: Reading) -> bool:
    return any(stated.of_days(day, other) == "same" for other in stated.days(by.quotes, english=by.english))


def _is_one_value(
    a: Reading, b: Reading, numbers: Sequence[tuple[Figure, Figure]], days: Sequence[tuple[Day, Day]]
) -> bool:
    """Whether two claims are the same but for the one number, or the one date, that each of them has."""
    if len(numbers) + len(days) != 1 or _overlap(a, b) < (_ONE_CLAIM if a.english and b.english else 1):
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
    ours, theirs = a.point.text, b.point.text
    return negation.turned(ours, [theirs]) and negation.turned(theirs, [ours])


def _polarities(a: Reading, b: Reading, *, turned: bool) -> tuple[str, str] | None:
    """What one affirms and the other negates; what is given beside the words counts only where these are foreign."""
    given = a.point.polarity, b.point.polarity
    if not (a.english and b.english):
        return given if given[0] != given[1] else None
    said: tuple[Polarity, Polarity] = (cues.polarity(a.point.text), cues.polarity(b.point.text))
    if turned:
        return said if said[0] != said[1] else _opposites(a, b)
    own = tuple(map(negation.own_polarity, (a.point.text, b.point.text)))
    clear = None not in own and own[0] != own[1] and own == given
    return said if clear and _overlap(a, b) >= _ONE_CLAIM else None


def _opposites(a: Reading, b: Reading) -> tuple[str, str]:
    """The words of each that the other does not have, where no negation tells which is which."""
    sides = []
    for one, other in ((a, b), (b, a)):
        own = [token.text for token in tokenise(one.point.text) if set(content(token.word)) - other.about]
        sides.append(" ".join(own[:3]))
    return sides[0], sides[1]


def _is_denied(a: Reading, b: Reading) -> bool:
    """Whether one claim affirms what the other says that somebody denies."""
    standings = [_standing(one.point.stance) for one in (a, b)]
    words = [cues.stance(one.point.text) == "denied" for one in (a, b)]
    return (
        any(
            standings[side] == "denied" and words[side] and standings[1 - side] == _FIRM and not words[1 - side]
            for side in (0, 1)
        )
        and _overlap(a, b) >= _ONE_CLAIM
    )


# --- stance ----------------------------------------------------------------------------------------------------------


def _standing(stance: Stance) -> Standing:
    return _STANDINGS.get(stance, stance)


def _is_as_sure(a: Reading, b: Reading) -> bool:
    ours, theirs = (_standing(one.point.stance) for one in (a, b))
    return ours == theirs or not {ours, theirs} & _UNSURE


def _stances(a: Reading, b: Reading) -> tuple[str, str] | None:
    """How far two claims stand behind what they say, where that differs, and their words do not say otherwise.

    What is given beside the words often differs where the words do not ("has confirmed that he will"): it counts
    where the words of neither claim hold the other's stance.
    """
    ours, theirs = _standing(a.point.stance), _standing(b.point.stance)
    if not (a.english and b.english):
        return (a.point.stance, b.point.stance) if ours != theirs else None
    said = _worded(a, b), _worded(b, a)
    if ours != theirs:
        differ = ours not in said[1] and theirs not in said[0]
        return (a.point.stance, b.point.stance) if differ else None
    hedged = [_hedged(one.point.text) for one in (a, b)]
    if ours == _FIRM and bool(hedged[0]) != bool(hedged[1]):
        return hedged[0] or a.point.stance, hedged[1] or b.point.stance
    return None


def _hedged(text: str) -> Stance | None:
    """The stance of a claim's words that hold back what it says, whatever is given beside them."""
    if _HEDGED.search(text):
        return "reported"
    return "conditional" if cues.stance(text) == "conditional" and not _CLAUSE.search(text.rstrip(" .!")) else None


def _worded(one: Reading, other: Reading) -> frozenset[Standing]:
    """The stances that the words of a claim have, clause by clause; that it asserts only what is given as a reason."""
    text = one.point.text
    said = {cues.stance(clause) for clause in (text, *_CLAUSE.split(text)) if clause.strip()}
    found = {_standing(stance) for stance in said if stance != _FIRM}
    if _who(other.point.attribution) not in _NOBODY and _names_speaker(one, other):
        # Who does something may be given as who says so: "the board resolved".
        found.update({_TOLD} if _TELLS.search(text) or not _TELLS.search(other.point.text) else ())
    if any(len(other.about & set(content(reason))) >= _ONE_CLAIM * len(other.about) for reason in _GIVEN.findall(text)):
        found.add(_FIRM)
    return frozenset(found)


# --- speaker ---------------------------------------------------------------------------------------------------------


def _who(attribution: Attribution) -> tuple[str, ...]:
    words = (token.word.removesuffix("'s") for token in tokenise(attribution.who or ""))
    return tuple(word for word in words if word not in FUNCTION_WORDS)


def _speakers(a: Reading, b: Reading) -> tuple[str, str] | None:
    """Who says it, where that differs: given less fully, or in the words of a claim alone, it is the same speaker."""
    ours, theirs = _who(a.point.attribution), _who(b.point.attribution)
    nobody = ours in _NOBODY, theirs in _NOBODY
    if all(nobody) or ours == theirs:
        return None
    if a.english and b.english and _is_one_speaker(a, b, ours, theirs, nobody):
        return None
    return tuple(  # type: ignore[return-value]
        "" if none else one.point.attribution.who or "" for none, one in zip(nobody, (a, b), strict=True)
    )


def _is_one_speaker(
    a: Reading, b: Reading, ours: tuple[str, ...], theirs: tuple[str, ...], nobody: tuple[bool, bool]
) -> bool:
    if nobody[0]:
        return _names_speaker(a, b)
    if nobody[1]:
        return _names_speaker(b, a)
    if set(ours) <= set(theirs) or set(theirs) <= set(ours):
        return True
    if a.speakers and b.speakers:
        entities = [frozenset[str]().union(*(name.entities for name in one.speakers)) for one in (a, b)]
        return not entities[0].isdisjoint(entities[1])
    if not a.speakers and not b.speakers:
        return False
    described, named = (b, a) if a.speakers else (a, b)
    return described.point.attribution.type == named.point.attribution.type or _names_speaker(named, described)


def _names_speaker(one: Reading, other: Reading) -> bool:
    """Whether the words of a claim name the other's speaker: by one name of it, or where it has none, by every word."""
    if other.speakers:
        return any(name.words[-1:] and name.words[-1] in one.words for name in other.speakers)
    return set(_who(other.point.attribution)) <= one.words
