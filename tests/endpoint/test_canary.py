"""A key is planted, everything fails that can, and then everything is searched for it."""

import io
import json
import logging
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from peers import Asked, Reply, Server, delta, event, failing, streamed, whole
from writing import PARTS, by_parts, is_numbered, written

from service import bootstrap
from service.settings import Settings

pytestmark = pytest.mark.enable_socket

CANARY = "sk-canary-"
KEY, HEADER, PASSWORD = f"{CANARY}1f0e7c55", f"{CANARY}2b9d4a10", f"{CANARY}3c8e6f72"
EVERY_LOGGER = ("httpx", "httpcore", "httpcore.http11", "httpcore.connection", "sqlalchemy.engine", "asyncio")

Serve = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


def echo(asked: Asked) -> str:
    """All that a request was sent with, as a server might repeat it in an error."""
    return f"You sent {json.dumps(asked.headers)} to {asked.target}"


def error_in_200(asked: Asked) -> Reply:
    """An error under the wrong status, with the key in it."""
    return whole({"error": {"message": f"Incorrect API key: {echo(asked)}", "code": 401}})


def error_in_a_stream(asked: Asked) -> Reply:
    """An error that comes when the answer has begun."""
    return Reply(chunks=[delta("{"), event({"error": {"message": echo(asked), "code": 500}})])


def page(asked: Asked) -> Reply:
    """A page of a proxy."""
    return Reply(headers={"content-type": "text/html"}, chunks=[f"<html>{echo(asked)}</html>".encode()])


def redirect(asked: Asked) -> Reply:
    """Another place, with the key in its query and in a header."""
    key = asked.headers["authorization"].split()[1]
    return Reply(status=307, headers={"location": f"http://127.0.0.1:1/v1?key={key}", "x-echo": key})


FAILURES: dict[str, Callable[[Asked], Reply]] = {
    "wrong key": lambda asked: failing(401, f"Incorrect API key provided: {echo(asked)}"),
    "unknown model": lambda asked: failing(404, f"The model does not exist. {echo(asked)}", code="model_not_found"),
    "refused parameter": lambda asked: failing(400, f"{echo(asked)}", param="temperature"),
    "overflow": lambda asked: failing(400, f"maximum context length is 10 tokens. {echo(asked)}"),
    "throttled": lambda asked: failing(429, echo(asked), headers={"retry-after": "90"}),
    "credit": lambda asked: failing(429, echo(asked), code="insufficient_quota"),
    "broken": lambda asked: failing(500, echo(asked)),
    "no JSON": lambda asked: Reply(status=502, chunks=[echo(asked).encode()]),
    "error in a 200": error_in_200,
    "error in a stream": error_in_a_stream,
    "page": page,
    "redirect": redirect,
    "cut": lambda _: Reply(chunks=[delta("{")], end="cut"),
    "drop": lambda _: Reply(end="drop"),
    "hang": lambda _: Reply(chunks=[delta("{")], end="hang"),
    "length": lambda _: streamed(finish="length"),
    "filter": lambda _: streamed(finish="content_filter"),
    "prose": lambda _: streamed("I cannot do that."),
}


@pytest.fixture
def overheard() -> Iterator[io.StringIO]:
    """What libraries log at debug, though the service shows none of it; but for the headers that a server sends."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(lambda record: "receive_response_headers" not in record.getMessage())
    handler.setFormatter(logging.Formatter("%(name)s %(message)s %(args)r"))
    loggers = [logging.getLogger(name) for name in EVERY_LOGGER]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG)
    yield stream
    for logger, level in zip(loggers, levels, strict=True):
        logger.removeHandler(handler)
        logger.setLevel(level)


def planted(server: Server, folder: Path, **more: Any) -> dict[str, Any]:
    """Settings with a secret wherever there may be one."""
    url = server.url.replace("127.0.0.1", f"user:{PASSWORD}@127.0.0.1")
    keys = {"api_key": KEY, "endpoint_headers": f"api-key: {HEADER}"}
    recorded = {"endpoint_mode": "record", "recordings_dir": str(folder / "recordings")}
    return {**by_parts(server, **keys, **recorded, deadline_s=0.3, patience_s=1.0, attempts=2), "base_url": url, **more}


def everything_below(folder: Path) -> dict[str, bytes]:
    """Every file: the database with its log, and what was recorded."""
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def everything_in(database: Path) -> list[object]:
    """Every row of every table."""
    with closing(sqlite3.connect(database)) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return [row for name in tables for row in connection.execute(f"SELECT * FROM {name}")]  # noqa: S608 - our own


@pytest.mark.parametrize(
    ("failure", "parts"),
    [
        *((failure, "all") for failure in FAILURES),
        *((failure, "one") for failure in ("broken", "error in a 200", "hang")),
    ],
)
async def test_no_secret_is_anywhere(
    server: Server, serve: Serve, tmp_path: Path, logged: io.StringIO, overheard: io.StringIO, failure: str, parts: str
) -> None:
    """However an endpoint fails, for all of a text or for a part of it."""
    script = FAILURES[failure]
    server.script = lambda asked: script(asked) if parts == "all" or is_numbered(2, asked) else written(asked)
    server.models = failing(401, CANARY)
    configured = planted(server, tmp_path)
    seen: dict[str, object] = {}
    async with serve(**configured) as client:
        posted = await client.post(
            "/v1/summaries", content=PARTS[:9_000].encode(), headers={"content-type": "text/plain"}, timeout=60
        )
        summary = f"/v1/summaries/{posted.json()['id']}"
        for kind in ("application/json", "text/html", "text/markdown"):
            seen[kind] = (await client.get(summary, headers={"accept": kind})).text
        seen["listing"] = (await client.get("/v1/summaries")).text
    settings = Settings(**configured)
    async with bootstrap.open_asking(settings) as asking:
        assert asking is not None
        seen["values"] = [repr(settings), repr(asking), repr(asking.endpoint), str(vars(asking))]
    seen["files"] = everything_below(tmp_path)
    seen["rows"] = everything_in(tmp_path / "precis.db")
    seen["log"] = logged.getvalue()
    seen["debug"] = overheard.getvalue()
    assert server.asked[-1].headers["authorization"] == f"Bearer {KEY}"
    assert server.asked[-1].headers["api-key"] == HEADER
    assert "summary_worked_on" in logged.getvalue()
    assert "httpcore" in overheard.getvalue()
    for place, what in seen.items():
        assert CANARY not in repr(what), place
