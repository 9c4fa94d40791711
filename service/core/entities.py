"""Names in the sources, with their other forms: who is meant where. The rules know English."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from service.core.names import Named, acronyms_of, find_names
from service.core.types import Entity, EntityType, Mention, Source

_SUFFIXES = frozenset({"Jr", "Sr", "II", "III"})
_LONGEST_PART = 3
"""Words of a name that another may leave parts out of: beyond that they are of two institutions, not of one person."""
_IMPERSONAL: tuple[EntityType, ...] = ("organisation", "place", "other")
_FEWEST_MENTIONS = 2


def names_in(sources: Sequence[Source]) -> tuple[Named, ...]:
    """Every place where a name stands; only unmasked English sentences are read."""
    return tuple(name for source in sources if source.language in (None, "en") for name in find_names(source))


def entities(
    sources: Sequence[Source], cited: Iterable[tuple[str, int, int]] = (), named: Sequence[Named] | None = None
) -> tuple[Entity, ...]:
    """Names that the sources use twice or more, that stand in a cited span, or whose forms differ, by first mention.

    A surname alone is the full name it belongs to; so is a first name that only one person has. Two full names with
    one surname are one entity with a `name_conflict` where the document also uses the bare surname, as if there were
    no other, and never sets the two side by side.

    Args:
        sources: the documents; only unmasked English sentences are read.
        cited: (document, start, end) of evidence.
        named: their `names_in`, where that was looked for already.

    """
    named = names_in(sources) if named is None else named
    spans = list(cited)
    found: list[Entity] = []
    for group in _groups(named, acronyms_of(sources)):
        mentions = sorted(group.mentions, key=lambda m: (group.order(m.document), m.start))
        in_evidence = any(
            mention.document == document and mention.start < end and start < mention.end
            for mention in mentions
            for document, start, end in spans
        )
        if len(mentions) < _FEWEST_MENTIONS and not in_evidence and not group.conflict:
            continue
        found.append(
            Entity(
                id=f"e{len(found) + 1}",
                name=group.name,
                aliases=tuple(sorted({m.form for m in mentions} - {group.name})),
                type=group.type,
                name_conflict=group.conflict,
                mentions=tuple(Mention(document=m.document, start=m.start, end=m.end) for m in mentions),
            )
        )
    return tuple(found)


class _Group(NamedTuple):
    name: str
    type: EntityType
    conflict: tuple[str, ...]
    mentions: tuple[Named, ...]
    documents: tuple[str, ...]

    def order(self, document: str) -> int:
        return self.documents.index(document)


# --- which names are one ---------------------------------------------------------------------------------------------


class _Links:
    """Which forms mean one entity (union-find)."""

    def __init__(self, by_form: Mapping[str, Sequence[Named]]) -> None:
        self.by_form = by_form
        self._parent = {form: form for form in by_form}

    def root(self, form: str) -> str:
        while self._parent[form] != form:
            form = self._parent[form]
        return form

    def join(self, form: str, to: str) -> None:
        if form in self._parent and to in self._parent:
            self._parent[self.root(form)] = self.root(to)

    def groups(self) -> Iterable[list[str]]:
        gathered: dict[str, list[str]] = defaultdict(list)
        for form in self.by_form:
            gathered[self.root(form)].append(form)
        return gathered.values()


def _groups(named: Sequence[Named], acronyms: Mapping[str, str]) -> list[_Group]:
    """Names that mean one entity, in order of first mention."""
    by_form: dict[str, list[Named]] = defaultdict(list)
    for name in named:
        by_form[name.form].append(name)
    links = _Links(by_form)
    full = [form for form in by_form if " " in form and by_form[form][0].type != "work"]
    conflicts = _join_surnames(links, full)
    _join_given_names(links, full)
    for short, long in acronyms.items():
        links.join(short, long)
    documents = tuple(dict.fromkeys(name.document for name in named))
    return [
        _Group(
            name=max(forms, key=lambda form: (" " in form, len(by_form[form]))),
            type=_majority([name for form in forms for name in by_form[form]], forms),
            conflict=tuple(form for form in forms if form in conflicts),
            mentions=tuple(name for form in forms for name in by_form[form]),
            documents=documents,
        )
        for forms in links.groups()
    ]


def _join_surnames(links: _Links, full: Sequence[str]) -> set[str]:
    """Joins full names to their surname and to one another; returns those that differ and yet mean one person."""
    conflicts: set[str] = set()
    for surname, (first, *others) in _by(full, _surname).items():
        for other in others:
            if _same(first, other):
                links.join(other, first)
            elif _one_person(links.by_form, first, other, surname):
                links.join(other, first)
                conflicts.update((first, other))
        links.join(surname, first)
    return conflicts


def _join_given_names(links: _Links, full: Sequence[str]) -> None:
    """Joins a first name to the only person who has it, unless it is somebody's surname too."""
    for given, (first, *others) in _by(full, _given).items():
        free = given in links.by_form and links.root(given) == given
        if free and all(links.root(other) == links.root(first) for other in others):
            links.join(given, first)


def _by(forms: Sequence[str], part: Callable[[str], str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for form in forms:
        found[part(form)].append(form)
    return found


def _given(form: str) -> str:
    return form.split(maxsplit=1)[0]


def _surname(form: str) -> str:
    parts = [part for part in form.split() if part.rstrip(".") not in _SUFFIXES]
    return parts[-1] if parts else form


def _same(one: str, other: str) -> bool:
    """Whether one full name only leaves out parts of the other; initials and "Jr." are no parts of their own."""
    a, b = ({part for part in form.replace(".", "").split() if len(part) > 1} - _SUFFIXES for form in (one, other))
    return max(len(a), len(b)) <= _LONGEST_PART and (a <= b or b <= a)


def _one_person(by_form: Mapping[str, Sequence[Named]], one: str, other: str, surname: str) -> bool:
    """Whether a document treats two full names with one surname as one person: see `entities`."""
    if any(name.type in _IMPERSONAL or name.kin for form in (one, other) for name in by_form[form]):
        return False
    for document in {name.document for name in by_form[one]} & {name.document for name in by_form[other]}:
        mine = {name.sentence for name in by_form[one] if name.document == document}
        theirs = {name.sentence for name in by_form[other] if name.document == document}
        bare = [name.sentence for name in by_form.get(surname, ()) if name.document == document]
        if not mine & theirs and any(s >= min(mine) for s in bare) and any(s >= min(theirs) for s in bare):
            return True
    return False


def _majority(named: Sequence[Named], forms: Sequence[str]) -> EntityType:
    """What most mentions say; those by the full name, where there are any that say something, know best."""
    votes = Counter(name.type for name in named if name.type is not None)
    if votes and votes.most_common(1)[0][0] == "work":
        return "work"
    if any(name.called for name in named):
        return "person"
    votes = Counter(name.type for name in named if name.type is not None and " " in name.form) or votes
    full = [form for form in forms if " " in form]
    parts = {_surname(form) for form in full} | {_given(form) for form in full}
    alone = [name for name in named if name.form in parts]
    personal = sum(not name.article for name in alone) > len(alone) / 2
    if personal and votes["person"] >= sum(votes[impersonal] for impersonal in _IMPERSONAL):
        return "person"
    return votes.most_common(1)[0][0] if votes else "other"
