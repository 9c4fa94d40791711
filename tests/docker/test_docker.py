"""The image and the compose file, built and run."""

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import httpx
import msgspec
import pytest

pytestmark = [pytest.mark.docker, pytest.mark.enable_socket]

ROOT = Path(__file__).parents[2]
SEEDS = sorted((ROOT / "seeds").glob("*.txt"))
BUILT_FROM = (
    ".dockerignore",
    "Dockerfile",
    "LICENSE",
    "NOTICE",
    "README.md",
    "docker-compose.yml",
    "prompts",
    "pyproject.toml",
    "requirements",
    "seeds",
    "service",
)
BUILD_S = 1200
"""Seconds that an engine gets for anything; a first build fetches all libraries."""


class Deployment(msgspec.Struct, frozen=True, kw_only=True):
    """A copy of what the image is built from, so that a user's own `.env`, image and volume are left alone."""

    folder: Path
    project: str
    port: int

    @property
    def url(self) -> str:
        """Where the service is published."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def dotenv(self) -> Path:
        """The settings of the deployment."""
        return self.folder / ".env"


def docker(*arguments: str, folder: Path = ROOT, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run a docker command; the settings of the tests' own environment do not reach it."""
    command = shutil.which("docker") or "docker"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PRECIS_", "COMPOSE_"))}
    return subprocess.run(  # noqa: S603 - the commands stand in this file
        [command, *arguments],
        cwd=folder,
        env={**environment, "BUILDKIT_PROGRESS": "plain"},
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=BUILD_S,
        check=False,
    )


def compose(deployment: Deployment, *arguments: str, stdin: str | None = None) -> str:
    """Run a compose command that must succeed; returns its standard output."""
    done = docker("compose", "-p", deployment.project, *arguments, folder=deployment.folder, stdin=stdin)
    if done.returncode != 0:
        pytest.fail(f"docker compose {' '.join(arguments)} exited {done.returncode}:\n{done.stderr}", pytrace=False)
    return done.stdout


def container(deployment: Deployment) -> str:
    """The id of the container of the service, running or not."""
    return compose(deployment, "ps", "--all", "--quiet", "precis").strip()


def inspect(deployment: Deployment, template: str) -> str:
    """A fact about the container of the service."""
    return docker("inspect", "--format", template, container(deployment)).stdout.strip()


def logs(deployment: Deployment) -> list[str]:
    """What the service has written, and Compose shows; Compose itself adds control characters."""
    done = docker("logs", container(deployment))
    return (done.stdout + done.stderr).splitlines()


def logged(deployment: Deployment, event: str) -> list[dict[str, object]]:
    """The log lines that tell of an event, in order."""
    return [line for line in map(json.loads, logs(deployment)) if line["event"] == event]


def inside(deployment: Deployment, code: str) -> str:
    """What a piece of Python prints inside the running container."""
    return compose(deployment, "exec", "-T", "precis", "python", "-c", code).strip()


def post(deployment: Deployment, text: str, **headers: str) -> httpx.Response:
    """Ask for a summary of a text."""
    plain = {"Content-Type": "text/plain; charset=utf-8", **headers}
    return httpx.post(f"{deployment.url}/v1/summaries", content=text.encode(), headers=plain, timeout=60)


def get(deployment: Deployment, location: str) -> httpx.Response:
    """Ask for what is at a location of the service."""
    return httpx.get(f"{deployment.url}{location}", timeout=60)


@pytest.fixture(scope="module")
def engine(require: Callable[[str, str], None]) -> str:
    """The address of an engine that answers and has Compose."""
    if not os.environ.get("DOCKER_HOST"):
        require("docker", "no Docker engine: DOCKER_HOST is not set")
    if shutil.which("docker") is None:
        require("docker", "no Docker engine: there is no `docker` command")
    for command in (["version"], ["compose", "version"]):
        done = docker(*command)
        if done.returncode != 0:
            require("docker", f"no Docker engine: `docker {' '.join(command)}` says: {done.stderr.strip()}")
    return os.environ["DOCKER_HOST"]


@pytest.fixture(scope="module")
def built(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A deployment whose image is built; whatever it started is removed at the end, volumes too."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    deployment = Deployment(
        folder=tmp_path_factory.mktemp("deployment"), project=f"precis-test-{os.getpid()}", port=port
    )
    for name in BUILT_FROM:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, deployment.folder / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, deployment.folder / name)
    deployment.dotenv.write_text(f"PRECIS_PORT={port}\n", encoding="utf-8")
    try:
        compose(deployment, "build")
        yield deployment
    finally:
        compose(deployment, "down", "--volumes", "--rmi", "local", "--remove-orphans", "--timeout", "5")


@pytest.fixture
def running(built: Deployment) -> Deployment:
    """A deployment that is up and healthy."""
    compose(built, "up", "--detach", "--wait")
    return built


@pytest.fixture
def configured(built: Deployment) -> Iterator[Callable[[str], None]]:
    """Add lines to the deployment's `.env` for the length of a test."""
    before = built.dotenv.read_text(encoding="utf-8")

    def write(lines: str) -> None:
        built.dotenv.write_text(f"{before}{lines}\n", encoding="utf-8")

    yield write
    built.dotenv.write_text(before, encoding="utf-8")


def test_the_service_becomes_healthy(running: Deployment, capsys: pytest.CaptureFixture[str]) -> None:
    """`docker compose up --wait` ends with a service that is ready."""
    assert get(running, "/ready").json() == {"status": "ready"}
    image = inspect(running, "{{.Image}}")
    size = int(docker("image", "inspect", "--format", "{{.Size}}", image).stdout)
    started = datetime.fromisoformat(inspect(running, "{{.State.StartedAt}}"))
    ready = datetime.fromisoformat(str(logged(running, "service_started")[-1]["at"]))
    with capsys.disabled():
        sys.stdout.write(
            f"\n[image {size / 1e6:.0f} MB, base included; start-up {(ready - started).total_seconds():.1f} s] "
        )


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: seed.stem[:3])
def test_a_posted_article_is_answered_with_exact_quotes(running: Deployment, seed: Path) -> None:
    """The curl of the README gets 201, and every quote stands in the article at its offsets."""
    text = seed.read_bytes().decode()
    answer = post(running, text)
    assert answer.status_code == 201
    evidence = [one for point in answer.json()["result"]["key_points"] for one in point["evidence"]]
    assert evidence != []
    assert [text[one["start"] : one["end"]] for one in evidence] == [one["quote"] for one in evidence]


def test_summaries_outlive_a_restart_and_a_new_container(running: Deployment) -> None:
    """What was stored is there after `restart`, and after `down` and `up`."""
    answer = post(running, SEEDS[0].read_bytes().decode())
    location = answer.headers["Location"]
    compose(running, "restart")
    compose(running, "up", "--detach", "--wait")
    assert get(running, location).json() == answer.json()
    compose(running, "down")
    compose(running, "up", "--detach", "--wait")
    assert get(running, location).json() == answer.json()


def test_the_service_runs_without_privileges(running: Deployment) -> None:
    """The first process belongs to user 10001, has no capabilities and cannot gain any."""
    status = dict(line.split(":\t", 1) for line in inside(running, "print(open('/proc/1/status').read())").splitlines())
    assert set(status["Uid"].split()) == {"10001"}
    assert set(status["Gid"].split()) == {"10001"}
    assert int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 0
    assert status["NoNewPrivs"] == "1"


def test_only_the_volume_and_tmp_can_be_written(running: Deployment) -> None:
    """The root is read-only, for root's reasons and not only for want of rights."""
    paths = ("/", "/opt/precis", "/data", "/tmp")  # noqa: S108 - looked at only
    code = f"import os; print([path for path in {paths} if not os.statvfs(path).f_flag & os.ST_RDONLY])"
    assert inside(running, code) == "['/data', '/tmp']"


def test_the_service_is_published_on_the_loopback_interface_only(running: Deployment) -> None:
    """Nobody else on the network reaches a service that nobody has opened to it."""
    assert compose(running, "port", "precis", "8000").strip() == f"127.0.0.1:{running.port}"


def test_every_log_line_is_json(running: Deployment) -> None:
    """What a log collector reads is one object a line."""
    lines = logs(running)
    assert lines != []
    assert [line for line in lines if not isinstance(json.loads(line), dict)] == []


def test_a_stop_lets_the_running_summary_finish(running: Deployment) -> None:
    """SIGTERM ends the service by itself, within its grace period, once what it works on is done."""
    article = "\n\n".join(f"Part {part}.\n\n{SEEDS[0].read_bytes().decode()}" for part in range(60))
    answer = post(running, article, Prefer="wait=0")
    assert answer.status_code == 202
    compose(running, "stop")
    assert inspect(running, "{{.State.ExitCode}} {{.State.OOMKilled}}") == "0 false"  # 137 is what a killed one has
    compose(running, "up", "--detach", "--wait")
    assert logged(running, "service_started")[-1]["resumed"] == 0
    assert get(running, answer.headers["Location"]).json()["status"] == "succeeded"


def test_a_killed_service_takes_its_summary_up_again(running: Deployment) -> None:
    """What no grace period was given for is finished after the next start."""
    article = "\n\n".join(f"Part {part}.\n\n{SEEDS[0].read_bytes().decode()}" for part in range(60))
    answer = post(running, article, Prefer="wait=0")
    compose(running, "kill")
    compose(running, "up", "--detach", "--wait")
    assert logged(running, "service_started")[-1]["resumed"] == 1
    assert get(running, answer.headers["Location"]).json()["status"] in {"queued", "running", "succeeded"}


def test_the_command_line_runs_in_a_container(built: Deployment) -> None:
    """An article on standard input of a one-off container is summarised."""
    text = SEEDS[1].read_bytes().decode()
    summary = json.loads(compose(built, "run", "--rm", "-T", "precis", "summarise", "--json", "-", stdin=text))
    assert summary["status"] == "succeeded"


def test_settings_come_from_the_env_file(built: Deployment, configured: Callable[[str], None]) -> None:
    """A line in `.env` reaches the service."""
    configured("PRECIS_MAX_DOCUMENTS=7")
    shown = compose(built, "run", "--rm", "-T", "precis", "config", "--json")
    assert {row["name"]: row["value"] for row in json.loads(shown)}["max_documents"] == "7"


def test_a_misspelt_setting_stops_the_service_and_names_the_nearest(
    built: Deployment, configured: Callable[[str], None]
) -> None:
    """The container ends, and the last line of its log says what to do."""
    configured("PRECIS_LOG_LEVL=debug")
    done = docker("compose", "-p", built.project, "up", "--detach", "--wait", folder=built.folder)
    assert done.returncode != 0
    assert inspect(built, "{{.State.Status}} {{.State.ExitCode}}") == "exited 2"
    assert "did you mean PRECIS_LOG_LEVEL?" in logs(built)[-1]
