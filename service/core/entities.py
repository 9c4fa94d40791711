"""Names in the sources, with their other forms: who is meant where. The rules know English; a model may know more."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from service.core import given as gives
from service.core.given import Given
from service.core.grounding import Index, build_index
from service.core.names import Named, acronyms_of, find_names
from service.core.spans import Overlaps, Stretch, stretch
from service.core.types import DraftEntity, Entity, EntityType, Evidence, Mention, Source

_SUFFIXES = frozenset({"Jr", "Sr", "II", "III"})
_LONGEST_PART = 3
"""Words of a name that another may leave parts out of: beyond that they are of two institutions, not of one person."""
_IMPERSONAL: tuple[EntityType, ...] = ("organisation", "place", "other")
_FEWEST_MENTIONS = 2
_LONGEST_INTRODUCTION = 160
_INTRODUCES = re.compile(
    r"(?:,\s+|\s+\()(?:or|aka|a\.k\.a\.|now|formerly)\s+(?:the\s+)?"
    r"|.*\b(?:known|trad(?:ed|es|ing)|operat(?:ed|es|ing)|rebranded|abbreviated)\b.{0,80}\bas\s+(?:the\s+)?"
    r"|.*\b(?:renamed|rebranded|called|dubbed|nicknamed|name\s+to)(?:\s+(?:itself|himself|herself))?\s+(?:the\s+)?",
    re.DOTALL,
)
"""What stands between two names of one thing where a text says that they are."""


def names_in(sources: Sequence[Source]) -> tuple[Named, ...]:
    """Every place where a name stands; only unmasked English sentences are read."""
    return tuple(name for source in sources if source.language in (None, "en") for name in find_names(source))


def entities(
    sources: Sequence[Source],
    cited: Iterable[Stretch] = (),
    named: Sequence[Named] | None = None,
    given: Sequence[DraftEntity] = (),
    index: Index | None = None,
) -> tuple[Entity, ...]:
    """Names that the sources use twice or more, that stand in a cited span, or whose forms differ, by first mention.

    A surname alone is the full name it belongs to; so is a first name that only one person has. Two full names with
    one surname are one entity with a `name_conflict` where the document also uses the bare surname, as if there were
    no other, and never sets the two side by side.

    What a model gives counts as far as it stands in the sources: one mention is enough for it to be shown, its type
    goes before the rules' own unless a title or a role says that a person is meant, and its aliases join what the
    rules do not hold apart.

    Args:
        sources: the documents; by the rules, only unmasked English sentences are read.
        cited: (document, start, end) of evidence.
        named: their `names_in`, where that was looked for already.
        given: by a model.
        index: of the same sources, where there is one; only what is given needs it.

    """
    named = names_in(sources) if named is None else named
    placed = gives.place(given, named, index or build_index(sources)) if given else gives.Placed(tuple(named), (), ())
    in_evidence = Overlaps((place, 0) for place in cited)
    order = {source.document.id: at for at, source in enumerate(sources)}
    found: list[Entity] = []
    for group in _groups(placed, sources, order):
        shown = group.given or group.conflict or len(group.mentions) >= _FEWEST_MENTIONS
        if not (shown or any(in_evidence.over((m.document, m.start, m.end)) for m in group.mentions)):
            continue
        found.append(
            Entity(
                id=f"e{len(found) + 1}",
                name=group.name,
                aliases=tuple(sorted({m.form for m in group.mentions} - {group.name})),
                type=group.type,
                name_conflict=group.conflict,
                mentions=tuple(Mention(document=m.document, start=m.start, end=m.end) for m in group.mentions),
            )
        )
    return tuple(found)


# --- what lies over what ---------------------------------------------------------------------------------------------


class Mentions:
    """Where entities are named, ready to be asked for many stretches."""

    def __init__(self, entities: Sequence[Entity]) -> None:
        self._entities = entities
        self._spans = Overlaps(
            (stretch(mention), at) for at, entity in enumerate(entities) for mention in entity.mentions
        )

    def within(self, evidence: Iterable[Evidence]) -> tuple[str, ...]:
        """Ids of the entities named in any of the stretches, in the order of the entities."""
        places = (self._spans.over(stretch(place)) for place in evidence)
        return tuple(self._entities[at].id for at in sorted(set().union(*places)))


# --- which names are one ---------------------------------------------------------------------------------------------


class _Group(NamedTuple):
    name: str
    type: EntityType
    conflict: tuple[str, ...]
    mentions: tuple[Named, ...]
    """By document, then by place."""
    given: bool


class _Links:
    """Which forms mean one entity (union-find)."""

    def __init__(self, by_form: Mapping[str, Sequence[Named]]) -> None:
        self.by_form = by_form
        self._parent = {form: form for form in by_form}

    def root(self, form: str) -> str:
        while self._parent[form] != form:
            self._parent[form] = form = self._parent[self._parent[form]]
        return form

    def join(self, form: str, to: str) -> None:
        if form in self._parent and to in self._parent:
            self._parent[self.root(form)] = self.root(to)

    def groups(self) -> dict[str, list[str]]:
        gathered: dict[str, list[str]] = defaultdict(list)
        for form in self.by_form:
            gathered[self.root(form)].append(form)
        return gathered


def _groups(placed: gives.Placed, sources: Sequence[Source], order: Mapping[str, int]) -> list[_Group]:
    """Names that mean one entity, in order of first mention."""
    by_rules = _by_form(placed.named)
    by_form = _by_form((*placed.named, *placed.found))
    links = _Links(by_form)
    full = [form for form in by_rules if " " in form and by_rules[form][0].type != "work"]
    conflicts = _join_surnames(links, by_rules, full)
    _join_given_names(links, by_rules, full)
    for short, long in acronyms_of(sources).items():
        if short in by_rules and long in by_rules:
            links.join(short, long)
    votes = _join_given(links, placed.given, sources) if placed.given else {}
    found: list[_Group] = []
    for root, forms in links.groups().items():
        if root not in votes and not any(form in by_rules for form in forms):
            continue  # an alias that was not believed
        places = (name for form in forms for name in by_form[form])
        mentions = tuple(sorted(places, key=lambda name: (order[name.document], name.start)))
        found.append(
            _Group(
                name=max(forms, key=lambda form: (" " in form, len(by_form[form]))),
                type=_settled(_majority(mentions, forms), votes.get(root), mentions),
                conflict=tuple(form for form in forms if form in conflicts),
                mentions=mentions,
                given=root in votes,
            )
        )
    return sorted(found, key=lambda group: (order[group.mentions[0].document], group.mentions[0].start))


def _by_form(named: Iterable[Named]) -> dict[str, list[Named]]:
    by_form: dict[str, list[Named]] = defaultdict(list)
    for name in named:
        by_form[name.form].append(name)
    return by_form


def _join_surnames(links: _Links, by_form: Mapping[str, Sequence[Named]], full: Sequence[str]) -> set[str]:
    """Joins full names to their surname and to one another; returns those that differ and yet mean one person."""
    conflicts: set[str] = set()
    for surname, (first, *others) in _by(full, _surname).items():
        bare = _uses(by_form.get(surname, ())) if others else {}
        mine = _uses(by_form[first]) if others and _personal(by_form[first]) else {}
        for other in others:
            if _same(first, other):
                links.join(other, first)
            elif mine and _personal(by_form[other]) and _one_person(mine, _uses(by_form[other]), bare):
                links.join(other, first)
                conflicts.update((first, other))
        if surname in by_form:
            links.join(surname, first)
    return conflicts


def _join_given_names(links: _Links, by_form: Mapping[str, Sequence[Named]], full: Sequence[str]) -> None:
    """Joins a first name to the only person who has it, unless it is somebody's surname too."""
    for given, (first, *others) in _by(full, _given).items():
        free = given in by_form and links.root(given) == given
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
    a, b = (
        {part.casefold() for part in form.replace(".", "").split() if len(part) > 1 and part not in _SUFFIXES}
        for form in (one, other)
    )
    return max(len(a), len(b)) <= _LONGEST_PART and (a <= b or b <= a)


def _personal(named: Sequence[Named]) -> bool:
    """Whether nothing says that a name is of something else, or of a relative."""
    return not any(name.type in _IMPERSONAL or name.kin for name in named)


class _Uses(NamedTuple):
    """The sentences of a document that use a form."""

    first: int
    last: int
    sentences: frozenset[int]


def _uses(named: Iterable[Named]) -> dict[str, _Uses]:
    """By document."""
    by_document: dict[str, set[int]] = defaultdict(set)
    for name in named:
        by_document[name.document].add(name.sentence)
    return {document: _Uses(min(some), max(some), frozenset(some)) for document, some in by_document.items()}


def _one_person(mine: Mapping[str, _Uses], theirs: Mapping[str, _Uses], bare: Mapping[str, _Uses]) -> bool:
    """Whether a document treats two full names with one surname as one person: see `entities`."""
    return any(
        bare[document].last >= max(mine[document].first, theirs[document].first)
        and mine[document].sentences.isdisjoint(theirs[document].sentences)
        for document in mine.keys() & theirs.keys() & bare.keys()
    )


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


# --- what a model adds -----------------------------------------------------------------------------------------------


def _settled(ruled: EntityType, votes: Counter[EntityType] | None, named: Sequence[Named]) -> EntityType:
    """The model's type; the rules' where it says nothing, or where a title or a role says that a person is meant."""
    told = Counter({kind: count for kind, count in votes.items() if kind != "other"}) if votes else None
    if not told or any(name.called for name in named):
        return ruled
    return told.most_common(1)[0][0]


class _Side(NamedTuple):
    """What keeps a group from being joined to another."""

    full: frozenset[str]
    """Names of more than one word."""
    called: bool
    type: EntityType
    """By the rules."""
    sentences: set[tuple[str, int]]


def _join_given(links: _Links, given: Sequence[Given], sources: Sequence[Source]) -> dict[str, Counter[EntityType]]:
    """Joins the forms of given names that nothing holds apart; returns what each group is given as."""
    groups = links.groups()
    sides = {root: _side([m for form in forms for m in links.by_form[form]], forms) for root, forms in groups.items()}
    introduced = _introduced(links.by_form, sources)
    told: list[tuple[str, EntityType]] = []
    for one in given:
        name, *aliases = one.forms
        told.append((name, one.type))
        for alias in aliases:
            a, b = links.root(name), links.root(alias)
            if a != b:
                said = frozenset((name, alias)) in introduced or alias == _initials(name)
                if not _may_be_one(sides[a], sides[b], one.type, said=said):
                    continue
                links.join(alias, name)
                sides[a] = _united(sides[a], sides[b])
            told.append((alias, one.type))
    votes: dict[str, Counter[EntityType]] = defaultdict(Counter)
    for form, kind in told:
        votes[links.root(form)][kind] += 1
    return votes


def _side(named: Sequence[Named], forms: Sequence[str]) -> _Side:
    return _Side(
        full=frozenset(form for form in forms if " " in form),
        called=any(name.called for name in named),
        type=_majority(named, forms),
        sentences={(name.document, name.sentence) for name in named},
    )


def _united(a: _Side, b: _Side) -> _Side:
    # the fewer go to the more, or many aliases of one name would be copied over and over
    fewer, more = sorted((a.sentences, b.sentences), key=len)
    more |= fewer
    return _Side(
        full=a.full | b.full,
        called=a.called or b.called,
        type=a.type if a.type != "other" else b.type,
        sentences=more,
    )


def _may_be_one(a: _Side, b: _Side, kind: EntityType, *, said: bool) -> bool:
    """Whether two groups may be of one entity, as a model says; whether the text says so as well.

    The text has to, where full names differ, where one is a person by title or role and the other is none, and where
    a sentence names both. Two people by full names are two in any case.
    """
    differ = any(not _same(one, other) for one in a.full for other in b.full)
    if differ and (kind == "person" or a.called or b.called or a.type == b.type == "person"):
        return False
    clash = a.called != b.called and not {a.type, b.type} <= {"person", "other"}
    return said or (not (differ or clash) and a.sentences.isdisjoint(b.sentences))


def _initials(form: str) -> str:
    return "".join(word[0] for word in form.split() if word[0].isupper())


def _introduced(by_form: Mapping[str, Sequence[Named]], sources: Sequence[Source]) -> set[frozenset[str]]:
    """Pairs of forms of which the text says that they are of one thing: "Lindqvar, now Aldane Geo"."""
    places: dict[str, list[Named]] = defaultdict(list)
    for some in by_form.values():
        for name in some:
            places[name.document].append(name)
    return {
        frozenset((before.form, after.form))
        for source in sources
        for before, after in pairwise(sorted(places[source.document.id], key=lambda name: name.start))
        if before.sentence == after.sentence
        and after.start - before.end <= _LONGEST_INTRODUCTION
        and _INTRODUCES.fullmatch(source.text, before.end, after.start)
    }
