"""What readers found in texts before any summary of them, and where that lies in the texts of a summary."""

from collections.abc import Iterable, Mapping, Sequence

from service.core.alignment import Place
from service.core.errors import InvalidRequest
from service.core.types import DocumentFacts, Evidence, Importance, Value

_SHOWN_DIGITS = 12
_SHOWN_DOCUMENTS = 3


class ReferenceDocument(Value, frozen=True, kw_only=True):
    """A text that a reference is about, known by its digest alone: names and ids may differ."""

    id: str
    sha256: str
    """Of the text's UTF-8 bytes."""


class ReferenceSpan(Value, frozen=True, kw_only=True):
    """A stretch of a text, in code points, half open."""

    document: str
    start: int
    end: int
    quote: str = ""


class ReferenceFact(Value, frozen=True, kw_only=True):
    """What a good summary says."""

    id: str
    text: str
    importance: Importance
    spans: tuple[ReferenceSpan, ...]
    also: str | None = None
    """Another reader's wording."""


class ReferenceConflict(Value, frozen=True, kw_only=True):
    """Statements that cannot both hold."""

    id: str
    kind: str
    note: str
    sides: tuple[tuple[ReferenceSpan, ...], ...]


class MustNot(Value, frozen=True, kw_only=True):
    """What a summary must not assert. To be read: whether it does takes a judge."""

    text: str
    why: str = ""


class Reference(Value, frozen=True, kw_only=True):
    """What readers found in one or more texts, before any summary of them."""

    documents: tuple[ReferenceDocument, ...]
    facts: tuple[ReferenceFact, ...]
    conflicts: tuple[ReferenceConflict, ...] = ()
    must_not: tuple[MustNot, ...] = ()


# --- the same texts --------------------------------------------------------------------------------------------------


def positions(documents: Sequence[DocumentFacts]) -> dict[str, int]:
    """The texts of a summary, numbered by their digests, by the ids that it has for them."""
    first: dict[str, int] = {}
    return {facts.id: first.setdefault(facts.sha256, len(first)) for facts in documents}


def matched(documents: Sequence[DocumentFacts], reference: Reference) -> dict[str, int]:
    """The positions of the same texts, by the ids that the reference has for them.

    Raises:
        InvalidRequest: the reference is of other documents.

    """
    at = positions(documents)
    mine = {facts.sha256: at[facts.id] for facts in documents}
    theirs = {one.id: one.sha256 for one in reference.documents}
    if set(mine) != set(theirs.values()):
        summary = _named({facts.id: facts.sha256 for facts in documents})
        raise InvalidRequest(
            "The reference is of other documents than the summary, as their digests say: "
            f"the summary is of {summary}, the reference of {_named(theirs)}."
        )
    return {name: mine[digest] for name, digest in theirs.items()}


def _named(digests: Mapping[str, str]) -> str:
    shown = [f"{name} ({digest[:_SHOWN_DIGITS]})" for name, digest in digests.items()][:_SHOWN_DOCUMENTS]
    more = len(digests) - len(shown)
    return ", ".join(shown) + f" and {more} more" * bool(more)


def cited(spans: Iterable[Evidence | ReferenceSpan], at: Mapping[str, int]) -> tuple[Place, ...]:
    """Stretches of texts by the positions of these.

    Args:
        spans: by the ids of their documents.
        at: the positions of documents, by the same ids.

    Raises:
        InvalidRequest: a stretch is in none of the documents, empty, or begins before it.

    """
    found: list[Place] = []
    for span in spans:
        if span.document not in at or not 0 <= span.start < span.end:
            what = f"characters {span.start} to {span.end} of {span.document!r}"
            known = ", ".join(at) or "none"
            raise InvalidRequest(f"Something cites {what}, and there is no such place; documents listed: {known}.")
        found.append(Place(document=at[span.document], start=span.start, end=span.end))
    return tuple(found)
