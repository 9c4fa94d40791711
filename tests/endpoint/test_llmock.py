"""`llmock` scripts faults and judges the client; here it is what judges ours."""

import asyncio
import shutil
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from peers import question

from service.adapters.endpoint import Endpoint, EndpointSettings
from service.core.errors import EndpointError, MalformedCompletion

LLMOCK = shutil.which("llmock", path=str(Path(sys.executable).parent)) or shutil.which("llmock")
NEVER = {"retry_after_ignored", "retried_non_retryable", "retry_storm", "truncated_stream_accepted"}

pytestmark = [
    pytest.mark.enable_socket,
    pytest.mark.skipif(LLMOCK is None, reason="llmock is not installed"),
]


async def started(admin: httpx.AsyncClient) -> None:
    """Wait until the server answers."""
    async with asyncio.timeout(20):
        while True:
            try:
                await admin.get("/_llmock/verdict")
            except httpx.TransportError:
                await asyncio.sleep(0.05)
            else:
                return


@pytest.fixture
async def llmock() -> AsyncIterator[httpx.AsyncClient]:
    """A running llmock, and a client to its controls."""
    assert LLMOCK is not None
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        LLMOCK,
        *("serve", "--host", "127.0.0.1", "--port", str(port), "--context-window", "2000"),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as admin:
            await started(admin)
            yield admin
    finally:
        process.terminate()
        await process.wait()


def stream_fault(kind: str, **more: object) -> dict[str, object]:
    """A stream that breaks before its finish_reason: the answer is short, and has it in its third chunk."""
    return {"type": "stream_fault", "kind": kind, "after_chunks": 2, **more}


@pytest.mark.parametrize(
    "behaviours",
    [
        [{"type": "fail", "status": 429, "retry_after": 1, "times": 2}],
        [{"type": "fail", "status": 500, "times": 3}],
        [{"type": "fail", "status": 503, "times": 9}],
        [{"type": "fail", "status": 429, "times": 3}],
        [{"type": "fail", "status": 400, "times": 3}],
        [{"type": "fail", "status": 401, "times": 3}],
        *([stream_fault(kind)] for kind in ("truncate", "disconnect", "malformed")),
        *([stream_fault(kind), stream_fault(kind)] for kind in ("disconnect", "malformed")),
        [stream_fault("stall", stall_seconds=3)],
    ],
    ids=lambda behaviours: "-".join(str(one.get("kind", one.get("status"))) for one in behaviours),
)
async def test_its_verdict_has_nothing_to_say(llmock: httpx.AsyncClient, behaviours: list[dict[str, Any]]) -> None:
    """Whatever it does to a call."""
    scripted = await llmock.post("/_llmock/scenario", json={"behaviors": behaviours})
    assert scripted.is_success, scripted.text
    settings = EndpointSettings(base_url=f"{llmock.base_url}/v1", model="gpt-4o", api_key="x" * 20, silence_s=0.5)
    # shorter waits of our own; those that it asks for are kept to
    async with Endpoint(settings, uniform=lambda _low, high: high / 4) as endpoint:
        outcome = (await asyncio.gather(endpoint.complete(question()), return_exceptions=True))[0]
    verdict = (await llmock.get("/_llmock/verdict")).json()
    found = {finding["code"] for finding in verdict["findings"]}
    told = f"{outcome!r} {verdict}"
    assert not found & NEVER, told
    assert verdict["faults_injected"] > 0, told
    assert isinstance(outcome, EndpointError) or outcome.finish == "stop", told  # type: ignore[union-attr]


async def test_a_stream_that_is_cut_twice_is_an_error(llmock: httpx.AsyncClient) -> None:
    """The verdict cannot see that the second one was refused and calls it accepted; the outcome says it."""
    cut = stream_fault("truncate")
    scripted = await llmock.post("/_llmock/scenario", json={"behaviors": [cut, cut]})
    assert scripted.is_success, scripted.text
    settings = EndpointSettings(base_url=f"{llmock.base_url}/v1", model="gpt-4o", api_key="x" * 20)
    async with Endpoint(settings, uniform=lambda _low, high: high / 4) as endpoint:
        with pytest.raises(MalformedCompletion, match="no finish_reason"):
            await endpoint.complete(question())
    assert (await llmock.get("/_llmock/verdict")).json()["attempts"] == 2
