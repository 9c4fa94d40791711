"""Copies of what a user deploys, run by Docker under names of their own, so that a user's own are left alone."""

import json
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

ROOT = Path(__file__).parents[2]
SEEDS = sorted((ROOT / "seeds").glob("*.txt"))
BUILT_FROM = (
    ".dockerignore",
    "Dockerfile",
    "LICENSE",
    "NOTICE",
    "README.md",
    "prompts",
    "pyproject.toml",
    "requirements",
    "seeds",
    "service",
)
"""What an image is built from."""
RUN_WITH = (
    "docker-compose.yml",
    "docs/demo.json",
    "prompts",
    "secrets",
    "seeds",
    "tests/recordings",
    "tests/references",
)
"""What the compose file needs beside the image."""
LIMIT_S = 1200
"""Seconds that an engine gets for anything; a first build fetches all libraries."""

Ran = subprocess.CompletedProcess[str]
Say = Callable[[str], None]


class Deployment(msgspec.Struct, frozen=True, kw_only=True):
    """A folder with the compose file, and settings under which it meets no other."""

    folder: Path
    project: str
    image: str
    port: int
    demo_port: int
    ollama_port: int

    @property
    def url(self) -> str:
        """Where the service is published."""
        return f"http://127.0.0.1:{self.port}"

    def settle(self, *lines: str) -> None:
        """Write `.env`: what keeps the deployment by itself, and lines of the test's own."""
        own = (
            f"DEPLOY_IMAGE={self.image}",
            f"PRECIS_PORT={self.port}",
            f"DEMO_PORT={self.demo_port}",
            f"OLLAMA_PORT={self.ollama_port}",
        )
        (self.folder / ".env").write_text("\n".join([*own, *lines, ""]), encoding="utf-8")

    def override(self, text: str = "") -> None:
        """Write `docker-compose.override.yml`, which Compose reads by itself; without text, remove it."""
        path = self.folder / "docker-compose.override.yml"
        if text:
            path.write_text(text, encoding="utf-8")
        else:
            path.unlink(missing_ok=True)


def prepared(folder: Path, *, image: str, project: str) -> Deployment:
    """Copy what is deployed into an empty folder."""
    copied(RUN_WITH, folder)
    port, demo_port, ollama_port = free_ports(3)
    deployment = Deployment(
        folder=folder, project=project, image=image, port=port, demo_port=demo_port, ollama_port=ollama_port
    )
    deployment.settle()
    return deployment


def copied(names: tuple[str, ...], folder: Path) -> None:
    """Copy files and folders of the checkout into another folder."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, folder / name)


def free_ports(number: int) -> list[int]:
    """Ports of the loopback interface that were free a moment ago, each another."""
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [int(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return ports


# --- docker ----------------------------------------------------------------------------------------------------------


def environ(**more: str) -> dict[str, str]:
    """The environment without settings: those of the tests' own environment are not the deployment's."""
    prefixes = ("PRECIS_", "COMPOSE_", "DEPLOY_", "OLLAMA_", "OPENAI_", "DEMO_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(prefixes)}
    return {**kept, "BUILDKIT_PROGRESS": "plain", **more}


def docker(*arguments: str, folder: Path = ROOT, stdin: str | None = None, **variables: str) -> Ran:
    """Run a docker command."""
    return subprocess.run(  # noqa: S603 - the commands stand in these tests
        [shutil.which("docker") or "docker", *arguments],
        cwd=folder,
        env=environ(**variables),
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=LIMIT_S,
        check=False,
    )


def good(ran: Ran) -> str:
    """The standard output of a command that must have succeeded."""
    if ran.returncode != 0:
        pytest.fail(f"{' '.join(ran.args)} exited {ran.returncode}:\n{ran.stdout}\n{ran.stderr}", pytrace=False)
    return ran.stdout


def compose(deployment: Deployment, *arguments: str, stdin: str | None = None) -> str:
    """Run a compose command that must succeed; returns its standard output."""
    return good(tried(deployment, *arguments, stdin=stdin))


def tried(deployment: Deployment, *arguments: str, stdin: str | None = None) -> Ran:
    """Run a compose command that may fail."""
    return docker("compose", "-p", deployment.project, *arguments, folder=deployment.folder, stdin=stdin)


def up(deployment: Deployment, *services: str) -> None:
    """Start, and wait until everything is healthy."""
    compose(deployment, "up", "--detach", "--wait", "--no-build", *services)


def ready(deployment: Deployment) -> bool:
    """Whether the service answers already."""
    try:
        return httpx.get(f"{deployment.url}/ready", timeout=5).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def removed(deployment: Deployment) -> None:
    """Remove whatever was started, volumes too."""
    profiles = ("--profile", "demo", "--profile", "ollama")
    compose(deployment, *profiles, "down", "--volumes", "--remove-orphans", "--timeout", "5")


def typed(deployment: Deployment, commands: str, **variables: str) -> Ran:
    """Run shell commands as a reader of the documents types them, at the deployment's own ports."""
    own = {"8000": deployment.port, "8001": deployment.demo_port, "8002": deployment.ollama_port}
    commands = re.sub(r"(?<=127\.0\.0\.1:)800[012]\b", lambda found: str(own[found[0]]), commands)
    return subprocess.run(  # noqa: S603 - commands of our own documents
        [shutil.which("bash") or "bash", "-euo", "pipefail", "-c", commands],
        cwd=deployment.folder,
        env=environ(COMPOSE_PROJECT_NAME=deployment.project, **variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=LIMIT_S,
        check=False,
    )


def blocks(page: str, heading: str) -> list[str]:
    """The shell blocks under a heading of a page, in order."""
    text = (ROOT / page).read_text(encoding="utf-8")
    section = re.search(rf"^(#+) {re.escape(heading)}$(.*?)(?=^#{{1,2}} |\Z)", text, re.MULTILINE | re.DOTALL)
    assert section, f"{page} has no heading {heading!r}"
    return re.findall(r"^```sh\n(.*?)^```", section[2], re.MULTILINE | re.DOTALL)


# --- what runs -------------------------------------------------------------------------------------------------------


def container(deployment: Deployment, service: str = "precis") -> str:
    """The id of the container of a service, running or not."""
    return compose(deployment, "ps", "--all", "--quiet", service).strip()


def inspect(deployment: Deployment, template: str, service: str = "precis") -> str:
    """A fact about the container of a service."""
    return good(docker("inspect", "--format", template, container(deployment, service))).strip()


def logs(deployment: Deployment, service: str = "precis") -> list[str]:
    """What a service has written, and `docker compose logs` shows."""
    shown = compose(deployment, "--ansi", "never", "logs", "--no-color", "--no-log-prefix", service)
    # Compose moves the cursor even where there is none
    return re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", shown).splitlines()


def logged(deployment: Deployment, event: str, service: str = "precis") -> list[dict[str, Any]]:
    """The log lines that tell of an event, in order."""
    return [line for line in map(json.loads, logs(deployment, service)) if line["event"] == event]


def inside(deployment: Deployment, code: str, service: str = "precis") -> str:
    """What a piece of Python prints inside a running container."""
    return compose(deployment, "exec", "-T", service, "python", "-c", code).strip()


def memory_mib(deployment: Deployment, service: str = "precis") -> float:
    """What a container holds of memory, in MiB, as `docker stats` has it: without files that could be dropped."""
    shown = good(docker("stats", "--no-stream", "--format", "{{.MemUsage}}", container(deployment, service)))
    value, unit = re.fullmatch(r"([\d.]+)(\w+)", shown.partition(" ")[0].strip()).groups()  # type: ignore[union-attr]
    return float(value) * {"KiB": 1 / 1024, "MiB": 1, "GiB": 1024}[unit]


def post(url: str, text: str, **headers: str) -> httpx.Response:
    """Ask for a summary of a text."""
    plain = {"Content-Type": "text/plain; charset=utf-8", **headers}
    return httpx.post(f"{url}/v1/summaries", content=text.encode(), headers=plain, timeout=60)


def get(url: str) -> httpx.Response:
    """Ask for what is at an address."""
    return httpx.get(url, timeout=60)


def quotes_stand(text: str, answer: httpx.Response) -> bool:
    """Whether there are quotes, and every one stands in the text at its offsets."""
    evidence = [one for point in answer.json()["result"]["key_points"] for one in point["evidence"]]
    return evidence != [] and all(text[one["start"] : one["end"]] == one["quote"] for one in evidence)
