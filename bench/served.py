"""A server and an endpoint to measure, each in a process of its own, and a client that asks the server for summaries.

The endpoint is the one of the trial by kills (`tests/faults/flaky.py`), without faults: it answers after a set time,
and writes down when each call came. The server is `precis serve`.
"""

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter, sleep
from typing import Any

import httpx

from bench.processes import SCRIPT

ROOT = Path(__file__).parents[1]


@contextmanager
def endpoint(journal: Path, call_s: float) -> Iterator[str]:
    """Run an endpoint whose calls take so long; gives its base URL."""
    script = ROOT / "tests/faults/flaky.py"
    delays = ["--least-s", str(call_s), "--most-s", str(call_s)]
    with subprocess.Popen(  # noqa: S603 - our own
        [sys.executable, str(script), "--journal", str(journal), "--faults", "0", *delays],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests/endpoint")])},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
        finally:
            process.kill()


@contextmanager
def server(folder: Path, **more: object) -> Iterator[tuple[str, int]]:
    """Run `precis serve` with these settings; gives its URL and the number of its process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PRECIS_", "OPENAI_"))}
    given = {"database_url": f"sqlite:///{(folder / 'bench.db').as_posix()}", "log_level": "warning", **more}
    with subprocess.Popen(  # noqa: S603 - our own command
        [SCRIPT, "serve", "--port", str(port)],
        env=kept | {f"PRECIS_{name.upper()}": str(value) for name, value in given.items()},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            url = f"http://127.0.0.1:{port}"
            _wait_until_ready(url)
            yield url, process.pid
        finally:
            process.kill()


def _wait_until_ready(url: str) -> None:
    give_up_at = perf_counter() + 60
    with httpx.Client(trust_env=False) as client:
        while perf_counter() < give_up_at:
            try:
                if client.get(f"{url}/ready").status_code == 200:
                    return
            except httpx.TransportError:
                sleep(0.05)
    raise TimeoutError("the server was not ready within 60 s")


def client_of(url: str) -> httpx.AsyncClient:
    """A client of a server."""
    limits = httpx.Limits(max_connections=None)
    return httpx.AsyncClient(base_url=url, timeout=120, trust_env=False, limits=limits)


def asking(url: str) -> dict[str, object]:
    """The settings of a server with an endpoint."""
    return {"base_url": url, "model": "m", "context_window": 16_000}


async def post(client: httpx.AsyncClient, text: str) -> str:
    """Ask for a summary and do not wait for it; gives its id."""
    body = {"documents": [{"text": text}]}
    answer = await client.post("/v1/summaries", json=body, headers={"Prefer": "wait=0"})
    assert answer.status_code in (201, 202), answer.text
    return str(answer.json()["id"])


async def post_batch(client: httpx.AsyncClient, texts: Sequence[str]) -> str:
    """Ask for a batch, a line for each text; gives its id."""
    lines = [
        json.dumps({"custom_id": str(number), "documents": [{"text": text}]}) + "\n"
        for number, text in enumerate(texts)
    ]
    headers = {"Content-Type": "application/x-ndjson"}
    answer = await client.post("/v1/batches", content="".join(lines).encode(), headers=headers)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def finished(client: httpx.AsyncClient, path: str) -> dict[str, Any]:
    """A summary or a batch, once it is finished."""
    give_up_at = perf_counter() + 1_200
    while perf_counter() < give_up_at:
        found: dict[str, Any] = (await client.get(path)).json()
        if found["finished_at"]:
            return found
        await asyncio.sleep(0.1)
    raise TimeoutError(f"{path} was not finished within 20 minutes")
