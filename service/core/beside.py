"""The words beside a number, a date or a name in a claim: they tell what it is of."""

import re
from collections.abc import Sequence
from typing import Literal

from service.core.lexicon import FUNCTION_WORDS, NUMBER_WORDS, Token, content, tokenise
from service.core.types import Value

Relation = Literal["same", "different", "open", "apart"]
"""Two values that are the same as far as both go; that are of one thing and differ; that differ, and nothing tells
what of; that have nothing to do with each other."""

_NEXT_WORDS = 2
_FAR_WORDS = 6
_NEIGHBOURHOOD = 200
"""Characters before and after something that are looked at: more than so few words take."""
_BREAK = re.compile(r"[,;:—–()…]|[.!?](?:\s|$)")
_CLOSERS = frozenset("aboard across during per since within via toward towards ago including than".split())
"""They end the noun that a number counts, as function words do."""
_PASSED = frozenset("of the a an its his her their these those".split())
"""They may stand between a number and what it counts."""


class Near(Value, frozen=True, kw_only=True):
    """The words beside something in a claim, as stems; those of its own clause."""

    before: str | None = None
    after: tuple[str, ...] = ()
    noun: tuple[str, ...] = ()
    """Of what stands after it, the noun that it counts, with its adjectives."""


def near(text: str, start: int, end: int, *, english: bool = True) -> Near:
    """The words beside a stretch of a claim; in other languages than English, the very next ones as they are.

    >>> near("Kelly spent 340 long days aboard the station.", 12, 15)
    Near(before='spent', after=('long', 'day'), noun=('long', 'day'))
    """
    if len(text) > 2 * _NEIGHBOURHOOD:
        cut = max(0, start - _NEIGHBOURHOOD)
        text, start, end = text[cut : end + _NEIGHBOURHOOD], start - cut, end - cut
    tokens = tokenise(text)
    before = _run(text, [token for token in reversed(tokens) if token.end <= start], start)
    after = _run(text, [token for token in tokens if token.start >= end], end)
    if not english:
        following = tuple(token.word for token in after[:1])
        return Near(before=before[0].word if before else None, after=following, noun=following)
    return Near(
        before=next((stem for token in before for stem in _content(token)), None),
        after=tuple(stem for token in after for stem in _content(token))[:_NEXT_WORDS],
        noun=_noun(after),
    )


def _run(text: str, tokens: Sequence[Token], edge: int) -> list[Token]:
    """The nearest tokens on one side of an offset, up to the border of its clause."""
    found: list[Token] = []
    for token in tokens[:_FAR_WORDS]:
        between = text[token.end : edge] if token.end <= edge else text[edge : token.start]
        if _BREAK.search(between):
            break
        found.append(token)
        edge = token.start if token.end <= edge else token.end
    return found


def _noun(after: Sequence[Token]) -> tuple[str, ...]:
    found: list[str] = []
    for token in after:
        if token.word in _CLOSERS or (token.word in FUNCTION_WORDS and (found or token.word not in _PASSED)):
            break
        found += _content(token)
    return tuple(found)


def _content(token: Token) -> list[str]:
    return [] if token.word in NUMBER_WORDS or token.text[0].isdigit() else content(token.word)
