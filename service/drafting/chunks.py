"""Chunks: planned so that every rendered prompt fits the window, read by the map stage, cut again where that failed."""

from collections.abc import Mapping, Sequence
from functools import lru_cache

import msgspec

from service.core import chunking, contract, grounding, prompts
from service.core.documents import days_of
from service.core.errors import CompletionCut, ContextOverflow, EndpointError, EndpointRejected
from service.core.text import presentable
from service.core.types import (
    Attribution,
    Caveat,
    Chunk,
    Date,
    Draft,
    DraftEntity,
    DraftLine,
    DraftPoint,
    DraftQuote,
    Evidence,
    Gap,
    Number,
    Options,
    PlannedDocument,
    Source,
    Span,
    Value,
)
from service.core.verifying import Examined
from service.core.watching import PartEnded, PhaseBegun
from service.drafting.calls import CHUNK_POINTS, POINTS, RESERVE_TOKENS, Calls, Model, request_line, room_for
from service.drafting.telling import Standing

_MOST_CUTS = 3
"""How often a chunk is halved: an endpoint that fails at an eighth of it fails for another reason."""


_POINT_TOKENS = 40
"""Of a numbered point in a merge prompt, for estimates."""


class Part(Value, frozen=True, kw_only=True):
    """What a chunk's reply says, in terms of its document."""

    draft: Draft
    examined: tuple[Examined, ...]
    """What became of the quotes of each point."""
    caveats: tuple[tuple[contract.CaveatReply, str, int | None], ...]
    """With the document, and the number of the sentence there."""
    entities: tuple[DraftEntity, ...]
    document: str
    date: Date | None
    """Of the document, as the model reads it."""


def plan(sources: Sequence[Source], options: Options, model: Model) -> list[tuple[Chunk, ...]]:
    """The chunks of each source: whole where it fits, else as the plan asks; every rendered prompt fits the window."""
    return [_chunks(source, options, model) for source in sources]


def _chunks(source: Source, options: Options, model: Model) -> tuple[Chunk, ...]:
    room = model.window - model.prompt.front.params.max_output_tokens - RESERVE_TOKENS
    ends = lru_cache(maxsize=1)(model.token_ends)
    (whole,) = chunking.split(source, ends=ends, budget=2**40)
    budget = model.chunk_tokens
    parts = chunking.parts_for(whole.tokens, plan=options.plan, slots=model.slots, whole=budget)
    while True:
        chunks = chunking.split(source, ends=ends, budget=budget, parts=parts)
        # Not the chunk with the most tokens: many short sentences have many numbers.
        size, longest = max(
            ((_prompt_tokens(source, chunk, options, model, several=False), chunk) for chunk in chunks),
            key=lambda pair: pair[0],
        )
        if size <= room:
            return chunks
        left = room_for(model, "map", map_variables(source, longest, (), options, model, several=False))
        smaller = longest.tokens * left // max(1, left + size - room)
        if smaller < chunking.MIN_BUDGET_TOKENS:
            raise ContextOverflow(
                f"The context window leaves {room:,} tokens for a prompt, and the instructions alone need more. "
                "Use a model with a larger one, or lower max_output_tokens in the prompt version.",
                window=model.window,
            )
        budget = min(smaller, budget - 1)
        parts = max(parts, -(-whole.tokens // budget))


def _prompt_tokens(source: Source, chunk: Chunk, options: Options, model: Model, *, several: bool) -> int:
    variables = map_variables(source, chunk, prompts.pieces(chunk, source), options, model, several=several)
    return sum(model.count(message.content) for message in prompts.messages(model.prompt, "map", variables))


def estimate(sources: Sequence[Source], options: Options, model: Model) -> tuple[tuple[PlannedDocument, ...], int, int]:
    """What a draft would take: each document's tokens and chunks, the calls, and the tokens of their prompts.

    Merging adds a call where there are several chunks, and the search for conflicts one where the version has it, their
    prompts estimated as the points they would be shown; questions back, repairs and further rounds are not foreseen.
    """
    chunks = plan(sources, options, model)
    several = sum(map(len, chunks)) > 1
    planned = tuple(
        PlannedDocument(
            id=source.document.id,
            characters=len(source.text),
            tokens=sum(chunk.tokens for chunk in own),
            chunks=len(own),
        )
        for source, own in zip(sources, chunks, strict=True)
    )
    prompt_tokens = sum(
        _prompt_tokens(source, chunk, options, model, several=several)
        for source, own in zip(sources, chunks, strict=True)
        for chunk in own
    )
    calls = sum(map(len, chunks))
    if several:
        prompt_tokens += calls * CHUNK_POINTS * _POINT_TOKENS
        calls += 1
    if "conflicts" in model.prompt.stages:
        prompt_tokens += sum(map(len, chunks)) * CHUNK_POINTS * _POINT_TOKENS
        calls += 1
    return planned, calls, prompt_tokens


def map_variables(
    source: Source, chunk: Chunk, pieces: Sequence[prompts.Piece], options: Options, model: Model, *, several: bool
) -> dict[str, str]:
    """What the map stage is given for a chunk."""
    return {
        "document": prompts.document_block(chunk, source, pieces),
        "request": request_line(options, points=CHUNK_POINTS if several else POINTS[options.length]),
        "schema": prompts.schema_text("map", model.prompt.front.order),
    }


Read = tuple[list[Part], list[tuple[Gap, EndpointError]]]
"""The parts a chunk gives: one, several where it had to be cut again, none where it could not be read; and its gaps."""


async def read_chunk(
    calls: Calls,
    source: Source,
    chunk: Chunk,
    options: Options,
    standing: Standing,
    *,
    several: bool,
    cuts: int = 0,
) -> Read:
    """Ask about a chunk, and tell how it ended; one that does not fit is cut and asked about again.

    Raises:
        EndpointRejected: no chunk would fare better.
    """
    pieces = prompts.pieces(chunk, source)
    if not pieces:
        calls.tell(PartEnded())
        return [], []
    try:
        reply = await calls.ask(
            "map", lambda: map_variables(source, chunk, pieces, options, calls.model, several=several)
        )
    except (CompletionCut, ContextOverflow) as error:
        halves = _halves(chunk, source, pieces) if cuts < _MOST_CUTS else ()
        if not halves:
            calls.tell(PartEnded(failed=True))
            return [], [(_gap(source, chunk, error), error)]
        # they stand in place of the one that was cut, which neither succeeded nor failed
        calls.tell(PhaseBegun(phase="drafting", parts=len(halves) - 1))
        found = [
            await read_chunk(calls, source, half, options, standing, several=True, cuts=cuts + 1) for half in halves
        ]
        return [part for parts, _ in found for part in parts], [gap for _, gaps in found for gap in gaps]
    except EndpointError as error:
        calls.tell(PartEnded(failed=True))
        if isinstance(error, EndpointRejected):
            # the key, the model or the credit: the next chunk would fare no better
            raise
        return [], [(_gap(source, chunk, error), error)]
    calls.tell(PartEnded())
    assert isinstance(reply, contract.MapReply)  # noqa: S101 - for mypy: the stage says so
    draft = _draft(reply, source, pieces)
    return [_part(reply, draft, await standing.examined(draft), source, pieces)], []


def _gap(source: Source, chunk: Chunk, error: EndpointError) -> Gap:
    return Gap(
        document=source.document.id,
        start=chunk.spans[0].start,
        end=chunk.spans[-1].end,
        code=error.code,
        detail=error.detail,
    )


def _halves(chunk: Chunk, source: Source, pieces: Sequence[prompts.Piece]) -> tuple[Chunk, ...]:
    """The chunk cut at the sentence in its middle; nothing where it is one sentence."""
    if len(pieces) < 2:  # noqa: PLR2004 - two halves
        return ()
    middle = pieces[len(pieces) // 2].sentence
    cut = next(sentence.start for sentence in source.sentences if sentence.number == middle)
    before = tuple(Span(start=s.start, end=min(s.end, cut)) for s in chunk.spans if s.start < cut)
    after = tuple(Span(start=max(s.start, cut), end=s.end) for s in chunk.spans if s.end > cut)
    return tuple(msgspec.structs.replace(chunk, spans=spans, tokens=-(-chunk.tokens // 2)) for spans in (before, after))


def _draft(reply: contract.MapReply, source: Source, pieces: Sequence[prompts.Piece]) -> Draft:
    """A reply's headline, abstract and points in terms of the document: points by their place."""
    document = source.document.id
    sentence = {piece.number: piece.sentence for piece in pieces}
    place = {point.id: at for at, point in reversed(list(enumerate(reply.points)))}
    return Draft(
        headline=presentable(reply.headline),
        abstract=tuple(
            DraftLine(
                text=presentable(line.text),
                points=tuple(dict.fromkeys(place[n] for n in line.points if n in place)),
            )
            for line in reply.abstract
        ),
        points=tuple(_point(point, document, sentence) for point in reply.points),
    )


def _part(
    reply: contract.MapReply,
    draft: Draft,
    examined: tuple[Examined, ...],
    source: Source,
    pieces: Sequence[prompts.Piece],
) -> Part:
    """A reply with the sentences by their numbers in the document."""
    document = source.document.id
    sentence = {piece.number: piece.sentence for piece in pieces}
    date = reply.document_date
    return Part(
        draft=draft,
        examined=examined,
        caveats=tuple(
            (caveat, document, sentence.get(caveat.sentence) if caveat.sentence else None) for caveat in reply.caveats
        ),
        entities=tuple(DraftEntity(name=one.name, aliases=one.aliases, type=one.type) for one in reply.entities),
        document=document,
        date=Date(text=date.text, iso=date.iso, basis=date.basis) if date else None,
    )


def _point(reply: contract.PointReply, document: str, sentence: Mapping[int, int]) -> DraftPoint:
    return DraftPoint(
        text=presentable(reply.claim),
        quotes=tuple(
            DraftQuote(quote=quote.quote, document=document, sentence=sentence.get(quote.sentence))
            for quote in reply.quotes
        ),
        importance=reply.importance,
        kind=reply.kind,
        stance=reply.stance,
        polarity=reply.polarity,
        attribution=Attribution(who=_named(reply.who), type=reply.who_type, via=_named(reply.via)),
        numbers=tuple(Number(text=presentable(number)) for number in reply.numbers),
        dates=tuple(map(_date, reply.dates)),
    )


def _date(reply: contract.DateReply) -> Date:
    """A date as it is given, without a day that no calendar has."""
    iso = reply.iso if days_of(reply.iso) else None
    return Date(text=presentable(reply.text), iso=iso, basis=reply.basis)


def _named(name: str | None) -> str | None:
    return name and (presentable(name) or None)


def caveat(reply: contract.CaveatReply, document: str, sentence: int | None, index: grounding.Index) -> Caveat:
    """A model's caveat, with the sentence that it names as evidence."""
    home = index.documents[document]
    span = home.sentence_numbered(sentence)
    if span is None:
        return Caveat(code=reply.code, text=presentable(reply.text), documents=(document,))
    quote = DraftQuote(quote=home.source.text[span.start : span.end], document=document, sentence=sentence)
    place = grounding.locate(quote, index)
    evidence = (place,) if isinstance(place, Evidence) else ()
    return Caveat(code=reply.code, text=presentable(reply.text), evidence=evidence, documents=(document,))
