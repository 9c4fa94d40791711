"""Durable jobs: what they cost beyond the pipeline, how soon the server answers meanwhile, and who waits for whom.

python -m bench.jobs [--lines N]        # 10,000 lines for the whole measurement of memory
"""

import argparse
import asyncio
import json
import math
import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter, process_time, sleep, time

import httpx

from bench.chunking import prose
from bench.endpoint import run
from bench.processes import resident_mb
from bench.served import asking, client_of, endpoint, finished, post, post_batch, server
from service import bootstrap, logs, pipeline
from service.adapters.endpoint import Endpoint
from service.core.types import Completion, CompletionRequest, Conditions, Document, Options
from service.settings import Settings

ARTICLE_CHARACTERS = 600
CPU_TARGET_MS = 15.0
CPU_JOBS, CPU_ROUNDS = 40, 5
POST_TARGET_MS, POSTS_PER_S, POSTS_S = 150.0, 20, 30
GET_TARGET_MS, QUEUED, GETS = 50.0, 1_000, 500
CALL_S = 1.0
"""Of a call, where that matters."""
RESUME_TARGET_S = 5.0
SINGLES, BATCH_LINES = 20, 400
WAIT_TARGET_CALLS = 1
SLOPE_TARGET = 0.10
LINES = 1_000
"""Of the batch whose memory is measured; `--lines 10000` takes about ten times as long."""
LEAST_DONE = 0.99
"""Share of the lines that must succeed for the measurement to count."""
WARM = 0.2
"""Share of the lines after which the memory is warm."""


def article(seed: int) -> str:
    """A small article that no other seed gives; a stray dash would be a sentence that no point can be made of."""
    words = prose(ARTICLE_CHARACTERS, seed=seed).split()
    return " ".join([f"Report {seed} of the county.", *(word for word in words if any(map(str.isalpha, word)))])


# --- CPU of a job ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Cpu:
    """CPU milliseconds of an article, without jobs and with them."""

    name: str
    bare_ms: float
    job_ms: float

    @property
    def beyond_ms(self) -> float:
        """What the job costs beyond the pipeline."""
        return self.job_ms - self.bare_ms


async def cpu(name: str, url: str | None = None, prompt: str = "news") -> Cpu:
    """Measure one kind of summary in this process: the same number of articles bare and as jobs, in turns."""
    with TemporaryDirectory() as folder:
        more = {} if url is None else {**asking(url), "prompt": prompt}
        settings = Settings(database_url=f"sqlite:///{folder}/bench.db", **more)  # type: ignore[arg-type]
        async with bootstrap.open_jobs(settings) as jobs:

            async def bare(text: str) -> None:
                engaged = None
                if jobs.asking is not None:
                    model = jobs.asking.model(jobs.asking.pinned(Conditions()), _direct(jobs.asking.endpoint))
                    engaged = pipeline.Engaged(model=model, endpoint=jobs.asking.url, name="m", label=None)
                await pipeline.summarise([Document(id="d1", text=text)], Options(), tools=jobs.tools, engaged=engaged)

            async def as_job(text: str) -> None:
                accepted = await jobs.submit("local", [Document(id="d1", text=text)], Options())
                ended = await jobs.wait("local", accepted.id, wait_s=60)
                assert ended.status == "succeeded", ended.error

            await _cpu_ms(bare, range(10))
            await _cpu_ms(as_job, range(10, 20))
            spent: dict[str, list[float]] = {"bare": [], "job": []}
            for number in range(CPU_ROUNDS):
                first = 100 + 2 * number * CPU_JOBS
                spent["bare"].append(await _cpu_ms(bare, range(first, first + CPU_JOBS)))
                spent["job"].append(await _cpu_ms(as_job, range(first + CPU_JOBS, first + 2 * CPU_JOBS)))
    return Cpu(name=name, bare_ms=median(spent["bare"]), job_ms=median(spent["job"]))


def _direct(endpoint: Endpoint) -> Callable[[CompletionRequest, int], Awaitable[Completion]]:
    """Ask the endpoint with neither memo nor journal."""

    async def complete(request: CompletionRequest, counted_tokens: int) -> Completion:
        return await endpoint.complete(request, counted_tokens=counted_tokens)

    return complete


async def _cpu_ms(made: Callable[[str], Awaitable[None]], seeds: range) -> float:
    texts = [article(seed) for seed in seeds]
    began = process_time()
    for text in texts:
        await made(text)
    return (process_time() - began) * 1000 / len(seeds)


# --- answers meanwhile -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Answered:
    """How long requests took, in milliseconds."""

    name: str
    p50_ms: float
    p99_ms: float
    target_ms: float


@dataclass(frozen=True, slots=True)
class Resumed:
    """Seconds from the start of a process that takes up what another has left."""

    ready_s: float
    called_s: float
    """Until the first call comes to the endpoint."""


async def answers() -> tuple[list[Answered], Resumed]:
    """Post at a steady rate, look while a thousand jobs are queued, and kill the server and start it again then.

    The endpoint takes its time, so that jobs come faster than they are done.
    """
    with TemporaryDirectory() as name:
        folder = Path(name)
        journal = folder / "calls"
        with endpoint(journal, CALL_S) as at:
            with server(folder, **asking(at)) as (url, _):
                found = await _answers(url)
            began = time()
            with server(folder, **asking(at)):
                ready_s = time() - began
                called_s = await asyncio.to_thread(_first_after, journal, began) - began
    return found, Resumed(ready_s=ready_s, called_s=called_s)


def _first_after(journal: Path, moment: float) -> float:
    """When the first call after a moment came, in seconds since the epoch; waited for."""
    give_up_at = perf_counter() + 60
    while perf_counter() < give_up_at:
        for record in map(json.loads, journal.read_bytes().splitlines()):
            if record["event"] == "accepted" and record["at"] > moment:
                return float(record["at"])
        sleep(0.05)
    raise TimeoutError("no call came within 60 s")


async def _answers(url: str) -> list[Answered]:
    async with client_of(url) as client:
        for seed in range(5):
            await post(client, article(10_000 + seed))
        ids: list[str] = []
        posts = await _steadily(client, ids)
        ids += [await post(client, article(seed)) for seed in range(len(ids), QUEUED * 5 // 4)]
        assert await _queued(client, at_least=QUEUED), "the endpoint is too quick for so many to be queued"
        gets = [await _took_ms(client.get(f"/v1/summaries/{ids[-1 - at % QUEUED]}")) for at in range(GETS)]
        lists = [await _took_ms(client.get("/v1/summaries")) for _ in range(GETS // 5)]
    return [
        _answered(f"POST, wait=0, {POSTS_PER_S} a second for {POSTS_S} s", posts, POST_TARGET_MS),
        _answered(f"GET of a summary, {QUEUED:,} queued", gets, GET_TARGET_MS),
        _answered(f"GET of a page of 20, {QUEUED:,} queued", lists, GET_TARGET_MS),
    ]


async def _steadily(client: httpx.AsyncClient, ids: list[str]) -> list[float]:
    """Post at a steady rate, whether or not those before were answered; the milliseconds each took."""

    async def timed(text: str) -> float:
        began = perf_counter()
        ids.append(await post(client, text))
        return (perf_counter() - began) * 1000

    texts = [article(seed) for seed in range(POSTS_PER_S * POSTS_S)]
    began, tasks = perf_counter(), []
    for number, text in enumerate(texts):
        await asyncio.sleep(max(0.0, began + number / POSTS_PER_S - perf_counter()))
        tasks.append(asyncio.create_task(timed(text)))
    return list(await asyncio.gather(*tasks))


async def _queued(client: httpx.AsyncClient, *, at_least: int) -> bool:
    """Whether so many are queued; the listing has a hundred a page."""
    cursor, found = "", 0
    while found < at_least:
        more = {"cursor": cursor} if cursor else {}
        page = (await client.get("/v1/summaries", params={"limit": 100, "status": "queued", **more})).json()
        found += len(page["data"])
        cursor = page["next_cursor"]
        if not cursor:
            return found >= at_least
    return True


async def _took_ms(asked: Awaitable[httpx.Response]) -> float:
    began = perf_counter()
    answer = await asked
    assert answer.status_code == 200, answer.text
    return (perf_counter() - began) * 1000


def _answered(name: str, took_ms: Sequence[float], target_ms: float) -> Answered:
    ordered = sorted(took_ms)
    return Answered(name=name, p50_ms=median(ordered), p99_ms=ordered[len(ordered) * 99 // 100], target_ms=target_ms)


# --- one among many --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Waited:
    """How long the first call of a single article took to come, and what it waited for."""

    seconds: float
    calls: int
    """One after another, the first of them under way when the article was posted."""


async def waits() -> tuple[list[Waited], list[Waited]]:
    """Single articles, alone and beside a batch whose calls take all slots."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        journal = folder / "calls"
        with (
            endpoint(journal, CALL_S) as at,
            server(folder, **asking(at), prompt="news@1", concurrency=16) as (url, _),
        ):
            async with client_of(url) as client:
                await _waited(client, journal, 0)
                alone = [await _waited(client, journal, 1 + seed) for seed in range(SINGLES // 2)]
                await post_batch(client, [article(50_000 + line) for line in range(BATCH_LINES)])
                beside = [await _waited(client, journal, 1_000 + seed) for seed in range(SINGLES)]
    return alone, beside


async def _waited(client: httpx.AsyncClient, journal: Path, seed: int) -> Waited:
    """Post an article, wait until it is done, and see when its first call came."""
    text = article(60_000 + seed)
    posted = time()
    summary = await post(client, text)
    found = await finished(client, f"/v1/summaries/{summary}")
    return await asyncio.to_thread(_before, journal, posted, found["result"]["manifest"]["request_keys"])


def _before(journal: Path, posted: float, keys: Sequence[str]) -> Waited:
    """What came between a moment and the first call for one of these requests."""
    begun: dict[int, float] = {}
    ended: dict[int, float] = {}
    called = math.inf
    for record in map(json.loads, journal.read_bytes().splitlines()):
        moments = begun if record["event"] == "accepted" else ended
        moments[record["call"]] = record["at"]
        if record.get("key") in keys:
            called = min(called, record["at"])
    meanwhile = sorted((end, begun[call]) for call, end in ended.items() if posted <= end <= called)
    calls, last = 0, -math.inf
    for end, start in meanwhile:
        if start >= last:
            calls, last = calls + 1, end
    return Waited(seconds=called - posted, calls=calls)


# --- memory ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident memory of the server, in 10^6 bytes, as a batch goes on."""

    lines: int
    warm_mb: float
    end_mb: float

    @property
    def slope(self) -> float:
        """How much more there was at the end than when it was warm, as a share."""
        return self.end_mb / self.warm_mb - 1 if self.warm_mb else 0.0


async def memory(lines: int) -> Memory:
    """Have a batch of small articles done by an endpoint that answers at once."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        with endpoint(folder / "calls", 0.0) as at, server(folder, **asking(at), prompt="news@1") as (url, pid):
            async with client_of(url) as client:
                batch = await post_batch(client, [article(100_000 + line) for line in range(lines)])
                seen: list[tuple[int, float]] = []
                give_up_at = perf_counter() + 3_600
                while perf_counter() < give_up_at:
                    found = (await client.get(f"/v1/batches/{batch}")).json()
                    done = sum(found["counts"].get(status, 0) for status in ("succeeded", "partial", "failed"))
                    seen.append((done, resident_mb(pid)))
                    if found["finished_at"]:
                        break
                    await asyncio.sleep(0.25)
                assert found["counts"]["succeeded"] >= LEAST_DONE * lines, found
    # around both ends, as one sample is as chance will have it
    warm = [mb for done, mb in seen if WARM * lines <= done <= 1.5 * WARM * lines]
    end = [mb for done, mb in seen if done >= (1 - WARM / 2) * lines]
    return Memory(lines=lines, warm_mb=median(warm), end_mb=median(end))


# --- all -------------------------------------------------------------------------------------------------------------


def main(lines: int = LINES) -> None:
    """Print the tables."""
    logs.configure(level="error", fmt="console")
    print(f"Durable jobs, articles of {ARTICLE_CHARACTERS} characters; {os.cpu_count()} cores")
    print(f"CPU of a job beyond the pipeline, ms, median of {CPU_ROUNDS} rounds; target: at most {CPU_TARGET_MS:g}")
    print(f"{'summary':<44}{'bare':>9}{'as a job':>10}{'beyond':>9}")
    for row in run(cpus()):
        print(
            f"{row.name:<44}{row.bare_ms:>9.1f}{row.job_ms:>10.1f}{row.beyond_ms:>9.1f}  "
            f"{_reached(row.beyond_ms, CPU_TARGET_MS)}"
        )
    print()
    print(f"Time of an answer, ms, while an endpoint takes {CALL_S:g} s a call")
    print(f"{'request':<44}{'p50':>9}{'p99':>10}{'target':>9}")
    answered, resumed = run(answers())
    for one in answered:
        print(
            f"{one.name:<44}{one.p50_ms:>9.1f}{one.p99_ms:>10.1f}{one.target_ms:>9.0f}  "
            f"{_reached(one.p99_ms, one.target_ms)}"
        )
    print()
    print(f"A server killed with {QUEUED:,} queued: from the start of the next, s; target: at most {RESUME_TARGET_S:g}")
    for what, seconds in (("to /ready", resumed.ready_s), ("to its first call", resumed.called_s)):
        print(f"{what:<44}{seconds:>9.2f}  {_reached(seconds, RESUME_TARGET_S)}")
    print()
    alone, beside = run(waits())
    print(f"From the post of a single article to its first call, s; a call takes {CALL_S:g} s")
    print(f"{'where':<44}{'median':>9}{'most':>10}")
    for where, found in (("alone", alone), (f"beside a batch of {BATCH_LINES}", beside)):
        took_s = [one.seconds for one in found]
        print(f"{where:<44}{median(took_s):>9.2f}{max(took_s):>10.2f}")
    most = max(one.calls for one in beside)
    print(f"{'calls of the batch that it waited for':<44}{'':>9}{most:>10}  {_reached(most, WAIT_TARGET_CALLS)}")
    print()
    held = run(memory(lines))
    print(f"Resident memory of the server over a batch, MB; target: at most {SLOPE_TARGET:.0%} more once it is warm")
    print(f"{f'after {WARM:.0%} of {held.lines:,} lines':<44}{held.warm_mb:>9.1f}")
    print(f"{'at the end':<44}{held.end_mb:>9.1f}{held.slope:>+10.1%}  {_reached(held.slope, SLOPE_TARGET)}")


async def cpus() -> list[Cpu]:
    """Measure the kinds of summaries."""
    found = [await cpu("extractive")]
    with TemporaryDirectory() as name, endpoint(Path(name) / "calls", 0.0) as url:
        found.append(await cpu("by a model, one call (news@1)", url, "news@1"))
        found.append(await cpu("by a model, two calls (news@4)", url, "news@4"))
    return found


def _reached(value: float, target: float) -> str:
    return "reached" if value <= target else "MISSED"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=LINES)
    main(parser.parse_args().lines)
