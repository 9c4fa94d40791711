"""Where `precis serve` says what it has to say, and how it says why there is no service."""

import json
import os
import signal
import socket
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest

SCRIPT = Path(sysconfig.get_path("scripts")) / "precis"

Precis = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = [
    pytest.mark.allow_hosts(["127.0.0.1"]),
    pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no SIGTERM to a child"),
]


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def test_the_log_goes_to_standard_output_where_that_is_set(own_folder: Path) -> None:
    """From its first line to its last, as a container's log is read; standard error stays empty."""
    environ = {**os.environ, "PRECIS_LOG_STREAM": "stdout", "PRECIS_PORT": str(free_port())}
    with subprocess.Popen(  # noqa: S603 - our own command
        [SCRIPT, "serve"], env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout
        events = [json.loads(server.stdout.readline())["event"]]
        while events[-1] != "service_started":
            events.append(json.loads(server.stdout.readline())["event"])
        server.send_signal(signal.SIGTERM)
        out, err = server.communicate(timeout=20)
    events += [json.loads(line)["event"] for line in out.splitlines()]
    assert events[0] == "listening"
    assert "service_stopped" in events
    assert (server.returncode, err) == (0, "")


def test_other_commands_keep_their_log_on_standard_error(own_folder: Path, precis_process: Precis) -> None:
    """Their standard output is their result."""
    stdout = {"PRECIS_LOG_STREAM": "stdout", "PRECIS_LOG_LEVEL": "debug"}
    ran = precis_process("summarise", "--json", "-", stdin="The old bridge is closed. " * 9, **stdout)
    assert json.loads(ran.stdout)["status"] == "succeeded"
    assert '"level": "info"' in ran.stderr


@pytest.mark.parametrize(
    ("environ", "code", "says"),
    [
        ({"PRECIS_LOG_LEVL": "debug"}, 2, "PRECIS_LOG_LEVL (environment) is not a setting; did you mean"),
        ({"PRECIS_PORT": "http", "PRECIS_HOSTT": "x"}, 2, "port is 'http' (environment PRECIS_PORT)"),
        ({"PRECIS_API_KEY_FILE": "/run/secrets/gone"}, 2, "with Compose, in the folder `secrets`"),
        ({"PRECIS_BASE_URL": "localhost", "PRECIS_MODEL": "m"}, 2, "is no HTTP address"),
        ({"PRECIS_BASE_URL": "http://localhost:9/v1"}, 2, "Say which in PRECIS_MODEL"),
        ({"PRECIS_DATABASE_URL": "sqlite:////dev/null/precis.db"}, 1, "could not be used"),
        ({"PRECIS_PROMPTS_DIR": "gone"}, 2, "there is no such folder"),
    ],
)
def test_why_there_is_no_service_is_one_line_of_that_log(
    precis_process: Precis, environ: dict[str, str], code: int, says: str
) -> None:
    """The last one; no traceback, and nothing on standard error."""
    port = {"PRECIS_PORT": str(free_port())}
    ran = precis_process("serve", **{"PRECIS_LOG_STREAM": "stdout", **port, **environ})
    assert (ran.returncode, ran.stderr) == (code, "")
    *before, last = map(json.loads, ran.stdout.splitlines())
    assert (last["level"], last["event"], last["user"]) == ("error", "service_failed", os.getuid())
    assert says in last["detail"]
    assert "\n" not in last["detail"]
    assert {line["event"] for line in before} <= {"listening"}


def test_it_can_be_a_line_to_read(precis_process: Precis) -> None:
    """In the form that was asked for."""
    environ = {"PRECIS_LOG_STREAM": "stdout", "PRECIS_LOG_FORMAT": "console", "PRECIS_PROMT": "x"}
    ran = precis_process("serve", **environ)
    (line,) = ran.stdout.splitlines()
    assert (ran.returncode, ran.stderr) == (2, "")
    assert "did you mean PRECIS_PROMPT?" in line
    assert not line.startswith("{")


def test_at_a_terminal_it_is_plain_words_on_standard_error(precis_process: Precis) -> None:
    """One line, without the form of a log."""
    ran = precis_process("serve", PRECIS_PROMT="x")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == (
        "precis: The service does not start: PRECIS_PROMT (environment) is not a setting; did you mean PRECIS_PROMPT?\n"
    )


def test_a_stream_that_is_none_is_said_on_standard_error(precis_process: Precis) -> None:
    """Where else, when nobody knows which was meant."""
    ran = precis_process("serve", PRECIS_LOG_STREAM="stdoout")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "what fits is one of stderr, stdout" in ran.stderr
