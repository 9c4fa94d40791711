"""The claims of two summaries, held against each other: the same, in other words, changed, gained, lost.

No judge is asked: claims are aligned by what they cite and by their words, and what differs is read from these.
"""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations

from service.core import pairing
from service.core.called import Known, known
from service.core.comparison import Change, ChangeKind, EntryLabel, LedgerCounts, LedgerEntry, WeightReason
from service.core.differences import KINDS, VALUES, Differences, differences, lacking
from service.core.lexicon import tokenise
from service.core.pairing import Pair
from service.core.reading import Reading, read
from service.core.types import SummaryResult, Value

MATERIAL = 1.0
"""From this weight on a loss matters; to lose filler is no regression."""
WEIGHTS: Mapping[WeightReason, float] = {"must": 1.0, "lead": 0.5, "common": 0.5, "number": 0.5}
"""What a claim weighs for each reason: that a reader has to know it; that it cites the lead of a document; that most
versions carry it; that it holds a number or a date."""
LEAD = frozenset({1, 2, 3})
"""Numbers of the first sentences of a document, where it is not known which of them are readable."""
FEWEST_VERSIONS = 3
"""Of fewer, "most versions carry it" says nothing."""
CLOSE = 0.5
"""Text score from which on claims are close enough to contradict each other, whatever they cite."""

Lead = Mapping[str, frozenset[int]]
"""Numbers of the first readable sentences of documents, by their SHA-256."""
Carried = Mapping[str, int]
"""In how many summaries a claim stands, by its id in one of them."""

_ARTICLES = frozenset({"a", "an", "the"})
_PLURALS: Mapping[ChangeKind, str] = {"polarity": "polarities"}
_MARKS = frozenset(",;:.!…()'\"’‘“”„«»‹›-‐‑‒–—―*")
"""They change nothing of what a claim says."""


def ledger(
    a: SummaryResult,
    b: SummaryResult,
    *,
    carried_a: Carried | None = None,
    carried_b: Carried | None = None,
    versions: int = 0,
    lead: Lead | None = None,
) -> tuple[LedgerEntry, ...]:
    """Every claim of two summaries, in the order of the source; what only one has stands where it belongs.

    A pair is `same` where the words are, up to case, punctuation, quotation marks and articles, and `reworded` where
    nothing else differs; it is `changed` where something does, and `contradicts` where both cannot hold: `differences`
    says where the border is. A claim that holds a shorter one, which the other summary has by itself, stands with it
    once more. To exchange the two summaries exchanges the sides, and nothing else.

    Args:
        a: the one summary.
        b: the other, of the same documents as their digests say.
        carried_a: in how many versions each claim of `a` stands, as `carried` counts.
        carried_b: the same for `b`.
        versions: how many they are.
        lead: where it is known which sentences are readable; else the first three are the lead.

    Raises:
        InvalidRequest: a claim cites what is no place in its documents.
    """
    pairs, places, names = pairing.pairs(a, b), pairing.places(a, b), known((a, b))
    sides = [
        _weighed(result, names, counted or {}, versions, lead or {})
        for result, counted in ((a, carried_a), (b, carried_b))
    ]
    found: list[tuple[tuple[int, ...], LedgerEntry]] = []
    for pair in pairs:
        place = min(places[0][pair.a], places[1][pair.b])
        found.append(((*place, 0, pair.a), _pair(pair, sides[0][pair.a], sides[1][pair.b], names)))
    for side, paired in enumerate(({pair.a for pair in pairs}, {pair.b for pair in pairs})):
        found += [
            ((*places[side][n], 1 + side, n), _single(one, gained=side == 1))
            for n, one in enumerate(sides[side])
            if n not in paired
        ]
    return tuple(entry for _, entry in sorted(found, key=lambda one: one[0]))


class _Weighed(Value, frozen=True, kw_only=True):
    """A claim, read and weighed."""

    reading: Reading
    reasons: tuple[WeightReason, ...]
    weight: float

    @property
    def id(self) -> str:
        return self.reading.point.id


def _weighed(result: SummaryResult, names: Known, carried: Carried, versions: int, lead: Lead) -> list[_Weighed]:
    digests = {facts.id: facts.sha256 for facts in result.documents}
    found: list[_Weighed] = []
    for reading in _read(result, names):
        point = reading.point
        holds: Mapping[WeightReason, bool] = {
            "must": point.importance == "must",
            "lead": any(one.sentence in lead.get(digests[one.document], LEAD) for one in point.evidence),
            "common": versions >= FEWEST_VERSIONS and 2 * carried.get(point.id, 0) > versions,
            "number": bool(reading.days or any(not number.ordinal for number in reading.numbers)),
        }
        reasons = tuple(reason for reason, so in holds.items() if so)
        found.append(_Weighed(reading=reading, reasons=reasons, weight=sum(WEIGHTS[reason] for reason in reasons)))
    return found


def _read(result: SummaryResult, names: Known) -> list[Reading]:
    return [read(point, names, english=pairing.in_english(point, result)) for point in result.key_points]


def _single(one: _Weighed, *, gained: bool) -> LedgerEntry:
    return LedgerEntry(
        label="gained" if gained else "lost",
        a=None if gained else one.id,
        b=one.id if gained else None,
        weight=one.weight,
        reasons=one.reasons,
    )


def _pair(pair: Pair, one: _Weighed, other: _Weighed, names: Known) -> LedgerEntry:
    found = _differences(pair, one.reading, other.reading, names)
    same = _plain(one.reading) == _plain(other.reading)
    label: EntryLabel = "changed" if found.changes else "same" if same else "reworded"
    heavier = min((one, other), key=lambda side: (-side.weight, side.reasons))
    return LedgerEntry(
        label="contradicts" if found.contradict else label,
        a=one.id,
        b=other.id,
        by=pair.by,
        score=pair.score,
        changes=found.changes,
        only_a=_only(one.reading, other.reading, names, found.changes),
        only_b=_only(other.reading, one.reading, names, found.changes),
        weight=heavier.weight,
        reasons=heavier.reasons,
    )


def _only(one: Reading, other: Reading, names: Known, changes: Sequence[Change]) -> tuple[str, ...]:
    """What one claim of a pair states and the other does not, but for what is told as a change."""
    told = " ".join(f"{change.a} {change.b}" for change in changes)
    return tuple(value for value in lacking(one, other, names) if value not in told)


def _differences(pair: Pair, one: Reading, other: Reading, names: Known) -> Differences:
    together = pair.by == "evidence"
    return differences(one, other, names, together=together, close=together or pair.score >= CLOSE)


def _plain(reading: Reading) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The words of a claim without articles, and the signs that are no punctuation."""
    text = unicodedata.normalize("NFKC", reading.point.text)
    tokens = tokenise(text)
    edges = [0, *(edge for token in tokens for edge in (token.start, token.end)), len(text)]
    between = "".join(text[start:end] for start, end in zip(edges[::2], edges[1::2], strict=True))
    return (
        tuple(token.word for token in tokens if not (reading.english and token.word in _ARTICLES)),
        tuple(char for char in between if char not in _MARKS and not char.isspace()),
    )


# --- what it comes to ------------------------------------------------------------------------------------------------


def counts(entries: Iterable[LedgerEntry]) -> LedgerCounts:
    """How many entries of each label there are; those gained and lost that a reader has to know; losses that matter."""
    entries = tuple(entries)
    labels = Counter(entry.label for entry in entries)
    must = Counter(entry.label for entry in entries if "must" in entry.reasons)
    return LedgerCounts(
        same=labels["same"],
        reworded=labels["reworded"],
        changed=labels["changed"],
        contradicts=labels["contradicts"],
        gained=labels["gained"],
        lost=labels["lost"],
        gained_must=must["gained"],
        lost_must=must["lost"],
        lost_material=sum(entry.label == "lost" and entry.weight >= MATERIAL for entry in entries),
    )


def changed(entries: Iterable[LedgerEntry]) -> tuple[Change, ...]:
    """The foremost change of each claim that is changed, so that a headline counts every claim once."""
    return tuple(entry.changes[0] for entry in entries if entry.label == "changed")


def sentence(a: str, b: str, counts: LedgerCounts, changes: Iterable[Change] = ()) -> str:
    """What the second of two versions gained, lost and changed.

    Args:
        a: the name of the first version.
        b: the name of the second.
        counts: of the entries.
        changes: what to tell of those that changed, as `changed` gives it; without, they are told by their number.

    >>> change = Change(kind="number", a="340", b="430")
    >>> sentence("news@2", "news@3", LedgerCounts(same=14, gained=5, lost=2, lost_must=1, changed=1), [change])
    'news@3 against news@2: 14 same, +5 gained, -2 lost (1 must), 1 changed number'
    """
    kinds = Counter(change.kind for change in changes)
    told = [(kinds[kind], kind if kinds[kind] == 1 else _PLURALS.get(kind, f"{kind}s")) for kind in KINDS]
    parts = [
        f"{counts.same} same",
        f"{counts.reworded} reworded" * bool(counts.reworded),
        f"+{counts.gained} gained{_must(counts.gained_must)}" * bool(counts.gained),
        f"-{counts.lost} lost{_must(counts.lost_must)}" * bool(counts.lost),
        *(f"{times} changed {what}" for times, what in told if times),
        f"{counts.changed} changed" * bool(counts.changed and not kinds),
        f"{counts.contradicts} contradict{'s' * (counts.contradicts == 1)}" * bool(counts.contradicts),
    ]
    return f"{b} against {a}: {', '.join(filter(None, parts))}"


def _must(times: int) -> str:
    return f" ({times} must)" if times else ""


# --- of more than two ------------------------------------------------------------------------------------------------


def carried(results: Sequence[SummaryResult]) -> tuple[Carried, ...]:
    """For each summary, by the id of each of its points, in how many of them all that claim stands.

    It stands in another where that has it in whatever words, with the same numbers, dates, names and polarity.

    Raises:
        InvalidRequest: a claim cites what is no place in its documents.
    """
    also = _also(results)
    return tuple(
        {point.id: 1 + len(also[one, n]) for n, point in enumerate(result.key_points)}
        for one, result in enumerate(results)
    )


def unstable(results: Sequence[SummaryResult]) -> tuple[str, ...]:
    """Texts of the claims that not every repetition of a version makes, each once, in the order of the source.

    Raises:
        InvalidRequest: a claim cites what is no place in its documents.
    """
    also, places = _also(results), pairing.places(*results)
    told: dict[tuple[int, int], str] = {}
    for _, *claim in sorted((places[one][n], one, n) for one, n in also):
        one, n = claim
        if 1 + len(also[one, n]) < len(results) and told.keys().isdisjoint(also[one, n]):
            told[one, n] = results[one].key_points[n].text
    return tuple(dict.fromkeys(told.values()))


def _also(results: Sequence[SummaryResult]) -> Mapping[tuple[int, int], set[tuple[int, int]]]:
    """For each claim, by summary and place in it, those of the others that are one with it and say the same."""
    names = known(results)
    readings = [_read(result, names) for result in results]
    found: dict[tuple[int, int], set[tuple[int, int]]] = {
        (one, n): set() for one, result in enumerate(results) for n in range(len(result.key_points))
    }
    for one, other in combinations(range(len(results)), 2):
        for pair in pairing.pairs(results[one], results[other]):
            differ = _differences(pair, readings[one][pair.a], readings[other][pair.b], names)
            if VALUES.isdisjoint(change.kind for change in differ.changes):
                found[one, pair.a].add((other, pair.b))
                found[other, pair.b].add((one, pair.a))
    return found
