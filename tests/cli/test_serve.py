"""`precis serve`: starts, answers, shares its store with the command line, and stops when told."""

import http.client
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from lives import LOOK_S, START_S, endpoint

from service.cli.serve import listen
from service.core.errors import BadSettings

SCRIPT = Path(sysconfig.get_path("scripts")) / "precis"
SEEDS = sorted((Path(__file__).parents[2] / "seeds").glob("*.txt"))

STARTED = "service_started"

Precis = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = [
    pytest.mark.allow_hosts(["127.0.0.1"]),
    pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no SIGTERM to a child"),
]


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(port: int, **environ: str) -> Iterator[subprocess.Popen[str]]:
    """A server that takes connections."""
    with subprocess.Popen(  # noqa: S603 - our own command
        [SCRIPT, "serve", "--port", str(port)],
        env={**os.environ, **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stderr
        try:
            first = server.stderr.readline()
            assert json.loads(first)["event"] == "listening", first + server.stderr.read()
            yield server
        finally:
            server.kill()


def ask(port: int, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, dict[str, Any]]:
    """The status and JSON of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body=body, headers={"Accept": "application/json", **named})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def without_moment(resource: dict[str, Any]) -> dict[str, Any]:
    """A summary without what differs between two that were made of the same bytes."""
    left = {name: value for name, value in resource.items() if name != "id" and not name.endswith("_at")}
    for document in left["result"]["documents"]:
        del document["name"]
    return left


def test_it_answers_what_the_command_prints(own_folder: Path, precis: Precis) -> None:
    """The same bytes give the same resource over HTTP and with --json, but for ids, times and the name of the file."""
    port = free_port()
    with serving(port):
        assert ask(port, "GET", "/ready") == (200, {"status": "ready"})
        for seed in SEEDS:
            status, answered = ask(port, "POST", "/v1/summaries", seed.read_bytes(), Content_Type="text/plain")
            printed = json.loads(precis("summarise", seed, "--json").stdout.replace(seed.name, "d1"))
            assert status == 201
            assert without_moment(answered) == without_moment(printed)
            assert answered.keys() == printed.keys()


def test_the_command_line_runs_beside_it_on_the_same_file(own_folder: Path, precis_process: Precis) -> None:
    """What the command made, the server shows, and neither waits for the other to end."""
    port = free_port()
    with serving(port):
        ran = precis_process("summarise", SEEDS[0], "--json")
        assert ran.returncode == 0, ran.stderr
        printed = json.loads(ran.stdout)
        assert ask(port, "GET", f"/v1/summaries/{printed['id']}") == (200, printed)
        doctor = precis_process("doctor")
        assert doctor.returncode == 0, doctor.stdout


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_in_order(own_folder: Path, number: signal.Signals) -> None:
    """It ends with 0 once its store is closed, not by the signal."""
    port = free_port()
    with serving(port) as server:
        assert ask(port, "GET", "/health") == (200, {"status": "ok"})
        server.send_signal(number)
        out, said = server.communicate(timeout=20)
    events = [json.loads(line) for line in said.splitlines()]
    assert server.returncode == 0
    assert "service_stopped" in [event["event"] for event in events]
    assert not [event for event in events if event["level"] in ("warning", "error", "critical")]
    assert out == ""
    # the last connection that closes properly folds the write-ahead log into the file
    assert not (own_folder / "precis.db-wal").exists()


def test_what_is_being_made_is_finished_before_it_stops(own_folder: Path, precis_process: Precis) -> None:
    """A summary that was accepted with 202 is done when the server has gone, within the time it may take."""
    port = free_port()
    text = (SEEDS[1].read_text(encoding="utf-8") + "\n\n") * 40
    with serving(port) as server:
        headers = {"Content_Type": "text/plain", "Prefer": "wait=0"}
        status, accepted = ask(port, "POST", "/v1/summaries", text.encode(), **headers)
        server.send_signal(signal.SIGTERM)
        server.communicate(timeout=40)
    assert (status, accepted["result"], server.returncode) == (202, None, 0)
    assert "0 summaries unfinished" in " ".join(precis_process("doctor").stdout.split())


def test_what_was_left_is_taken_up_at_the_next_start(own_folder: Path) -> None:
    """A killed server loses nothing that it had accepted."""
    port = free_port()
    text = (SEEDS[1].read_text(encoding="utf-8") + "\n\n") * 40
    with serving(port) as server:
        headers = {"Content_Type": "text/plain", "Prefer": "wait=0"}
        _, accepted = ask(port, "POST", "/v1/summaries", text.encode(), **headers)
        server.kill()
        server.communicate(timeout=20)
    port = free_port()
    with serving(port) as server:
        assert server.stderr
        events: list[str] = []
        while "summary_worked_on" not in events:
            events.append(json.loads(server.stderr.readline())["event"])
        assert ask(port, "GET", f"/v1/summaries/{accepted['id']}")[1]["status"] == "succeeded"


def test_a_port_that_is_taken_is_one_clear_line(own_folder: Path, precis: Precis) -> None:
    """The message says which, and how to choose another."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        ran = precis("serve", "--port", str(port))
    assert (ran.returncode, ran.stdout, len(ran.stderr.splitlines())) == (2, "", 1)
    assert f"cannot listen on 127.0.0.1 port {port}: Address already in use" in ran.stderr
    assert "--port" in ran.stderr


def test_what_computes_lets_others_have_their_turn_often(own_folder: Path, precis: Precis) -> None:
    """Ten times as often as Python would: a request and a cancellation take dozens of turns beside long texts."""
    before = sys.getswitchinterval()
    try:
        precis("--database-url", f"sqlite:///{own_folder.as_posix()}", "serve", "--port", str(free_port()))
        assert sys.getswitchinterval() == pytest.approx(0.0005)
    finally:
        sys.setswitchinterval(before)


def test_a_socket_that_listens_keeps_others_away() -> None:
    """From the moment there is one, a second server is refused, though the first has not begun to answer."""
    port = free_port()
    with listen("127.0.0.1", port), pytest.raises(BadSettings, match="already in use"):
        listen("127.0.0.1", port)


def test_a_database_that_cannot_be_opened_stops_the_start(precis: Precis, own_folder: Path) -> None:
    """One message and no traceback."""
    url = f"sqlite:///{own_folder.as_posix()}"
    ran = precis("--database-url", url, "serve", "--port", str(free_port()))
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "is a folder" in ran.stderr
    assert "Traceback" not in ran.stderr


# --- one server a file -----------------------------------------------------------------------------------------------


def test_a_second_server_on_a_file_says_which_process_has_it(own_folder: Path, precis_process: Precis) -> None:
    """One line that says what to do, and an end with 2: the port, taken as well, is not what is complained of."""
    port = free_port()
    with serving(port) as server:
        ran = precis_process("serve", "--port", str(port))
        assert (ran.returncode, ran.stdout, len(ran.stderr.splitlines())) == (2, "", 1)
        assert f"{own_folder}/precis.db is served already, by process {server.pid} on " in ran.stderr
        assert "Stop that one, or name another file in PRECIS_DATABASE_URL" in ran.stderr
        assert ask(port, "GET", "/ready")[0] == 200


def test_a_server_by_a_link_or_a_relative_path_is_a_second_one(own_folder: Path, precis_process: Precis) -> None:
    """It is the same file."""
    (own_folder / "link.db").symlink_to(own_folder / "precis.db")
    with serving(free_port()):
        ran = precis_process("serve", PRECIS_DATABASE_URL=f"sqlite:///../{own_folder.name}/link.db")
        assert ran.returncode == 2
        assert "is served already" in ran.stderr


def test_a_server_that_was_killed_is_no_obstacle_to_the_next(own_folder: Path) -> None:
    """What it left beside the file is only a name; the kernel has freed its lock."""
    with serving(free_port()) as server:
        server.kill()
        server.communicate(timeout=20)
    port = free_port()
    with serving(port):
        assert ask(port, "GET", "/ready")[0] == 200


def test_servers_of_two_files_run_side_by_side(own_folder: Path) -> None:
    """In the same folder, too."""
    one, other = free_port(), free_port()
    with serving(one), serving(other, PRECIS_DATABASE_URL=f"sqlite:///{own_folder}/other.db"):
        assert [ask(port, "GET", "/ready")[0] for port in (one, other)] == [200, 200]


# --- work in hand ----------------------------------------------------------------------------------------------------


def rows(folder: Path, query: str) -> list[tuple[Any, ...]]:
    """What stands in the database."""
    with closing(sqlite3.connect(folder / "precis.db")) as connection:
        return connection.execute(query).fetchall()


def wait_for(folder: Path, query: str, wanted: list[tuple[Any, ...]]) -> None:
    """Wait until something stands in the database."""
    give_up_at = time.monotonic() + START_S
    while time.monotonic() < give_up_at:
        try:
            if rows(folder, query) == wanted:
                return
        except sqlite3.OperationalError:  # the tables are not there yet
            pass
        time.sleep(LOOK_S)
    raise AssertionError(f"{query}: {rows(folder, query)}")


def asking(port: int, **more: str) -> dict[str, str]:
    """What names an endpoint."""
    return {"PRECIS_BASE_URL": f"http://127.0.0.1:{port}/v1", "PRECIS_MODEL": "m", "PRECIS_PROMPT": "news@1", **more}


def test_what_is_not_done_in_time_is_left_queued_and_is_no_try(own_folder: Path) -> None:
    """SIGTERM, a slow endpoint and little time: the row waits for the next start, which asks again and says so."""
    begun = "SELECT status, tries, (SELECT count(*) FROM attempts WHERE state = 'sent') FROM summaries"
    left = "SELECT status, tries, owner, started_at IS NOT NULL FROM summaries"
    with endpoint(own_folder / "slow.jsonl", seed=1, faults=0, delays_s=(120, 120)) as slow:
        port = free_port()
        with serving(port, **asking(slow, PRECIS_DRAIN_S="0.5")) as server:
            headers = {"Content_Type": "text/plain", "Prefer": "wait=0"}
            status, accepted = ask(port, "POST", "/v1/summaries", SEEDS[2].read_bytes(), **headers)
            assert status == 202
            wait_for(own_folder, begun, [("running", 1, 1)])
            server.send_signal(signal.SIGTERM)
            server.communicate(timeout=20)
            assert server.returncode == 0
        assert rows(own_folder, left) == [("queued", 0, None, 1)]
        assert rows(own_folder, "SELECT state FROM attempts") == [("unknown",)]
    with endpoint(own_folder / "quick.jsonl", seed=1, faults=0, delays_s=(0, 0)) as quick:
        port = free_port()
        with serving(port, **asking(quick)):
            wait_for(own_folder, "SELECT status, tries FROM summaries", [("succeeded", 1)])
            assert ask(port, "GET", f"/v1/summaries/{accepted['id']}")[1]["result"]["engine"] == "llm"


def test_a_server_that_starts_beside_a_command_leaves_its_work_to_it(own_folder: Path) -> None:
    """The command's summary is asked for once, by the command, and ends there; the server shows it."""
    with endpoint(own_folder / "calls.jsonl", seed=1, faults=0, delays_s=(3, 3)) as slow:
        command = subprocess.Popen(  # noqa: S603 - our own command
            [SCRIPT, "summarise", SEEDS[2], "--json"],
            env={**os.environ, **asking(slow)},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        with command:
            wait_for(own_folder, "SELECT status, tries FROM summaries", [("running", 1)])
            port = free_port()
            with serving(port, **asking(slow)) as server:
                assert server.stderr
                started = next(event for line in server.stderr if (event := json.loads(line))["event"] == STARTED)
                assert (started["resumed"], started["comparisons"]) == (0, 0)
                out, _ = command.communicate(timeout=60)
                printed = json.loads(out)
                assert ask(port, "GET", f"/v1/summaries/{printed['id']}")[1]["result"] == printed["result"]
        assert rows(own_folder, "SELECT status, tries FROM summaries") == [("succeeded", 1)]
        assert rows(own_folder, "SELECT state FROM attempts") == [("answered",)]


def test_a_server_that_starts_takes_up_the_work_of_a_command_that_was_killed(own_folder: Path) -> None:
    """Its process is gone, and its lock with it."""
    with endpoint(own_folder / "calls.jsonl", seed=1, faults=0, delays_s=(2, 2)) as slow:
        with subprocess.Popen(  # noqa: S603 - our own command
            [SCRIPT, "summarise", SEEDS[2], "--json"],
            env={**os.environ, **asking(slow)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as command:
            wait_for(own_folder, "SELECT status, tries FROM summaries", [("running", 1)])
            command.kill()
        with serving(free_port(), **asking(slow)):
            wait_for(own_folder, "SELECT status, tries FROM summaries", [("succeeded", 2)])
