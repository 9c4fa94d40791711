"""The nouns of comparing: what was run, and what one prompt version gained, lost or changed against another.

A comparison is one value. Every report (JSON, page, Markdown, CSV, JUnit, terminal) is a way to show it.
"""

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from service.core.alignment import By
from service.core.references import Reference
from service.core.types import Engine, Importance, PromptRef, Stage, SummaryResult, Value

COMPARISON_VERSION = "1"
"""Of the form of a `Comparison` and of how it is drawn."""

EntryLabel = Literal["same", "reworded", "changed", "contradicts", "gained", "lost"]
ChangeKind = Literal["number", "date", "name", "stance", "polarity", "speaker"]
WeightReason = Literal["must", "lead", "common", "number"]
Tag = Literal["regressed", "improved", "different", "unstable", "new_unsupported", "failed"]
Direction = Literal["higher", "lower", "context"]
"""Which way is better; of what is context neither is."""
Unit = Literal["share", "count", "ratio", "tokens", "money", "seconds"]
PairVerdict = Literal["better", "worse", "no_detectable_change", "too_few_documents", "not_comparable"]
DifferenceCode = Literal["documents", "engine", "model", "parameters", "chunker", "grounding", "metrics", "dirty"]
Cited = Literal["a", "b", "both", "neither", "masked"]
Outcome = Literal["pass", "regression", "inconclusive", "not_comparable"]


# --- what is asked for -----------------------------------------------------------------------------------------------


class Rules(Value, frozen=True, kw_only=True):
    """What a gate asks for beyond its standing rules."""

    margins: Mapping[str, float] = msgspec.field(default_factory=dict)
    """By metric: how much worse it may be, as its interval shows."""
    max_words: float | None = None
    """Most words of an abstract, on average."""
    max_cost: float | None = None
    """Most that a document set may cost, on average."""
    max_latency_s: float | None = None
    """Most seconds that nineteen of twenty trials may take."""


class DocumentSet(Value, frozen=True, kw_only=True):
    """One or more documents that are summarised together: the unit that versions are paired by."""

    id: str
    """s1, s2, ... in the order given."""
    name: str
    digests: tuple[str, ...]
    """SHA-256 of the documents' texts, in the order of their ids in the results."""


class Experiment(Value, frozen=True, kw_only=True):
    """Versions x document sets x repetitions, to be run and compared."""

    sets: tuple[DocumentSet, ...]
    prompts: tuple[str, ...] = ()
    """Versions by their ids, pinned; empty where summaries that are there already are compared."""
    repetitions: int = 1
    metric: str | None = None
    """The primary one, named beforehand."""
    rules: Rules = Rules()
    references: tuple[Reference, ...] = ()


# --- what was run ----------------------------------------------------------------------------------------------------


class ComparedVersion(Value, frozen=True, kw_only=True):
    """One of the things compared: a prompt version, or whatever wrote an existing summary."""

    id: str
    """A reference such as `news@3`, or a name for summaries that were made elsewhere."""
    prompt: PromptRef | None
    engine: Engine
    models: tuple[str, ...] = ()
    """As they answered, over all trials."""
    parent: int | None = None
    change: str | None = None
    """What the version says it does otherwise than its parent."""
    output: str | None = None
    """The contract of its replies."""
    stages: tuple[Stage, ...] = ()
    withdrawn: str | None = None
    """Why, where the version was withdrawn."""


class TrialFailure(Value, frozen=True, kw_only=True):
    """Why a trial has no result."""

    code: str
    title: str
    detail: str


class Trial(Value, frozen=True, kw_only=True):
    """One document set, one version, one repetition, and what came of it: a result or a failure."""

    id: str
    """t1, t2, ..."""
    set: str
    version: str
    repetition: int
    result: SummaryResult | None
    failure: TrialFailure | None = None
    summary: str | None = None
    """Id of the stored summary, where there is one."""
    wall_s: float | None = None
    """From its start to its end, with all waiting; in a replay it says nothing of a provider."""


class Progress(Value, frozen=True, kw_only=True):
    """How far a comparison is, in trials."""

    total: int
    completed: int
    """With a result."""
    failed: int


# --- what came out, for one document set -----------------------------------------------------------------------------


class Change(Value, frozen=True, kw_only=True):
    """What two claims that are one differ in; `a` and `b` are empty where a side has nothing of the kind."""

    kind: ChangeKind
    a: str
    b: str


class LedgerEntry(Value, frozen=True, kw_only=True):
    """A pair of claims, or one that has no counterpart. A claim that says what two say may stand in two entries."""

    label: EntryLabel
    a: str | None
    """Id of the key point in the result of the first version."""
    b: str | None
    by: By | None = None
    """How the two were found to be one."""
    score: float | None = None
    changes: tuple[Change, ...] = ()
    only_a: tuple[str, ...] = ()
    """Numbers, dates and names of a pair that only the first claim has: to say less is no change, and is shown."""
    only_b: tuple[str, ...] = ()
    weight: float = 0.0
    """Of a claim that was gained or lost, or of the weightier one of a pair: at least MATERIAL where it matters."""
    reasons: tuple[WeightReason, ...] = ()


class LedgerCounts(Value, frozen=True, kw_only=True):
    """How many entries of each label there are."""

    same: int = 0
    reworded: int = 0
    changed: int = 0
    contradicts: int = 0
    gained: int = 0
    lost: int = 0
    gained_must: int = 0
    lost_must: int = 0
    lost_material: int = 0

    def __add__(self, other: "LedgerCounts") -> "LedgerCounts":
        fields = self.__struct_fields__
        return LedgerCounts(**{name: getattr(self, name) + getattr(other, name) for name in fields})


class FactChange(Value, frozen=True, kw_only=True):
    """A fact of a reference that one version covers and the other does not."""

    id: str
    text: str
    importance: Importance
    covered_by: Literal["a", "b"]


class Unsupported(Value, frozen=True, kw_only=True):
    """Something of the second version that its evidence does not hold, and that the first version does not have."""

    kind: Literal["quote", "number"]
    text: str
    """Of the claim."""
    detail: str


class Strip(Value, frozen=True, kw_only=True):
    """The sentences of one document in order, each by who cites it."""

    document: str
    """SHA-256 of its text."""
    sentences: tuple[Cited, ...]
    spans: tuple[tuple[int, int], ...] = ()
    """Where each of the sentences stands: start and end, in code points."""


class SetComparison(Value, frozen=True, kw_only=True):
    """Two versions over one document set."""

    set: str
    a: str | None
    """Id of the trial that is shown, the first repetition that succeeded; None where none did."""
    b: str | None
    ledger: tuple[LedgerEntry, ...] = ()
    """In the order of the source; what only one has stands where it belongs."""
    counts: LedgerCounts = LedgerCounts()
    metrics: dict[str, tuple[float | None, float | None]] = msgspec.field(default_factory=dict)
    """By name: of both versions, repetitions averaged."""
    facts: tuple[FactChange, ...] = ()
    unsupported: tuple[Unsupported, ...] = ()
    strips: tuple[Strip, ...] = ()
    """Empty where the texts were not at hand."""
    unstable: tuple[str, ...] = ()
    """Texts of claims that not every repetition of a version makes."""
    tags: tuple[Tag, ...] = ()
    loss: float = 0.0
    """Weight of the material claims and facts that were lost: the worst regression stands first."""


# --- what came out, over all -----------------------------------------------------------------------------------------


class Interval(Value, frozen=True, kw_only=True):
    """A confidence interval."""

    low: float
    high: float
    level: float = 0.95


class MetricRow(Value, frozen=True, kw_only=True):
    """One metric of two versions, averaged over the document sets that have it in both."""

    name: str
    direction: Direction
    unit: Unit
    a: float | None
    b: float | None
    delta: float | None
    """b - a."""
    n: int
    """Document sets that have a value in both."""
    wins: int = 0
    """Document sets on which the second version is better (with context: higher)."""
    ties: int = 0
    losses: int = 0
    win_rate: Interval | None = None
    """Wilson's, of wins among wins and losses."""
    interval: Interval | None = None
    """Bootstrapped, of the mean delta; only from 20 document sets on."""
    p: float | None = None
    """Two-sided, by the exact sign-flip test over document sets; None with fewer than two."""
    p_holm: float | None = None
    """Corrected for the number of metrics beside the primary one, which was named beforehand and is not."""
    noise: float | None = None
    """Largest delta of a version against itself; None where it was not measured."""
    verdict: PairVerdict | None = None
    """None for context, and where no document set has the metric."""


class Difference(Value, frozen=True, kw_only=True):
    """Why two versions cannot be compared: something differs that they do not differ in on purpose."""

    code: DifferenceCode
    detail: str


class PairComparison(Value, frozen=True, kw_only=True):
    """Two versions, the second against the first."""

    a: str
    b: str
    sentence: str
    """What was gained, lost and changed, and what that proves."""
    verdict: PairVerdict
    """Of the primary metric."""
    differences: tuple[Difference, ...]
    """Empty where they can be compared."""
    notes: tuple[str, ...]
    """What to know beside it: failed trials, stages that only one has, unmeasured noise."""
    counts: LedgerCounts
    metrics: tuple[MetricRow, ...]
    sets: tuple[SetComparison, ...]
    """Worst regression first."""
    noise_repetitions: int = 0
    """Distinct repetitions that the noise was measured with; 0 where it was not."""


class GateReason(Value, frozen=True, kw_only=True):
    """One rule of the gate, and how it came out."""

    rule: str
    outcome: Outcome
    detail: str


class GateResult(Value, frozen=True, kw_only=True):
    """Whether the last version may take the place of the first."""

    a: str
    b: str
    outcome: Outcome
    reasons: tuple[GateReason, ...]
    """Every rule that was held, those that passed too."""


class PartDiff(Value, frozen=True, kw_only=True):
    """A part of a prompt version that differs: `params`, `order`, `output`, or a stage's `system` or `user` part."""

    stage: str
    part: str
    lines: tuple[tuple[Literal[" ", "-", "+"], str], ...]
    """Of a line diff with three lines of context; a gap is a line "…" that is in both."""


class PromptDiff(Value, frozen=True, kw_only=True):
    """How the second of two prompt versions differs from the first."""

    a: str
    b: str
    change: str | None
    """What the second says of itself."""
    parts: tuple[PartDiff, ...]
    """Empty where they say the same."""


class Comparison(Value, frozen=True, kw_only=True):
    """Versions of a prompt over the same documents, fact by fact."""

    schema_version: str
    metrics_version: str
    service_version: str
    offset_unit: str
    primary_metric: str
    versions: Annotated[tuple[ComparedVersion, ...], Meta(min_length=2)]
    sets: tuple[DocumentSet, ...]
    trials: tuple[Trial, ...]
    pairs: tuple[PairComparison, ...]
    """The last version against the first is the first of them; then each against the one before it."""
    gate: GateResult
    rules: Rules = Rules()
    """That the gate was held to beyond its standing ones."""
    references: tuple[Reference, ...] = ()
    """That the document sets were held against."""
    prompt_diffs: tuple[PromptDiff, ...] = ()
    """One for each pair, in their order; empty where the prompts are not at hand."""
