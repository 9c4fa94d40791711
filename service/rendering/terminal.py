"""A summary for a person at a terminal."""

from collections.abc import Iterator, Mapping, Sequence

from rich.console import Console
from rich.text import Text

from service.core.types import Caveat, Conflict, Document, KeyPoint, SummaryResult
from service.rendering import phrases

_MOST_NAMES = 12


def render(result: SummaryResult, documents: Sequence[Document], console: Console) -> None:
    """Print the summary with its evidence, masked parts and caveats."""
    texts = {document.id: document for document in documents}
    names = phrases.names(result)
    several = len(result.documents) > 1
    _hanging(console, "", Text(result.headline, style="bold"), Text(phrases.overview(result), style="dim"))
    if result.engine == "llm":
        console.print()
        abstract = " ".join(f"{line.text} [{', '.join(line.key_points)}]" for line in result.abstract)
        _hanging(console, "", Text(abstract))
        for line in phrases.doubts(result):
            _hanging(console, "", Text(line, style="dim"))
    shown = None
    for point in result.key_points:
        document = point.evidence[0].document
        if several and document != shown:
            console.print()
            _hanging(console, "", Text(names[document], style="underline"))
            shown = document
        console.print()
        _point(point, names, document, console)
    conflicts = [line for conflict in result.conflicts for line in _conflict(conflict, result, names)]
    _section(console, "Conflicts", conflicts)
    _section(console, "Before you rely on it", [line for one in result.caveats for line in _caveat(one, result)])
    entities = [phrases.entity(entity) for entity in result.entities[:_MOST_NAMES]]
    more = len(result.entities) - len(entities)
    _section(console, "Names", [*entities, f"and {more} more"] if more else entities)
    lines: list[str] = []
    for facts in result.documents:
        label = phrases.name(facts) + ("" if phrases.name(facts) == facts.id else f" ({facts.id})")
        lines.append(f"{label}: {phrases.document(facts, result)}")
        lines += [f"  {phrases.masked(span, texts.get(facts.id))}" for span in facts.masked]
    _section(console, "Documents", lines)
    _section(console, "Dropped", [f"{drop.text} ({phrases.dropped(drop)})" for drop in result.verification.dropped])


def _point(point: KeyPoint, names: Mapping[str, str], under: str, console: Console) -> None:
    details = [phrases.qualities(point)]
    for evidence in point.evidence:
        where = "" if evidence.document == under else f"{names[evidence.document]}, "
        quote = f": “{evidence.quote}”" if phrases.adds(point, evidence) else ""
        details.append(where + phrases.place(evidence) + quote)
    details += [f"{check.severity}: {check.detail}" for check in point.checks]
    claim = Text(point.text, style="bold" if point.importance == "must" else "")
    _hanging(console, f"{point.id:>3} ", claim, Text("\n".join(details), style="dim"))


def _section(console: Console, title: str, lines: Sequence[str]) -> None:
    if lines:
        console.print()
        console.print(Text(title, style="bold"))
        for line in lines:
            depth = len(line) - len(line.lstrip())
            _hanging(console, " " * (2 + depth), Text(line.lstrip()))


def _hanging(console: Console, margin: str, *blocks: Text) -> None:
    """Print blocks beside a margin, every line of them; lines end where their words end."""
    room = max(20, console.width - len(margin))
    first = True
    for block in blocks:
        for line in Text(phrases.printable(block.plain), style=block.style).wrap(console, room):
            line.rstrip()
            console.print(Text.assemble(margin if first else " " * len(margin), line), soft_wrap=True)
            first = False


def _caveat(caveat: Caveat, result: SummaryResult) -> Iterator[str]:
    """What to know, and below it the words of the text where these are what it is about."""
    yield f"{phrases.caveat(caveat, result)}: {caveat.text}"
    for evidence in phrases.shown_by(caveat):
        yield f"  sentence {evidence.sentence}: “{evidence.quote}”"


def _conflict(conflict: Conflict, result: SummaryResult, names: Mapping[str, str]) -> Iterator[str]:
    """What cannot both hold, and below it each side with its quotes."""
    yield f"{conflict.id} {phrases.conflict(conflict, result)}: {phrases.note(conflict, result)}"
    for number, side in enumerate(conflict.sides):
        yield f"  {phrases.side(conflict, number)}"
        for evidence in side.evidence:
            where = "" if conflict.scope == "within" else f"{names[evidence.document]}, "
            yield f"    {where}sentence {evidence.sentence}: “{evidence.quote}”"
