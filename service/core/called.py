"""Which names a claim holds, and where another claim has another name in the same place. The rules know English."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from service.core import names
from service.core.beside import Near, near
from service.core.lexicon import FUNCTION_WORDS, MODALS, NUMBER_WORDS, QUANTIFIERS, Token, content, tokenise
from service.core.subjects import Forms
from service.core.types import EntityType, SummaryResult, Value

_TIMES = frozenset(
    """
    january february march april may june july august september october november december monday tuesday wednesday
    thursday friday saturday sunday i
    """.split()
)
_OPENERS = (
    FUNCTION_WORDS
    | QUANTIFIERS
    | NUMBER_WORDS
    | MODALS
    | frozenset("another according following unlike yesterday today tomorrow tonight later earlier meanwhile".split())
)
"""Words with which a sentence opens, and no name does."""
_JOINT = re.compile(r"[ -]")
_AFTER_INITIAL = re.compile(r"\.? ?")
_POSSESSIVE = re.compile(r"['’]s?$")
_COMMON = re.compile(r"(?:s|ing|ed|tion|ment|ness|ity|less|like|most)$")
"""Endings that names seldom have, and that other words with which a sentence opens often do."""
_AFTER_NAMES = frozenset({"jr", "sr", "ii", "iii"})
_FULL = 2


class Name(Value, frozen=True, kw_only=True):
    """A name as a claim has it."""

    shown: str
    words: tuple[str, ...]
    """Without case, titles and possessives."""
    entities: frozenset[str]
    """Of the summaries, those of which it holds a form."""
    at: int
    near: Near
    first: bool
    """Whether it begins the claim."""


class Known(Value, frozen=True, kw_only=True):
    """The names that summaries know, and how their texts write words."""

    forms: Forms[str]
    whole: Mapping[tuple[str, ...], str]
    """Entities by all words of each form."""
    types: Mapping[str, frozenset[EntityType]]
    """Of entities, by their names."""
    split: frozenset[tuple[str, ...]]
    """Full names that sources give to one entity although they differ."""
    inside: frozenset[str]
    """Words with a capital within a sentence."""
    lower: frozenset[str]


def known(results: Sequence[SummaryResult]) -> Known:
    """What summaries know of names, in whatever order they come."""
    of: dict[str, str] = {}
    types: dict[str, set[EntityType]] = defaultdict(set)
    split: set[tuple[str, ...]] = set()
    for entity in sorted((one for result in results for one in result.entities), key=lambda one: one.name):
        forms = (entity.name, *entity.aliases)
        name = next((of[form] for form in forms if form in of), entity.name)
        of = dict.fromkeys(forms, name) | of
        types[name].add(entity.type)
        split.update(_words(form) for form in entity.name_conflict)
    inside, lower = set[str](), set[str]()
    for point in (point for result in results for point in result.key_points):
        for text in (point.text, *(place.quote for place in point.evidence)):
            for token in tokenise(text):
                if token.text == token.text.lower():
                    lower.add(_plain(token))
                elif not token.opens:
                    inside.add(_plain(token))
    return Known(
        forms=Forms(of.items()),
        whole={_words(form): name for form, name in of.items()},
        types={name: frozenset(kinds) for name, kinds in types.items()},
        split=frozenset(split),
        inside=frozenset(inside),
        lower=frozenset(lower),
    )


def _plain(token: Token) -> str:
    return token.word.removesuffix("'s").rstrip("'")


def _words(form: str) -> tuple[str, ...]:
    return tuple(_plain(token) for token in tokenise(form))


# --- within a claim --------------------------------------------------------------------------------------------------


def called(text: str, about: Known) -> tuple[Name, ...]:
    """The names in a claim, in order: runs of words with capitals, other words that open a sentence left out."""
    found: list[Name] = []
    for run in _runs(text, about):
        start, end = run[0].start, run[-1].end
        shown = _POSSESSIVE.sub("", text[start:end])
        entities = frozenset(about.forms.within(shown))
        words = _words(names.readings(shown, "person")[0])
        if run[0].opens and len(words) > 1 and not (words in about.whole or _plain(run[0]) in about.inside):
            # "Retired" in "Retired NASA astronaut" is no part of the name.
            words = words[1:] if entities or _COMMON.search(words[0]) else words
        found.append(
            Name(
                shown=shown,
                words=words,
                entities=entities,
                at=start,
                near=near(text, start, start + len(shown)),
                first=not found and not content(text[:start]),
            )
        )
    return tuple(found)


def _runs(text: str, about: Known) -> Iterator[list[Token]]:
    run: list[Token] = []
    tokens = tokenise(text)
    for at, token in enumerate(tokens):
        following = tokens[at + 1] if at + 1 < len(tokens) else None
        named = any(map(str.isupper, token.text)) and _plain(token) not in _TIMES
        if not named or (token.opens and not _may_open(token, following, about)):
            if run:
                yield run
            run = []
            continue
        if run and not _is_joined(text, run[-1], token):
            yield run
            run = []
        run.append(token)
    if run:
        yield run


def _may_open(token: Token, following: Token | None, about: Known) -> bool:
    """Whether a word with which a sentence may begin is a name, by how else it is written and by its shape."""
    word = _plain(token)
    if word in _OPENERS:
        return False
    if word in about.inside or any(about.forms.within(token.text)) or any(map(str.isupper, token.text[1:])):
        return True
    if word in about.lower or following is None:
        return False
    return following.text[0].isupper() or _COMMON.search(word) is None


def _is_joined(text: str, one: Token, other: Token) -> bool:
    between = text[one.end : other.start]
    initial = len(one.text) <= _FULL and _AFTER_INITIAL.fullmatch(between)
    return not _POSSESSIVE.search(one.text) and (initial or _JOINT.fullmatch(between)) is not None


# --- of two claims ---------------------------------------------------------------------------------------------------


class Naming(NamedTuple):
    """A claim as far as names go."""

    names: Sequence[Name]
    tokens: Sequence[Token]
    quotes: str
    """What it rests on."""


def differing(one: Naming, other: Naming, about: Known, *, alike: bool) -> list[tuple[Name, Name]]:
    """Names of two claims of which one stands where the other claim has the other.

    A name that is given less fully, in another form or not at all is no other one.

    Args:
        one: a claim.
        other: another.
        about: the names that are known of.
        alike: whether the claims have most of their words in common, so that the only name that each has alone stands
            for the other's.
    """
    ours, theirs = missing(one, other, about), missing(other, one, about)
    held = [frozenset(map(_plain, tokenise(naming.quotes))) for naming in (one, other)]
    found = [
        (a, b)
        for a in ours
        for b in theirs
        if _of_one_type(a, b, about)
        and _in_one_place(
            a,
            b,
            told=held[1].issuperset(a.words) and held[0].issuperset(b.words),
            only=alike and len(ours) == len(theirs) == 1,
        )
    ]
    also = ((a, b) for a in one.names for b in other.names if _share_a_surname(a, b, one, other, about))
    return list(dict.fromkeys((*found, *also)))


def missing(one: Naming, other: Naming, about: Known) -> list[Name]:
    """Names of a claim that another does not have, in whatever form."""
    return [name for name in one.names if not _stands(name, other, about)]


def _stands(name: Name, within: Naming, about: Known) -> bool:
    """Whether a claim has a name too: its last word, another form of it, or its initials."""
    tokens = within.tokens
    last = next((word for word in reversed(name.words) if word not in _AFTER_NAMES), None)
    if last is None or any(_plain(token) == last for token in tokens):
        return True
    entity = about.whole.get(name.words)
    if entity is not None and any(about.whole.get(other.words) == entity for other in within.names):
        return True
    initials = "".join(word[0] for word in name.words)
    if len(initials) >= _FULL and any(token.text.isupper() and _plain(token) == initials for token in tokens):
        return True
    capitals = "".join(token.text[0] for token in tokens if token.text[0].isupper()).casefold()
    return len(name.words) == 1 and name.shown.isupper() and len(last) >= _FULL and last in capitals


def _of_one_type(one: Name, other: Name, about: Known) -> bool:
    """Whether two names may be of the same type, as far as is known."""
    ours, theirs = ({kind for entity in name.entities for kind in about.types[entity]} for name in (one, other))
    return not ours or not theirs or not ours.isdisjoint(theirs)


def _in_one_place(one: Name, other: Name, *, told: bool, only: bool) -> bool:
    """Whether the next word before or after is the same; where the sources of both have both names, both words."""
    before = one.near.before is not None and one.near.before == other.near.before
    after = bool(one.near.after) and one.near.after[:1] == other.near.after[:1]
    return (before or (one.first and other.first)) and after if told else before or after or only


def _share_a_surname(a: Name, b: Name, one: Naming, other: Naming, about: Known) -> bool:
    """Whether two full names end alike and begin otherwise, neither claim having the other's."""
    ours, theirs = (tuple(word for word in name.words if word not in _AFTER_NAMES) for name in (a, b))
    if min(len(ours), len(theirs)) < _FULL or ours[-1] != theirs[-1] or set(ours[:-1]) & set(theirs[:-1]):
        return False
    if ours[0].startswith(theirs[0]) or theirs[0].startswith(ours[0]):  # as an initial does
        return False
    if any(set(ours) <= set(name.words) for name in other.names) or any(
        set(theirs) <= set(name.words) for name in one.names
    ):
        return False
    known_as = about.whole.get(ours)
    return known_as is None or known_as != about.whole.get(theirs) or {ours, theirs} <= about.split
