"""How much of a summary's wording is taken over from its sources."""

from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from service.core.text import words


def novel_bigrams(lines: Sequence[str], texts: Iterable[str]) -> list[bool]:
    """For each pair of adjacent words in a line, whether no text has it.

    >>> novel_bigrams(["He flew twice."], ["They say he flew."])
    [False, True]
    """
    mine = [pair for line in lines for pair in pairwise(_plain(line))]
    wanted = set(mine)
    copied = {pair for text in texts for pair in pairwise(_plain(text)) if pair in wanted}
    return [pair not in copied for pair in mine]


def fragment_density(lines: Sequence[str], texts: Iterable[str]) -> float | None:
    """Mean length, by word, of the stretch copied from a text (Grusky et al. 2018, Newsroom); None without words.

    Stretches are found greedily: the longest in any text that begins with the next word, then on from its end.

    >>> fragment_density(["He flew twice."], ["They say he flew.", "Twice!"])
    1.6666666666666667
    """
    mine = [word for line in lines for word in _plain(line)]
    number = {word: at for at, word in enumerate(dict.fromkeys(mine))}
    wanted = [number[word] for word in mine]
    # -1 is a word that the lines lack, and what ends a text
    source = np.array([number.get(word, -1) for text in texts for word in (*_plain(text), "")], np.int64)
    at, squares = 0, 0
    while at < len(wanted):
        length = _longest(wanted[at:], source)
        squares += length**2
        at += max(1, length)
    return squares / len(wanted) if wanted else None


def _longest(wanted: Sequence[int], source: NDArray[np.int64]) -> int:
    """How many of the first words stand in a row somewhere in the source, which ends in a word of none."""
    places = np.flatnonzero(source == wanted[0])
    length = 0
    while places.size:
        length += 1
        if length == len(wanted):
            break
        places = places[source[places + length] == wanted[length]]
    return length


def _plain(text: str) -> list[str]:
    return [word.casefold() for word in words(text)]
