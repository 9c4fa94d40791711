"""Whether two sides of a conflict are about one thing, by the names in them. The rules know English."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Generic, NamedTuple, TypeVar

from service.core import grounding
from service.core.entities import Mentions
from service.core.lexicon import FUNCTION_WORDS, tokenise
from service.core.types import ConflictKind, DraftPoint, Entity, Evidence

_LONGEST_FORM = 8
"""Words of a name that are looked for in a claim."""
_MOST_NAMES = 12
"""Among which those are that a story is about: where dozens are as frequent, it is about none of them."""
_KNOWN_FOR = re.compile(r"\b(?:known|famous|acclaimed)\s+(?:best\s+)?(?:for|from)\b[^.;]*", re.IGNORECASE)

Meant = TypeVar("Meant")


class Side(NamedTuple):
    """The points on one side of a conflict, and what they cite."""

    points: tuple[DraftPoint, ...]
    evidence: tuple[Evidence, ...]

    @property
    def documents(self) -> frozenset[str]:
        """Those that are cited."""
        return frozenset(place.document for place in self.evidence)


@dataclass(frozen=True, eq=False)
class Subjects:
    """Who and what sides are about, by the names in their claims and quotes.

    A document's story is about the names that stand in it at least half as often as the most frequent one; of a title,
    which a text gives once and then calls "the film", a third is enough. A side that names one of them, or nobody but
    those who say it, is about that story, whoever else it mentions; another side is about those it names.

    Two sides are about one thing where they share a person or a work, or their stories do. An organisation or a place
    counts only where it leads one story and belongs to the other. They are not where each names a work of its own, or
    tells a story with a title of its own.
    """

    entities: Sequence[Entity]
    index: grounding.Index

    def different(self, kind: ConflictKind, one: Side, other: Side) -> str | None:
        """Why two sides are not about one thing; None where they are, or where it does not matter or is not known."""
        documents = one.documents | other.documents
        if kind == "first_claim" or any(
            self.index.documents[name].source.language not in (None, "en") for name in documents
        ):
            return None
        works = [self._works(side) for side in (one, other)]
        if all(works) and works[0].isdisjoint(works[1]) and not self._alike(kind, *works):
            return f"One side is about {self._list(works[0])}, the other about {self._list(works[1])}."
        if len(documents) == 1:
            return None
        stories = [self._story(side) for side in (one, other)]
        about = [self._about(side, stories[0] | stories[1]) for side in (one, other)]
        own = all(who <= story for who, story in zip(about, stories, strict=True))
        titles = [frozenset(name for name in story if self._of[name].type == "work") for story in stories]
        if own and all(titles) and titles[0].isdisjoint(titles[1]) and not (all(works) or self._alike(kind, *titles)):
            return f"One document is about {self._list(titles[0])}, the other about {self._list(titles[1])}."
        for a, b in (about, stories):
            if self._shares(a, b, one, other) or self._alike(kind, a, b):
                return None
        return "The sides are of different documents, and name nobody and nothing that both are about."

    @cached_property
    def _of(self) -> Mapping[str, Entity]:
        return {entity.id: entity for entity in self.entities}

    @cached_property
    def _mentions(self) -> Mentions:
        return Mentions(self.entities)

    @cached_property
    def _forms(self) -> "Forms[str]":
        return Forms((form, entity.id) for entity in self.entities for form in (entity.name, *entity.aliases))

    # A point may be on a side of thousands of conflicts.
    @cached_property
    def _named(self) -> Callable[[str], frozenset[str]]:
        return cache(lambda text: frozenset(self._forms.within(text)))

    @cached_property
    def _claimed(self) -> Callable[[str], frozenset[str]]:
        return cache(lambda text: frozenset(self._forms.within(_KNOWN_FOR.sub(" ", text))))

    @cached_property
    def _counts(self) -> Mapping[str, Counter[str]]:
        """How often each name stands in each document."""
        counts: dict[str, Counter[str]] = defaultdict(Counter)
        for entity in self.entities:
            for mention in entity.mentions:
                counts[mention.document][entity.id] += 1
        return counts

    @cached_property
    def _most(self) -> Mapping[str, int]:
        """How often the most frequent name of each document stands in it."""
        return {document: max(counts.values()) for document, counts in self._counts.items()}

    @cached_property
    def _stories(self) -> Mapping[str, frozenset[str]]:
        return {
            document: frozenset(
                name
                for name, count in counts.most_common(_MOST_NAMES)
                if count * (3 if self._of[name].type == "work" else 2) >= self._most[document]
            )
            for document, counts in self._counts.items()
        }

    def _story(self, side: Side) -> frozenset[str]:
        return frozenset(name for document in side.documents for name in self._stories.get(document, ()))

    def _about(self, side: Side, stories: frozenset[str]) -> frozenset[str]:
        """Whom and what a side is about; `stories` are of both, as one who only speaks is none of them."""
        named = {name for point in side.points for name in self._named(point.text)}
        named.update(self._mentions.within(side.evidence))
        said = [who for point in side.points for who in (point.attribution.who, point.attribution.via) if who]
        told = named - ({name for who in said for name in self._named(who)} - stories)
        story = self._story(side)
        return frozenset(told & story or told or story)

    def _works(self, side: Side) -> frozenset[str]:
        """Titles in the claims, else in the quotes: those of the story, or the only one there is.

        Several are what somebody is known for, and so is one that is said to be.
        """
        claimed = {name for point in side.points for name in self._claimed(point.text)}
        for names in (claimed, set(self._mentions.within(side.evidence))):
            titles = frozenset(name for name in names if self._of[name].type == "work")
            found = titles & self._story(side) or titles
            if len(found) == 1:
                return found
        return frozenset()

    def _shares(self, a: frozenset[str], b: frozenset[str], one: Side, other: Side) -> bool:
        return any(
            self._of[name].type in ("person", "work")
            or (self._leads(name, one) and name in self._story(other))
            or (self._leads(name, other) and name in self._story(one))
            for name in a & b
        )

    def _leads(self, name: str, side: Side) -> bool:
        named = side.documents & self._counts.keys()
        return any(self._counts[document].get(name) == self._most[document] for document in named)

    def _alike(self, kind: ConflictKind, a: Iterable[str], b: Iterable[str]) -> bool:
        """Whether two names may be meant to be one: in a conflict about names they differ, and share a word."""
        if kind != "name":
            return False
        words = [{word for name in names for word in _content(self._of[name].name)} for names in (a, b)]
        return not words[0].isdisjoint(words[1])

    def _list(self, names: Iterable[str]) -> str:
        return " and ".join(sorted(self._of[name].name for name in names))


class Forms(Generic[Meant]):
    """Names in their forms, ready to be looked for in a text."""

    def __init__(self, forms: Iterable[tuple[str, Meant]]) -> None:
        self._meant = {words: meant for form, meant in forms if (words := _words(form))}
        self._longest = min(_LONGEST_FORM, max(map(len, self._meant), default=0))

    def within(self, text: str) -> Iterator[Meant]:
        """What the forms in a text stand for; the longest form wins."""
        words = _words(text)
        at = 0
        while at < len(words):
            lengths = range(min(self._longest, len(words) - at), 0, -1)
            length = next((n for n in lengths if words[at : at + n] in self._meant), 0)
            if length:
                yield self._meant[words[at : at + length]]
            at += length or 1


def _words(text: str) -> tuple[str, ...]:
    return tuple(token.text.replace("’", "'").removesuffix("'s") for token in tokenise(text))


def _content(name: str) -> Iterator[str]:
    return (token.word.removesuffix("'s") for token in tokenise(name) if token.word not in FUNCTION_WORDS)
