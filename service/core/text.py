"""Paragraphs, sentences and words of a text, by offsets; the text itself is never changed."""

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import pairwise

import snowballstemmer

from service.core.types import MaskedSpan, Sentence, Span

SplitSentences = Callable[[str], Sequence[tuple[int, int]]]
"""Spans of the sentences of one paragraph, in order, as offsets into the string given."""

SENTENCES_VERSION = "1"
MAX_SENTENCE = 1_000
"""Characters; what is longer is cut at a clause, a space, or anywhere, so that a quote stays readable."""

_TERMINAL = frozenset('.!?…:;"”’)]。！？؟۔।')
_CLAUSE = re.compile(r"[;:,、，；：](?=\s)|[、，；：]")
_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
_WORD = re.compile(rf"[{_CJK}]|[^\W_{_CJK}](?:[^\W_{_CJK}]|['’.,\-](?=[^\W_{_CJK}]))*")
_SURROGATE = re.compile("[\ud800-\udfff]")
_SPACE = "".join(char for char in map(chr, range(0x3001)) if char.isspace()) + "\ufeff"
"""White space, and a BOM: it belongs to the text but to no sentence."""
_CJK_RUN = re.compile(rf"[{_CJK}]+")
_NOT_SHOWN = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f\U000e0100-\U000e01ef]"
)
"""Controls, marks that turn a line around, tags, and spaces without width; joiners stay, as scripts need them."""


def fault(text: str) -> str | None:
    r"""Why a text cannot be read, and what to do; None where it can.

    >>> fault(" \n"), fault("a\0"), fault("ok")
    ('there is no text but white space', 'a NUL character stands at offset 1; remove it', None)
    >>> fault("...")
    'there is no word in the text, only punctuation; send the text itself'
    """
    if not text.strip(_SPACE):
        return "there is no text but white space"
    nul = text.find("\0")
    if nul >= 0:
        return f"a NUL character stands at offset {nul}; remove it"
    lone = _SURROGATE.search(text)
    if lone:
        return f"half a surrogate pair stands at offset {lone.start()}; send valid Unicode"
    return "there is no word in the text, only punctuation; send the text itself" if is_blank(text) else None


def is_blank(text: str) -> bool:
    """Whether there is nothing to quote: no letter, digit, pictograph or currency sign.

    >>> is_blank("... — ***"), is_blank("42"), is_blank("🚀")
    (True, False, False)
    """
    return not any(category[0] in "LN" or category in ("So", "Sc") for category in map(unicodedata.category, text))


def presentable(text: str) -> str:
    r"""What a model wrote, as one line that a page or a terminal can show: nothing in it commands or hides.

    >>> presentable("a\x1b[2J\u202eb\n c\0")
    'a[2Jb c'
    """
    return " ".join(visible(text).split())


def visible(text: str) -> str:
    r"""A text without the characters that command a terminal, turn its lines around, or hide words.

    >>> visible("a\x1b[2J\u202eb\n c")
    'a[2Jb\n c'
    """
    return _NOT_SHOWN.sub("", text)


def lines(text: str) -> Iterator[Span]:
    r"""Every line without the white space around it; blank lines are empty spans.

    >>> [(s.start, s.end) for s in lines("a\r\n\r\n b ")]
    [(0, 1), (3, 3), (6, 7)]
    """
    at = 0
    for line in text.splitlines(keepends=True):
        body = line.strip(_SPACE)
        start = at + (len(line) - len(line.lstrip(_SPACE)) if body else 0)
        yield Span(start=start, end=start + len(body))
        at += len(line)


def paragraphs(text: str, masked: Sequence[MaskedSpan] = ()) -> list[Span]:
    r"""Stretches between blank lines, and single lines where line ends are paragraph ends.

    A text counts as wrapped, its line ends meaning nothing, when a third or more of the lines that follow another
    start with a small letter. Masked lines do not count, and each is a paragraph of its own, so that no sentence runs
    into one or out of it.

    >>> [text[s.start:s.end] for text in ["One.\nTwo.\n\nThree."] for s in paragraphs(text)]
    ['One.', 'Two.', 'Three.']
    >>> [text[s.start:s.end] for text in ["One that\nis wrapped.\n\nTwo."] for s in paragraphs(text)]
    ['One that\nis wrapped.', 'Two.']
    """
    found = list(lines(text))
    ends = [span.end for span in masked]
    apart = {line.start for line in found if _is_inside(masked, ends, line)} if masked else set()
    follows = [
        (before, after)
        for before, after in pairwise(found)
        if before.start < before.end and after.start < after.end and not {before.start, after.start} & apart
    ]
    running_on = sum(text[after.start].islower() and text[before.end - 1] not in _TERMINAL for before, after in follows)
    wrapped = running_on > 0 and running_on * 3 >= len(follows)
    joined: list[Span] = []
    fresh = True
    for line in found:
        if line.start == line.end:
            fresh = True
        elif wrapped and not fresh and line.start not in apart:
            joined[-1] = Span(start=joined[-1].start, end=line.end)
        else:
            joined.append(line)
            fresh = line.start in apart
    return joined


def _is_inside(spans: Sequence[MaskedSpan], ends: Sequence[int], line: Span) -> bool:
    at = bisect_right(ends, line.start)
    return at < len(spans) and spans[at].start <= line.start < line.end


def sentences(text: str, split: SplitSentences, masked: Sequence[MaskedSpan] = ()) -> tuple[Sentence, ...]:
    r"""Sentences of a text, numbered from 1; none crosses a paragraph, none is over `MAX_SENTENCE` characters.

    None lies partly in a masked span.

    >>> [text[s.start:s.end] for text in ["Hi. Ho.\n\nHa."] for s in sentences(text, lambda t: [(0, len(t))])]
    ['Hi. Ho.', 'Ha.']
    """
    found: list[Sentence] = []
    for number, paragraph in enumerate(paragraphs(text, masked), 1):
        for start, end in split(text[paragraph.start : paragraph.end]):
            stripped = strip(text, paragraph.start + start, paragraph.start + end)
            for piece in _pieces(text, stripped):
                found.append(Sentence(number=len(found) + 1, start=piece.start, end=piece.end, paragraph=number))
    return tuple(found)


def strip(text: str, start: int, end: int) -> Span:
    """The span without the white space at its ends; empty where there is nothing else.

    >>> strip(" a b ", 0, 5)
    Span(start=1, end=4)
    """
    body = text[start:end]
    left = len(body) - len(body.lstrip(_SPACE))
    return Span(start=start + left, end=max(start + left, start + len(body.rstrip(_SPACE))))


def _pieces(text: str, span: Span) -> Iterator[Span]:
    """The span, cut where it is over `MAX_SENTENCE`."""
    start = span.start
    while span.end - start > MAX_SENTENCE:
        window = text[start : start + MAX_SENTENCE]
        half = MAX_SENTENCE // 2
        clauses = [match.end() for match in _CLAUSE.finditer(window, half)]
        space = max(window.rfind(" ", half), window.rfind("\n", half))
        cut = clauses[-1] if clauses else space if space > 0 else MAX_SENTENCE
        piece = strip(text, start, start + cut)
        if piece.end > piece.start:
            yield piece
        start = start + cut
    last = strip(text, start, span.end)
    if last.end > last.start:
        yield last


def words(text: str) -> list[str]:
    """Words of a text; each Chinese, Japanese or Korean character counts as one.

    >>> words("It’s 1,600 km, non-stop: 你好")
    ['It’s', '1,600', 'km', 'non-stop', '你', '好']
    """
    return _WORD.findall(text)


def count_words(text: str) -> int:
    """Number of `words`, without keeping them.

    >>> count_words("two words")
    2
    """
    return sum(1 for _ in _WORD.finditer(text))


@lru_cache(maxsize=8)
def _stemmer(language: str) -> Callable[[str], str] | None:
    name = _STEMMERS.get(language)
    if name is None:
        return None

    @lru_cache(maxsize=100_000)
    def stem(word: str) -> str:
        # a stemmer keeps the word it is at: two threads with one would stem each other's, and one costs 0.4 µs
        return str(snowballstemmer.stemmer(name).stemWord(word))

    return stem


_STEMMERS = {
    "ar": "arabic",
    "da": "danish",
    "de": "german",
    "en": "english",
    "es": "spanish",
    "fi": "finnish",
    "fr": "french",
    "hu": "hungarian",
    "it": "italian",
    "nl": "dutch",
    "no": "norwegian",
    "pt": "portuguese",
    "ro": "romanian",
    "ru": "russian",
    "sv": "swedish",
    "tr": "turkish",
}


def stems(text: str, language: str | None = "en") -> list[str]:
    """Stems of the words of a text in order; pairs of characters where words are not spaced (Chinese, Japanese).

    >>> stems("Filming the FILMS’ titles")
    ['film', 'the', 'film', 'titl']
    >>> stems("太空电影", "zh")
    ['太空', '空电', '电影']
    """
    stem = _stemmer(language or "")
    found: list[str] = []
    for word in words(text):
        if _CJK_RUN.fullmatch(word):
            continue
        plain = word.lower().replace("’", "'").removesuffix("'s").rstrip("'")
        found.append(stem(plain) if stem else plain)
    for run in _CJK_RUN.findall(text):
        found.extend(run[i : i + 2] for i in range(max(1, len(run) - 1)))
    return found
