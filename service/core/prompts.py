"""Versioned prompts: parsed, checked, hashed and rendered. Reading them from files is an adapter's business.

A version is front matter and stages. Stages are split before anything is put in, and variables are put in by a single
pass without expressions, so that an article with `{{x}}` or `## map user` in it stays an article.
"""

import hashlib
import json
import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from service.core import contract
from service.core.errors import BadPrompt
from service.core.types import Chunk, Message, PromptRef, Source, Stage, Value

REQUIRED_STAGES: tuple[Stage, ...] = ("map", "merge", "repair")
VARIABLES: Mapping[Stage, frozenset[str]] = {
    "map": frozenset({"document", "request", "schema"}),
    "merge": frozenset({"key_points", "request", "schema"}),
    "repair": frozenset({"points", "schema"}),
    "conflicts": frozenset({"key_points", "schema"}),
}
"""What the user part of a stage is given; all of it has to be used. The system part is given nothing."""

_FIELD_AT_FAULT = re.compile(r"unknown field `(\w+)`(?! - at)|at `\$\.(\w+)")
_HEADING = re.compile(r"## (?P<stage>[a-z]+) (?P<part>system|user)\s*")
_VARIABLE = re.compile(r"\{\{([^{}\n]*)\}\}")
NAME = re.compile(r"[a-z][a-z0-9-]{0,60}")
"""Of a prompt."""
DIRTY_DIGITS = 8
"""Of the digest, in the id of a draft or an edited version."""
# Characters that are not seen and change what a model reads: Unicode tags, supplementary variation selectors (which can
# spell hidden text as well), bidi controls.
_UNSEEN = re.compile("[\U000e0000-\U000e007f\U000e0100-\U000e01ef\u061c\u202a-\u202e\u2066-\u2069\u200e\u200f]")
_DELIMITER_DIGITS = 12


class Template(Value, frozen=True, kw_only=True):
    """The two parts of a stage."""

    system: str
    user: str


class Parameters(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the endpoint is asked with."""

    max_output_tokens: Annotated[int, Meta(ge=1)]
    temperature: Annotated[float, Meta(ge=0)] | None = None


class FrontMatter(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What stands above the stages of a version."""

    name: str
    version: Annotated[int, Meta(ge=1, le=999_999)]
    change: str
    output: Literal["key-points/1"]
    order: contract.Order
    params: Parameters
    parent: int | None = None


class PromptVersion(Value, frozen=True, kw_only=True):
    """A version of a prompt, checked."""

    front: FrontMatter
    stages: dict[Stage, Template]
    digest: str
    """SHA-256 over stages, parameters, order and the schemas of the contract; not over `change`."""
    dirty: bool = False
    """Whether it may still change: a draft, or a released version that was edited."""

    @property
    def id(self) -> str:
        """What it is called everywhere: `news@3`, or `news@5+dirty.1a2b3c4d` while it may still change."""
        dirty = f"+dirty.{self.digest[:DIRTY_DIGITS]}" if self.dirty else ""
        return f"{self.front.name}@{self.front.version}{dirty}"

    @property
    def ref(self) -> PromptRef:
        """Its name, version and digest."""
        return PromptRef(name=self.front.name, version=self.front.version, digest=self.digest, dirty=self.dirty)


def parse(
    front: object, body: str, *, path: str, first_line: int, places: Mapping[str, int] = MappingProxyType({})
) -> PromptVersion:
    """A version from its parsed front matter and the text below it.

    Args:
        front: the front matter as plain data.
        body: the stages.
        path: of the file, for messages.
        first_line: number of the first line of `body` in the file.
        places: line of each field of the front matter, for messages.

    Raises:
        BadPrompt: with file, line, and what to write.
    """
    try:
        read = msgspec.convert(front, FrontMatter)
    except msgspec.ValidationError as error:
        fields = ", ".join(FrontMatter.__struct_fields__)
        named = _FIELD_AT_FAULT.search(str(error))
        line = places.get((named[1] or named[2]) if named else "", 1)
        raise BadPrompt(f"{path}:{line}: the front matter does not fit: {error}. It has {fields}.") from None
    if not NAME.fullmatch(read.name):
        at = f"{path}:{places.get('name', 1)}"
        raise BadPrompt(f"{at}: {read.name!r} is no name for a prompt; use small letters, digits and hyphens.")
    if not read.change.strip():
        raise BadPrompt(
            f"{path}:{places.get('change', 1)}: `change` is empty. Write in a sentence or two what this version does "
            "otherwise than its parent, and why."
        )
    stages = _stages(body, path, first_line)
    return PromptVersion(front=read, stages=stages, digest=digest(read, stages))


def digest(front: FrontMatter, stages: Mapping[Stage, Template]) -> str:
    """SHA-256 of what a version sends: see `PromptVersion.digest`."""
    content = {
        "stages": {stage: [template.system, template.user] for stage, template in stages.items()},
        "params": msgspec.to_builtins(front.params),
        "output": front.output,
        "order": front.order,
        "schemas": {stage: contract.schema(stage, front.order) for stage in stages},
    }
    # Properties keep their order: it is part of what is sent.
    return hashlib.sha256(json.dumps(content, ensure_ascii=False).encode()).hexdigest()


def _stages(body: str, path: str, first_line: int) -> dict[Stage, Template]:
    parts = _parts(body, path, first_line)
    named = {stage for stage, _ in parts}
    end = first_line + body.rstrip().count("\n")
    for stage in [*REQUIRED_STAGES, *(stage for stage in VARIABLES if stage in named)]:
        for part in ("system", "user"):
            if (stage, part) not in parts:
                raise BadPrompt(f"{path}:{end}: the stage “## {stage} {part}” is missing. Add it below this line.")
    for (stage, part), (number, lines) in parts.items():
        _check_variables(lines, VARIABLES[stage] if part == "user" else frozenset(), path, number)
    return {
        stage: Template(
            system="\n".join(parts[stage, "system"][1]).strip(), user="\n".join(parts[stage, "user"][1]).strip()
        )
        for stage in VARIABLES
        if stage in named
    }


def _parts(body: str, path: str, first_line: int) -> dict[tuple[Stage, str], tuple[int, list[str]]]:
    """The lines below each heading, with the heading's line number."""
    parts: dict[tuple[Stage, str], tuple[int, list[str]]] = {}
    current: list[str] | None = None
    for number, line in enumerate(body.split("\n"), first_line):
        if line.startswith("## "):
            key = _heading(line, f"{path}:{number}")
            if key in parts:
                raise BadPrompt(f"{path}:{number}: “{line.strip()}” stands twice. Join the two.")
            current = []
            parts[key] = (number, current)
        elif current is not None:
            current.append(line)
        elif line.strip():
            raise BadPrompt(f"{path}:{number}: text before the first stage. Begin with “## map system”.")
    return parts


def _heading(line: str, at: str) -> tuple[Stage, str]:
    match = _HEADING.fullmatch(line)
    stage = next((known for known in VARIABLES if match and known == match["stage"]), None)
    if match is None or stage is None:
        raise BadPrompt(
            f"{at}: {line!r} is no heading of a stage. Write “## STAGE system” or “## STAGE user”, STAGE being one of "
            f"{', '.join(VARIABLES)}; within a stage, use ### for headings."
        )
    return stage, match["part"]


def _check_variables(lines: Sequence[str], known: frozenset[str], path: str, heading: int) -> None:
    used: set[str] = set()
    for number, line in enumerate(lines, heading + 1):
        for match in _VARIABLE.finditer(line):
            name = match[1].strip()
            if name not in known or name != match[1]:
                has = ", ".join(f"{{{{{one}}}}}" for one in sorted(known)) or "none"
                raise BadPrompt(f"{path}:{number}: {match[0]} is not a variable here; there are: {has}.")
            used.add(name)
    if missing := known - used:
        has = ", ".join(f"{{{{{one}}}}}" for one in sorted(missing))
        raise BadPrompt(f"{path}:{heading}: this part does not use {has}. Put it where the model should read it.")


def messages(version: PromptVersion, stage: Stage, variables: Mapping[str, str]) -> tuple[Message, ...]:
    """The messages of a stage, its variables put in by a single pass.

    Raises:
        ValueError: a variable is missing or one too many.
    """
    template = version.stages[stage]
    if set(variables) != VARIABLES[stage]:
        raise ValueError(f"{stage} takes {sorted(VARIABLES[stage])}, not {sorted(variables)}")
    return (
        Message(role="system", content=template.system),
        Message(role="user", content=_VARIABLE.sub(lambda match: variables[match[1]], template.user)),
    )


@cache
def schema_text(stage: Stage, order: contract.Order) -> str:
    """The schema as the messages state it, for endpoints that ignore `response_format`."""
    return json.dumps(contract.schema(stage, order), ensure_ascii=False)


# --- what a document looks like to a model ---------------------------------------------------------------------------


class Piece(Value, frozen=True, kw_only=True):
    """A numbered sentence of a chunk, or as much of it as the chunk holds."""

    number: int
    """Counted from 1 in the chunk."""
    sentence: int
    """The sentence's number in its document."""
    paragraph: int
    text: str


def pieces(chunk: Chunk, source: Source) -> tuple[Piece, ...]:
    """The sentences of a chunk, numbered from 1."""
    found: list[Piece] = []
    spans = iter(chunk.spans)
    span = next(spans, None)
    # Sentences stand in order: those before the chunk are passed over without a look at each.
    first = bisect_right(source.sentences, chunk.spans[0].start, key=lambda sentence: sentence.end)
    for sentence in source.sentences[first:]:
        if sentence.masked:
            continue
        while span is not None and span.end <= sentence.start:
            span = next(spans, None)
        if span is None:
            break
        start, end = max(sentence.start, span.start), min(sentence.end, span.end)
        text = clean(source.text[start:end]) if start < end else ""
        if text:
            found.append(
                Piece(number=len(found) + 1, sentence=sentence.number, paragraph=sentence.paragraph, text=text)
            )
    return tuple(found)


def document_block(chunk: Chunk, source: Source, numbered: Sequence[Piece]) -> str:
    """A chunk as every version sends it: a header and the numbered sentences, between delimiters of their own.

    The delimiters are derived from header and text, so that the same chunk always makes the same prompt, and a title
    cannot hold them.
    """
    document = source.document
    text = "".join(source.text[span.start : span.end] for span in chunk.spans)
    header = [f"Title: {clean(document.title)}"] if document.title else []
    header += [f"Date: {clean(document.published_at)}"] if document.published_at else ["Date: not stated"]
    header += [f"Part {chunk.index} of {chunk.of}"] if chunk.of > 1 else []
    lines: list[str] = []
    paragraph = None
    for piece in numbered:
        if paragraph is not None and piece.paragraph != paragraph:
            lines.append("")
        paragraph = piece.paragraph
        lines.append(f"[{piece.number}] {piece.text}")
    return enclosed("DOCUMENT", [*header, "", *lines], derived_from=[*header, text])


def enclosed(kind: str, lines: Sequence[str], *, derived_from: Sequence[str]) -> str:
    """Lines between delimiters that are derived from a text: the same one always makes the same prompt.

    >>> enclosed("POINTS", ["[1] One."], derived_from=["[1] One."]).splitlines()[0]
    '<<<POINTS a1ac24ddac36>>>'
    """
    mark = hashlib.sha256("\n".join(derived_from).encode()).hexdigest()[:_DELIMITER_DIGITS]
    return "\n".join([f"<<<{kind} {mark}>>>", *lines, f"<<<END {mark}>>>"])


def clean(text: str) -> str:
    r"""A line for a prompt: white space runs become one space; Unicode tags and bidi controls are left out.

    >>> clean("a\u202e b\n c")
    'a b c'
    """
    return " ".join(_UNSEEN.sub("", text).split())
