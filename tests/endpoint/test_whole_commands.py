"""Whole summaries by a model: the command line, and a server that is stopped in the middle of a call."""

import json
import os
import signal
import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from peers import CANARY, Asked, Reply, Server, delta, failing
from writing import PARTS, SHORT, by_parts, is_numbered, rows, settings, written

pytestmark = pytest.mark.enable_socket

SCRIPT = Path(sysconfig.get_path("scripts")) / "precis"

Precis = Callable[..., subprocess.CompletedProcess[str]]


# --- the command line ------------------------------------------------------------------------------------------------


@pytest.fixture
def article(own_folder: Path) -> Path:
    """A file with a short text."""
    path = own_folder / "bridge.txt"
    path.write_text(SHORT, encoding="utf-8")
    return path


@pytest.fixture
def named(neighbour: Server, own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
    """The same endpoint, named in the environment."""
    for name, value in settings(neighbour).items():
        monkeypatch.setenv(f"PRECIS_{name.upper()}", str(value))
    return neighbour


def test_the_command_prints_what_a_model_wrote(named: Server, precis: Precis, article: Path) -> None:
    """The same resource that the API answers; the second time it is there already."""
    named.script = written
    first, again = (precis("summarise", article, "--json", "--prompt", "news@1") for _ in range(2))
    assert (first.returncode, again.returncode) == (0, 0), first.stderr
    made = json.loads(first.stdout)
    assert (made["result"]["engine"], made["prompt"]) == ("llm", "news@1")
    assert json.loads(again.stdout)["result"] == made["result"]
    assert len(named.bodies) == 1


def test_an_endpoint_that_fails_is_exit_code_3(named: Server, precis: Precis, article: Path) -> None:
    """With what happened and what to do on standard error."""
    named.script = lambda _: failing(401)
    ran = precis("summarise", article)
    assert ran.returncode == 3
    assert "PRECIS_API_KEY" in ran.stderr
    assert CANARY not in ran.stdout + ran.stderr


def test_a_part_is_exit_code_3_and_is_printed(
    named: Server, precis: Precis, own_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was read is on standard output, what was not on standard error; with --strict there is nothing to print."""
    monkeypatch.setenv("PRECIS_CONTEXT_WINDOW", "8000")
    named.script = lambda asked: failing(503) if is_numbered(2, asked) else written(asked)
    path = own_folder / "parts.txt"
    path.write_text(PARTS, encoding="utf-8")
    ran = precis("summarise", path, "--json")
    assert ran.returncode == 3
    assert json.loads(ran.stdout)["status"] == "partial"
    assert "not read: d1, characters" in ran.stderr
    strict = precis("summarise", path, "--strict")
    assert strict.returncode == 3
    assert "the request is strict" in strict.stderr


def test_an_endpoint_that_takes_too_long_is_exit_code_4(
    named: Server, precis: Precis, article: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends when the deadline does."""
    monkeypatch.setenv("PRECIS_DEADLINE_S", "0.3")
    named.script = [Reply(chunks=[delta("{")], end="hang")]
    ran = precis("summarise", article)
    assert ran.returncode == 4
    assert "PRECIS_DEADLINE_S" in ran.stderr


def test_an_endpoint_that_fails_can_be_stood_in_for(named: Server, precis: Precis, article: Path) -> None:
    """Then it is done, and says how."""
    named.script = lambda _: failing(503)
    ran = precis("summarise", article, "--json", "--fallback", "extractive")
    assert ran.returncode == 0
    assert json.loads(ran.stdout)["result"]["engine"] == "extractive"


# --- a server that is stopped ----------------------------------------------------------------------------------------


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(holds: Callable[[], bool]) -> None:
    """Waits for what another process does."""
    given_up_at = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < given_up_at
        time.sleep(0.01)


@contextmanager
def serving(folder: Path, port: int, server: Server) -> Iterator[subprocess.Popen[str]]:
    """`precis serve` with one call at a time and no time to finish when it is told to stop."""
    given = by_parts(server, slots=1, drain_s=0, port=port, database_url=f"sqlite:///{folder}/precis.db")
    environ = {f"PRECIS_{name.upper()}": str(value) for name, value in given.items()}
    with subprocess.Popen(  # noqa: S603 - our own command
        [SCRIPT, "serve"], cwd=folder, env={**os.environ, **environ}, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr
        try:
            first = process.stderr.readline()
            assert json.loads(first)["event"] == "listening", first
            yield process
        finally:
            process.kill()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no SIGTERM to a child")
def test_sigterm_during_a_call_leaves_the_summary_to_the_next_start(neighbour: Server, own_folder: Path) -> None:
    """Which pays for the call that was in flight, and for what was not asked yet; and the journal explains all."""
    journal = "SELECT state FROM attempts ORDER BY sent_at, number"

    def script(asked: Asked) -> Reply:
        return Reply(chunks=[delta("{")], end="hang") if len(neighbour.bodies) == 2 else written(asked)

    neighbour.script = script
    port = free_port()
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
        with serving(own_folder, port, neighbour) as process:
            headers = {"Content-Type": "text/plain", "Prefer": "wait=0"}
            summary = client.post("/v1/summaries", content=PARTS.encode(), headers=headers).json()["id"]
            until(lambda: len(neighbour.bodies) == 2)
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=20)
        assert process.returncode == 0
        assert rows(own_folder / "precis.db", "SELECT status FROM summaries") == [("queued",)]
        assert rows(own_folder / "precis.db", journal) == [("answered",), ("unknown",)]
        with serving(own_folder, port, neighbour) as process:
            assert process.stderr
            while json.loads(process.stderr.readline())["event"] != "summary_worked_on":
                pass
            found = client.get(f"/v1/summaries/{summary}").json()
    assert found["status"] == "succeeded"
    order = [part for asked in neighbour.asked for part in range(1, 10) if is_numbered(part, asked)]
    cut = order[1]
    assert {part: order.count(part) for part in order} == {part: 1 + (part == cut) for part in order}
    assert rows(own_folder / "precis.db", journal).count(("unknown",)) == 1
