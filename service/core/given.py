"""Names that a model gives: which of them stand in the sources, and where. None is believed that stands nowhere."""

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from service.core.grounding import Index, Searchable
from service.core.lexicon import UNSPACED
from service.core.names import Named, follows_article, holds_together, may_be_name, readings
from service.core.shadow import is_inside_word, shadow
from service.core.types import DraftEntity, EntityType, Span

_PIECE = re.compile(rf"[{UNSPACED}]|[^\W_{UNSPACED}]+")
_ENGLISH = (None, "en")


class Given(NamedTuple):
    """What a model says of names: that they are of one thing, and what it is."""

    type: EntityType
    forms: tuple[str, ...]
    """As they stand in the sources, the name itself first."""


class Placed(NamedTuple):
    """Given names, each with its places."""

    named: tuple[Named, ...]
    """By the rules, without those that are parts of a given name."""
    found: tuple[Named, ...]
    """What the rules did not find."""
    given: tuple[Given, ...]


class _Wanted(NamedTuple):
    """A form to look for."""

    type: EntityType
    alias: bool


def place(entities: Sequence[DraftEntity], named: Sequence[Named], index: Index) -> Placed:
    """Find the names that a model gives in the sources.

    In an English text the rules know where the names stand that they know; other names are looked for, outside masked
    spans, as whole words and with their capitals. One counts that holds others of the rules, where it can be one name.
    """
    by_key: dict[str, dict[str, None]] = defaultdict(dict)
    for form in dict.fromkeys(name.form for name in named):
        by_key[_key(form)][form] = None
    known = frozenset(by_key)
    asked = [(entity, _asked(entity, known)) for entity in dict.fromkeys(entities)]
    wanted: dict[str, _Wanted] = {}
    for entity, choices in asked:
        for at, keys in enumerate(choices):
            for key in keys:
                # what one gives as an alias, another may give as a name
                if key not in wanted or (wanted[key].alias and at == 0):
                    wanted[key] = _Wanted(type=entity.type, alias=at > 0)
    places: dict[str, list[Named]] = defaultdict(list)
    for name in named:
        places[name.document].append(name)
    found: list[Named] = []
    parts: set[tuple[str, int]] = set()
    for document, searchable in index.documents.items():
        theirs = sorted(places[document], key=lambda name: name.start)
        for name, within in _in_document(searchable, wanted, known, theirs):
            found.append(name)
            parts.update((part.document, part.start) for part in within)
    for form in dict.fromkeys(name.form for name in found):
        by_key[_key(form)][form] = None
    kept = tuple(name for name in named if (name.document, name.start) not in parts)
    standing = {name.form for name in (*kept, *found)}
    return Placed(kept, tuple(found), tuple(_standing(asked, by_key, standing)))


def _key(form: str) -> str:
    """A form with its typography made even, as the text is searched."""
    return form if form.isascii() and not set("`*") & set(form) else shadow(form).text.strip()


def _asked(entity: DraftEntity, known: frozenset[str]) -> list[tuple[str, ...]]:
    """What the name and each alias may be in the sources; where the rules know one of the readings, that one."""
    every = [tuple(map(_key, readings(text, entity.type))) for text in (entity.name, *entity.aliases)]
    return [next(((key,) for key in keys if key in known), keys) for keys in every]


def _standing(
    asked: Iterable[tuple[DraftEntity, Sequence[Sequence[str]]]],
    by_key: Mapping[str, Iterable[str]],
    standing: set[str],
) -> Iterator[Given]:
    """What was given, in the forms that stand in the sources."""
    for entity, choices in asked:
        forms = dict.fromkeys(
            form for keys in choices for key in keys for form in by_key.get(key, ()) if form in standing
        )
        if forms:
            yield Given(entity.type, tuple(forms))


def _in_document(
    searchable: Searchable, wanted: Mapping[str, _Wanted], known: frozenset[str], named: Sequence[Named]
) -> list[tuple[Named, Sequence[Named]]]:
    """Where the forms stand, each with the names of the rules that it holds."""
    source = searchable.source
    english = source.language in _ENGLISH
    forms = {
        form: one
        for form, one in wanted.items()
        if not (english and form in known) and may_be_name(form, one.type, alias=one.alias, english=english)
    }
    if not forms:
        return []
    hits = _hits(searchable, forms)
    nouns = _nouns(searchable, forms, hits) if english else frozenset()
    starts = [name.start for name in named]
    found: list[tuple[Named, Sequence[Named]]] = []
    free = 0
    for hit in hits:
        within = _within(named, starts, hit)
        if hit.start < free or hit.form in nouns or within is None or searchable.is_masked(hit.span):
            continue
        if within and not _is_whole(hit.form, forms[hit.form], within):
            continue
        sentence = searchable.sentence_at(hit.start)
        place = Named(
            form=source.text[hit.start : hit.end],
            document=source.document.id,
            start=hit.start,
            end=hit.end,
            sentence=sentence.number if sentence else 0,
            type=None,
        )
        # a name stands in one line, as it is shown
        if place.form == " ".join(place.form.split()):
            found.append((place, within))
            free = hit.end
    return found


class _Hit(NamedTuple):
    form: str
    start: int
    end: int

    @property
    def span(self) -> Span:
        return Span(start=self.start, end=self.end)


def _hits(searchable: Searchable, forms: Mapping[str, _Wanted]) -> list[_Hit]:
    """Where forms stand as whole words, the longest of those that begin together first.

    One pass over the text, however many forms there are.
    """
    made, text = searchable.shadow, searchable.shadow.text
    lengths: dict[str, set[int]] = defaultdict(set)
    for form in forms:
        if piece := _PIECE.match(form):
            lengths[piece[0]].add(len(form))
    longest_first = {piece: sorted(some, reverse=True) for piece, some in lengths.items()}
    found: list[_Hit] = []
    for match in _PIECE.finditer(text):
        at = match.start()
        for length in longest_first.get(match[0], ()):
            form = text[at : at + length]
            # At the end of the text a longer form is cut to a shorter one.
            if (
                len(form) == length
                and form in forms
                and not is_inside_word(text, at)
                and not is_inside_word(text, at + length)
            ):
                span = made.original(at, at + length)
                found.append(_Hit(form, span.start, span.end))
    return found


def _nouns(searchable: Searchable, forms: Iterable[str], hits: Iterable[_Hit]) -> frozenset[str]:
    """Forms that are no names: one word that also stands in small letters, or small letters after an article."""
    twins = {form.lower(): form for form in forms if " " not in form and form != form.lower()}
    small = {match[0] for match in _PIECE.finditer(searchable.shadow.text) if match[0] in twins} if twins else set()
    text = searchable.source.text
    after_articles = {hit.form for hit in hits if hit.form.islower() and follows_article(text, hit.start)}
    return frozenset(after_articles | {twins[word] for word in small})


def _within(named: Sequence[Named], starts: Sequence[int], hit: _Hit) -> Sequence[Named] | None:
    """The names in a stretch; None where one runs over its ends. Names do not overlap one another."""
    first, last = bisect_left(starts, hit.start), bisect_left(starts, hit.end)
    if first and named[first - 1].end > hit.start:
        return None
    inside = named[first:last]
    return None if inside and inside[-1].end > hit.end else inside


def _is_whole(form: str, one: _Wanted, within: Sequence[Named]) -> bool:
    """Whether the form is one name although the rules find names in it."""
    return not one.alias and holds_together(form, [_key(name.form) for name in within], one.type)
