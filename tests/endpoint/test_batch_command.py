"""`precis batch` with a model: stopped at any moment, it pays for nothing twice beyond the call in flight."""

import json
import os
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from peers import Asked, Reply, Server, delta, failing
from writing import SHORT, rows, settings, written

pytestmark = [
    pytest.mark.enable_socket,
    pytest.mark.skipif(sys.platform == "win32", reason="signals are another matter there"),
]

SCRIPT = Path(sysconfig.get_path("scripts")) / "precis"
LONGEST_S = 30.0
NAMES = [f"a{number}" for number in range(1, 7)]

Precis = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def requests(own_folder: Path) -> Path:
    """A file with six requests, each about a text of its own."""
    path = own_folder / "in.ndjson"
    lines = [json.dumps({"custom_id": name, "documents": [{"text": f"{SHORT} It is {name}."}]}) for name in NAMES]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


@pytest.fixture
def named(neighbour: Server, own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
    """An endpoint that is named in the environment, asked one line at a time."""
    for name, value in settings(neighbour, concurrency=1, outage_s=0).items():
        monkeypatch.setenv(f"PRECIS_{name.upper()}", str(value))
    neighbour.script = written
    return neighbour


def results(path: Path) -> list[dict[str, Any]]:
    """What stands in the file, its last line left out where that is half written."""
    whole = path.read_bytes().rpartition(b"\n")[0]
    return [json.loads(one) for one in whole.splitlines()]


def asked_about(server: Server) -> list[str]:
    """The lines whose texts were sent, call by call."""
    sent = [json.dumps(body) for body in server.bodies]
    return [name for one in sent for name in NAMES if f"It is {name}." in one]


def until(holds: Callable[[], bool]) -> None:
    """Wait for what another process does."""
    give_up_at = time.monotonic() + LONGEST_S
    while not holds():
        assert time.monotonic() < give_up_at
        time.sleep(0.01)


def hanging_at(server: Server, name: str) -> Callable[[Asked], Reply]:
    """Answers all but the first call about a line, which never ends."""

    def script(asked: Asked) -> Reply:
        hangs = asked_about(server).count(name) == 1 and asked_about(server)[-1] == name
        return Reply(chunks=[delta("{")], end="hang") if hangs else written(asked)

    return script


def stopped(server: Server, requests: Path, out: Path, how: signal.Signals) -> int:
    """Run the command until the fourth line is asked about, and stop it; gives its exit code."""
    server.script = hanging_at(server, NAMES[3])
    with subprocess.Popen(  # noqa: S603 - our own command
        [SCRIPT, "batch", requests, "-o", out],
        cwd=out.parent,
        env=os.environ,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        until(lambda: NAMES[3] in asked_about(server) and len(out.read_bytes().splitlines()) == 3)
        process.send_signal(how)
        _, said = process.communicate(timeout=LONGEST_S)
    if how == signal.SIGINT:
        assert "interrupted; 3 done, 0 failed. The same command goes on." in said
    return process.returncode


def test_what_was_paid_for_is_not_paid_again(named: Server, precis: Precis, requests: Path) -> None:
    """Results that were lost are made anew without a call."""
    out = requests.with_name("out.ndjson")
    assert precis("batch", requests, "-o", out).returncode == 0
    first = results(out)
    out.write_bytes(b"\n".join(out.read_bytes().splitlines()[:2]) + b"\n")
    assert precis("batch", requests, "-o", out).returncode == 0
    assert [one["summary"]["result"] for one in results(out)] == [one["summary"]["result"] for one in first]
    assert asked_about(named) == NAMES


def test_ctrl_c_ends_it_in_order(named: Server, precis: Precis, requests: Path, own_folder: Path) -> None:
    """Exit code 130; the call in flight is ended, nothing is left to others, and the same command goes on."""
    out = requests.with_name("out.ndjson")
    assert stopped(named, requests, out, signal.SIGINT) == 130
    until(named.gone.is_set)
    before = out.read_bytes()
    assert [one["custom_id"] for one in results(out)] == NAMES[:3]
    states = dict(rows(own_folder / "precis.db", "SELECT status, count(*) FROM summaries GROUP BY status"))
    assert states == {"succeeded": 3, "cancelled": 3}
    assert precis("batch", requests, "-o", out).returncode == 0
    assert out.read_bytes().startswith(before)
    assert [one["summary"]["status"] for one in results(out)] == ["succeeded"] * 6
    assert asked_about(named) == [*NAMES[:4], *NAMES[3:]]


def test_kill_9_loses_nothing_that_was_written(named: Server, precis: Precis, requests: Path) -> None:
    """Only the call in flight is made again."""
    out = requests.with_name("out.ndjson")
    assert stopped(named, requests, out, signal.SIGKILL) == -signal.SIGKILL
    before = out.read_bytes()
    assert precis("batch", requests, "-o", out).returncode == 0
    assert out.read_bytes().startswith(before)
    assert [one["summary"]["status"] for one in results(out)] == ["succeeded"] * 6
    assert asked_about(named) == [*NAMES[:4], *NAMES[3:]]


def test_an_endpoint_that_fails_is_exit_code_1(named: Server, precis: Precis, requests: Path) -> None:
    """Each line says so; with --retry-failed they are done once it answers again."""
    out = requests.with_name("out.ndjson")
    named.script = lambda _: failing(401)
    ran = precis("batch", requests, "-o", out)
    assert (ran.returncode, "6 done, 6 of them failed: lines 1, 2, 3, 4, 5, ..." in ran.stderr) == (1, True), ran.stderr
    assert {one["summary"]["error"]["code"] for one in results(out)} == {"endpoint_rejected"}
    named.script = written
    assert precis("batch", requests, "-o", out, "--retry-failed").returncode == 0
    assert [one["summary"]["status"] for one in results(out)] == ["succeeded"] * 6
