"""`precis serve` in a process of its own: what only a real socket and a real signal show."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from service.bootstrap import open_jobs
from service.settings import Settings

pytestmark = [
    pytest.mark.enable_socket,
    pytest.mark.skipif(sys.platform == "win32", reason="signals are another matter there"),
]

ARTICLE = "The council voted on Tuesday to close the old bridge. Engineer Ana Ruiz said so on Monday."
LONG = "".join(f"On day {n} the council of town {n} voted to close bridge {n * 7}. " for n in range(4000))
PLAIN = {"Content-Type": "text/plain"}


class Served(NamedTuple):
    """A service that runs."""

    process: subprocess.Popen[str]
    port: int
    database: str

    def url(self, path: str) -> str:
        """Give the address of a path."""
        return f"http://127.0.0.1:{self.port}{path}"

    def read_log_to(self, event: str) -> list[str]:
        """Read the log up to the first line that names an event."""
        assert self.process.stderr is not None
        lines: list[str] = []
        for line in self.process.stderr:
            lines.append(line)
            if json.loads(line)["event"].startswith(event):
                return lines
        raise AssertionError(f"the service ended before {event!r}:\n{''.join(lines)}")

    def stop(self) -> int:
        """Ask it to end, and give its exit code."""
        self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=30)
        return self.process.returncode


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """Run the service on a port of its own until the test ends."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    database = f"sqlite:///{tmp_path}/precis.db"
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PRECIS_")}
    environ |= {"PRECIS_DATABASE_URL": database, "PRECIS_LOG_FORMAT": "json"}
    command = [sys.executable, "-c", "from service.cli import main; main()", "serve", "--port", str(port)]
    with subprocess.Popen(  # noqa: S603 - the service itself
        command, cwd=tmp_path, env=environ, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            running = Served(process, port, database)
            running.read_log_to("Application startup complete")
            yield running
        finally:
            process.kill()


def answer_to(served: Served, *pieces: bytes) -> bytes:
    """Send bytes over a connection, and give what comes back, up to the end of a JSON object or the connection."""
    with socket.create_connection(("127.0.0.1", served.port), timeout=20) as connection:
        for piece in pieces:
            connection.sendall(piece)
        answer = b""
        while not answer.endswith(b"}") and (received := connection.recv(65536)):
            answer += received
        return answer


def accepted(served: Served) -> str:
    """Give the id of a long summary that is not waited for."""
    headers = {**PLAIN, "Prefer": "wait=0"}
    response = httpx.post(served.url("/v1/summaries"), content=LONG, headers=headers, timeout=30)
    assert response.status_code == 202
    summary: str = response.json()["id"]
    return summary


def head(*lines: str) -> bytes:
    """Write the head of a POST of plain text."""
    first = ("POST /v1/summaries HTTP/1.1", "Host: precis.test", "Content-Type: text/plain", *lines)
    return "\r\n".join((*first, "", "")).encode()


def test_curl_and_two_requests_at_once(served: Served) -> None:
    """Requests that overlap are all answered, each with its own summary."""

    def post(number: int) -> tuple[int, str, str]:
        text = f"The mayor of town {number} opened a bridge on Monday. It cost {number} million dollars."
        response = httpx.post(served.url("/v1/summaries"), content=text, headers=PLAIN, timeout=30)
        where = response.headers["location"]
        return response.status_code, where, httpx.get(served.url(f"{where}/documents/d1")).text.split()[4]

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(post, range(16)))
    assert [(status, number) for status, _, number in answers] == [(201, str(number)) for number in range(16)]
    assert len({where for _, where, _ in answers}) == 16
    assert served.stop() == 0


def test_too_large_is_answered_before_all_is_read(served: Served) -> None:
    """Announced or found while reading: the 413 comes although the body never ends."""
    announced = answer_to(served, head("Content-Length: 50000000"), b"x" * 1000)
    assert announced.startswith(b"HTTP/1.1 413 ")
    assert b"50,000,000 bytes" in announced
    chunk = b"%x\r\n%s\r\n" % (100_000, b"x" * 100_000)
    found = answer_to(served, head("Transfer-Encoding: chunked"), *[chunk] * 51)
    assert found.startswith(b"HTTP/1.1 413 ")
    assert b"application/problem+json" in found


def test_a_caller_who_hangs_up_harms_nobody(served: Served) -> None:
    """Half a body makes nothing and is no fault of the service; a whole one is worked on without its caller."""
    for request in (
        head("Content-Length: 1000") + b"x" * 500,
        head(f"Content-Length: {len(LONG)}") + LONG.encode(),
    ):
        with socket.create_connection(("127.0.0.1", served.port), timeout=20) as connection:
            connection.sendall(request)
    log = served.read_log_to("summary_worked_on")
    assert not [line for line in log if json.loads(line)["level"] == "error"]
    (summary,) = httpx.get(served.url("/v1/summaries")).json()["data"]
    assert summary["status"] == "succeeded"


def test_sigterm_lets_running_summaries_finish(served: Served) -> None:
    """What was accepted is finished in the store when the process has ended, and it ends with 0."""
    summary = accepted(served)
    assert served.stop() == 0

    async def stored_status() -> str:
        async with open_jobs(Settings(database_url=served.database)) as jobs:
            return (await jobs.get("local", summary)).status

    assert asyncio.run(stored_status()) == "succeeded"


def test_kill_loses_nothing_that_was_accepted(served: Served) -> None:
    """What a crash leaves unfinished is taken up by the next start."""
    summary = accepted(served)
    served.process.kill()
    served.process.communicate(timeout=30)

    async def resumed() -> tuple[str, int, str]:
        async with open_jobs(Settings(database_url=served.database)) as jobs:
            before = (await jobs.get("local", summary)).status
            return before, await jobs.resume(), (await jobs.wait("local", summary, wait_s=30)).status

    before, taken_up, after = asyncio.run(resumed())
    assert before in {"queued", "running"}
    assert (taken_up, after) == (1, "succeeded")


def test_what_is_hardly_http_does_not_stop_the_service(served: Served) -> None:
    """It is answered with 4xx or hung up on, and the next request is served."""
    post = b"POST /v1/plans HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain"
    for request in (
        b"GET /health HTTP/1.1\r\nHost: a\r\nX-Request-ID: a\r\n b\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        post + b"\r\nContent-Length: abc\r\n\r\n",
        post + b"; charset=\xff\r\nContent-Length: 1\r\n\r\nx",
    ):
        assert not answer_to(served, request).startswith(b"HTTP/1.1 5")
        assert httpx.get(served.url("/health")).status_code == 200
