"""A comparison as Markdown that a pull request can carry: cut where it is long, and it says where the rest is."""

import re
from collections.abc import Iterator, Sequence

from service.core.comparison import Comparison, EntryLabel, MetricRow, PairComparison
from service.core.types import KeyPoint, SummaryResult
from service.rendering import markdown as summary_markdown
from service.rendering.comparison import phrases
from service.rendering.comparison.reading import Entry, Shown, cited, shown
from service.rendering.phrases import count

MOST_CHARACTERS = 60_000
"""Of all; what hosts of code take as a comment is 65,536."""
MOST_ENTRIES = 12
"""Of a document set."""
MOST_LETTERS = 300
"""Characters of one text."""
REST = "The whole is in the page or the JSON of the same comparison."

_TOLD: tuple[EntryLabel, ...] = ("lost", "contradicts", "changed", "gained", "reworded")
"""What is told of each; of what is only reworded, where one claim says less."""
_REFERS = re.compile(r"(?<!\w)(\\?[@#]|GH-)(?=\w)|\b(\w+:)(?=//)|\b(www)(?=\.)")
"""What a host of code would make a mention of a person, or a link to an issue or to the web."""


def render(comparison: Comparison) -> str:
    """The sentence, the gate, the metrics, and for each document set what was lost, changed and gained."""
    head = "\n".join(_head(comparison))
    blocks = [
        ["\n".join(_pair(comparison, pair, first=at == 0)), *_documents(comparison, pair)]
        for at, pair in enumerate(comparison.pairs)
    ]
    room = MOST_CHARACTERS - len(head) - len(REST) - 100
    written, left = [head], 0
    for block in (block for some in blocks for block in some):
        if left or len(block) > room:
            left += 1
            continue
        room -= len(block) + 2
        written.append(block)
    if left:
        written.append(f"{count(left, 'more part')} of this comparison left out. {REST}")
    return "\n\n".join(block.strip("\n") for block in written) + "\n"


def _head(comparison: Comparison) -> Iterator[str]:
    if comparison.pairs:
        pair = comparison.pairs[0]
        yield from (f"# {_text(phrases.title(pair))}: {phrases.VERDICTS[pair.verdict]}", "")
        yield from (_text(pair.sentence), "")
    yield from (_text(phrases.overview(comparison)), "")
    for version in comparison.versions:
        said = [phrases.wrote(version), *phrases.marks(version)]
        yield f"- **{_text(version.id)}**: {_text('; '.join(said))}"
    gate = comparison.gate
    yield from ("", f"## Gate: {phrases.OUTCOMES[gate.outcome]}", "", _text(phrases.gate(gate)), "")
    for reason in gate.reasons:
        rule = _text(reason.rule.replace("_", " "))
        yield f"- **{phrases.OUTCOMES[reason.outcome]}** {rule}: {_text(reason.detail)}"


def _pair(comparison: Comparison, pair: PairComparison, *, first: bool) -> Iterator[str]:
    if not first:
        yield from (f"# {_text(phrases.title(pair))}: {phrases.VERDICTS[pair.verdict]}", "", _text(pair.sentence), "")
    for difference in pair.differences:
        yield f"- **not comparable**, {difference.code}: {_text(difference.detail)}"
    for note in pair.notes:
        yield f"- {_text(note)}"
    yield from ("", "## Metrics", "", *_metrics(comparison, pair))
    missing = phrases.without_values(pair, comparison.primary_metric)
    if missing:
        yield from ("", _text(missing))
    if context := phrases.context_line(pair):
        yield from ("", context)


def _metrics(comparison: Comparison, pair: PairComparison) -> Iterator[str]:
    heads = ("", f"A {pair.a}", f"B {pair.b}", "B − A", "95% interval", "better / same / worse", "n", "p", "noise", "")
    rows = []
    for row in phrases.judged(pair):
        primary = row.name == comparison.primary_metric
        if row.n or primary:
            name, *values = _values(row)
            way = "↑" if row.direction == "higher" else "↓"
            rows.append(
                [
                    f"{name} {way}{' (primary)' * primary}",
                    *values,
                    phrases.interval(row.interval, row.unit),
                    phrases.record(row),
                    str(row.n),
                    phrases.probability(row.p_holm),
                    phrases.noise(row),
                    phrases.VERDICTS[row.verdict] if row.verdict else phrases.NONE,
                ]
            )
    yield from _table(heads, rows)
    yield from ("", "↑ higher is better, ↓ lower is better; p after Holm’s correction.")


def _values(row: MetricRow) -> list[str]:
    values = (phrases.value(row.a, row.unit), phrases.value(row.b, row.unit), phrases.delta(row.delta, row.unit))
    return [phrases.metric(row.name).title, *values]


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """A table whose cells are words and numbers of ours."""
    for cells in (map(_text, heads), ["---"] * len(heads), *rows):
        yield f"| {' | '.join(cells)} |"


def _documents(comparison: Comparison, pair: PairComparison) -> Iterator[str]:
    """A block for each document set in which something happened, then those in which nothing did, in a line."""
    quiet = []
    heading = "## Documents, worst regression first\n\n"
    for one in shown(comparison, pair):
        lines = list(_happened(one, pair))
        if lines:
            yield f"{heading}### {_name(one)}\n\n" + "\n".join(lines)
            heading = ""
        else:
            quiet.append(_name(one))
    if quiet:
        more = f" and {len(quiet) - MOST_ENTRIES} more" if len(quiet) > MOST_ENTRIES else ""
        yield f"{heading}Nothing lost, changed or gained: {', '.join(quiet[:MOST_ENTRIES])}{more}"


def _name(one: Shown) -> str:
    return _text(one.set.name)


def _happened(one: Shown, pair: PairComparison) -> Iterator[str]:
    found = one.found
    told = [entry for entry in one.entries if entry.label in _TOLD and (entry.label != "reworded" or entry.changes)]
    told.sort(key=lambda entry: (_TOLD.index(entry.label or "lost"), -entry.weight))
    lines = [f"- failed: {_text(said)}" for said in one.failures]
    lines += [f"- new and unsupported {new.kind}: {_text(new.text)} ({_text(new.detail)})" for new in found.unsupported]
    lines += [
        f"- reference fact only in {'A' if fact.covered_by == 'a' else 'B'} ({fact.importance}): {_text(fact.text)}"
        for fact in found.facts
    ]
    lines += [_entry(entry, one, pair) for entry in told]
    if not lines:
        return
    yield from (f"{_text(phrases.came_out(found))}" + f" · {_text(phrases.tags(found))}" * bool(found.tags), "")
    yield from lines[:MOST_ENTRIES]
    if len(lines) > MOST_ENTRIES:
        yield f"- and {len(lines) - MOST_ENTRIES} more. {REST}"


def _entry(entry: Entry, one: Shown, pair: PairComparison) -> str:
    sign = {"lost": "−", "gained": "+"}.get(entry.label or "", "")
    label = f"**{sign}{' ' * bool(sign)}{entry.label}**"
    why = f" ({_text(entry.why)})" if entry.why else ""
    a, b = (
        _claim(point, result) if point else None for point, result in zip((entry.a, entry.b), one.results, strict=True)
    )
    if a is None or b is None:
        return f"- {label}{why}: {a or b}"
    changes = f" {_text('; '.join(entry.changes))}" if entry.changes else ""
    return f"- {label}{why}{changes}\n  - {_text(pair.a)}: {a}\n  - {_text(pair.b)}: {b}"


def _claim(point: KeyPoint, result: SummaryResult | None) -> str:
    """The claim with the sentences that it cites."""
    return f"{_text(point.text)} [{_text(cited(point, result))}]"


def _text(text: str) -> str:
    r"""Text that Markdown shows as it is, in one line, cut where it is long; it calls nobody and links nothing.

    >>> _text("thanks @all, see #12 and GH-3")
    'thanks @<!-- -->all, see \\#<!-- -->12 and GH-<!-- -->3'
    >>> _text("https://a.example, www.b.example, me@c.example, news@3")
    'https:<!-- -->//a.example, www<!-- -->.b.example, me@c.example, news@3'
    """
    short = summary_markdown.escape(phrases.shortened(text, MOST_LETTERS))
    return _REFERS.sub(r"\g<0><!-- -->", short)
