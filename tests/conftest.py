"""Fixtures for several folders: the application served in this process, and its log."""

import asyncio
import io
import logging
import os
import signal
import subprocess
import sysconfig
from collections.abc import AsyncIterator, Callable, Iterator, MutableMapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import hypothesis
import pytest
import pytest_asyncio
import structlog

from service import bootstrap, logs, pipeline
from service.adapters import language, tokens
from service.cli import main
from service.core.types import Document, Options, Source, SummaryResult
from service.jobs.minding import Sleep
from service.settings import Settings
from service.web.app import OpenJobs, create_app
from service.web.events import PACE, Pace

# how long an example takes says how busy the machine is, and nothing of the fact
hypothesis.settings.register_profile("house", deadline=None)
hypothesis.settings.load_profile("house")

SCRIPT = Path(sysconfig.get_path("scripts")) / "precis"

Ran = subprocess.CompletedProcess[str]


@asynccontextmanager
async def running(app: Any) -> AsyncIterator[httpx.AsyncClient]:
    """Run an application through its lifespan, and give a client to it."""
    inbox: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    outbox: asyncio.Queue[MutableMapping[str, Any]] = asyncio.Queue()
    task = asyncio.create_task(app({"type": "lifespan", "asgi": {"version": "3.0"}}, inbox.get, outbox.put))
    await inbox.put({"type": "lifespan.startup"})
    started = await outbox.get()
    assert started["type"] == "lifespan.startup.complete", started
    try:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://precis.test") as client:
            yield client
    finally:
        await inbox.put({"type": "lifespan.shutdown"})
        stopped = await outbox.get()
        await task
        assert stopped["type"] == "lifespan.shutdown.complete", stopped


@pytest.fixture
def serve(tmp_path: Path) -> Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]:
    """Give a function that runs the application on `precis.db` in `tmp_path`; settings are its keyword arguments."""

    def served(
        open_jobs: OpenJobs = bootstrap.open_jobs,
        pace: Pace = PACE,
        sleep: Sleep = asyncio.sleep,
        **settings: Any,
    ) -> AbstractAsyncContextManager[httpx.AsyncClient]:
        configured = Settings(**{"database_url": f"sqlite:///{tmp_path}/precis.db", **settings})
        return running(create_app(configured, open_jobs=open_jobs, pace=pace, sleep=sleep))

    return served


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[httpx.AsyncClient]:
    """Give a client to the application that a module's tests share; `pytestmark` puts them into the module's loop."""
    settings = Settings(database_url=f"sqlite:///{tmp_path_factory.mktemp('served')}/precis.db")
    async with running(create_app(settings, open_jobs=bootstrap.open_jobs)) as found:
        yield found


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """Give the log of the test, everything that is logged, as lines of JSON."""
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    stream = io.StringIO()
    logs.configure(level="debug", fmt="json", stream=stream)
    yield stream
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture(scope="session")
def require() -> Callable[[str, str], None]:
    """Says that a part is missing and why: `require("docker", reason)` skips, or fails where TEST_REQUIRE names it.

    TEST_REQUIRE lists the parts that a machine promises to have, separated by commas.
    """
    promised = {part.strip() for part in os.environ.get("TEST_REQUIRE", "").split(",")}

    def missing(part: str, reason: str) -> None:
        if part in promised:
            pytest.fail(f"{reason}; TEST_REQUIRE promises {part}", pytrace=False)
        pytest.skip(reason)

    return missing


@pytest.fixture
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is the current one, with a database of its own and no settings around it."""
    for name in [name for name in os.environ if name.startswith("PRECIS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PRECIS_DATABASE_URL", f"sqlite:///{(tmp_path / 'precis.db').as_posix()}")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def precis(own_folder: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[..., Ran]]:
    """Runs the command line in this process, where it starts at once."""
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    told = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def run(*arguments: str | Path) -> Ran:
        capsys.readouterr()
        with pytest.raises(SystemExit) as exited:
            main([str(argument) for argument in arguments])
        code = exited.value.code
        assert isinstance(code, int)
        return Ran(arguments, code, *capsys.readouterr())

    yield run
    root.setLevel(level)
    root.handlers[:] = handlers
    for number, handler in told.items():
        signal.signal(number, handler)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.fixture
def precis_process(own_folder: Path) -> Callable[..., Ran]:
    """Runs the installed command in a process of its own; keyword arguments are variables of its environment."""

    def run(*arguments: str | Path, stdin: str = "", **environ: str) -> Ran:
        return subprocess.run(  # noqa: S603 - our own command
            [SCRIPT, *arguments],
            input=stdin,
            env={**os.environ, **environ},
            cwd=own_folder,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=60,
            check=False,
        )

    return run


def _seed(number: str) -> str:
    """The text of a seed with its line ends as they are."""
    (path,) = (Path(__file__).parents[1] / "seeds").glob(f"{number}_*.txt")
    return path.read_bytes().decode("utf-8")


@pytest.fixture(scope="session")
def cruise() -> str:
    """Seed 000: a film with a spacewalk, and a scraped tail of teasers."""
    return _seed("000")


@pytest.fixture(scope="session")
def see_you() -> str:
    """Seed 002: a film whose producer has two names."""
    return _seed("002")


@pytest.fixture(scope="session")
def musk() -> str:
    """Seed 004: the announcement of a film, with tweets."""
    return _seed("004")


@pytest.fixture(scope="session")
def tools() -> pipeline.Tools:
    """The real ones, as the service wires them."""
    return pipeline.Tools(
        split_sentences=language.split_sentences,
        detect_language=language.detect_language,
        token_ends=tokens.load("o200k_base").ends,
        encoding="o200k_base",
        chunk_tokens=6_000,
        slots=8,
        service_version="0",
    )


@pytest.fixture(scope="session")
def sources(tools: pipeline.Tools) -> Callable[..., tuple[Source, ...]]:
    """Reads texts as documents d1, d2, ..."""
    return lambda *texts: pipeline.read(_documents(texts), tools)


@pytest.fixture(scope="session")
def summarise(tools: pipeline.Tools) -> Callable[..., SummaryResult]:
    """Makes one summary over texts (documents d1, d2, ...) with options."""
    return lambda *texts, **options: asyncio.run(pipeline.summarise(_documents(texts), Options(**options), tools=tools))


def _documents(texts: tuple[str, ...]) -> list[Document]:
    return [Document(id=f"d{number}", text=text) for number, text in enumerate(texts, 1)]
