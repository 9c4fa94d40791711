"""Summaries made of the sources' own sentences, without a model.

Sentences are ranked by equal weights of position, centrality (PageRank over tf-idf similarity; Erkan and Radev 2004,
Mihalcea and Tarau 2004) and cues, then chosen by maximal marginal relevance (Carbonell and Goldstein 1998).
"""

import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.core import cues, datelines
from service.core.markup import is_heading, plain, unmarked
from service.core.posts import post_paragraphs
from service.core.text import count_words, is_blank, stems
from service.core.types import (
    Attribution,
    Document,
    Draft,
    DraftLine,
    DraftPoint,
    DraftQuote,
    Importance,
    Length,
    Options,
    Sentence,
    Source,
)

EXTRACTIVE_VERSION = "1"

DAMPING = 0.85
RELEVANCE = 0.75
"""Lambda of maximal marginal relevance: the rest of the weight is on differing from what is already chosen."""
MOST_WORDS: dict[Length, int] = {"brief": 80, "standard": 200, "detailed": 500}
MOST_POINTS: dict[Length, int] = {"brief": 5, "standard": 12, "detailed": 30}
SHARE: dict[Length, float] = {"brief": 0.10, "standard": 0.25, "detailed": 0.45}
"""Of the words of the sources, so that a short text is not simply repeated."""

_FEWEST_WORDS = 4
_SHORT = 7
_LEAST_LIMIT = 60
_WHOLE = 20
"""Words up to which a text may be its own summary: a single sentence cannot be made shorter."""
_LEADS = 5
"""Sentences at the top of a document among which its news stands."""
_LONGEST_LEAD = 40
_LONGEST_HEADLINE = 24
_MUST_SHARE = 1 / 3
_FOCUS_WEIGHT = 3.0
_NO_SUBJECT = re.compile(
    r"^[“‘\"']?(?:he|she|it|they|this|that|these|those|his|her|their|its|here|there|another|others|such|however|but"
    r"|the report|yet|and|or|so|then|still|also|instead|meanwhile|moreover|for example)\b",
    re.IGNORECASE,
)
_LATE_SUBJECT = re.compile(r"^[A-Z][a-z]+\b[^,.:;]{0,120},\s+(?:he|she|it|they)\b")
"""Who is meant stands before the sentence: "In a letter on Monday, it said ..."."""
_NAME = re.compile(r"(?<=[\w,;] )[A-Z][\w’-]+")
_EMPTY_STEMS = frozenset(
    stems(
        "a an the of in on at by for from to with without about into over and or but as is are was were be been it its"
    )
)
"""English only; those of other languages are found in most sentences and so weigh little."""
_LINK = re.compile(r"https?://|www\.|@\w")

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


class Candidate(NamedTuple):
    """A sentence that may become a key point."""

    document: Document
    sentence: Sentence
    text: str
    body: str
    """The text without the marks of a list, a quotation or a heading before it."""
    position: int
    """Counted from 0 among the readable sentences of its document."""
    words: int
    language: str | None


class Terms(NamedTuple):
    """Sentences as unit tf-idf vectors, in coordinates: row `rows[i]` has `weights[i]` at column `columns[i]`."""

    rows: Indices
    columns: Indices
    weights: Floats
    sentences: int
    terms: int

    def similar_to(self, row_weights: Floats) -> Floats:
        """Similarity of every sentence to a weighted sum of sentences; shapes (sentences,) -> (sentences,)."""
        mixed = np.bincount(self.columns, self.weights * row_weights[self.rows], self.terms)
        return np.bincount(self.rows, self.weights * mixed[self.columns], self.sentences).astype(np.float64)


def draft(sources: Sequence[Source], options: Options) -> Draft:
    """The summary as a draft: each point is a sentence of a source, quoted whole, in the order of the sources.

    Raises nothing; sources without a usable sentence give their longest one.
    """
    candidates, copies = _distinct(_candidates(sources, options.max_words))
    if not candidates:
        return Draft(headline="", abstract=(), points=())
    terms = _terms(candidates)
    focus = _focus(candidates, options.focus)
    scores = _scores(candidates, terms, focus)
    limit = word_limit(options, readable_words(sources))
    chosen = _choose(candidates, terms, scores, limit=limit, most=MOST_POINTS[options.length])
    by_score = sorted(chosen, key=lambda i: (-scores[i], i))
    must = set(by_score[: max(1, round(len(chosen) * _MUST_SHARE))])
    in_order = sorted(chosen)
    points = tuple(_point(candidates, i, copies.get(i, ()), must=i in must) for i in in_order)
    best = _headline(candidates, scores, by_score, anywhere=focus is not None)
    return Draft(
        headline=_title(sources) or plain(candidates[best].text),
        abstract=tuple(DraftLine(text=point.text, points=(n,)) for n, point in enumerate(points)),
        points=points,
    )


def word_limit(options: Options, words: int) -> int:
    """The bound on the words of a summary that the options stand for, given the readable words of its sources.

    >>> word_limit(Options(length="brief"), 10_000), word_limit(Options(), 400), word_limit(Options(max_words=70), 400)
    (80, 100, 70)
    >>> word_limit(Options(), 1)
    1
    """
    if options.max_words is not None:
        return options.max_words
    share = max(int(words * SHARE[options.length]), min(_LEAST_LIMIT, words // 2), min(_WHOLE, words))
    return min(share, MOST_WORDS[options.length])


def readable_words(sources: Sequence[Source]) -> int:
    """Number of words outside masked spans."""
    return sum(
        count_words(source.text[sentence.start : sentence.end]) for source in sources for sentence in source.readable
    )


def focus_found(sources: Sequence[Source], focus: str) -> bool:
    """Whether any word of the focus stands where it can change the choice; words like "the" do not count."""
    return _focus(_candidates(sources), focus) is not None


# --- ranking ---------------------------------------------------------------------------------------------------------


def _candidates(sources: Sequence[Source], max_words: int | None = None) -> list[Candidate]:
    """Sentences worth quoting; where there are none, or none within `max_words`, what comes nearest to one."""
    found: list[Candidate] = []
    short: list[Candidate] = []
    rest: list[Candidate] = []
    for source in sources:
        social = post_paragraphs(source.text, source.readable)
        for position, sentence in enumerate(source.readable):
            text = source.text[sentence.start : sentence.end]
            body = unmarked(text)
            candidate = Candidate(source.document, sentence, text, body, position, count_words(body), source.language)
            apart = is_heading(text) or datelines.is_furniture(body)
            if apart or sentence.paragraph in social or _LINK.search(text):
                rest.append(candidate)
            else:
                (found if candidate.words >= _FEWEST_WORDS else short).append(candidate)
    if found and max_words is not None and min(candidate.words for candidate in found) > max_words:
        return [candidate for candidate in short if 0 < candidate.words <= max_words] or found
    rest += short
    if found or not rest:
        return found
    return [max(rest, key=lambda candidate: (candidate.words, not is_blank(candidate.text)))]


def _distinct(candidates: Sequence[Candidate]) -> tuple[list[Candidate], dict[int, list[Candidate]]]:
    """Candidates that say something new, and by their index the same sentences of other documents, one of each."""
    index_of: dict[str, int] = {}
    kept: list[Candidate] = []
    copies: dict[int, list[Candidate]] = {}
    for candidate in candidates:
        index = index_of.setdefault(plain(candidate.text), len(kept))
        if index == len(kept):
            kept.append(candidate)
        elif candidate.document.id not in {one.document.id for one in (kept[index], *copies.get(index, ()))}:
            copies.setdefault(index, []).append(candidate)
    return kept, copies


def _terms(candidates: Sequence[Candidate]) -> Terms:
    vocabulary: dict[str, int] = {}
    rows: list[int] = []
    columns: list[int] = []
    for row, candidate in enumerate(candidates):
        for stem in stems(candidate.text, candidate.language):
            rows.append(row)
            columns.append(vocabulary.setdefault(stem, len(vocabulary)))
    size, count = max(1, len(vocabulary)), len(candidates)
    pairs, times = np.unique(np.array(rows, np.int64) * size + np.array(columns, np.int64), return_counts=True)
    row_of, column_of = pairs // size, pairs % size
    inverse = np.log((1 + count) / (1 + np.bincount(column_of, minlength=size))) + 1.0
    weights = times * inverse[column_of]
    length = np.sqrt(np.bincount(row_of, weights**2, count))
    return Terms(row_of, column_of, weights / np.maximum(length[row_of], 1e-12), count, size)


def _scores(candidates: Sequence[Candidate], terms: Terms, focus: Floats | None) -> Floats:
    position = np.array([1 / (1 + 0.1 * candidate.position) for candidate in candidates])
    central = _pagerank(terms, focus)
    signs = np.array([_cues(candidate.body, candidate.words) for candidate in candidates])
    score: Floats = (position + central / max(central.max(), 1e-12) + signs) / 3
    return score if focus is None else (score + _FOCUS_WEIGHT * focus) / (1 + _FOCUS_WEIGHT)


def _pagerank(terms: Terms, focus: Floats | None) -> Floats:
    """Centrality of each sentence; (sentences,), summing to one.

    The similarity matrix is never built: it is the product of the term matrix with its transpose, applied in two
    steps, so that time and memory are linear in the text.
    """
    count = terms.sentences
    jump = np.full(count, 1 / count) if focus is None else (focus + 1e-3) / (focus + 1e-3).sum()
    ones = np.ones(count)
    degree = np.maximum(terms.similar_to(ones) - ones, 1e-9)
    rank = np.full(count, 1 / count)
    for _ in range(50):
        share = rank / degree
        moved = DAMPING * (terms.similar_to(share) - share) + (1 - DAMPING) * jump
        moved /= moved.sum()
        if float(np.abs(moved - rank).sum()) < 1e-6:  # noqa: PLR2004 - far below what changes an order
            return moved
        rank = moved
    return rank


def _focus(candidates: Sequence[Candidate], focus: str | None) -> Floats | None:
    """Share of the focus, weighted by idf, that each sentence and its neighbours mention; None where nothing does."""
    if not focus:
        return None
    languages = dict.fromkeys(candidate.language for candidate in candidates)
    wanted = {language: set(stems(focus, language)) - _EMPTY_STEMS for language in languages}
    # Sorted, as the order of a set differs between processes, and with it the last digit of a sum.
    found = [sorted(wanted[c.language].intersection(stems(c.text, c.language))) for c in candidates]
    seen = Counter(stem for stems_found in found for stem in stems_found)
    weight = {stem: float(np.log((1 + len(found)) / (1 + times)) + 1.0) for stem, times in seen.items()}
    total = sum(weight.values())
    if not total:
        return None
    return np.array([sum(weight[stem] for stem in stems_found) / total for stems_found in found])


def _cues(text: str, length: int) -> float:
    """Names, numbers and speakers raise a sentence; a missing subject, shouting and shortness lower it. In [0, 1]."""
    score = 0.4
    score += 0.2 * min(len(_NAME.findall(text)), 3) / 3
    score += 0.15 * bool(cues.numbers(text) or cues.dates(text))
    score += 0.15 * (cues.attribution(text) != Attribution())
    score -= 0.3 * bool(_NO_SUBJECT.match(text))
    score -= 0.2 * ("!" in text or "?" in text)
    score -= 0.3 * (length < _SHORT)
    score -= 0.2 * (cues.stance(text) in ("joke", "opinion"))
    return min(1.0, max(0.0, score + 0.1))


# --- choosing --------------------------------------------------------------------------------------------------------


def _choose(candidates: Sequence[Candidate], terms: Terms, scores: Floats, *, limit: int, most: int) -> list[int]:
    """Indices of the chosen sentences, in the order of choice: the best of each document, then the best of all.

    The bound on words is no target: past the best of each document, only the better half of the sentences is worth its
    words.
    """
    lengths = np.array([candidate.words for candidate in candidates])
    documents = np.unique([candidate.document.id for candidate in candidates], return_inverse=True)[1]
    open_ = np.ones(len(candidates), dtype=bool)
    good = scores >= np.median(scores)
    nearest = np.zeros(len(candidates))
    chosen: list[int] = []
    waiting = list(dict.fromkeys(documents.tolist()))
    spent = 0
    while len(chosen) < most:
        fits = open_ & (lengths <= limit - spent)
        document = next((d for d in waiting if (fits & (documents == d)).any()), None)
        if document is not None:
            waiting.remove(document)
            fits &= documents == document
        else:
            waiting = []
            fits &= good
        if not fits.any():
            break
        relevance = np.where(fits, RELEVANCE * scores - (1 - RELEVANCE) * nearest, -np.inf)
        best = int(relevance.argmax())
        chosen.append(best)
        spent += int(lengths[best])
        open_[best] = False
        only = np.zeros(len(candidates))
        only[best] = 1.0
        nearest = np.maximum(nearest, terms.similar_to(only))
    return chosen or [int(np.lexsort((-scores, lengths))[0])]


def _title(sources: Sequence[Source]) -> str | None:
    """The title of the only document: as its sender states it, else the first-level heading at its top."""
    if len(sources) != 1:
        return None
    (source,) = sources
    first = next((source.text[sentence.start : sentence.end] for sentence in source.readable), "")
    heading = plain(first) if first.startswith("# ") and is_heading(first) else None
    return source.document.title or heading


def _headline(candidates: Sequence[Candidate], scores: Floats, chosen: Sequence[int], *, anywhere: bool) -> int:
    """Index of the sentence that may stand alone above the summary.

    The best of those at the top of the documents (`anywhere`: of all that are chosen), one that is chosen before one
    that is not; where none can stand alone, the best of the chosen ones that are short and have a subject.

    Args:
        candidates: all sentences.
        scores: of each.
        chosen: indices of the key points, best first.
        anywhere: whether the news that is asked for may stand further down.

    """
    fit = [i for i in (chosen if anywhere else _top(candidates)) if _stands_alone(candidates[i])]
    if fit:
        return min(fit, key=lambda i: (i not in chosen, -scores[i], i))
    short = [
        i for i in chosen if candidates[i].words <= _LONGEST_HEADLINE and not _NO_SUBJECT.match(candidates[i].body)
    ]
    return (short or chosen)[0]


def _top(candidates: Sequence[Candidate]) -> list[int]:
    """Indices of the first sentences of each document."""
    seen = Counter[str]()
    top: list[int] = []
    for index, candidate in enumerate(candidates):
        seen[candidate.document.id] += 1
        if seen[candidate.document.id] <= _LEADS:
            top.append(index)
    return top


def _stands_alone(candidate: Candidate) -> bool:
    """Whether a sentence says who and what, without the ones around it."""
    line = plain(candidate.text)
    unclear = _NO_SUBJECT.match(line) or _LATE_SUBJECT.match(line) or cues.is_quotation(line)
    return (
        candidate.words <= _LONGEST_LEAD
        and not unclear
        and line[0] not in "“‘«„\"'"
        and "?" not in line
        and _NAME.search(line) is not None
    )


def _point(candidates: Sequence[Candidate], index: int, copies: Sequence[Candidate], *, must: bool) -> DraftPoint:
    candidate = candidates[index]
    text, body = candidate.text, candidate.body
    english = candidate.language in (None, "en")
    quotes = tuple(
        DraftQuote(quote=one.text, document=one.document.id, sentence=one.sentence.number)
        for one in (candidate, *copies)
    )
    importance: Importance = "must" if must else "should"
    if not english:
        return DraftPoint(text=plain(text), quotes=quotes, importance=importance)
    return DraftPoint(
        text=plain(text),
        quotes=quotes,
        importance=importance,
        kind=cues.kind(body),
        stance=cues.stance(body),
        polarity=cues.polarity(body),
        attribution=_attribution(candidates, index),
        numbers=cues.numbers(body),
        dates=cues.dates(body),
    )


def _attribution(candidates: Sequence[Candidate], index: int) -> Attribution:
    """Who says it; a sentence that only goes on quoting has the speaker of the one before."""
    candidate = candidates[index]
    found = cues.attribution(candidate.body)
    if found == Attribution() and cues.is_quotation(candidate.body) and index > 0:
        before = candidates[index - 1]
        if before.document.id == candidate.document.id and before.sentence.paragraph == candidate.sentence.paragraph:
            return cues.attribution(before.body)
    return found
