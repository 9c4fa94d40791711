"""How `precis serve` stops: whoever waits is answered, what breaks off is seen to, and the process ends in its time."""

import json
import signal
import socket
import sqlite3
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from journals import Coming
from lives import Life, endpoint, free_port, life, settings

COMMAND = "from service.cli import main; main()"
HANGING = """
import os, time
from service.adapters import language

def detect_language(text):
    if "held" in text:
        os.write(2, b'{"event": "held"}\\n')  # in one piece, beside what is logged meanwhile
        time.sleep(600)
    return "en"

language.detect_language = detect_language
""" + COMMAND.replace("; ", "\n")
"""Computes for ten minutes once it looks at a text with a certain word."""
ARTICLE = "The council voted on Tuesday to close the old bridge. Engineer Ana Ruiz said so on Monday."
HELD = f"{ARTICLE} The mayor held a speech."
LONGEST_S = 30.0
PLAIN = {"Content-Type": "text/plain"}
NDJSON = {"Content-Type": "application/x-ndjson"}

pytestmark = [
    pytest.mark.allow_hosts(["127.0.0.1"]),
    pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no SIGTERM to a child"),
]


@contextmanager
def serving(folder: Path, command: str = COMMAND, **more: object) -> Iterator[tuple[Life, httpx.Client]]:
    """A server that has started, and a client to it."""
    port = free_port()
    arguments = [sys.executable, "-c", command, "serve", "--port", str(port)]
    with life(arguments, settings(folder / "precis.db", **more), folder / "log") as one:
        assert one.wait_for("service_started") is not None, one.said()
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=LONGEST_S, trust_env=False) as client:
            yield one, client


@contextmanager
def waited_for(
    folder: Path, path: str, body: object, *, drain_s: float
) -> Iterator[tuple[Life, "Future[httpx.Response]"]]:
    """A server that somebody waits at for what is never answered by a model, once it was called; and the answer."""
    journal = folder / "calls"
    with (
        endpoint(journal, seed=1, faults=0, delays_s=(600, 600)) as at,
        serving(folder, base_url=f"http://127.0.0.1:{at}/v1", model="m", drain_s=drain_s) as (server, client),
        ThreadPoolExecutor(1) as beside,
    ):
        waiting = beside.submit(client.post, path, json=body, headers={"Prefer": "wait=60"})
        coming = Coming(journal)
        while not coming.calls():
            assert not waiting.done(), waiting.result().text
        yield server, waiting


def rows(folder: Path, query: str) -> list[tuple[Any, ...]]:
    """What stands in the database."""
    with closing(sqlite3.connect(folder / "precis.db")) as connection:
        return connection.execute(query).fetchall()


@pytest.mark.parametrize(
    ("path", "asked", "table"),
    [
        ("/v1/summaries", {}, "summaries"),
        ("/v1/comparisons", {"prompts": ["news@1", "news@3"]}, "comparisons"),
    ],
)
def test_who_waits_is_answered_before_a_server_stops(
    tmp_path: Path, path: str, asked: dict[str, object], table: str
) -> None:
    """With 202 and where to ask, as what they made is committed and worked on after the next start."""
    body = {"documents": [{"text": ARTICLE}], **asked}
    with waited_for(tmp_path, path, body, drain_s=3) as (server, waiting):
        server.stop()
        answer = waiting.result()
    assert (answer.status_code, answer.headers["retry-after"]) == (202, "1")
    made = answer.json()
    assert answer.headers["location"] == f"{path}/{made['id']}"
    assert made["status"] == "running"
    assert {event["level"] for event in server.events()} == {"info"}
    assert rows(tmp_path, f"SELECT id, finished_at FROM {table}") == [(made["id"], None)]  # noqa: S608 - our own name
    assert set(rows(tmp_path, "SELECT status, tries FROM summaries")) == {("queued", 0)}


def test_a_computation_that_does_not_end_does_not_hold_up_the_end(tmp_path: Path) -> None:
    """Its row is put back and no try is counted, the database is closed as it should be, and the exit code is 0."""
    with serving(tmp_path, HANGING, drain_s=0.1) as (server, client):
        made = client.post("/v1/summaries", content=HELD, headers={**PLAIN, "Prefer": "wait=0"})
        assert made.status_code == 202
        assert server.wait_for("held") is not None
        server.stop()
    assert [event["event"] for event in server.events()][-1] == "computing_left"
    # the last connection that closes properly folds the write-ahead log into the file
    assert not (tmp_path / "precis.db-wal").exists()
    assert rows(tmp_path, "SELECT status, tries, owner FROM summaries") == [("queued", 0, None)]
    with serving(tmp_path) as (_, client):
        while (found := client.get(made.headers["location"]).json())["status"] in ("queued", "running"):
            """It is worked on."""
        assert found["status"] == "succeeded"


def test_computations_that_go_on_take_no_thread_from_others(tmp_path: Path) -> None:
    """However many long texts were cancelled in the middle, requests are answered and jobs worked on."""
    with serving(tmp_path, HANGING, drain_s=0.1) as (server, client):
        for number in range(1, 13):
            made = client.post("/v1/summaries", content=HELD, headers={**PLAIN, "Prefer": "wait=0"})
            while sum(event["event"] == "held" for event in server.events()) < number:
                assert client.get(made.headers["location"]).json()["status"] in ("queued", "running")
            cancelled = client.post(f"{made.headers['location']}/cancel").json()
            assert (cancelled["status"], cancelled["result"]) == ("cancelled", None)
        assert client.get("/ready").status_code == 200
        assert client.post("/v1/summaries", content=ARTICLE, headers=PLAIN).status_code == 201
        server.stop()


def test_being_told_twice_to_stop_is_being_told_once(tmp_path: Path) -> None:
    """What is worked on is put back all the same."""
    with serving(tmp_path, HANGING, drain_s=2) as (server, client):
        client.post("/v1/summaries", content=HELD, headers={**PLAIN, "Prefer": "wait=0"})
        assert server.wait_for("held") is not None
        server.process.send_signal(signal.SIGTERM)
        assert server.wait_for("service_stopped") is not None
        server.stop()
    assert rows(tmp_path, "SELECT status, tries FROM summaries") == [("queued", 0)]


@pytest.mark.parametrize("path", ["/v1/summaries", "/v1/comparisons"])
def test_who_waits_is_answered_at_once_where_somebody_does_not(tmp_path: Path, path: str) -> None:
    """Ctrl-C after the first signal ends the time that there would be, with a true answer for all who wait."""
    body = {"documents": [{"text": HELD}]} | ({"prompts": ["news@1", "news@3"]} if "comparisons" in path else {})
    with waited_for(tmp_path, path, body, drain_s=300) as (server, waiting):
        server.process.send_signal(signal.SIGTERM)
        assert server.wait_for("Shutting down") is not None
        server.process.send_signal(signal.SIGINT)
        assert (waiting.result().status_code, server.process.wait(LONGEST_S)) == (202, 0)
    assert set(rows(tmp_path, "SELECT status, tries FROM summaries")) == {("queued", 0)}


def test_a_database_that_is_locked_does_not_hold_up_the_end(tmp_path: Path) -> None:
    """Jobs that cannot be put back are found by the next start; none waits for the lock behind the others."""
    journal = tmp_path / "calls"
    with (
        endpoint(journal, seed=1, faults=0, delays_s=(600, 600)) as at,
        serving(tmp_path, base_url=f"http://127.0.0.1:{at}/v1", model="m", concurrency=8, drain_s=0) as (
            server,
            client,
        ),
    ):
        for number in range(8):
            text = f"{ARTICLE} It was vote {number}."
            client.post("/v1/summaries", content=text, headers={**PLAIN, "Prefer": "wait=0"})
        coming = Coming(journal)
        while coming.calls() < 8:
            assert not server.dead
        with closing(sqlite3.connect(tmp_path / "precis.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            server.process.send_signal(signal.SIGTERM)
            # eight that wait five seconds each would take longer than this
            assert server.process.wait(LONGEST_S) == 0
            other.execute("ROLLBACK")
    assert {status for (status,) in rows(tmp_path, "SELECT status FROM summaries")} <= {"running", "queued"}


def stopped(server: Life, _client: httpx.Client, _batch: str) -> None:
    """Tell a server to stop."""
    server.process.send_signal(signal.SIGTERM)


def deleted(_server: Life, client: httpx.Client, batch: str) -> None:
    """Delete a batch."""
    assert client.delete(f"/v1/batches/{batch}").status_code == 204


@pytest.mark.parametrize(("end", "code"), [(stopped, "stopping"), (deleted, "not_found")])
def test_results_that_end_early_do_not_look_whole(
    tmp_path: Path, end: Callable[[Life, httpx.Client, str], None], code: str
) -> None:
    """The connection breaks, so that a client knows that there is more; for the log that is a line and no fault."""
    lines = [{"custom_id": name, "documents": [{"text": text}]} for name, text in (("a", ARTICLE), ("b", HELD))]
    with serving(tmp_path, HANGING, drain_s=0.1) as (server, client):
        body = "\n".join(map(json.dumps, lines))
        batch = client.post("/v1/batches", content=body, headers=NDJSON).json()["id"]
        assert server.wait_for("held") is not None
        with client.stream("GET", f"/v1/batches/{batch}/results") as results:
            found = results.iter_lines()
            assert json.loads(next(found))["custom_id"] == "a"
            end(server, client, batch)
            with pytest.raises(httpx.RemoteProtocolError, match="incomplete chunked read"):
                next(found)
        server.stop()
    broken = [event for event in server.events() if event.get("level") not in ("info", None)]
    assert [(event["event"], event["level"], event["code"]) for event in broken] == [
        ("response_broken_off", "warning", code)
    ]


def test_an_upload_that_is_cut_off_by_the_end_is_answered(tmp_path: Path) -> None:
    """503, and to be sent again, not an error without a word."""
    head = ("POST /v1/batches HTTP/1.1", "Host: precis.test", "Content-Type: application/x-ndjson")
    announced = ("Content-Length: 1000", "Expect: 100-continue", "", "{")
    with serving(tmp_path, drain_s=0) as (server, client):
        with socket.create_connection((client.base_url.host, client.base_url.port or 0), timeout=LONGEST_S) as caller:
            caller.sendall("\r\n".join((*head, *announced)).encode())
            assert caller.recv(100).startswith(b"HTTP/1.1 100 ")
            server.process.send_signal(signal.SIGTERM)
            answer = b""
            while received := caller.recv(65_536):
                answer += received
        server.stop()
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"retry-after: 5" in answer
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "stopping"
    assert rows(tmp_path, "SELECT * FROM batches") == []
