"""Every noun of the service, as frozen values. Read this first.

Offsets are Unicode code points, half open (`end` is exclusive), into the text of a document: `text[start:end]`.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

OFFSET_UNIT = "code_points"
SCHEMA_VERSION = "1"

Engine = Literal["llm", "extractive"]
Length = Literal["brief", "standard", "detailed"]
Plan = Literal["detail", "latency"]
Importance = Literal["must", "should"]
Kind = Literal["fact", "quote", "plan", "reaction", "background"]
Stance = Literal["asserted", "reported", "claimed", "confirmed", "denied", "planned", "conditional", "opinion", "joke"]
Polarity = Literal["affirmed", "negated"]
SpeakerType = Literal["author", "named", "anonymous", "organisation", "social"]
Match = Literal["exact", "normalised", "ellipsis", "fuzzy"]
Severity = Literal["blocking", "warning"]
Verdict = Literal["verified", "flagged"]
DateBasis = Literal["stated", "relative", "inferred", "none"]
EntityType = Literal["person", "organisation", "place", "work", "other"]
MaskReason = Literal["teasers", "page_furniture"]
ConflictKind = Literal["first_claim", "status", "name", "date", "number", "scope", "misquote"]
CheckCode = Literal[
    "number_mismatch",
    "url_not_in_source",
    "hedge_dropped",
    "negation",
    "superlative",
    "date",
    "name",
    "speaker",
    "social",
    "support",
    "fuzzy",
]
Part = Literal["key_point", "quote", "abstract", "headline", "caveat", "conflict"]
"""Of a summary; what is dropped is listed with the part that it was."""
CaveatCode = Literal[
    "undated",
    "stale",
    "hedged",
    "missing",
    "truncated",
    "partial",
    "language_unchecked",
    "instructions",
    "focus_unmatched",
    "fallback",
]

AskedLength = Annotated[
    Length, Meta(description="At most 80, 200 or 500 words of the sources’ own; of a model’s abstract 60, 120 or 250.")
]
AskedPlan = Annotated[Plan, Meta(description="Long texts in many small chunks (`detail`) or in few (`latency`).")]


class Value(msgspec.Struct, frozen=True, kw_only=True):
    """A frozen value, its fields named where it is built. msgspec and mypy want both said again in every subclass."""


# --- what comes in ---------------------------------------------------------------------------------------------------


class Document(Value, frozen=True, kw_only=True):
    """A text to summarise. `text` is what offsets refer to; it is never rewritten."""

    id: str
    text: str
    name: str | None = None
    """Of the file it came from."""
    title: str | None = None
    url: str | None = None
    published_at: str | None = None
    """ISO 8601 date or date and time, as stated by the sender."""
    language: str | None = None
    """ISO 639-1 code stated by the sender; detected when missing."""
    media_type: str = "text/plain"
    """What the text was read from."""


class Options(Value, frozen=True, kw_only=True):
    """How a summary should turn out."""

    length: AskedLength = "standard"
    max_words: int | None = None
    """Upper bound on the words of the abstract; of the key points too, where they are sentences of the sources."""
    focus: str | None = None
    """A topic that the choice leans towards."""
    language: str | None = None
    """ISO 639-1 code the summary should be written in; the text's own when missing."""
    plan: AskedPlan = "detail"


class Budget(Value, frozen=True, kw_only=True):
    """What a summary may take at most; calls that would exceed it are not sent."""

    max_tokens: int | None = None
    """Of prompts and answers together."""
    max_cost: float | None = None
    """In the currency of the configured prices."""


class Conditions(Value, frozen=True, kw_only=True):
    """How a summary is to be made: by which prompt and model, at what price, and what to do when the endpoint fails."""

    prompt: str | None = None
    """A reference such as `news@1`; the configured one where missing. Pinned when the summary is accepted."""
    label: str | None = None
    """The label that the prompt was asked for by, as it is pinned to a version."""
    model: str | None = None
    budget: Budget = Budget()
    fallback: Literal["extractive"] | None = None
    strict: bool = False
    """Whether a summary with gaps counts as failed."""
    repetition: int = 0
    """Summaries that are wanted anew, to see how far they differ, have different repetitions."""


# --- a document, read ------------------------------------------------------------------------------------------------


class Span(Value, frozen=True, kw_only=True):
    """A stretch of a document's text."""

    start: int
    end: int


class Sentence(Value, frozen=True, kw_only=True):
    """A sentence, or a piece of one that was too long. White space around it belongs to none."""

    number: int
    """Counted from 1 within its document, masked ones included."""
    start: int
    end: int
    paragraph: int
    """Counted from 1 within its document."""
    masked: bool = False


class MaskedSpan(Value, frozen=True, kw_only=True):
    """A stretch that is kept but not read: scraping leftovers, with the reason."""

    start: int
    end: int
    reason: MaskReason


class Source(Value, frozen=True, kw_only=True):
    """A document as the engines see it: language known, sentences found, leftovers masked."""

    document: Document
    language: str | None
    sentences: tuple[Sentence, ...]
    masked: tuple[MaskedSpan, ...] = ()

    @property
    def text(self) -> str:
        """The text that offsets refer to."""
        return self.document.text

    @property
    def readable(self) -> tuple[Sentence, ...]:
        """The sentences outside masked spans, in order."""
        return tuple(sentence for sentence in self.sentences if not sentence.masked)


class Chunk(Value, frozen=True, kw_only=True):
    """A part of a document that fits a token budget. Together the chunks tile the unmasked text exactly."""

    document: str
    index: int
    """Counted from 1."""
    of: int
    spans: tuple[Span, ...]
    """In order; more than one where a masked span lies between."""
    tokens: int


# --- what is asked of an endpoint ------------------------------------------------------------------------------------

Stage = Literal["map", "merge", "repair", "conflicts"]
Role = Literal["system", "user", "assistant"]
Finish = Literal["stop", "length", "content_filter", "refusal"]


class Message(Value, frozen=True, kw_only=True):
    """One message of a conversation."""

    role: Role
    content: str


class CompletionRequest(Value, frozen=True, kw_only=True):
    """What is asked of a model, whatever endpoint it is behind."""

    prompt: str
    """The version that asks, such as `news@1`; it is not sent."""
    stage: Stage
    messages: tuple[Message, ...]
    schema_name: str
    schema: dict[str, object]
    """JSON Schema of the answer, in the subset that strict endpoints take; the messages state it too."""
    max_output_tokens: int
    temperature: float | None = None
    repetition: int = 0
    """Answers to the same question that are wanted anew have different repetitions."""


class TokenCounts(Value, frozen=True, kw_only=True):
    """Tokens of one call, as the endpoint reports them."""

    prompt: int
    completion: int
    cached: int = 0


class Completion(Value, frozen=True, kw_only=True):
    """What a model answered: complete, not yet validated."""

    text: str
    finish: Finish
    model: str | None
    """As the endpoint names it."""
    reported: TokenCounts | None
    """None where the endpoint reports nothing."""
    key: str
    """Of the request as it was sent."""


# --- what an engine drafts -------------------------------------------------------------------------------------------


class Attribution(Value, frozen=True, kw_only=True):
    """Who says it."""

    who: str | None = None
    type: SpeakerType = "author"
    via: str | None = None
    """The one who passes it on, when that is somebody else ("according to Deadline")."""


class Number(Value, frozen=True, kw_only=True):
    """A number as it stands in the text, and its value in digits where it has one."""

    text: str
    value: str | None = None


class Date(Value, frozen=True, kw_only=True):
    """A date as it stands in the text; `iso` is a prefix of YYYY-MM-DD as far as it is known."""

    text: str
    iso: str | None = None
    basis: DateBasis = "none"


class DraftQuote(Value, frozen=True, kw_only=True):
    """Words that an engine says it copied, and the sentence where it saw them."""

    quote: str
    document: str
    sentence: int | None = None


class DraftPoint(Value, frozen=True, kw_only=True):
    """A key point before it is checked."""

    text: str
    quotes: tuple[DraftQuote, ...]
    importance: Importance = "should"
    kind: Kind = "fact"
    stance: Stance = "asserted"
    polarity: Polarity = "affirmed"
    attribution: Attribution = Attribution()
    numbers: tuple[Number, ...] = ()
    dates: tuple[Date, ...] = ()


class DraftLine(Value, frozen=True, kw_only=True):
    """A sentence of the abstract and the points (by position in the draft, from 0) that carry it."""

    text: str
    points: tuple[int, ...]


class Draft(Value, frozen=True, kw_only=True):
    """What an engine proposes; nothing in it is believed until it is grounded."""

    headline: str
    abstract: tuple[DraftLine, ...]
    points: tuple[DraftPoint, ...]


class DraftEntity(Value, frozen=True, kw_only=True):
    """A name that an engine gives, with other forms of it; what does not stand in the sources is left out."""

    name: str
    aliases: tuple[str, ...]
    type: EntityType


class DraftConflict(Value, frozen=True, kw_only=True):
    """Points (by position, from 0) that an engine says cannot both hold."""

    kind: ConflictKind
    a: tuple[int, ...]
    b: tuple[int, ...]
    note: str


# --- what goes out ---------------------------------------------------------------------------------------------------


class Evidence(Value, frozen=True, kw_only=True):
    """A quote located in a source: `quote` is the source's own text at `[start:end]`."""

    document: str
    sentence: int
    quote: str
    start: int
    end: int
    prefix: str
    """Up to 32 characters before the quote, so that it can be found again in an edited text."""
    suffix: str
    match: Annotated[Match, Meta(description="How what the engine copied differs from `quote`, the source's own text.")]


class Check(Value, frozen=True, kw_only=True):
    """Something found when a point was held against its evidence."""

    code: CheckCode
    severity: Severity
    """`blocking`: the point is dropped, after one chance to be mended; `warning`: it is shown, and flagged."""
    detail: str


class KeyPoint(Value, frozen=True, kw_only=True):
    """One claim, with the evidence for it."""

    id: str
    text: str
    importance: Annotated[Importance, Meta(description="`must`: a reader has to know it; `should`: worth knowing.")]
    kind: Annotated[Kind, Meta(description="What sort of point it is.")]
    stance: Annotated[
        Stance,
        Meta(
            description="How far the source stands behind it: as fact (`asserted`), passed on (`reported`), said "
            "with an interest (`claimed`), hanging on something (`conditional`), a judgement (`opinion`), and so on."
        ),
    ]
    polarity: Annotated[Polarity, Meta(description="`negated` where it says that something is not so.")]
    attribution: Attribution
    evidence: tuple[Evidence, ...]
    numbers: tuple[Number, ...] = ()
    dates: tuple[Date, ...] = ()
    entities: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()
    verdict: Annotated[
        Verdict, Meta(description="`verified`: quotes located, no check found fault; else `flagged`.")
    ] = "verified"


class Mention(Value, frozen=True, kw_only=True):
    """Where an entity is named."""

    document: str
    start: int
    end: int


class Entity(Value, frozen=True, kw_only=True):
    """A name with its other forms, and where it stands."""

    id: str
    name: str
    aliases: tuple[str, ...]
    type: EntityType
    name_conflict: tuple[str, ...]
    """Full names that the sources give to this one entity although they differ; empty where they agree."""
    mentions: tuple[Mention, ...]


class ConflictSide(Value, frozen=True, kw_only=True):
    """One of the statements that cannot both hold."""

    key_points: tuple[str, ...]
    evidence: tuple[Evidence, ...]


class Conflict(Value, frozen=True, kw_only=True):
    """Statements that cannot both hold, each with its evidence."""

    id: str
    scope: Literal["within", "across"]
    kind: ConflictKind
    sides: tuple[ConflictSide, ...]
    note: str
    resolution: Literal["later_source", "qualified"] | None = None


class Caveat(Value, frozen=True, kw_only=True):
    """Something a reader should know before relying on the summary."""

    code: CaveatCode
    text: str
    evidence: tuple[Evidence, ...] = ()
    documents: tuple[str, ...] = ()
    """Those that it is about; all of them where none is named."""


class AbstractSentence(Value, frozen=True, kw_only=True):
    """A sentence of the abstract and the ids of the key points that carry it."""

    text: str
    key_points: tuple[str, ...]
    checks: tuple[Check, ...] = ()
    """What was found when it was held against the evidence of these points: warnings only."""


class DocumentFacts(Value, frozen=True, kw_only=True):
    """What is known of a document; its text is fetched by its id."""

    id: str
    sha256: str
    """Of the text's UTF-8 bytes."""
    characters: int
    language: str | None
    date: Date
    masked: tuple[MaskedSpan, ...]
    name: str | None = None
    title: str | None = None
    url: str | None = None
    media_type: str = "text/plain"


class DocumentCoverage(Value, frozen=True, kw_only=True):
    """Characters of one document by what became of them: `read + masked + unread` is all, `cited` is part of `read`."""

    document: str
    characters: int
    read: int
    cited: int
    masked: int
    unread: int
    thirds: tuple[int, int, int]
    """Pieces of evidence that begin in the first, middle and last third of the document."""
    sentences: int = 0
    """Outside masked and unread spans."""
    sentences_cited: int = 0
    words: int = 0
    """Outside masked spans."""


class Coverage(Value, frozen=True, kw_only=True):
    """How much of the sources was read and cited."""

    documents: tuple[DocumentCoverage, ...]


class Dropped(Value, frozen=True, kw_only=True):
    """A point, or another part, that did not stand up to its evidence."""

    text: str
    reason: str
    detail: str
    part: Part = "key_point"


class Verification(Value, frozen=True, kw_only=True):
    """What became of the points and quotes that the engine gave."""

    points_given: int
    points_kept: int
    quotes_given: int
    exact: int
    normalised: int
    ellipsis: int
    fuzzy: int
    repaired: int
    dropped: tuple[Dropped, ...]
    flagged: int = 0
    """Points kept that a check has a warning about."""
    merged_away: int = 0
    """Points that stood up to their evidence, and were joined with others or left out when parts were merged."""

    @property
    def lost_points(self) -> tuple[Dropped, ...]:
        """The key points among what was dropped."""
        return tuple(drop for drop in self.dropped if drop.part == "key_point")


class Gap(Value, frozen=True, kw_only=True):
    """A part of a document that was not read, and why."""

    document: str
    start: int
    end: int
    code: str
    """Of the error that kept it from being read."""
    detail: str


class LengthReport(Value, frozen=True, kw_only=True):
    """What length was asked for and what came out, in words."""

    asked: Length
    max_words: int
    """The bound that applied: the request's own, or the one that `asked` stands for."""
    abstract_words: int
    key_point_words: int
    within: bool
    """False where even the shortest fitting sentence is over the bound: nothing is ever cut."""


class Usage(Value, frozen=True, kw_only=True):
    """What the endpoint was asked for: as it reports it, and as counted here where it reports nothing."""

    calls: int = 0
    asked_back: int = 0
    """Of the calls, those that asked again because a reply did not have the form that was asked for."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    estimated_prompt_tokens: int = 0
    """Counted here, of calls whose usage was not reported."""
    estimated_completion_tokens: int = 0
    cost: float | None = None
    """By the configured prices; None where none is configured."""


class PromptRef(Value, frozen=True, kw_only=True):
    """The prompt version that was used."""

    name: str
    version: int
    digest: str
    label: str | None = None
    """The one that the version was asked for by."""
    dirty: bool = False
    """Whether it was a draft, or a released version that was edited: it may say something else by now."""


class Manifest(Value, frozen=True, kw_only=True):
    """What produced the result, so that it can be produced again."""

    engine: Engine
    service_version: str
    prompt: PromptRef | None
    endpoint: str | None
    model: str | None
    parameters: Options
    versions: dict[str, str]
    """Of the parts whose behaviour shapes the result: sentences, masking, chunker, grounding, extractive."""
    request_keys: tuple[str, ...] = ()


class PlannedDocument(Value, frozen=True, kw_only=True):
    """What one document would take."""

    id: str
    characters: int
    tokens: int
    """Of the readable text, by the configured encoding."""
    chunks: int


class RequestPlan(Value, frozen=True, kw_only=True):
    """What a request would cost; nothing is sent to find out."""

    engine: Engine
    documents: tuple[PlannedDocument, ...]
    chunks: int
    calls: int
    prompt_tokens: int
    completion_tokens: int
    """At most."""
    cost: float | None
    """In the currency of the prices; None where no price is known."""
    max_words: int
    """The bound that the length asked for stands for."""


class SummaryResult(Value, frozen=True, kw_only=True):
    """A summary that can be checked: every point carries quotes that are the source's own text."""

    schema_version: str
    offset_unit: str
    engine: Engine
    headline: str
    abstract: tuple[AbstractSentence, ...]
    key_points: tuple[KeyPoint, ...]
    entities: tuple[Entity, ...]
    conflicts: tuple[Conflict, ...]
    caveats: tuple[Caveat, ...]
    documents: tuple[DocumentFacts, ...]
    coverage: Coverage
    verification: Verification
    length: LengthReport
    usage: Usage
    manifest: Manifest
    gaps: tuple[Gap, ...] = ()
    """What was not read; empty where everything was."""
