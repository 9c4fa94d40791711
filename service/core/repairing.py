"""The one batched repair call: points without evidence, shown with sentences near them, and what comes of it."""

from collections.abc import Mapping, Sequence

import msgspec

from service.core import cues, grounding
from service.core.contract import RepairReply
from service.core.prompts import clean, enclosed
from service.core.text import stems
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
    for claim, failure in enumerate(failures, 1):
        lines.append(f"Claim {claim}: {clean(failure.point.text)}")
        lines += [f"Its quote: {clean(quote.quote)}" for quote in failure.point.quotes]
        lines.append(f"What is wrong: {failure.detail}")
        lines.append("Sentences near it:")
        for document, sentence in _near(failure.point, sources):
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
        if answer.action == "reword" and answer.claim and answer.claim.strip():
            # What was listed belongs to the words that went.
            text = answer.claim
            point = msgspec.structs.replace(point, text=text, numbers=cues.numbers(text), dates=cues.dates(text))
        mended[failure.position] = point
    return mended


def dropped(failure: Failing) -> Dropped:
    """The entry of a point that could not be mended."""
    return Dropped(text=failure.point.text, reason=failure.reason, detail=failure.detail)


def _near(point: DraftPoint, sources: Mapping[str, Source]) -> list[tuple[str, Sentence]]:
    """The sentences that the quotes name with two on either side; else those nearest to the claim in words."""
    found: dict[tuple[str, int], Sentence] = {}
    named = dict.fromkeys(quote.document for quote in point.quotes if quote.document in sources)
    # A claim without a quote names no document; where there is one only, it is meant.
    for document in named or (sources if len(sources) == 1 else ()):
        readable = sources[document].readable
        wanted = {quote.sentence for quote in point.quotes if quote.document == document}
        at = [place for place, sentence in enumerate(readable) if sentence.number in wanted]
        at = at or _likely(point, sources[document])
        for place in at:
            for sentence in readable[max(0, place - CONTEXT_SENTENCES) : place + CONTEXT_SENTENCES + 1]:
                found[document, sentence.number] = sentence
    return [(document, found[document, number]) for document, number in sorted(found)]


def _likely(point: DraftPoint, source: Source) -> list[int]:
    """The place of the readable sentence that shares most words with the claim."""
    wanted = set(stems(point.text, source.language))
    shares = [
        len(wanted & set(stems(source.text[sentence.start : sentence.end], source.language)))
        for sentence in source.readable
    ]
    most = max(shares, default=0)
    return [shares.index(most)] if most else []
