"""Grounding a draft: what it costs and how that grows; and what a long text takes, in time and memory, all the way.

Each memory is the peak of a process of its own, over what that process held when the step began.
"""

import argparse
import asyncio
import random
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from time import process_time, thread_time
from typing import Literal, get_args

import msgspec

from bench.chunking import ENCODING, MEGABYTE, least_cpu_s
from bench.processes import resident_mb
from bench.summaries import tools
from service import data, drafting, pipeline
from service.adapters import library, recordings, tokens
from service.core import checking, chunking, contract
from service.core.entities import entities
from service.core.finishing import Account, finish
from service.core.grounding import build_index
from service.core.streams import decode
from service.core.types import (
    Completion,
    CompletionRequest,
    Document,
    Draft,
    DraftLine,
    DraftPoint,
    DraftQuote,
    Manifest,
    Options,
    Sentence,
    Source,
    Stage,
    SummaryResult,
    Verification,
)
from service.core.verifying import verify
from service.drafting.calls import Calls, Model
from service.drafting.chunks import read_chunk

TESTS = Path(__file__).parent.parent / "tests"
LONG = TESTS / "texts" / "harbour-inquiry.txt"
SEED_TARGET_MS = 30
LONG_TARGET_S = 2.0
GROWTH_TARGET = 2.2
"""Of CPU for twice as much; linear is 2, and a measurement may be off by a tenth."""
SEED_TIMES = 9
LONG_TIMES = 3
POINTS = 500
ABSTRACT_LINES = 10
HOWS = ("exact",) * 6 + ("normalised", "ellipsis", "fuzzy", "missing")
CHUNK_TOKENS = 2_000
CHUNK_POINTS = 8
MOST_KEPT = 20
"""Points that a merge reply of the fake model keeps."""
_WORD = re.compile(r"[A-Za-z]+|\d+")
_BEGINNINGS = "Bar Dol Fen Gar Hel Kor Lin Mor Nel Os Per Quil Ros Sel Tor Vas".split()
_ENDINGS = "ack bert dane ford gate holt ing kin ley mar nor ow rick sen ton vald".split()
_LINE = re.compile(r"^\[(\d+)\] (.*)$", re.MULTILINE)
_BLOCK = re.compile(r"<<<DOCUMENT (\w+)>>>.*<<<END \1>>>", re.DOTALL)


# --- what is grounded ------------------------------------------------------------------------------------------------


def long_text(characters: int) -> str:
    """Copies of a long report. In each, half of the names are others, and of its words and figures every sixth is."""
    chance = random.Random(1)  # noqa: S311 - the same text every time
    report = LONG.read_text(encoding="utf-8")
    ordinary = sorted(set(re.findall(r"\b[a-z]+\b", report)))
    longer = [word for word in ordinary if len(word) > 3]
    known = frozenset(ordinary)
    parts: list[str] = []
    for _ in range(-(-characters // len(report))):
        names: dict[str, str] = {}

        def varied(match: re.Match[str], names: dict[str, str] = names) -> str:
            word = match[0]
            if word[0].isupper():
                if len(word) < 4 or word.lower() in known:
                    return word
                made = f"{chance.choice(_BEGINNINGS)}{chance.choice('aeiou')}{chance.choice(_ENDINGS)}"
                return names.setdefault(word, chance.choice((word, made)))
            if chance.random() > 1 / 6:
                return word
            return str(int(word) + 1) if word.isdigit() else chance.choice(longer) if len(word) > 3 else word

        parts.append(_WORD.sub(varied, report))
    return "\n\n".join(parts)[:characters]


def drafted(source: Source, points: int) -> Draft:
    """Points from all over a text, each with three quotes of sentences that follow one another."""
    chance = random.Random(1)  # noqa: S311 - the same draft every time
    usable = [one for one in source.readable if 12 <= len(_text(one, source).split()) <= 50]
    step = len(usable) // points
    hows = cycle(HOWS)
    made = [
        DraftPoint(
            text=f"According to the report, {_text(near[0], source).rsplit(' ', 1)[0]}.",
            quotes=tuple(
                DraftQuote(
                    quote=copied(_text(one, source), next(hows), chance),
                    document=source.document.id,
                    sentence=one.number,
                )
                for one in near
            ),
        )
        for at in range(0, points * step, step)
        for near in [usable[at : at + 3]]
    ]
    return Draft(
        headline=made[0].text,
        abstract=tuple(DraftLine(text=made[at].text, points=(at,)) for at in range(ABSTRACT_LINES)),
        points=tuple(made),
    )


def _text(sentence: Sentence, source: Source) -> str:
    return source.text[sentence.start : sentence.end]


def copied(text: str, how: str, chance: random.Random) -> str:
    """A sentence as a model might copy it."""
    words = text.split()
    if how == "normalised":
        return "  ".join(words)
    if how == "ellipsis":
        return f"{' '.join(words[:5])} ... {' '.join(words[-5:])}"
    if how == "fuzzy":
        left_out = next((at for at, word in enumerate(words) if word in ("the", "a", "of", "which")), 2)
        return " ".join(words[:left_out] + words[left_out + 1 :])
    if how == "missing":
        return " ".join(chance.sample(words, len(words)))
    return text


def read(text: str, loaded: tokens.Tokens, *, name: str | None = None) -> Source:
    """A text as the pipeline reads it."""
    (source,) = pipeline.read([Document(id="d1", name=name, text=text)], tools(loaded))
    return source


# --- models ----------------------------------------------------------------------------------------------------------


def model(
    complete: Callable[[CompletionRequest, int], Awaitable[Completion]], loaded: tokens.Tokens, *, window: int
) -> Model:
    """A model that answers by a function, asked by the highest version of the prompt."""
    found = library.load(data.folder("prompts"))
    return Model(
        prompt=max((*found.released, *found.drafts), key=lambda version: version.front.version),
        complete=complete,
        invalid=lambda _: None,
        count=loaded.count,
        token_ends=loaded.ends,
        chunk_tokens=CHUNK_TOKENS,
        window=window,
        slots=16,
    )


async def recorded(loaded: tokens.Tokens) -> list[tuple[Source, Draft]]:
    """The sample articles, each with the draft that was recorded for it."""

    async def complete(request: CompletionRequest, _: int) -> Completion:
        block = _BLOCK.search(request.messages[1].content)
        assert block
        return next(completion for asked, completion in replies if block[0] in asked)

    paths = sorted(data.folder("seeds").glob("*.txt"))
    sources = [read(path.read_bytes().decode(), loaded, name=path.name) for path in paths]
    replies = _replies()
    found: list[tuple[Source, Draft]] = []
    for source in sources:
        (whole,) = chunking.split(source, ends=loaded.ends, budget=2**40)
        calls = Calls(model(complete, loaded, window=128_000))
        ((part,), _) = await read_chunk(calls, source, whole, Options(), several=False)
        found.append((source, part.draft))
    return found


def _replies() -> list[tuple[str, Completion]]:
    """What was recorded of reading documents: question and answer, of the highest version first."""
    folders = (TESTS / "recordings").glob("news@*")
    files = [
        file
        for folder in sorted(folders, key=lambda folder: -int(folder.name.rpartition("@")[2]))
        for file in sorted(folder.glob("*.json"))
    ]
    found: list[tuple[str, Completion]] = []
    for recording in map(recordings.read_recording, files):
        reply = recording.response
        body = "".join(chunk for chunk in reply.chunks if isinstance(chunk, str)).encode()
        if recording.stage == "map":
            question = "\n".join(recordings.readable(recording.request.body))
            found.append((question, decode(reply.status, reply.headers, body, key=recording.key)))
    return found


class Fake:
    """Reads any text: eight points a chunk, of which one cannot be supported, and as many kept as a summary needs."""

    def __init__(self) -> None:
        self.asked: Counter[Stage] = Counter()
        self.own_cpu_s = 0.0
        """What it took itself, which is not to be counted."""

    async def complete(self, request: CompletionRequest, _: int) -> Completion:
        """Answer a request."""
        started = thread_time()
        self.asked[request.stage] += 1
        lines = [(int(number), text) for number, text in _LINE.findall(request.messages[1].content)]
        text = msgspec.json.encode(self._reply(request.stage, lines)).decode()
        self.own_cpu_s += thread_time() - started
        return Completion(text=text, finish="stop", model="fake", reported=None, key="k")

    def _reply(self, stage: Stage, lines: Sequence[tuple[int, str]]) -> contract.Reply:
        if stage == "map":
            quoted = [line for line in lines if len(line[1].split()) > 5]
            chosen = quoted[:: max(1, len(quoted) // CHUNK_POINTS)][:CHUNK_POINTS]
            points = tuple(_point(at, *line) for at, line in enumerate(chosen, 1))
            lost = msgspec.structs.replace(points[-1], quotes=(contract.QuoteReply(sentence=1, quote="Nobody said so."),))
            line = contract.LineReply(text=points[0].claim, points=(1,))
            return contract.MapReply(
                points=(*points[:-1], lost),
                entities=(),
                caveats=(),
                document_date=None,
                headline=points[0].claim,
                abstract=(line,),
            )
        if stage == "merge":
            kept = lines[:: max(1, -(-len(lines) // MOST_KEPT))]
            line = contract.LineReply(text=kept[0][1].rpartition(") ")[2], points=(kept[0][0],))
            groups = tuple(contract.GroupReply(ids=(number,)) for number, _ in kept)
            return contract.MergeReply(points=groups, headline=line.text, abstract=(line,))
        return contract.RepairReply(points=()) if stage == "repair" else contract.ConflictsReply(conflicts=())


def _point(number: int, sentence: int, text: str) -> contract.PointReply:
    return contract.PointReply(
        id=number,
        quotes=(contract.QuoteReply(sentence=sentence, quote=text),),
        who=None,
        who_type="author",
        via=None,
        stance="asserted",
        polarity="affirmed",
        claim=f"{text.rsplit(' ', 1)[0]}.",
        importance="should",
        kind="fact",
        numbers=(),
        dates=(),
        entities=(),
    )


# --- grounding -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Grounded:
    """A draft: CPU of grounding it, and of finishing it as a whole, with an index built anew each time."""

    name: str
    characters: int
    points: int
    quotes: int
    ground_s: float
    finish_s: float
    account: Verification


def ground(draft: Draft, source: Source, forms: checking.Forms) -> None:
    """Locate the quotes of a draft and check its points, as finishing does it."""
    index = build_index([source])
    found = verify(draft, index)
    given = {point_id: draft.points[position] for position, point_id in found.ids.items()}
    for point in found.points:
        if all(place.quote != point.text for place in point.evidence):
            checking.warnings(given[point.id], point.evidence, index, forms)


def finished(draft: Draft, source: Source, account: Account | None = None) -> SummaryResult:
    """The result of a draft, nothing being known of its source."""
    manifest = Manifest(
        engine="llm",
        service_version="0",
        prompt=None,
        endpoint=None,
        model=None,
        parameters=Options(),
        versions=pipeline.VERSIONS,
    )
    return finish(draft, [source], build_index([source]), manifest=manifest, max_words=250, account=account)


def measured(name: str, drafts: Sequence[tuple[Source, Draft]], *, times: int) -> list[Grounded]:
    """Ground and finish drafts by turns."""
    runs: list[Callable[[], object]] = []
    results = [finished(draft, source) for source, draft in drafts]
    for (source, draft), result in zip(drafts, results, strict=True):
        known = (frozenset((one.name, *one.aliases)) for one in result.entities)
        forms = {form: of_one for of_one in known for form in of_one}
        runs.append(lambda draft=draft, source=source, forms=forms: ground(draft, source, forms))  # type: ignore[misc]
        runs.append(lambda draft=draft, source=source: finished(draft, source))  # type: ignore[misc]
    least_s = least_cpu_s(runs, times=times)
    return [
        Grounded(
            name=source.document.name or name,
            characters=len(source.text),
            points=len(draft.points),
            quotes=sum(len(point.quotes) for point in draft.points),
            ground_s=ground_s,
            finish_s=finish_s,
            account=result.verification,
        )
        for (source, draft), result, ground_s, finish_s in zip(
            drafts, results, least_s[::2], least_s[1::2], strict=True
        )
    ]
