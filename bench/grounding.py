"""Grounding a draft: what it costs and how that grows; and what a long text takes, in time and memory, all the way.

Each memory is the peak of a process of its own, over what that process held when the step began: the text, the
vocabulary and the code.
"""

import argparse
import asyncio
import contextlib
import os
import random
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
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
from service.core.finishing import Account, finish
from service.core.grounding import Index, build_index
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
from service.core.watching import unwatched
from service.drafting.calls import Calls, Model
from service.drafting.chunks import read_chunk
from service.drafting.telling import Standing

TESTS = Path(__file__).parent.parent / "tests"
LONG = TESTS / "texts" / "harbour-inquiry.txt"
SEED_TARGET_MS = 30
LONG_TARGET_S = 2.0
GROWTH_TARGET = 2.2
"""Of CPU for twice as much; linear is 2, and a measurement may be off by a tenth."""
PLAN_TARGET_MB = 10
WHOLE_TARGET_MB = 70
"""Of memory for each MB of text: half as much again as was seen (6 and 46), so that keeping every prompt as well, or a
second index, would be seen."""
SEED_TIMES = 9
LONG_TIMES = 3
POINTS = 500
WINDOWS = (8_000, 128_000)
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
        standing = Standing(build_index([source]), unwatched)
        ((part,), _) = await read_chunk(calls, source, whole, Options(), standing, several=False)
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
            lost = msgspec.structs.replace(
                points[-1], quotes=(contract.QuoteReply(sentence=1, quote="Nobody said so."),)
            )
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


def finished(draft: Draft, source: Source, index: Index, account: Account | None = None) -> SummaryResult:
    """The result of a draft."""
    manifest = Manifest(
        engine="llm",
        service_version="0",
        prompt=None,
        endpoint=None,
        model=None,
        parameters=Options(),
        versions=pipeline.VERSIONS,
    )
    return finish(draft, [source], index, manifest=manifest, max_words=250, account=account)


def measured(drafts: Sequence[tuple[Source, Draft]], *, times: int) -> list[Grounded]:
    """Ground and finish drafts by turns."""
    runs: list[Callable[[], object]] = []
    results = [finished(draft, source, build_index([source])) for source, draft in drafts]
    for (source, draft), result in zip(drafts, results, strict=True):
        known = (frozenset((one.name, *one.aliases)) for one in result.entities)
        runs.append(partial(ground, draft, source, {form: of_one for of_one in known for form in of_one}))
        runs.append(partial(_finished_anew, draft, source))
    least_s = least_cpu_s(runs, times=times)
    return [
        Grounded(
            name=source.document.name or "",
            characters=len(source.text),
            points=len(draft.points),
            quotes=result.verification.quotes_given,
            ground_s=ground_s,
            finish_s=finish_s,
            account=result.verification,
        )
        for (source, draft), result, ground_s, finish_s in zip(
            drafts, results, least_s[::2], least_s[1::2], strict=True
        )
    ]


def _finished_anew(draft: Draft, source: Source) -> SummaryResult:
    return finished(draft, source, build_index([source]))


# --- a long text all the way -----------------------------------------------------------------------------------------

Step = Literal["plan", "whole"]


class Taken(msgspec.Struct, frozen=True):
    """What a step took."""

    chunks: int
    calls: int
    cpu_s: float
    """Of ours: without what the fake model took."""
    peak_mb: float
    """Resident memory over what there was before; 0 where the system does not tell."""


def taken(step: Step, characters: int, window: int) -> Taken:
    """Take a step in a process of its own."""
    arguments = ["--step", step, "--characters", str(characters), "--window", str(window)]
    found = subprocess.run([sys.executable, "-m", "bench.grounding", *arguments], stdout=subprocess.PIPE, check=True)  # noqa: S603 - this module
    return msgspec.json.decode(found.stdout, type=Taken)


def take(step: Step, characters: int, window: int) -> Taken:
    """Take a step in this process: plan the calls for a text that was read, or make its summary from the first."""
    loaded = tokens.load(ENCODING)
    text = long_text(characters)
    fake = Fake()
    writes = model(fake.complete, loaded, window=window)
    source = read(text, loaded) if step == "plan" else None
    before_mb = resident_mb(os.getpid())
    _forget_peak()
    started = process_time()
    if source is not None:
        chunks = len(drafting.plan([source], Options(), writes)[0])
    else:
        asyncio.run(_whole(text, loaded, writes))
        chunks = fake.asked["map"]
    return Taken(
        chunks=chunks,
        calls=fake.asked.total(),
        cpu_s=process_time() - started - fake.own_cpu_s,
        peak_mb=max(0.0, peak_mb() - before_mb),
    )


async def _whole(text: str, loaded: tokens.Tokens, writes: Model) -> None:
    """Read, draft and finish as the pipeline does."""
    source = read(text, loaded)
    index = build_index([source])
    found = await drafting.draft([source], index, Options(), writes)
    account = Account(
        verification=found.verification,
        gaps=found.gaps,
        usage=found.usage,
        entities=found.entities,
        dates=found.dates,
        conflicts=found.conflicts,
    )
    result = finished(found.draft, source, index, account)
    assert result.key_points


def _forget_peak() -> None:
    """Let the peak begin anew (`man 5 proc_pid_clear_refs`), or loading the vocabulary would be it."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def peak_mb() -> float:
    """The most resident memory of this process, in 10^6 bytes; 0 where the system does not tell."""
    try:
        found = re.search(r"^VmHWM:\s+(\d+) kB$", Path("/proc/self/status").read_text(encoding="ascii"), re.MULTILINE)
    except OSError:
        return 0.0
    return int(found[1]) * 1024 / MEGABYTE if found else 0.0


# --- tables ----------------------------------------------------------------------------------------------------------


def _reached(holds: bool) -> str:
    return "reached" if holds else "MISSED"


def print_seeds(loaded: tokens.Tokens) -> None:
    """Print the table of the sample articles."""
    print(f"Grounding the recorded draft of a sample article, least CPU of {SEED_TIMES}; target: {SEED_TARGET_MS} ms")
    print(f"{'article':<28}{'points':>8}{'quotes':>8}{'ground ms':>11}{'finish ms':>11}")
    for row in measured(asyncio.run(recorded(loaded)), times=SEED_TIMES):
        reached = _reached(row.ground_s * 1000 <= SEED_TARGET_MS)
        print(
            f"{row.name:<28}{row.points:>8}{row.quotes:>8}{row.ground_s * 1000:>11.1f}{row.finish_s * 1000:>11.1f}"
            f"  {reached}"
        )


def print_long(loaded: tokens.Tokens) -> None:
    """Print the table of many points over a long text, and how it grows."""
    sources = {size: read(long_text(size), loaded) for size in (MEGABYTE, 2 * MEGABYTE)}
    loads = [(MEGABYTE, POINTS), (2 * MEGABYTE, POINTS // 2), (2 * MEGABYTE, POINTS)]
    rows = measured([(sources[size], drafted(sources[size], points)) for size, points in loads], times=LONG_TIMES)
    print(
        f"Grounding many points, three quotes each, least CPU of {LONG_TIMES}; target: at most {LONG_TARGET_S:g} s for "
        f"the last, and at most {GROWTH_TARGET} times as much for twice the text or the points"
    )
    print(f"{'characters':>12}{'points':>8}{'exact':>8}{'norm.':>7}{'ellip.':>7}{'fuzzy':>7}{'lost':>6}", end="")
    print(f"{'ground s':>10}{'finish s':>10}")
    for row in rows:
        of = row.account
        located = of.exact + of.normalised + of.ellipsis + of.fuzzy
        print(
            f"{row.characters:>12,}{row.points:>8}{of.exact:>8}{of.normalised:>7}{of.ellipsis:>7}{of.fuzzy:>7}", end=""
        )
        print(f"{of.quotes_given - located:>6}{row.ground_s:>10.2f}{row.finish_s:>10.2f}")
    half_text, half_points, full = rows
    print(f"{_reached(full.ground_s <= LONG_TARGET_S)}: {full.ground_s:.2f} s")
    for name, half in (("text", half_text), ("points", half_points)):
        ground, finish = full.ground_s / half.ground_s, full.finish_s / half.finish_s
        print(
            f"{_reached(max(ground, finish) <= GROWTH_TARGET)}: twice the {name}, {ground:.2f} and {finish:.2f} times"
        )


def print_whole() -> None:
    """Print the table of the steps that a long text takes."""
    steps: list[tuple[Step, int, str, float]] = [
        *(("plan", window, f"planned for {window:,} tokens", PLAN_TARGET_MB) for window in WINDOWS),
        ("whole", WINDOWS[0], "read, drafted, finished", WHOLE_TARGET_MB),
    ]
    print(
        f"A long text and a model that takes no time; target: at most {PLAN_TARGET_MB} MB for each MB of text to plan "
        f"it and {WHOLE_TARGET_MB} MB for the whole, and at most {GROWTH_TARGET} times the CPU for twice the text"
    )
    heads = ("characters", "chunks", "calls", "CPU s", "times", "peak MB", "MB a MB")
    print(f"{'step':<28}{''.join(f'{head:>11}' for head in heads)}")
    for step, window, name, target_mb in steps:
        before: Taken | None = None
        for size in (MEGABYTE, 2 * MEGABYTE):
            one = taken(step, size, window)
            growth = one.cpu_s / before.cpu_s if before else 0.0
            each_mb = one.peak_mb / (size / MEGABYTE)
            reached = _reached(growth <= GROWTH_TARGET and each_mb <= target_mb)
            print(
                f"{name:<28}{size:>11,}{one.chunks:>11}{one.calls:>11}{one.cpu_s:>11.2f}"
                f"{f'{growth:.2f}' if before else '':>11}{one.peak_mb:>11.0f}{each_mb:>11.1f}  {reached}"
            )
            before = one


def main() -> None:
    """Print all three tables."""
    loaded = tokens.load(ENCODING)
    print_seeds(loaded)
    print()
    print_long(loaded)
    print()
    print_whole()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Grounding and long texts; with --step, one step for `taken`.")
    parser.add_argument("--step", choices=get_args(Step))
    parser.add_argument("--characters", type=int, default=2 * MEGABYTE)
    parser.add_argument("--window", type=int, default=WINDOWS[0])
    given = parser.parse_args()
    if given.step:
        print(msgspec.json.encode(take(given.step, given.characters, given.window)).decode())
    else:
        main()
