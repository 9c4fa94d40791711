"""What cannot work ends with one line that says what to do, and `docker compose logs` shows it last."""

import json
import re
import socket
from collections.abc import Callable
from typing import Any

import pytest
from deploying import ROOT, Deployment, compose, docker, get, good, inspect, logged, logs, tried, up

pytestmark = [pytest.mark.docker, pytest.mark.enable_socket]

Ending = Callable[..., str]


@pytest.fixture
def ending(settled: Deployment) -> Ending:
    """Gives a function that starts what cannot start: the one line of why."""

    def ended(*lines: str, code: int = 2) -> str:
        settled.settle(*lines)
        done = tried(settled, "up", "--detach", "--wait", "--no-build", "--force-recreate")
        assert done.returncode != 0
        assert inspect(settled, "{{.State.Status}} {{.State.ExitCode}} {{.RestartCount}}") == f"exited {code} 0"
        return why(logs(settled))

    return ended


def why(lines: list[str]) -> str:
    """What the last line says, which is the only one to speak of a fault; none is part of a traceback."""
    told: list[dict[str, Any]] = [json.loads(line) for line in lines]
    assert [line["event"] for line in told if line["level"] != "info"] == ["service_failed"]
    last = told[-1]
    assert (last["event"], last["level"], last["user"]) == ("service_failed", "error", 10001)
    assert "\n" not in last["detail"]
    return str(last["detail"])


def test_an_unknown_setting_is_named_with_the_nearest(ending: Ending) -> None:
    """A slip in `.env` does not pass unseen."""
    assert ending("PRECIS_LOG_LEVL=debug") == (
        "The service does not start: PRECIS_LOG_LEVL (environment) is not a setting; did you mean PRECIS_LOG_LEVEL?"
    )


def test_a_missing_secret_file_is_named_and_where_it_belongs(ending: Ending) -> None:
    """The container looks for it itself, so that its log has the answer."""
    said = ending("PRECIS_API_KEY_FILE=secrets/api_key")
    assert said.startswith(
        "The service does not start: /run/secrets/api_key cannot be read: it is not there; put it there"
    )
    assert "the folder `secrets` beside docker-compose.yml" in said
    assert "PRECIS_API_KEY_FILE" in said


def test_a_secret_that_the_service_may_not_read_is_named(settled: Deployment, ending: Ending) -> None:
    """A file of its owner's only is the usual slip: the user in the container is another one."""
    key = settled.folder / "secrets" / "api_key"
    key.write_text("not-a-real-key", encoding="utf-8")
    key.chmod(0o600)
    try:
        said = ending("PRECIS_API_KEY_FILE=secrets/api_key")
    finally:
        key.unlink()
    assert "that is not permitted; make it readable for the user that the service runs as" in said


def test_a_volume_that_cannot_be_written_is_named(settled: Deployment, ending: Ending) -> None:
    """A folder of somebody else in place of the volume: which database, and what is to be done about its folder."""
    (settled.folder / "data").mkdir(mode=0o755)
    settled.override("services: {precis: {volumes: ['./data:/data']}}\n")
    said = ending(code=1)
    assert said.startswith("The lock beside the database, /data/precis.db.server, could not be used: ")
    assert "writable for the user that the service runs as" in said


def test_a_base_url_that_is_none_stops_the_start(ending: Ending) -> None:
    """It cannot become right by waiting."""
    assert ending("PRECIS_BASE_URL=api.openai.com/v1", "PRECIS_MODEL=m") == (
        "The base URL of the endpoint (PRECIS_BASE_URL) is no HTTP address: give one such as "
        "https://api.openai.com/v1 or http://localhost:11434/v1."
    )


def test_an_endpoint_that_cannot_be_reached_is_said_and_stops_nothing(settled: Deployment) -> None:
    """It may come later. Log and doctor say what is wrong and what to do; what is stored is served meanwhile."""
    settled.settle("PRECIS_BASE_URL=http://localhost:9/v1", "PRECIS_MODEL=m")
    up(settled)
    assert get(f"{settled.url}/ready").status_code == 200
    (warning,) = logged(settled, "endpoint_not_usable")
    assert warning["level"] == "warning"
    assert "http://localhost:9/v1 could not be reached: the connection was refused" in warning["detail"]
    assert "host.docker.internal instead of localhost" in warning["detail"]
    doctor = tried(settled, "exec", "-T", "precis", "precis", "doctor")
    assert doctor.returncode == 1
    assert re.search(r"^BAD\s+endpoint ", doctor.stdout, re.MULTILINE)


def test_a_port_that_is_taken_on_the_host_is_named_by_docker(settled: Deployment) -> None:
    """No process has run then, so there is no log: `up` says which port, and `PRECIS_PORT` is another."""
    compose(settled, "down")
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        settled.settle(f"PRECIS_PORT={port}")
        done = tried(settled, "up", "--detach", "--wait", "--no-build")
        assert done.returncode != 0
        assert str(port) in done.stderr.strip().splitlines()[-1]
        assert "address already in use" in done.stderr or "port is already allocated" in done.stderr
        assert inspect(settled, "{{.State.Running}}") == "false"


def test_a_port_that_is_taken_where_the_service_listens_is_named(image: str) -> None:
    """In the network of the host the service meets the other itself, and says which port and how to choose another."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        variables = ("--env", "PRECIS_HOST=127.0.0.1", "--env", f"PRECIS_PORT={port}")
        done = docker("run", "--rm", "--network", "host", *variables, image)
    assert done.returncode == 2
    assert why(done.stdout.splitlines()) == (
        f"The service cannot listen on 127.0.0.1 port {port}: Address already in use. If something else is there, "
        "choose another port with --port or PRECIS_PORT."
    )
    assert done.stderr == ""


def test_a_terminal_gets_it_in_plain_words(image: str) -> None:
    """Where somebody asked for a log to read, it is one."""
    variables = ("--env", "PRECIS_LOG_FORMAT=console", "--env", "PRECIS_PROMT=news")
    done = docker("run", "--rm", *variables, image)
    assert done.returncode == 2
    (line,) = done.stdout.splitlines()
    assert "PRECIS_PROMT (environment) is not a setting; did you mean PRECIS_PROMPT?" in line
    assert not line.startswith("{")


def test_the_folder_for_secrets_is_in_no_commit() -> None:
    """Nothing in it is ever tracked but the file that says so."""
    assert {path.name for path in (ROOT / "secrets").iterdir()} >= {".gitignore"}
    assert "\n*\n" in (ROOT / "secrets/.gitignore").read_text(encoding="utf-8")
    assert good(docker("compose", "config", "--services")) != ""
