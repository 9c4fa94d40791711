"""What the ids in a comparison stand for: trials, results and key points, looked up for every way of showing them."""

from collections.abc import Iterator
from typing import NamedTuple

from service.core.comparison import (
    Comparison,
    DocumentSet,
    EntryLabel,
    LedgerEntry,
    PairComparison,
    SetComparison,
    Trial,
)
from service.core.types import KeyPoint, SummaryResult
from service.rendering.comparison import phrases
from service.rendering.phrases import name


class Entry(NamedTuple):
    """An entry of a ledger with its claims; what stands in no ledger has no label."""

    label: EntryLabel | None
    a: KeyPoint | None
    b: KeyPoint | None
    found: LedgerEntry | None

    @property
    def changes(self) -> list[str]:
        """What the two claims differ in, and what only one of them has."""
        if self.found is None:
            return []
        only = [
            f"only {side}: {', '.join(values)}"
            for side, values in (("A", self.found.only_a), ("B", self.found.only_b))
            if values
        ]
        return [*(phrases.change(change) for change in self.found.changes), *only]

    @property
    def weight(self) -> float:
        """How much it matters."""
        return self.found.weight if self.found else 0.0

    @property
    def why(self) -> str:
        """Why it matters."""
        return phrases.why(self.found) if self.found else ""


class Shown(NamedTuple):
    """Two versions over one document set, with everything that its ids stand for."""

    found: SetComparison
    set: DocumentSet
    a: Trial | None
    b: Trial | None
    entries: tuple[Entry, ...]
    failures: tuple[str, ...]
    """Of either version's trials over the set."""

    @property
    def results(self) -> tuple[SummaryResult | None, SummaryResult | None]:
        """Of the trials that are shown."""
        return (self.a.result if self.a else None, self.b.result if self.b else None)


def cited(point: KeyPoint, result: SummaryResult | None) -> str:
    """The sentences that a claim cites, by their numbers; among several documents, with the names of these."""
    names = {facts.id: f"{name(facts)}, " for facts in result.documents} if result else {}
    several = len(names) > 1
    numbers: dict[str, set[int]] = {}
    for place in point.evidence:
        numbers.setdefault(names.get(place.document, "") if several else "", set()).add(place.sentence)
    return "; ".join(
        f"{document}sentence{'s' * (len(found) > 1)} {', '.join(map(str, sorted(found)))}"
        for document, found in numbers.items()
    )


def shown(comparison: Comparison, pair: PairComparison) -> Iterator[Shown]:
    """The document sets of a pair in its order; an id that stands for nothing leaves its place empty."""
    sets = {one.id: one for one in comparison.sets}
    trials = {trial.id: trial for trial in comparison.trials}
    failed: dict[str, list[str]] = {}
    for trial in comparison.trials:
        if trial.result is None and trial.version in (pair.a, pair.b):
            failed.setdefault(trial.set, []).append(phrases.failure(trial))
    for one in pair.sets:
        a, b = (trials.get(name) if name else None for name in (one.a, one.b))
        yield Shown(
            found=one,
            set=sets.get(one.set) or DocumentSet(id=one.set, name=one.set, digests=()),
            a=a,
            b=b,
            entries=tuple(_entries(one, a.result if a else None, b.result if b else None)),
            failures=tuple(failed.get(one.set, ())),
        )


def _entries(one: SetComparison, a: SummaryResult | None, b: SummaryResult | None) -> Iterator[Entry]:
    """Those of the ledger, then the claims that it does not have, as where the other side failed.

    A claim may stand in several entries: where it says what two of the other side say.
    """
    ours, theirs = ({point.id: point for point in result.key_points} if result else {} for result in (a, b))
    for found in one.ledger:
        mine, other = ours.get(found.a or ""), theirs.get(found.b or "")
        if mine is not None or other is not None:
            yield Entry(found.label, mine, other, found)
    told = ({found.a for found in one.ledger}, {found.b for found in one.ledger})
    for point in ours.values():
        if point.id not in told[0]:
            yield Entry(None, point, None, None)
    for point in theirs.values():
        if point.id not in told[1]:
            yield Entry(None, None, point, None)
