"""A summary as Markdown (CommonMark)."""

import re
from collections.abc import Iterator, Mapping, Sequence

from service.core.text import presentable
from service.core.types import Caveat, Conflict, Document, DocumentFacts, KeyPoint, SummaryResult
from service.rendering import phrases

_SPECIAL = re.compile(r"([\\`*_\[\]<>#|~&])")
_LIST_OR_LINE = re.compile(r"^(\d*)([-+=.)])")
"""What makes a list or a line of a paragraph that begins so."""


def render(result: SummaryResult, documents: Sequence[Document] = ()) -> str:
    """The summary with its evidence, masked parts and caveats.

    Args:
        result: what to show.
        documents: its documents, for the first words of masked parts; may be left out when they are gone.

    """
    return "\n".join(_lines(result, {document.id: document for document in documents})) + "\n"


def escape(text: str) -> str:
    r"""Text that Markdown shows as it is, in one line.

    >>> escape("*I See\nYou*")
    '\\*I See You\\*'
    >>> escape("1. Fish & chips")
    '1\\. Fish \\& chips'
    """
    return _LIST_OR_LINE.sub(r"\1\\\2", _SPECIAL.sub(r"\\\1", presentable(text)))


def _lines(result: SummaryResult, documents: Mapping[str, Document]) -> Iterator[str]:
    names = phrases.names(result)
    yield from (f"# {escape(result.headline)}", "", escape(phrases.overview(result)), "")
    if result.engine == "llm":
        yield " ".join(f"{escape(line.text)} [{', '.join(line.key_points)}]" for line in result.abstract)
        yield ""
        for line in phrases.doubts(result):
            yield from (f"- {escape(line)}", "")
    yield from ("## Key points", "")
    for number, point in enumerate(result.key_points, 1):
        yield from _point(number, point, names)
    conflicts = [line for conflict in result.conflicts for line in _conflict(conflict, result, names)]
    yield from _section("Conflicts", conflicts)
    caveats = [line for caveat in result.caveats for line in _caveat(caveat, result)]
    yield from _section("Before you rely on it", caveats)
    yield from _section("Names", [f"- {escape(phrases.entity(entity))}" for entity in result.entities])
    shown = [line for facts in result.documents for line in _document(facts, result, documents)]
    yield from _section("Documents", shown)
    dropped = [f"- {escape(drop.text)} ({escape(phrases.dropped(drop))})" for drop in result.verification.dropped]
    yield from _section("Dropped", dropped)


def _section(title: str, lines: Sequence[str]) -> Iterator[str]:
    if lines:
        yield from ("", f"## {title}", "", *lines)


def _point(number: int, point: KeyPoint, names: Mapping[str, str]) -> Iterator[str]:
    claim = escape(point.text)
    yield f"{number}. **{claim}**" if point.importance == "must" else f"{number}. {claim}"
    yield f"   ({point.id}: {escape(phrases.qualities(point))})"
    for evidence in point.evidence:
        yield f"   - {escape(names[evidence.document])}, {phrases.place(evidence)}"
        if phrases.adds(point, evidence):
            yield f"     > {escape(evidence.quote)}"
    for check in point.checks:
        yield f"   - {check.severity}: {escape(check.detail)}"


def _caveat(caveat: Caveat, result: SummaryResult) -> Iterator[str]:
    yield f"- **{escape(phrases.caveat(caveat, result))}**: {escape(caveat.text)}"
    for evidence in phrases.shown_by(caveat):
        yield f"  - sentence {evidence.sentence}: {escape(evidence.quote)}"


def _conflict(conflict: Conflict, result: SummaryResult, names: Mapping[str, str]) -> Iterator[str]:
    yield f"- **{escape(phrases.conflict(conflict, result))}**: {escape(phrases.note(conflict, result))}"
    for number, side in enumerate(conflict.sides):
        yield f"  - {phrases.side(conflict, number)}"
        for evidence in side.evidence:
            yield f"    - {escape(names[evidence.document])}, sentence {evidence.sentence}: {escape(evidence.quote)}"


def _document(facts: DocumentFacts, result: SummaryResult, documents: Mapping[str, Document]) -> Iterator[str]:
    yield f"- **{escape(phrases.name(facts))}** ({escape(facts.id)}): {escape(phrases.document(facts, result))}"
    for span in facts.masked:
        yield f"  - {escape(phrases.masked(span, documents.get(facts.id)))}"
