"""Summaries by an endpoint with a modelled delay: wall time over the critical path, and what the client costs itself.

The endpoint runs in a process of its own and keeps account of what it was asked. The critical path is what the same
calls would take, with as many in flight, if everything between them took no time at all.
"""

import argparse
import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from heapq import heapreplace
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time
from typing import TypeVar

import httpx
import msgspec

from bench.chunking import ENCODING, prose
from service import bootstrap, logs
from service.adapters import tokens
from service.core import contract
from service.core.types import CompletionRequest, Conditions, Document, Message, Options, Plan
from service.jobs import Jobs
from service.settings import Settings

SLOTS = 16
FIRST_S, PROMPT_TOKEN_S, ANSWER_TOKEN_S = 0.2, 0.0001, 0.005
POINTS, WORDS = 5, 20
"""Of an answer, and of each of its quotes: about 600 tokens."""
LONG_CHARACTERS = 300_000
"""60,000 tokens of prose."""
ARTICLES = 50
ARTICLE_CHARACTERS = 4_000
CALLS = 160
WALL_TARGET = 1.10
CPU_TARGET_MS = 12.0
T = TypeVar("T")
_LINE = re.compile(r"^\[(\d+)\] (.*)$", re.MULTILINE)


class Call(msgspec.Struct, frozen=True):
    """A call as the endpoint saw it."""

    arrived_s: float
    modelled_s: float
    prompt_tokens: int
    answer_tokens: int


@dataclass(frozen=True, slots=True)
class Run:
    """One load: what it took, and what it was made of."""

    name: str
    wall_s: float
    cpu_s: float
    calls: Sequence[Call]

    @property
    def path_s(self) -> float:
        """The critical path of the calls."""
        return sum(makespan([call.modelled_s for call in wave], SLOTS) for wave in waves(self.calls))


def waves(calls: Sequence[Call]) -> list[list[Call]]:
    """Calls that came before all earlier ones were answered belong to one wave: parts, then merges."""
    found: list[list[Call]] = []
    answered_s = 0.0
    for call in sorted(calls, key=lambda call: call.arrived_s):
        if not found or call.arrived_s >= answered_s:
            found.append([])
        found[-1].append(call)
        answered_s = max(answered_s, call.arrived_s + call.modelled_s)
    return found


def makespan(durations_s: Sequence[float], slots: int) -> float:
    """The time that calls take which are begun in order, each as soon as a slot is free."""
    free_at_s = [0.0] * slots
    for duration_s in durations_s:
        heapreplace(free_at_s, free_at_s[0] + duration_s)
    return max(free_at_s)


# --- the endpoint ----------------------------------------------------------------------------------------------------


class Modelled:
    """Answers chat completions after a delay that depends on their tokens, in so many pieces."""

    def __init__(self, pieces: int, *, delayed: bool) -> None:
        self._count = tokens.load(ENCODING).count
        self._pieces = pieces
        self._delayed = delayed
        self._calls: list[Call] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = re.search(r"content-length: (\d+)", head, re.IGNORECASE)
                content = await reader.readexactly(int(length[1])) if length else b""
                if head.startswith("GET"):
                    body, self._calls = msgspec.json.encode(self._calls), []
                    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))
                else:
                    await self._complete(json.loads(content), writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def _complete(self, body: dict[str, list[dict[str, str]]], writer: asyncio.StreamWriter) -> None:
        arrived_s = asyncio.get_running_loop().time()
        if self._delayed:
            # So that counting, which takes longer than reading, keeps no other request waiting that comes now.
            await asyncio.sleep(FIRST_S / 2)
        prompt = "\n".join(message["content"] for message in body["messages"])
        answer = _answer(prompt)
        prompt_tokens, answer_tokens = self._count(prompt), self._count(answer)
        modelled_s = FIRST_S + PROMPT_TOKEN_S * prompt_tokens + ANSWER_TOKEN_S * answer_tokens
        self._calls.append(Call(arrived_s, modelled_s, prompt_tokens, answer_tokens))
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        size = -(-len(answer) // self._pieces)
        texts = [answer[start : start + size] for start in range(0, len(answer), size)]
        first_s = arrived_s + modelled_s - ANSWER_TOKEN_S * answer_tokens
        for at, text in enumerate(texts, 1):
            if self._delayed:
                due_s = first_s + ANSWER_TOKEN_S * answer_tokens * at / len(texts)
                await asyncio.sleep(due_s - asyncio.get_running_loop().time())
            _event(writer, {"index": 0, "delta": {"content": text}, "finish_reason": None})
        _event(writer, {"index": 0, "delta": {}, "finish_reason": "stop"})
        writer.write(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")


def _event(writer: asyncio.StreamWriter, choice: dict[str, object]) -> None:
    chunk = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": "m", "choices": [choice]}
    data = b"data: " + json.dumps(chunk).encode()
    writer.write(b"%x\r\n%b\n\n\r\n" % (len(data) + 2, data))


def _answer(prompt: str) -> str:
    """Quotes some sentences as they are, or keeps some points."""
    lines = _LINE.findall(prompt)
    if "<<<POINTS " in prompt:
        kept = [{"ids": [int(number)]} for number, _ in lines[:: max(1, len(lines) // 40)]]
        abstract = [{"text": text, "points": [int(number)]} for number, text in lines[:1]]
        return json.dumps({"headline": "All of it", "abstract": abstract, "points": kept})
    quoted = [
        (int(number), " ".join(text.split()[:WORDS]))
        for number, text in lines[:: max(1, len(lines) // POINTS)][:POINTS]
    ]
    points = [
        {
            "id": at,
            "claim": text,
            "importance": "should",
            "kind": "fact",
            "stance": "asserted",
            "polarity": "affirmed",
            "who": None,
            "who_type": "author",
            "via": None,
            "numbers": [],
            "dates": [],
            "entities": [],
            "quotes": [{"sentence": number, "quote": text}],
        }
        for at, (number, text) in enumerate(quoted, 1)
    ]
    abstract = [{"text": "What it says.", "points": [1]}]
    reply: dict[str, object] = {"headline": "A part of it", "abstract": abstract, "points": points}
    return json.dumps({**reply, "entities": [], "caveats": [], "document_date": None})


async def _serve(pieces: int, *, delayed: bool) -> None:
    server = await asyncio.start_server(Modelled(pieces, delayed=delayed).serve, "127.0.0.1", 0, limit=2**20)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextmanager
def modelled(*, pieces: int = 1, delayed: bool = True) -> Iterator[str]:
    """Run the endpoint, and give its base URL."""
    arguments = ["--pieces", str(pieces), *(["--delayed"] if delayed else [])]
    with subprocess.Popen(  # noqa: S603 - this module
        [sys.executable, "-m", "bench.endpoint", *arguments], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
        finally:
            process.terminate()


# --- loads -----------------------------------------------------------------------------------------------------------


def configured(url: str, folder: Path) -> Settings:
    """Settings for as many calls in flight as the endpoint is modelled for."""
    return Settings(
        database_url=f"sqlite:///{(folder / 'bench.db').as_posix()}",
        base_url=url,
        model="m",
        context_window=128_000,
        slots=SLOTS,
        concurrency=SLOTS,
    )


async def summaries(jobs: Jobs, name: str, texts: Sequence[str], url: str, *, plan: Plan = "detail") -> Run:
    """Make summaries of texts, all at once."""
    await calls_of(url)
    wall, cpu = perf_counter(), process_time()
    made = [await jobs.submit("local", [Document(id="d1", text=text)], Options(plan=plan)) for text in texts]
    ended = await asyncio.gather(*(jobs.wait("local", one.id, wait_s=300) for one in made))
    wall_s, cpu_s = perf_counter() - wall, process_time() - cpu
    assert all(one.status == "succeeded" for one in ended), [one.error for one in ended if one.error]
    return Run(name=name, wall_s=wall_s, cpu_s=cpu_s, calls=await calls_of(url))


async def calls_of(url: str) -> list[Call]:
    """What the endpoint was asked since it was last looked at."""
    async with httpx.AsyncClient(trust_env=False) as client:
        return msgspec.json.decode((await client.get(f"{url}/calls")).content, type=list[Call])


async def loads() -> list[Run]:
    """Measure every load, warm."""
    with TemporaryDirectory() as name, modelled() as url:
        async with bootstrap.open_jobs(configured(url, Path(name))) as jobs:
            await summaries(jobs, "warm", [prose(ARTICLE_CHARACTERS, seed=99)], url)
            long = prose(LONG_CHARACTERS)
            articles = [prose(ARTICLE_CHARACTERS, seed=seed) for seed in range(ARTICLES)]
            return [
                await summaries(jobs, "60,000 tokens, plan latency", [long], url, plan="latency"),
                await summaries(jobs, "60,000 tokens, plan detail", [long], url),
                await summaries(jobs, f"{ARTICLES} small articles", articles, url),
            ]


async def client_cpu_ms(pieces: int, *, calls: int = CALLS) -> float:
    """CPU of the client a call: memo, budget, journal, HTTP and decoding; not what is done with the answer."""
    text = prose(16_000)
    with TemporaryDirectory() as name, modelled(pieces=pieces, delayed=False) as url:
        settings = configured(url, Path(name))
        async with bootstrap.open_jobs(settings) as jobs, bootstrap.open_asking(settings) as asking:
            assert asking is not None
            accepted = await jobs.submit("local", [Document(id="d1", text=text)], Options())
            await jobs.wait("local", accepted.id, wait_s=60)
            conditions = asking.pinned(Conditions())
            complete = await asking.for_summary(jobs.store, "local", accepted.id, conditions)
            requests = [_request(f"{number}\n[1] {text}") for number in range(calls)]
            cpu = process_time()
            slots = asyncio.Semaphore(SLOTS)

            async def ask(request: CompletionRequest) -> None:
                async with slots:
                    await complete(request, 4_000)

            await asyncio.gather(*map(ask, requests))
            return (process_time() - cpu) * 1000 / calls


def _request(text: str) -> CompletionRequest:
    return CompletionRequest(
        prompt="news@1",
        stage="map",
        messages=(Message(role="system", content="Answer in JSON."), Message(role="user", content=text)),
        schema_name="key_points_map",
        schema=contract.schema("map", "claim_first"),
        max_output_tokens=contract.MAX_OUTPUT_TOKENS,
        temperature=0.0,
    )


def run(measured: Coroutine[object, object, T]) -> T:
    """Run a measurement on the event loop that the server runs on."""
    if sys.platform == "win32":
        return asyncio.run(measured)
    import uvloop  # noqa: PLC0415 - not to be had on Windows

    return uvloop.run(measured)


def main() -> None:
    """Print both tables."""
    logs.configure(level="error", fmt="console")
    runs = run(loads())
    print(
        f"Summaries by an endpoint that takes {FIRST_S:g} s, {PROMPT_TOKEN_S * 1000:g} ms a prompt token and "
        f"{ANSWER_TOKEN_S * 1000:g} ms an answer token, {SLOTS} calls in flight; target: wall at most {WALL_TARGET} of "
        "the critical path"
    )
    heads = ("calls", "sent", "answered", "path s", "wall s", "ratio", "CPU s")
    print(f"{'load':<30}{''.join(f'{head:>10}' for head in heads)}")
    for one in runs:
        ratio = one.wall_s / one.path_s
        sent, answered = sum(call.prompt_tokens for call in one.calls), sum(call.answer_tokens for call in one.calls)
        print(
            f"{one.name:<30}{len(one.calls):>10}{sent:>10,}{answered:>10,}{one.path_s:>10.2f}{one.wall_s:>10.2f}"
            f"{ratio:>10.3f}{one.cpu_s:>10.2f}  {'reached' if ratio <= WALL_TARGET else 'MISSED'}"
        )
    print()
    print(f"CPU of the client a call, journal included, {CALLS} calls; target: at most {CPU_TARGET_MS:g} ms")
    for pieces in (1, 40, 600):
        found_ms = run(client_cpu_ms(pieces))
        reached = "reached" if found_ms <= CPU_TARGET_MS else "MISSED"
        print(f"{f'answers in {pieces} pieces':<30}{found_ms:>10.1f} ms  {reached}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="The endpoint with a modelled delay, for `python -m bench`.")
    parser.add_argument("--pieces", type=int, required=True)
    parser.add_argument("--delayed", action="store_true")
    given = parser.parse_args()
    asyncio.run(_serve(given.pieces, delayed=given.delayed))
