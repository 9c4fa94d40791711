"""Documents in, a `SummaryResult` out: read, mask, draft, ground, finish. The heart, in the order of the design.

The steps are CPU-bound and run in threads; nothing here touches the network, the clock or the disk.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import cache, lru_cache

from msgspec.structs import replace

from service import drafting
from service.core import chunking, extractive, grounding, masking
from service.core import text as texts
from service.core.entities import names_in
from service.core.errors import FieldError, InvalidRequest, NeedsModel, NothingToRead, TooLittleSupported
from service.core.finishing import Account, finish, too_little
from service.core.types import (
    Caveat,
    Document,
    Draft,
    Manifest,
    Options,
    PlannedDocument,
    RequestPlan,
    Source,
    SummaryResult,
    Value,
)
from service.core.watching import PhaseBegun, Watch, unwatched
from service.drafting import Model, tell

VERSIONS = {
    "sentences": texts.SENTENCES_VERSION,
    "masking": masking.MASKING_VERSION,
    "grounding": grounding.GROUNDING_VERSION,
    "chunker": chunking.CHUNKER_VERSION,
    "extractive": extractive.EXTRACTIVE_VERSION,
}


Price = Callable[[int, int], float | None]
"""What so many tokens of prompts and answers cost."""

_NO_BUDGET = 2**40
_FIELDS = {"text/html": "html", "text/markdown": "markdown"}
"""Under which a document of that type comes in a JSON body."""


class Tools(Value, frozen=True, kw_only=True):
    """What the pipeline needs from outside, as functions."""

    split_sentences: texts.SplitSentences
    detect_language: Callable[[str], str | None]
    token_ends: chunking.Ends
    """Where each token of a text ends."""
    encoding: str
    """Name of the tokens' encoding."""
    chunk_tokens: int
    slots: int
    """Calls that may run at the same time; shapes the plan `latency`."""
    service_version: str


class Engaged(Value, frozen=True, kw_only=True):
    """A model that is to write the summary, and what the manifest says of it."""

    model: Model
    endpoint: str
    """URL, without secrets."""
    name: str
    """Of the model, as it is asked for."""
    label: str | None = None
    """By which the prompt version was asked for."""


async def summarise(
    documents: Sequence[Document],
    options: Options,
    *,
    tools: Tools,
    engaged: Engaged | None = None,
    watch: Watch = unwatched,
) -> SummaryResult:
    """One summary over all documents: by the model that is engaged, else by the extractive engine.

    Args:
        documents: to be summarised.
        options: of the summary.
        tools: from outside.
        engaged: the model; what happens is told to its own `watch`.
        watch: told of the phases of the extractive engine.

    Raises:
        NothingToRead: a document has no readable text.
        NeedsModel: the summary is wanted in another language than a document's, and no model is engaged.
        EndpointError: nothing could be read by the model, or too little of what it says is supported.
    """
    if engaged is None:
        return await _extract(documents, options, tools, watch)
    return await _ask(documents, options, tools, engaged)


async def plan(
    documents: Sequence[Document],
    options: Options,
    *,
    tools: Tools,
    model: Model | None = None,
    price: Price = lambda _prompt, _completion: None,
) -> RequestPlan:
    """What `summarise` would take: chunks, calls, tokens, money. Raises as it does."""
    if model is None:
        return await asyncio.to_thread(_plan, documents, options, tools)
    return await asyncio.to_thread(_plan_calls, documents, options, tools, model, price)


async def check(documents: Sequence[Document], options: Options, *, tools: Tools, model: bool = False) -> None:
    """Refuse at once what `summarise` would refuse, cheaply. Raises as it does."""
    await asyncio.to_thread(_check, documents, options, tools, model=model)


async def _extract(documents: Sequence[Document], options: Options, tools: Tools, watch: Watch) -> SummaryResult:
    tell(watch, PhaseBegun(phase="reading"))
    sources = await asyncio.to_thread(_checked_and_read, documents, options, tools)
    tell(watch, PhaseBegun(phase="drafting"))
    draft = await asyncio.to_thread(extractive.draft, sources, options)
    tell(watch, PhaseBegun(phase="finishing"))
    return await asyncio.to_thread(_extracted, draft, sources, options, tools)


def _checked_and_read(documents: Sequence[Document], options: Options, tools: Tools) -> tuple[Source, ...]:
    _check(documents, options, tools)
    return read(documents, tools)


def _extracted(draft: Draft, sources: Sequence[Source], options: Options, tools: Tools) -> SummaryResult:
    return finish(
        draft,
        sources,
        grounding.build_index(sources),
        manifest=Manifest(
            engine="extractive",
            service_version=tools.service_version,
            prompt=None,
            endpoint=None,
            model=None,
            parameters=options,
            versions=VERSIONS,
        ),
        max_words=extractive.word_limit(options, extractive.readable_words(sources)),
        caveats=_focus_caveats(sources, options),
    )


async def _ask(documents: Sequence[Document], options: Options, tools: Tools, engaged: Engaged) -> SummaryResult:
    watch = engaged.model.watch
    tell(watch, PhaseBegun(phase="reading"))
    await check(documents, options, tools=tools, model=True)
    sources = await asyncio.to_thread(read, documents, tools)
    index = grounding.build_index(sources)
    # names need no answer, and take a third of a second in a long text: they are looked for while the model writes
    names = cache(lambda: names_in(sources))
    drafted, _ = await asyncio.gather(
        drafting.draft(sources, index, options, engaged.model, names), asyncio.to_thread(names)
    )
    tell(watch, PhaseBegun(phase="finishing"))
    answered = {completion.model for completion in drafted.completions if completion.model}
    result = await asyncio.to_thread(
        finish,
        drafted.draft,
        sources,
        index,
        manifest=Manifest(
            engine="llm",
            service_version=tools.service_version,
            prompt=replace(engaged.model.prompt.ref, label=engaged.label),
            endpoint=engaged.endpoint,
            model=", ".join(sorted(answered)) or engaged.name,
            parameters=options,
            versions=VERSIONS,
            request_keys=tuple(dict.fromkeys(completion.key for completion in drafted.completions)),
        ),
        max_words=options.max_words or drafting.ABSTRACT_WORDS[options.length],
        caveats=drafted.caveats,
        account=Account(
            verification=drafted.verification,
            gaps=drafted.gaps,
            usage=drafted.usage,
            entities=drafted.entities,
            dates=drafted.dates,
            conflicts=drafted.conflicts,
        ),
        names=names(),
    )
    if why := too_little(result):
        raise TooLittleSupported(why)
    return result


def read(documents: Sequence[Document], tools: Tools) -> tuple[Source, ...]:
    """Find the language, the sentences and the scraping leftovers of each document."""
    return tuple(_read(document, tools) for document in documents)


def _read(document: Document, tools: Tools) -> Source:
    masked = masking.mask(document.text)
    found = texts.sentences(document.text, tools.split_sentences, masked)
    return Source(
        document=document,
        language=document.language or tools.detect_language(document.text),
        sentences=masking.marked(found, masked),
        masked=masked,
    )


def _check(documents: Sequence[Document], options: Options, tools: Tools, *, model: bool = False) -> None:
    faults: list[FieldError] = []
    for position, document in enumerate(documents):
        fault = texts.fault(document.text) or (
            "all of the text is scraping leftovers (teasers, page furniture); send the article itself"
            if masking.is_all_masked(document.text)
            else None
        )
        if fault:
            field = _FIELDS.get(document.media_type, "text")
            faults.append(FieldError(f"/documents/{position}/{field}", fault))
    if faults:
        raise NothingToRead("A document cannot be summarised; each is named below.", errors=tuple(faults))
    if not documents:
        fault = "at least one document is needed"
        raise InvalidRequest("There is no document to summarise.", errors=(FieldError("/documents", fault),))
    if model or options.language is None:
        return
    languages = {document.language or tools.detect_language(document.text) for document in documents}
    if languages != {options.language}:
        raise NeedsModel(
            f"The summary is wanted in {options.language!r}, but the text is in "
            f"{', '.join(sorted(repr(language or 'an unknown language') for language in languages))}. The extractive "
            "engine quotes sentences as they are; to translate, a language model is needed. Leave `language` out.",
            errors=(FieldError("/options/language", "needs a language model"),),
        )


def _plan(documents: Sequence[Document], options: Options, tools: Tools) -> RequestPlan:
    _check(documents, options, tools)
    sources = read(documents, tools)
    planned = tuple(_planned(source, options, tools) for source in sources)
    return RequestPlan(
        engine="extractive",
        documents=planned,
        chunks=sum(document.chunks for document in planned),
        calls=0,
        prompt_tokens=0,
        completion_tokens=0,
        cost=0.0,
        max_words=extractive.word_limit(options, extractive.readable_words(sources)),
    )


def _plan_calls(
    documents: Sequence[Document], options: Options, tools: Tools, model: Model, price: Price
) -> RequestPlan:
    _check(documents, options, tools, model=True)
    sources = read(documents, tools)
    planned, calls, prompt_tokens = drafting.estimate(sources, options, model)
    completion_tokens = calls * model.prompt.front.params.max_output_tokens
    return RequestPlan(
        engine="llm",
        documents=planned,
        chunks=sum(document.chunks for document in planned),
        calls=calls,
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
        cost=price(prompt_tokens, completion_tokens),
        max_words=options.max_words or drafting.ABSTRACT_WORDS[options.length],
    )


def _planned(source: Source, options: Options, tools: Tools) -> PlannedDocument:
    ends = lru_cache(maxsize=1)(tools.token_ends)
    (whole,) = chunking.split(source, ends=ends, budget=_NO_BUDGET)
    parts = chunking.parts_for(whole.tokens, plan=options.plan, slots=tools.slots, whole=tools.chunk_tokens)
    chunks = chunking.split(source, ends=ends, budget=tools.chunk_tokens, parts=parts)
    return PlannedDocument(id=source.document.id, characters=len(source.text), tokens=whole.tokens, chunks=len(chunks))


def _focus_caveats(sources: Sequence[Source], options: Options) -> tuple[Caveat, ...]:
    if options.focus is None or extractive.focus_found(sources, options.focus):
        return ()
    text = "No word of the focus stands in the documents; the choice is the same as without it."
    return (Caveat(code="focus_unmatched", text=text),)
