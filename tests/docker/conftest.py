"""An engine, the image, and deployments of it that leave nothing behind."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from deploying import BUILT_FROM, Deployment, Say, copied, docker, good, prepared, ready, removed, up


@pytest.fixture(scope="session")
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


@pytest.fixture(scope="session")
def sources(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what the image is built from, in which a test may change something."""
    folder = tmp_path_factory.mktemp("sources")
    copied(BUILT_FROM, folder)
    return folder


@pytest.fixture(scope="session")
def image(sources: Path) -> Iterator[str]:
    """The image, built once for all tests and removed behind them."""
    name = f"precis-test-{os.getpid()}"
    good(docker("build", "--tag", name, ".", folder=sources))
    yield name
    good(docker("image", "rm", "--force", name))


@pytest.fixture(scope="module")
def deployment(
    image: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployment]:
    """A deployment for the tests of a module; whatever they started is removed at the end."""
    name = request.module.__name__.removeprefix("test_").replace("_", "-")
    made = prepared(tmp_path_factory.mktemp(name), image=image, project=f"precis-test-{os.getpid()}-{name}")
    try:
        yield made
    finally:
        removed(made)


@pytest.fixture
def running(deployment: Deployment) -> Deployment:
    """A deployment that is up and healthy."""
    if not ready(deployment):
        up(deployment)
    return deployment


@pytest.fixture
def settled(deployment: Deployment) -> Iterator[Deployment]:
    """A deployment whose `.env` and overrides are a test's own for its length."""
    yield deployment
    deployment.settle()
    deployment.override()


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Say:
    """Prints what was measured between the names of the tests."""

    def said(text: str) -> None:
        with capsys.disabled():
            sys.stdout.write(f"\n[{text}] ")

    return said
