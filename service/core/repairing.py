"""The one batched repair call: points without evidence, shown with sentences near them, and what comes of it."""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

import msgspec

from service.core import cues, grounding
from service.core.contract import RepairReply
from service.core.prompts import clean, enclosed
from service.core.text import is_blank, presentable, stems
from service.core.types import DraftPoint, DraftQuote, Dropped, Sentence, Source, Value
from service.core.verifying import Examined, examine

CONTEXT_SENTENCES = 2


class Failing(Value, frozen=True, kw_only=True):
    """A point that does not stand up to its evidence, and why."""

    position: int
    """In the points it is of, from 0."""
    point: DraftPoint
    reason: str
    detail: str


class Shown(Value, frozen=True, kw_only=True):
    """A repair block, and what its numbers mean."""

    text: str
    claims: dict[int, Failing]
    """By the id that the block gives them."""
    sentences: dict[int, tuple[str, int]]
    """(document, sentence) by the number that the block gives them."""


def examined(points: Sequence[DraftPoint], index: grounding.Index) -> list[Examined]:
    """What became of the quotes of each point."""
    return [examine(point, index) for point in points]


def failing(points: Sequence[DraftPoint], examined: Sequence[Examined]) -> tuple[Failing, ...]:
    """The points that cannot be shown as they are; `examined` is theirs."""
    return tuple(
        Failing(position=position, point=point, reason=one.fault[0], detail=one.fault[1])
        for position, (point, one) in enumerate(zip(points, examined, strict=True))
        if one.fault
    )


def shown(failures: Sequence[Failing], sources: Mapping[str, Source]) -> Shown:
    """The claims with what is wrong and the sentences near them, between delimiters derived from them."""
    lines: list[str] = []
    numbers: dict[int, tuple[str, int]] = {}
    documents = {document: _Readable(source) for document, source in sources.items()}
    for claim, failure in enumerate(failures, 1):
        lines.append(f"Claim {claim}: {clean(failure.point.text)}")
        lines += [f"Its quote: {clean(quote.quote)}" for quote in failure.point.quotes]
        lines.append(f"What is wrong: {failure.detail}")
        lines.append("Sentences near it:")
        for document, sentence in _near(failure.point, documents):
            numbers[len(numbers) + 1] = (document, sentence.number)
            text = clean(sources[document].text[sentence.start : sentence.end])
            lines.append(f"[{len(numbers)}] {text}")
        lines.append("")
    text = enclosed("CLAIMS", lines[:-1], derived_from=lines)
    return Shown(text=text, claims=dict(enumerate(failures, 1)), sentences=numbers)


def apply(reply: RepairReply, block: Shown) -> dict[int, DraftPoint]:
    """The mended points by their position; claims that were withdrawn or not answered are missing."""
    mended: dict[int, DraftPoint] = {}
    for answer in reply.points:
        failure = block.claims.get(answer.id)
        if failure is None or answer.action == "withdraw":
            continue
        quotes = tuple(
            DraftQuote(quote=quote.quote, document=block.sentences[quote.sentence][0], sentence=sentence)
            for quote in answer.quotes
            if quote.sentence in block.sentences
            for sentence in [block.sentences[quote.sentence][1]]
        )
        point = msgspec.structs.replace(failure.point, quotes=quotes)
        if answer.action == "reword" and answer.claim and not is_blank(answer.claim):
            # What was listed belongs to the words that went.
            text = presentable(answer.claim)
            point = msgspec.structs.replace(point, text=text, numbers=cues.numbers(text), dates=cues.dates(text))
        mended[failure.position] = point
    return mended


def dropped(failure: Failing) -> Dropped:
    """The entry of a point that could not be mended."""
    return Dropped(text=failure.point.text, reason=failure.reason, detail=failure.detail)


class _Readable:
    """The readable sentences of a document, made once: a look at each for every failure would be most of the work."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.sentences = source.readable

    @cached_property
    def _by_stem(self) -> Mapping[str, Sequence[int]]:
        """The places of the sentences that hold a stem."""
        places: defaultdict[str, list[int]] = defaultdict(list)
        for place, sentence in enumerate(self.sentences):
            text = self._source.text[sentence.start : sentence.end]
            for stem in set(stems(text, self._source.language)):
                places[stem].append(place)
        return places

    def numbered(self, numbers: Iterable[int]) -> list[int]:
        """The places of the sentences with those numbers, as far as there are any."""
        at = [(bisect_left(self.sentences, number, key=lambda one: one.number), number) for number in sorted(numbers)]
        return [place for place, number in at if [one.number for one in self.sentences[place : place + 1]] == [number]]

    def likely(self, claim: str) -> list[int]:
        """The place of the sentence that shares most words with a claim; the first of several."""
        shares: Counter[int] = Counter()
        for stem in set(stems(claim, self._source.language)):
            shares.update(self._by_stem.get(stem, ()))
        most = max(shares.values(), default=0)
        return [min(place for place, share in shares.items() if share == most)] if most else []


def _near(point: DraftPoint, documents: Mapping[str, _Readable]) -> list[tuple[str, Sentence]]:
    """The sentences that the quotes name with two on either side; else those nearest to the claim in words."""
    found: dict[tuple[str, int], Sentence] = {}
    named = dict.fromkeys(quote.document for quote in point.quotes if quote.document in documents)
    # A claim without a quote names no document; where there is one only, it is meant.
    for document in named or (documents if len(documents) == 1 else ()):
        own = documents[document]
        wanted = {quote.sentence for quote in point.quotes if quote.document == document and quote.sentence}
        for place in own.numbered(wanted) or own.likely(point.text):
            for sentence in own.sentences[max(0, place - CONTEXT_SENTENCES) : place + CONTEXT_SENTENCES + 1]:
                found[document, sentence.number] = sentence
    return [(document, found[document, number]) for document, number in sorted(found)]
