"""`precis evaluate`: a summary measured, by itself and against a reference."""

import sys
from collections.abc import Iterator
from typing import NamedTuple

import click
import msgspec
from rich.console import Console
from rich.text import Text

from service.cli import files
from service.core import metrics
from service.core.metrics import Evaluation, FactFound, Share
from service.core.references import Reference
from service.core.types import SummaryResult
from service.rendering import phrases

_PIPE_WIDTH = 100
_VALUE_WIDTH = 6


def run(summary: str, reference: str | None, *, as_json: bool) -> int:
    """Measure the summary of a file and print what came out; returns the exit code."""
    if summary == reference == files.STDIN:
        raise click.UsageError("Standard input (-) can be read only once.")
    result = files.result(files.content(summary), files.shown_name(summary))
    held = reference_of(reference) if reference else None
    evaluation = metrics.evaluate(result, held)
    if as_json:
        # bytes, as JSON is UTF-8 whatever the terminal says
        click.echo(msgspec.json.format(msgspec.json.encode(evaluation), indent=2) + b"\n", nl=False)
    else:
        _print(evaluation, result, Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH, highlight=False))
    return 0


# --- writing ---------------------------------------------------------------------------------------------------------


def reference_of(file: str) -> Reference:
    """What readers noted, from a file in JSON; raises InvalidRequest."""
    return files.decoded(files.content(file), Reference, f"{files.shown_name(file)}: this is no reference")


def _print(evaluation: Evaluation, result: SummaryResult, console: Console) -> None:
    groups = list(_groups(evaluation, result))
    names = max(len(row.name) for _, rows in groups for row in rows)
    values = max(len(row.value) for _, rows in groups for row in rows)
    for number, (title, rows) in enumerate(groups):
        if number:
            console.print()
        console.print(Text(title, style="bold"))
        for row in rows:
            _hanging(console, f"  {row.name:<{names}}  {row.value:<{values}}  ", Text(row.meaning, style="dim"))
    musts = [fact for fact in evaluation.facts if fact.importance == "must"]
    missing = [f"{fact.id}: {fact.text}" for fact in musts if fact.by is None]
    worded = [_worded(fact) for fact in musts if fact.by == "text"]
    known = [(f"{' and '.join(one.ids)} ({one.kind}): {one.note}", one.found) for one in evaluation.conflicts]
    notes = {conflict.id: f"{conflict.id} ({conflict.kind}): {conflict.note}" for conflict in result.conflicts}
    for title, lines in (
        ("Must facts that no point covers", missing),
        ("Must facts covered by words alone: read them beside the points", worded),
        ("Conflicts found", [f"{words} Found as {' and '.join(found)}." for words, found in known if found]),
        ("Conflicts missed", [words for words, found in known if not found]),
        ("Conflicts that the reference lacks", [notes[name] for name in evaluation.other_conflicts]),
        ("Not scored: what the summary must not assert", [entry.text for entry in evaluation.must_not]),
    ):
        if lines:
            console.print()
            console.print(Text(title, style="bold"))
        for line in lines:
            _hanging(console, "  - ", Text(_line(line)))


def _hanging(console: Console, margin: str, text: Text) -> None:
    """Print a text beside a margin; lines end where their words end."""
    for number, line in enumerate(text.wrap(console, max(20, console.width - len(margin)))):
        line.rstrip()
        console.print(Text.assemble(" " * len(margin) if number else margin, line), soft_wrap=True)


def _line(text: str) -> str:
    """A text on one line, without what would steer the terminal."""
    return phrases.printable(" ".join(text.split()))


def _worded(fact: FactFound) -> str:
    return f"{fact.id}: {fact.text} ({', '.join(fact.key_points)}; score {fact.text_score:.2f})"


class _Row(NamedTuple):
    name: str
    value: str
    meaning: str


def _groups(evaluation: Evaluation, result: SummaryResult) -> Iterator[tuple[str, list[_Row]]]:
    """The table, in parts."""
    found, operations = evaluation.metrics, evaluation.operations
    usage = operations.usage
    yield (
        f"By itself (metrics version {evaluation.metrics_version})",
        [
            _Row("quote_validity", _shown(found.quote_validity), "quotes given that stand in the source"),
            _Row("cited_points", _shown(found.cited_points), "points given that stand on evidence"),
            _Row("hedge_drop", _shown(found.hedge_drop), "flat claims on hedged quotes; best 0"),
            _Row("numbers_exact", _shown(found.numbers_exact), "numbers that the point’s quotes hold"),
            _Row("masked_leak", _shown(found.masked_leak), "quotes from page furniture; best 0"),
            _Row("middle_share", _shown(found.middle_share), "use of the middle third: 1 is even"),
            _Row("coverage", _shown(found.coverage), "sentences that are cited"),
            _Row("claims_per_100_words", _shown(found.claims_per_100_words), "points without a warning, by length"),
        ],
    )
    yield (
        "Against the reference",
        [
            _Row("must_recall", _shown(found.must_recall), "must facts that a point cites or says"),
            _Row("must_cited", _shown(found.must_cited), "must facts that a point cites"),
            _Row("conflict_recall", _shown(found.conflict_recall), "known conflicts, both sides cited"),
            _Row("conflict_precision", _shown(found.conflict_precision), "conflicts named that are known"),
        ],
    )
    yield (
        "Context, not scores",
        [
            _Row("conflicts_found", _shown(found.conflicts_found), "conflicts that the summary names"),
            _Row("words", _shown(found.words), "in the abstract"),
            _Row("compression", _shown(found.compression), "words of the sources for each"),
        ],
    )
    sent = usage.prompt_tokens + usage.estimated_prompt_tokens
    answered = usage.completion_tokens + usage.estimated_completion_tokens
    counted = ", counted here" if usage.estimated_prompt_tokens or usage.estimated_completion_tokens else ""
    kept = f"{operations.flagged} flagged, {operations.repaired} repaired, {operations.merged_away} merged away"
    reasons = ", ".join(f"{reason} {times}" for reason, times in operations.dropped.items())
    yield (
        "Operations",
        [
            _Row("points", f"{operations.points_kept:>{_VALUE_WIDTH}}  of {operations.points_given}", kept),
            _Row("dropped", _shown(sum(operations.dropped.values())), reasons or "nothing"),
            _Row("calls", _shown(usage.calls), f"{result.engine}, {result.manifest.model or 'no model'}"),
            _Row(
                "tokens",
                _shown(sent + answered),
                f"{sent:,} in, {answered:,} out, {usage.cached_tokens:,} cached{counted}",
            ),
            _Row("cost", _shown(usage.cost), "by the configured prices"),
        ],
    )


def _shown(value: Share | float | None) -> str:
    """A value, right-aligned, with its counts; "-" where there was nothing to measure."""
    if value is None:
        return f"{'-':>{_VALUE_WIDTH}}"
    if isinstance(value, Share):
        return f"{value.value:>{_VALUE_WIDTH}.2f}  {value.count} of {value.of}"
    return f"{value:>{_VALUE_WIDTH},}" if isinstance(value, int) else f"{value:>{_VALUE_WIDTH}.2f}"
