"""A server that starts looks whether its endpoint answers, and says so; it starts either way."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from peers import CANARY, Server, failing, whole

from service import bootstrap
from service.cli import serve
from service.settings import Settings

pytestmark = pytest.mark.enable_socket

RECORDINGS = Path(__file__).parents[1] / "recordings"


async def said(logged: io.StringIO, **settings: Any) -> dict[str, Any] | None:
    """What is logged of an endpoint."""
    async with bootstrap.open_asking(Settings(**settings)) as asking:
        await serve._look_for(asking)
    assert CANARY not in logged.getvalue()
    lines = [json.loads(line) for line in logged.getvalue().splitlines()]
    found = [line for line in lines if line["event"].startswith("endpoint_")]
    return found[0] if found else None


async def test_an_endpoint_that_answers_is_said_to(server: Server, logged: io.StringIO) -> None:
    """It is asked for its models, which costs nothing, and with its key."""
    server.models = whole({"data": [{"id": "m"}, {"id": "n"}]})
    line = await said(logged, base_url=server.url, model="m", api_key=CANARY)
    assert line is not None
    assert (line["level"], line["event"], line["endpoint"], line["models"]) == (
        *("info", "endpoint_answers", server.url),
        2,
    )
    (asked,) = server.asked
    assert (asked.method, asked.target) == ("GET", "/v1/models")


async def test_an_endpoint_without_a_list_of_models_is_fine(server: Server, logged: io.StringIO) -> None:
    """Not every server has one."""
    line = await said(logged, base_url=server.url, model="m")
    assert line is not None
    assert (line["event"], line["models"]) == ("endpoint_answers", 0)


async def test_an_endpoint_that_cannot_be_reached_is_a_warning(logged: io.StringIO) -> None:
    """With what was tried, and what to do; nothing is raised."""
    line = await said(logged, base_url="http://127.0.0.1:9/v1", model="m", api_key=CANARY)
    assert line is not None
    assert (line["level"], line["event"], line["code"]) == ("warning", "endpoint_not_usable", "endpoint_unavailable")
    assert "http://127.0.0.1:9/v1 could not be reached: the connection was refused." in line["detail"]
    assert "precis doctor" in line["detail"]


async def test_an_endpoint_that_takes_no_such_key_is_a_warning(server: Server, logged: io.StringIO) -> None:
    """The key is not in it, though the endpoint repeats it."""
    server.models = failing(401, f"Incorrect API key provided: {CANARY}")
    line = await said(logged, base_url=server.url, model="m", api_key=CANARY)
    assert line is not None
    assert (line["level"], line["code"]) == ("warning", "endpoint_rejected")


async def test_without_an_endpoint_nothing_is_looked_for(logged: io.StringIO) -> None:
    """Nor where recordings stand in for one."""
    assert await said(logged) is None
    assert await said(logged, endpoint_mode="replay", recordings_dir=str(RECORDINGS)) is None
