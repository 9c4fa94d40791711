"""A comparison for a person at a terminal."""

import io
from collections.abc import Iterator, Mapping

from rich.console import Console
from rich.table import Table
from rich.text import Text

from service.core.comparison import Comparison, EntryLabel, Outcome, PairComparison, PairVerdict
from service.core.text import presentable
from service.core.types import KeyPoint
from service.rendering.comparison import phrases
from service.rendering.comparison.reading import Entry, Shown, shown
from service.rendering.phrases import printable

WIDTH = 100
MOST_ENTRIES = 12
"""Of a document set."""
MOST_SETS = 40
"""With what happened in each; the others are counted."""
_MOST_CHARACTERS = 400
"""Of one text."""

_TOLD: tuple[EntryLabel, ...] = ("lost", "contradicts", "changed", "gained", "reworded")
"""What is told of each; of what is only reworded, where one claim says less."""
_STYLES: Mapping[PairVerdict | Outcome | EntryLabel, str] = {
    "better": "green",
    "worse": "red",
    "not_comparable": "yellow",
    "pass": "green",
    "regression": "red",
    "inconclusive": "yellow",
    "gained": "green",
    "lost": "red",
    "contradicts": "red",
    "changed": "yellow",
}


def text(comparison: Comparison) -> str:
    """What is printed, without colours."""
    stream = io.StringIO()
    render(comparison, Console(file=stream, width=WIDTH, highlight=False, color_system=None, force_terminal=False))
    return stream.getvalue()


def render(comparison: Comparison, console: Console) -> None:
    """Print the sentence, the gate, the metrics, and for each document set what was lost, changed and gained."""
    for at, pair in enumerate(comparison.pairs):
        if at:
            console.print()
        _print(console, "", Text(pair.sentence, style="bold"))
        _print(console, "", _word(phrases.VERDICTS[pair.verdict], pair.verdict))
        if not at:
            _print(console, "", Text(phrases.overview(comparison), style="dim"))
            for version in comparison.versions:
                said = "; ".join([phrases.wrote(version), *phrases.marks(version)])
                _print(console, "", Text(f"{version.id}: {said}", style="dim"))
            _gate(comparison, console)
        _notes(pair, console)
        _metrics(comparison, pair, console)
        _documents(comparison, pair, console)


def _gate(comparison: Comparison, console: Console) -> None:
    gate = comparison.gate
    _heading(console, "Gate", phrases.OUTCOMES[gate.outcome], gate.outcome)
    _print(console, "  ", Text(phrases.gate(gate)))
    for reason in gate.reasons:
        said = Text(f"{reason.rule.replace('_', ' ')}: {reason.detail}")
        label = phrases.OUTCOMES[reason.outcome]
        _print(console, f"  {label:<14} ", said)


def _notes(pair: PairComparison, console: Console) -> None:
    if pair.differences or pair.notes:
        _heading(console, "To know beside it")
    for difference in pair.differences:
        _print(console, "  not comparable ", Text(f"{difference.code}: {difference.detail}"))
    for note in pair.notes:
        _print(console, "  ", Text(note))


def _metrics(comparison: Comparison, pair: PairComparison, console: Console) -> None:
    _heading(console, "Metrics")
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    table.add_column("", no_wrap=True)
    for name in (f"A {pair.a}", f"B {pair.b}", "B − A", "95%", "+/=/− of n", "p", "noise"):
        table.add_column(Text(phrases.shortened(presentable(name), 14)), justify="right")
    table.add_column("verdict")
    for row in phrases.judged(pair):
        primary = row.name == comparison.primary_metric
        if not row.n and not primary:
            continue
        way = "↑" if row.direction == "higher" else "↓"
        verdict = _word(phrases.VERDICTS[row.verdict], row.verdict) if row.verdict else Text(phrases.NONE)
        table.add_row(
            Text(f"{way} {phrases.metric(row.name).title}{' *' * primary}", style="bold" if primary else ""),
            phrases.value(row.a, row.unit),
            phrases.value(row.b, row.unit),
            phrases.delta(row.delta, row.unit),
            phrases.interval(row.interval, row.unit),
            f"{row.wins}/{row.ties}/{row.losses} of {row.n}",
            phrases.probability(row.p_holm),
            "?" if row.noise is None else phrases.noise(row),
            verdict,
        )
    _table(console, table)
    legend = "↑ higher is better, ↓ lower is better, * primary; +/=/−: document sets better, same, worse; p after Holm"
    unmeasured = "" if pair.noise_repetitions else f"; noise {phrases.UNMEASURED}"
    _print(console, "  ", Text(f"{legend}{unmeasured}.", style="dim"))
    for line in (phrases.without_values(pair, comparison.primary_metric), phrases.context_line(pair)):
        if line:
            _print(console, "  ", Text(line, style="dim"))


def _table(console: Console, table: Table) -> None:
    """Print a table; lines end where their words end."""
    wide = Console(file=io.StringIO(), width=console.width - 2, highlight=False, color_system=None)
    for line in wide.render_lines(table, pad=False):
        text = Text.assemble("  ", *((segment.text, segment.style or "") for segment in line))
        text.rstrip()
        if text.plain:
            console.print(text, soft_wrap=True)


def _documents(comparison: Comparison, pair: PairComparison, console: Console) -> None:
    _heading(console, "Documents", "worst regression first")
    for number, one in enumerate(shown(comparison, pair)):
        if number == MOST_SETS:
            _print(console, "  ", Text(f"and {len(pair.sets) - MOST_SETS} more"))
            break
        tags = phrases.tags(one.found)
        name = Text(one.set.name, style="underline")
        _print(console, "  ", name, Text(phrases.came_out(one.found) + f" · {tags}" * bool(tags), style="dim"))
        lines = list(_lines(one, pair))
        for margin, line in lines[:MOST_ENTRIES]:
            _print(console, f"    {margin}", line)
        if len(lines) > MOST_ENTRIES:
            _print(console, "    ", Text(f"and {len(lines) - MOST_ENTRIES} more", style="dim"))


def _lines(one: Shown, pair: PairComparison) -> Iterator[tuple[str, Text]]:
    """What happened, each with its margin."""
    for said in one.failures:
        yield "failed        ", Text(said)
    for new in one.found.unsupported:
        yield "unsupported   ", Text(f"{new.kind}: {new.text} ({new.detail})")
    for fact in one.found.facts:
        side = "lost" if fact.covered_by == "a" else "gained"
        yield f"{side + ' fact':<14}", Text(f"({fact.importance}) {fact.text}")
    told = [entry for entry in one.entries if entry.label in _TOLD and (entry.label != "reworded" or entry.changes)]
    for entry in sorted(told, key=lambda entry: (_TOLD.index(entry.label or "lost"), -entry.weight)):
        sign = {"lost": "−", "gained": "+"}.get(entry.label or "", " ")
        yield f"{sign} {entry.label:<12}", _entry(entry, pair)


def _entry(entry: Entry, pair: PairComparison) -> Text:
    style = _STYLES.get(entry.label or "same", "")
    why = f" ({entry.why})" if entry.why else ""
    if entry.a is None or entry.b is None:
        return Text(_claim(entry.a or entry.b) + why, style=style)
    changes = f"{'; '.join(entry.changes)}{why}\n" if entry.changes else ""
    sides = f"{pair.a}: {_claim(entry.a)}\n{pair.b}: {_claim(entry.b)}"
    return Text.assemble((changes, style), sides)


def _claim(point: KeyPoint | None) -> str:
    return phrases.shortened(presentable(point.text), _MOST_CHARACTERS) if point else phrases.NONE


def _word(word: str, meaning: PairVerdict | Outcome | EntryLabel) -> Text:
    return Text(word, style=_STYLES.get(meaning, ""))


def _heading(console: Console, title: str, said: str = "", meaning: Outcome | None = None) -> None:
    style = _STYLES.get(meaning, "") if meaning else "dim"
    console.print()
    console.print(Text.assemble((title, "bold"), " " * bool(said), (said, style)))


def _print(console: Console, margin: str, *blocks: Text) -> None:
    """Print blocks beside a margin, every line of them; lines end where their words end."""
    room = max(20, console.width - len(margin))
    first = True
    for block in blocks:
        for line in _printable(block).wrap(console, room):
            line.rstrip()
            console.print(Text.assemble(margin if first else " " * len(margin), line), soft_wrap=True)
            first = False


def _printable(block: Text) -> Text:
    """The text without the characters that command a terminal; where there are such, its colours go too."""
    plain = printable(block.plain)
    return block if plain == block.plain else Text(plain, style=block.style)
