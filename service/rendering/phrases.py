"""Words that every way of showing a summary uses alike."""

import re
from collections.abc import Collection, Mapping

from service.core.markup import plain
from service.core.types import (
    Caveat,
    Conflict,
    Document,
    DocumentFacts,
    Dropped,
    Entity,
    Evidence,
    KeyPoint,
    MaskedSpan,
    SummaryResult,
)

_SHOWN = 60
_PAIR = 2
_NUMBERED = re.compile(r"\bd[1-9]\d*\b")
_ARTICLE = re.compile(r"^The(?= [a-z])")
ENGINES = {"extractive": "the sources’ own sentences, no model", "llm": "written by a language model"}

_CAVEATS = {
    "focus_unmatched": "focus not found",
    "instructions": "orders in the text",
    "language_unchecked": "language not checked",
    "partial": "in part",
    "fallback": "fallback",
    "missing": "missing",
}
_QUOTED_CAVEATS = frozenset({"instructions", "stale"})
_CONFLICTS = {
    "first_claim": "which was first",
    "status": "how certain",
    "name": "name",
    "date": "date",
    "number": "number",
    "scope": "how much",
    "misquote": "quoted differently",
}


def name(facts: DocumentFacts) -> str:
    """What to call a document: its title, the file it came from, or its id."""
    return facts.title or facts.name or facts.id


def names(result: SummaryResult) -> Mapping[str, str]:
    """What to call each document, by its id."""
    return {facts.id: name(facts) for facts in result.documents}


def overview(result: SummaryResult) -> str:
    """One line on what was made of what."""
    documents = count(len(result.documents), "document")
    length = result.length
    size = length.abstract_words if result.engine == "llm" else length.key_point_words
    words = f"{'abstract of ' * (result.engine == 'llm')}{size} words ({length.asked}, at most {length.max_words})"
    return f"{ENGINES[result.engine]} · {documents} · {words} · {located(result)}"


def located(result: SummaryResult) -> str:
    """For how many points every quote stands in its source letter for letter, and how many a check found fault with."""
    exact = sum(all(evidence.match == "exact" for evidence in point.evidence) for point in result.key_points)
    flagged = sum(point.verdict == "flagged" for point in result.key_points)
    points = count(len(result.key_points), "point")
    return f"{exact} of {points} {'has' if exact == 1 else 'have'} exact quotes" + f", {flagged} flagged" * bool(
        flagged
    )


def doubts(result: SummaryResult) -> list[str]:
    """What was found when the sentences of the abstract were held against the quotes below them."""
    return [
        f"warning, on “{line.text[:_SHOWN].rstrip()}{'…' if len(line.text) > _SHOWN else ''}”: {check.detail}"
        for line in result.abstract
        for check in line.checks
    ]


def shown_by(found: Caveat) -> tuple[Evidence, ...]:
    """The quotes to show with a caveat: where the words of the text are what it is about."""
    return found.evidence if found.code in _QUOTED_CAVEATS else ()


def qualities(point: KeyPoint) -> str:
    """How a point stands: importance, kind, stance, speaker; nothing twice."""
    parts: list[str] = [point.importance]
    if (point.kind, point.stance) != ("plan", "planned"):
        parts.append(point.kind)
    if point.stance != "asserted":
        parts.append(point.stance)
    if point.polarity == "negated":
        parts.append("negated")
    if point.attribution.who:
        parts.append(f"says {_ARTICLE.sub('the', point.attribution.who)}")
    if point.attribution.via:
        parts.append(f"via {point.attribution.via}")
    return " · ".join(parts)


def place(evidence: Evidence) -> str:
    """Where a quote stands."""
    return f"sentence {evidence.sentence}, characters {evidence.start}–{evidence.end}, {evidence.match}"


def adds(point: KeyPoint, evidence: Evidence) -> bool:
    """Whether the quote says anything that the text of the point does not say already."""
    return plain(evidence.quote) != point.text


def entity(found: Entity) -> str:
    """An entity in a line."""
    others = [alias for alias in found.aliases if alias.casefold() != found.name.casefold()]
    also = f", also {', '.join(others)}" if others else ""
    return f"{found.name} ({found.type}){also}: {count(len(found.mentions), 'mention')}"


def caveat(found: Caveat, result: SummaryResult) -> str:
    """What sort of caveat it is and, among several documents, which one it is about."""
    label = _CAVEATS.get(found.code, found.code)
    one_of_several = len(found.documents) == 1 < len(result.documents)
    return f"{label}, {_listed(found.documents, result)}" if one_of_several else label


def conflict(found: Conflict, result: SummaryResult) -> str:
    """What sort of conflict it is and, among several documents, where it stands."""
    label = _CONFLICTS[found.kind]
    if len(result.documents) == 1:
        return label
    within = {place.document for side in found.sides for place in side.evidence}
    return f"{label}, {'across documents' if found.scope == 'across' else f'in {_listed(within, result)}'}"


def note(found: Conflict, result: SummaryResult) -> str:
    """What a conflict is about; documents that it calls by a number of ours ("d2") are called by their names."""
    called = names(result)
    return _NUMBERED.sub(lambda match: called.get(match[0], match[0]), found.note)


def side(found: Conflict, number: int) -> str:
    """What to call a side, counted from 0, with the key points that rest on it."""
    label = ("one side", "the other side")[number] if len(found.sides) == _PAIR else f"side {number + 1}"
    points = found.sides[number].key_points
    return f"{label} ({', '.join(points)})" if points else label


def _listed(documents: Collection[str], result: SummaryResult) -> str:
    return ", ".join(name(facts) for facts in result.documents if facts.id in documents)


def dropped(drop: Dropped) -> str:
    """What was dropped, and why."""
    part = "" if drop.part == "key_point" else f"{drop.part}, "
    return f"{part}{drop.reason.replace('_', ' ')}: {drop.detail}"


def document(facts: DocumentFacts, result: SummaryResult) -> str:
    """A document in a line: size, language, date, coverage."""
    coverage = next(c for c in result.coverage.documents if c.document == facts.id)
    read = max(coverage.read, 1)
    whole = "it" if coverage.read == coverage.characters else "what was read"
    date = {"stated": facts.date.iso, "inferred": f"not before {facts.date.iso}"}.get(facts.date.basis) or "undated"
    return (
        f"{facts.characters:,} characters, {facts.language or 'language unknown'}, {date}; "
        f"quotes cover {coverage.cited * 100 // read}% of {whole}"
    )


def masked(span: MaskedSpan, document: Document | None) -> str:
    """A masked span in a line, with its first words where the text is at hand."""
    reason = span.reason.replace("_", " ")
    line = f"not read: characters {span.start}–{span.end}, {reason}"
    if document is None:
        return line
    words = " ".join(document.text[span.start : span.start + _SHOWN * 2].split())
    return f"{line}: “{words[:_SHOWN]}{'…' if len(words) > _SHOWN else ''}”"


def printable(text: str) -> str:
    r"""Text without the characters that command a terminal or turn its lines around; line ends stay.

    >>> printable("a\x1b[2J\u202eb\nc")
    'a[2Jb\nc'
    """
    return "".join(char for char in text if char.isprintable() or char == "\n")


def count(number: int, noun: str) -> str:
    """A number with its noun.

    >>> count(1, "point"), count(2, "point")
    ('1 point', '2 points')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
