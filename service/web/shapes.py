"""The bodies and queries of requests, as structs that are decoded into and described from."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from service.adapters.store import Status
from service.core.references import Reference
from service.core.types import AskedLength, AskedPlan

# `(?!\n)$` because `$` alone also fits before a last line end, and these go into headers and paths
Language = Annotated[str, Meta(pattern=r"^[a-z]{2,3}(?!\n)$", description="ISO 639 code, such as `en`.")]
Label = Annotated[str, Meta(min_length=1, max_length=500, pattern=r"^[^\x00]+$")]
DocumentId = Annotated[
    str,
    Meta(
        pattern=r"^(?!\.{1,2}$)[^\s/?#\x00-\x1f\x7f]{1,200}(?!\n)$",
        description="To name it by in the result; d1, d2, ... when left out.",
    ),
]
Url = Annotated[str, Meta(max_length=2000, description="Where it was published; it is not fetched.")]
Moment = Annotated[str, Meta(max_length=40, description="ISO 8601 date, or date and time.")]
MaxWords = Annotated[
    int, Meta(ge=10, le=10_000, description="Bound on the words of the key points; replaces that of `length`.")
]
Focus = Annotated[
    str,
    Meta(min_length=1, max_length=500, pattern=r"^[^\x00]+$", description="A topic that the choice leans towards."),
]


PromptReference = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=200,
        description="Such as `news`, `news@1`, `news@production` (a label) or `news@sha256:` with at least 8 digits of "
        "a digest; the configured one when left out.",
    ),
]
ModelName = Annotated[
    str, Meta(min_length=1, max_length=200, description="Of those that the service allows; the configured one if none.")
]
Fallback = Literal["extractive"]
CustomId = Annotated[
    str, Meta(min_length=1, max_length=200, description="The caller’s own name for a line; it comes back as it is.")
]


class DocumentBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A document to summarise: exactly one of `text`, `html` and `markdown`."""

    id: DocumentId | None = None
    text: Annotated[str | None, Meta(description="Plain text. Offsets refer to it exactly as it is sent.")] = None
    html: Annotated[str | None, Meta(description="A page; offsets refer to the text extracted from it.")] = None
    markdown: Annotated[str | None, Meta(description="Markdown, kept raw; offsets refer to it as it is sent.")] = None
    name: Label | None = None
    title: Label | None = None
    url: Url | None = None
    published_at: Moment | None = None
    language: Language | None = None


class OptionsBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the summary should turn out."""

    length: AskedLength = "standard"
    max_words: MaxWords | None = None
    focus: Focus | None = None
    language: Annotated[
        Language | None, Meta(description="Of the summary; another than the text's needs a language model.")
    ] = None
    plan: AskedPlan = "detail"


class BudgetBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the summary may take at most; calls that would exceed it are not sent."""

    max_tokens: Annotated[int, Meta(ge=1, description="Of prompts and answers together.")] | None = None
    max_cost: Annotated[float, Meta(ge=0, description="In the currency of the configured prices.")] | None = None


class SummaryBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A summary to be made over all the documents."""

    documents: Annotated[tuple[DocumentBody, ...], Meta(min_length=1)]
    options: OptionsBody = OptionsBody()
    prompt: PromptReference | None = None
    model: ModelName | None = None
    budget: BudgetBody = BudgetBody()
    fallback: Annotated[Fallback | None, Meta(description="What to do when the endpoint fails.")] = None
    strict: Annotated[bool, Meta(description="Whether a summary with gaps counts as failed.")] = False


class LineBody(SummaryBody, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A line of a batch: a summary to be made, and a name for it."""

    custom_id: CustomId


class GateBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the gate asks for beyond its standing rules."""

    margins: Annotated[
        dict[str, Annotated[float, Meta(ge=0)]],
        Meta(description="By metric: how much worse it may be; needs 20 document sets."),
    ] = msgspec.field(default_factory=dict)
    max_words: Annotated[float, Meta(ge=0, description="Most words of an abstract, on average.")] | None = None
    max_cost: Annotated[float, Meta(ge=0, description="Most that a document set may cost, on average.")] | None = None
    max_latency_s: Annotated[float, Meta(ge=0, description="Most seconds, at the 95th percentile.")] | None = None


class ComparisonBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Prompt versions to be compared over documents, or summaries that are there already."""

    documents: Annotated[
        tuple[DocumentBody, ...], Meta(description="Each is summarised by itself, unless `together`.")
    ] = ()
    summaries: Annotated[
        tuple[Annotated[str, Meta(min_length=1, max_length=200)], ...],
        Meta(description="Ids of summaries, in place of documents and prompts; no call is made."),
    ] = ()
    prompts: Annotated[
        tuple[PromptReference, ...], Meta(description="Two versions or more, such as `news@2`; the baseline first.")
    ] = ()
    together: Annotated[bool, Meta(description="Whether the documents are one set, summarised together.")] = False
    repetitions: Annotated[
        int, Meta(ge=1, le=10, description="How often each version is asked; from 2 on its noise is measured.")
    ] = 1
    options: OptionsBody = OptionsBody()
    model: ModelName | None = None
    metric: (
        Annotated[str, Meta(max_length=80, description="The one that the verdict is about, named beforehand.")] | None
    ) = None
    references: Annotated[
        tuple[Reference, ...], Meta(description="What a good summary of the same documents says, matched by digest.")
    ] = ()
    gate: GateBody = GateBody()


class Query(OptionsBody, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the query says where the body is a document itself: the options, and what is known of the document."""

    title: Label | None = None
    url: Url | None = None
    published_at: Moment | None = None
    prompt: PromptReference | None = None
    model: ModelName | None = None
    max_tokens: Annotated[int, Meta(ge=1, description="Budget of prompts and answers together.")] | None = None
    max_cost: Annotated[float, Meta(ge=0, description="Budget in the currency of configured prices.")] | None = None
    fallback: Annotated[Fallback | None, Meta(description="What to do when the endpoint fails.")] = None
    strict: Annotated[bool, Meta(description="Whether a summary with gaps counts as failed.")] = False
    text_language: Annotated[Language | None, Meta(description="Of the document; detected when left out.")] = None


class Paging(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which page of a listing."""

    limit: Annotated[int, Meta(ge=1, le=100, description="How many.")] = 20
    cursor: Annotated[str | None, Meta(description="`next_cursor` of the page before.")] = None


class Listing(Paging, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which summaries or comparisons to list."""

    status: Annotated[Status | None, Meta(description="Only these.")] = None
