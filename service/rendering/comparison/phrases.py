"""Words and numbers that every way of showing a comparison uses alike."""

from collections.abc import Mapping
from math import isfinite
from typing import NamedTuple

from service.core.comparison import (
    Change,
    Cited,
    ComparedVersion,
    Comparison,
    Direction,
    EntryLabel,
    GateResult,
    Interval,
    LedgerCounts,
    LedgerEntry,
    MetricRow,
    Outcome,
    PairComparison,
    PairVerdict,
    SetComparison,
    Tag,
    Trial,
    Unit,
    WeightReason,
)
from service.rendering.phrases import count

DIGITS_SHOWN = 12
"""Of a digest."""
NONE = "–"
"""Where there is no value."""

VERDICTS: Mapping[PairVerdict, str] = {
    "better": "better",
    "worse": "worse",
    "no_detectable_change": "no detectable change",
    "too_few_documents": "too few documents",
    "not_comparable": "not comparable",
}
OUTCOMES: Mapping[Outcome, str] = {
    "pass": "pass",
    "regression": "regression",
    "inconclusive": "inconclusive",
    "not_comparable": "not comparable",
}
SIGNS: Mapping[EntryLabel, str] = {
    "lost": "−",
    "contradicts": "⇄",
    "changed": "≠",
    "gained": "+",
    "reworded": "≈",
    "same": "=",
}
"""Of the labels, those first that a reader has to look at."""
TAGS: Mapping[Tag, str] = {
    "regressed": "Regressed",
    "improved": "Improved",
    "different": "Different",
    "unstable": "Unstable",
    "new_unsupported": "New unsupported",
    "failed": "Failed",
}
TAGS_SAY: Mapping[Tag, str] = {
    "regressed": "a claim or fact that matters was lost, or something unsupported came in",
    "improved": "a claim or fact that matters was gained, and none was lost",
    "different": "a claim was gained, lost, changed, or says the opposite",
    "unstable": "repetitions of one version differ among themselves",
    "new_unsupported": "a quote that stands nowhere or a number without support, which the first version does not have",
    "failed": "one of the two versions has no result",
}
REASONS: Mapping[WeightReason, str] = {
    "must": "a must point",
    "lead": "from the lead",
    "common": "most versions have it",
    "number": "holds a number",
}
CITED: Mapping[Cited, str] = {
    "a": "A only",
    "b": "B only",
    "both": "both",
    "neither": "neither",
    "masked": "not read",
}
CITED_LETTERS: Mapping[Cited, str] = {"a": "A", "b": "B", "both": "AB", "neither": "·", "masked": "×"}
BETTER: Mapping[Direction, str] = {
    "higher": "higher is better",
    "lower": "lower is better",
    "context": "context, not a score",
}
NOT_A_SCORE = "context, not scores"
UNMEASURED = "unmeasured"
AVERAGED = "Averages over the document sets that have a value in both; each counts once."
NO_TEXT = "The text is not at hand, so the quotes stand with their claims."
ONE_SIDED = "There is nothing to hold side by side: one of the two versions has no result."
NO_ROOM = "The text is not shown: this page has no more room. The quotes stand with their claims."


class Metric(NamedTuple):
    """What to call a metric, and what it is."""

    title: str
    meaning: str


METRICS: Mapping[str, Metric] = {
    "must_recall": Metric("must recall", "facts a reader has to know that a point covers, of all in the reference"),
    "must_cited": Metric("must cited", "the same, by evidence alone"),
    "cited_points": Metric("cited points", "points with a located quote and no blocking check, of all the model gave"),
    "quote_validity": Metric("quote validity", "quotes found in the source, of all the model gave"),
    "numbers_exact": Metric("numbers exact", "numbers of the points that stand in their own quotes"),
    "hedge_drop": Metric("hedge drop", "points that assert what their quotes only hedge"),
    "masked_leak": Metric("masked leak", "evidence that reaches into what is not to be read"),
    "conflict_recall": Metric("conflict recall", "conflicts of the reference with both sides cited"),
    "conflict_precision": Metric("conflict precision", "conflicts found that the reference has"),
    "coverage": Metric("coverage", "sentences of the body that are cited"),
    "claims_per_100_words": Metric("claims per 100 words", "points without a fault, for the words they take"),
    "middle_share": Metric("middle share", "evidence from the middle third; 1 where it is even"),
    "conflicts": Metric("conflicts", "statements found that cannot both hold"),
    "points": Metric("points", "key points that were kept"),
    "words": Metric("words", "of the abstract"),
    "compression": Metric("compression", "words of the sources for each of the abstract"),
    "novel_bigrams": Metric("novel bigrams", "pairs of words that no source has"),
    "fragment_density": Metric("fragment density", "mean length of what is copied, by word"),
    "schema_valid": Metric("schema valid", "replies that had the form asked for at once"),
    "repairs": Metric("repairs", "points mended when asked again"),
    "drops": Metric("drops", "parts that did not stand up to their evidence"),
    "truncated": Metric("truncated", "times that an endpoint read less than it was sent"),
    "calls": Metric("calls", "to the endpoint"),
    "tokens_in": Metric("tokens in", "of the questions"),
    "tokens_out": Metric("tokens out", "of the answers"),
    "tokens_cached": Metric("tokens cached", "of the questions, read from a cache"),
    "cost": Metric("cost", "by the configured prices"),
    "latency_p50": Metric("latency, median", "seconds that half of the trials took at most"),
    "latency_p95": Metric("latency, 95%", "seconds that nineteen of twenty trials took at most"),
}

_GATE: Mapping[Outcome, str] = {
    "pass": "No rule speaks against {b} in place of {a}.",
    "regression": "A rule speaks against {b} in place of {a}.",
    "inconclusive": "Whether {b} may take the place of {a} is not decided by these rules.",
    "not_comparable": "{b} cannot be held against {a}.",
}
_STEPS: Mapping[Unit, str] = {
    "share": ".3f",
    "ratio": ".2f",
    "count": ",.1f",
    "tokens": ",.0f",
    "money": ",.4f",
    "seconds": ",.1f",
}


# --- what was compared -----------------------------------------------------------------------------------------------


def title(pair: PairComparison) -> str:
    """Which version is held against which."""
    return f"{pair.b} against {pair.a}"


def overview(comparison: Comparison) -> str:
    """One line on how much was compared.

    Repetitions are told where there are several.
    """
    versions, sets = count(len(comparison.versions), "version"), count(len(comparison.sets), "document set")
    repetitions = len({trial.repetition for trial in comparison.trials})
    trials = count(len(comparison.trials), "trial")
    return f"{versions} · {sets} · {trials}" + f", {repetitions} repetitions" * (repetitions > 1)


def marks(version: ComparedVersion) -> list[str]:
    """What to know of a version before anything is made of its results."""
    found = []
    if version.withdrawn is not None:
        found.append(f"withdrawn: {version.withdrawn}" if version.withdrawn.strip() else "withdrawn")
    if version.prompt is not None and version.prompt.dirty:
        found.append("draft, not released")
    return found


def wrote(version: ComparedVersion) -> str:
    """Who wrote the summaries of a version."""
    if version.engine == "extractive":
        return "the sources’ own sentences, no model"
    return ", ".join(version.models) or "model not named"


def shortened(text: str, most: int) -> str:
    """A text, cut where it is longer than so many characters.

    >>> shortened("a long name", 7), shortened("short", 7)
    ('a long…', 'short')
    """
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"


def digest(value: str) -> str:
    """The first digits of a digest."""
    return value[:DIGITS_SHOWN]


def shown_trials(comparison: Comparison, version: str, document_set: str) -> str:
    """Which repetition is shown, where there are several; else empty."""
    own = [trial for trial in comparison.trials if (trial.version, trial.set) == (version, document_set)]
    return f"the first of {len(own)} repetitions that has a result" if len(own) > 1 else ""


def failure(trial: Trial) -> str:
    """Why a trial has no result."""
    which = f"{trial.version}, repetition {trial.repetition + 1}" if trial.repetition else trial.version
    if trial.failure is None:
        return f"{which}: no result"
    return f"{which}: {trial.failure.title} ({trial.failure.code}). {trial.failure.detail}"


# --- what came out ---------------------------------------------------------------------------------------------------


def gate(result: GateResult) -> str:
    """What the gate says, in a sentence."""
    return _GATE[result.outcome].format(a=result.a, b=result.b)


def metric(name: str) -> Metric:
    """What to call a metric, one that is not known by its own name.

    >>> metric("hedge_drop").title, metric("new_one")
    ('hedge drop', Metric(title='new one', meaning=''))
    """
    return METRICS.get(name) or Metric(name.replace("_", " "), "")


def value(number: float | None, unit: Unit) -> str:
    """A value of a metric, in its unit.

    >>> value(0.94736, "share"), value(12.0, "count"), value(1234.5, "tokens"), value(None, "share")
    ('0.947', '12', '1,234', '–')
    """
    if number is None or not isfinite(number):
        return NONE
    if unit == "count" and number == int(number):
        return f"{number:,.0f}"
    return f"{number:{_STEPS[unit]}}{' s' * (unit == 'seconds')}"


def delta(number: float | None, unit: Unit) -> str:
    """A difference, with its sign; one that would round to nothing keeps a digit.

    >>> delta(0.0212, "share"), delta(-3.0, "count"), delta(0.0, "share"), delta(0.0001, "share")
    ('+0.021', '−3', '0', '+0.0001')
    """
    if number is None or not isfinite(number):
        return NONE
    if number == 0:
        return "0"
    size = value(abs(number), unit)
    if not any(digit in "123456789" for digit in size):
        size = f"{abs(number):.1g}"
    return f"{'+' if number > 0 else '−'}{size}"


def interval(found: Interval | None, unit: Unit) -> str:
    """A confidence interval of a difference."""
    if found is None:
        return NONE
    return f"{delta(found.low, unit)} to {delta(found.high, unit)}"


def probability(number: float | None) -> str:
    """A p, which is never shown as 0.

    >>> probability(0.25), probability(0.00002), probability(None)
    ('0.250', '<0.001', '–')
    """
    if number is None:
        return NONE
    least = 0.0005
    return f"{number:.3f}" if number >= least else "<0.001"


def noise(row: MetricRow) -> str:
    """How far a version differs from itself."""
    return UNMEASURED if row.noise is None else value(row.noise, row.unit)


def record(row: MetricRow) -> str:
    """On how many document sets the second version is better, alike and worse."""
    return f"{row.wins} / {row.ties} / {row.losses}"


def judged(pair: PairComparison) -> list[MetricRow]:
    """The metrics that are scores."""
    return [row for row in pair.metrics if row.direction != "context"]


def context(pair: PairComparison) -> list[MetricRow]:
    """The metrics that are none."""
    return [row for row in pair.metrics if row.direction == "context"]


def context_line(pair: PairComparison) -> str:
    """What is no score, in a line; empty where nothing was measured."""
    found = [
        f"{metric(row.name).title} {value(row.a, row.unit)} → {value(row.b, row.unit)}"
        for row in context(pair)
        if row.n
    ]
    return f"{NOT_A_SCORE.capitalize()}: {', '.join(found)}." if found else ""


def without_values(pair: PairComparison, primary: str) -> str:
    """Which metrics no document set has in both versions, but for the primary one, which is always shown."""
    names = [metric(row.name).title for row in pair.metrics if not row.n and row.name != primary]
    return f"No document set has a value in both: {', '.join(names)}." if names else ""


def counts(found: LedgerCounts) -> str:
    """How many claims were lost, gained, changed, kept; what there is none of is left out.

    >>> counts(LedgerCounts(same=14, gained=5, lost=2, lost_must=1, changed=1))
    '−2 lost (1 must), 1 changed, +5 gained, 14 same'
    """
    musts = {"lost": found.lost_must, "gained": found.gained_must}
    said = [
        f"{sign if label in musts else ''}{number} {label}" + (f" ({musts[label]} must)" if musts.get(label) else "")
        for label, sign in SIGNS.items()
        if (number := getattr(found, label))
    ]
    return ", ".join(said) or "no claims on either side"


def came_out(one: SetComparison) -> str:
    """What came out for a document set, in a line."""
    return (
        "not compared: one of the two versions has no result" if one.a is None or one.b is None else counts(one.counts)
    )


def change(found: Change) -> str:
    """What two claims that are one differ in.

    >>> change(Change(kind="number", a="430", b="340")), change(Change(kind="speaker", a="", b="Kelly"))
    ('number: 430 → 340', 'speaker: none → Kelly')
    """
    return f"{found.kind}: {found.a.strip() or 'none'} → {found.b.strip() or 'none'}"


def why(entry: LedgerEntry) -> str:
    """Why a claim matters; empty where it is filler."""
    return ", ".join(REASONS[reason] for reason in entry.reasons)


def weighs(entry: LedgerEntry) -> str:
    """How much a claim matters, and why.

    >>> weighs(LedgerEntry(label="lost", a="k1", b=None, weight=1.5, reasons=("must", "lead")))
    'weight 1.5: a must point, from the lead'
    """
    reasons = why(entry)
    return f"weight {entry.weight:g}" + (f": {reasons}" if reasons else "")


def paired_by(entry: LedgerEntry) -> str:
    """How two claims were found to be one."""
    if entry.by is None:
        return ""
    score = f", {entry.score:.2f}" if entry.score is not None else ""
    return f"one by {'what they cite' if entry.by == 'evidence' else 'their words'}{score}"


def tags(one: SetComparison) -> str:
    """The tags of a document set in a line."""
    return ", ".join(TAGS[tag].lower() for tag in one.tags)
