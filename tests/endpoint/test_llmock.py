"""`llmock` scripts faults and judges the client; here it is what judges ours."""

import asyncio
import shutil
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from peers import question
from writing import mapped

from service import bootstrap
from service.adapters.endpoint import Endpoint, EndpointSettings
from service.core.errors import EndpointError, MalformedCompletion
from service.core.types import Document, Options
from service.settings import Settings

LLMOCK = shutil.which("llmock", path=str(Path(sys.executable).parent)) or shutil.which("llmock")
NEVER = {"retry_after_ignored", "retried_non_retryable", "retry_storm", "truncated_stream_accepted"}
WINDOW = 8_000
VOTE = "The council voted on Tuesday to close the old bridge."

pytestmark = [
    pytest.mark.enable_socket,
    pytest.mark.skipif(LLMOCK is None, reason="llmock is not installed"),
]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A running llmock."""
    assert LLMOCK is not None
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with subprocess.Popen(  # noqa: S603 - a tool of the tests
        [LLMOCK, "serve", "--host", "127.0.0.1", "--port", str(port), "--context-window", str(WINDOW)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


@pytest.fixture
async def llmock(address: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client to its controls, once it answers; it remembers nothing of the test before."""
    async with httpx.AsyncClient(base_url=address, trust_env=False) as admin, asyncio.timeout(60):
        while True:
            try:
                assert (await admin.post("/_llmock/reset")).is_success
            except httpx.TransportError:
                await asyncio.sleep(0.05)
            else:
                break
        yield admin


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


# --- whole summaries -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "replies_spoilt", "status"),
    [
        ({"type": "fail", "status": 429, "retry_after": 1, "times": 2}, 0, "succeeded"),
        ({"type": "fail", "status": 500, "times": 2}, 0, "succeeded"),
        (stream_fault("truncate"), 1, "succeeded"),
        (stream_fault("disconnect"), 1, "succeeded"),
        (stream_fault("malformed"), 1, "succeeded"),
        # what may still be worked on is not asked for again: its part is a gap
        (stream_fault("stall", stall_seconds=2), 0, "partial"),
    ],
    ids=lambda value: str(value.get("kind", value.get("status"))) if isinstance(value, dict) else "",
)
async def test_a_whole_summary_comes_through_a_fault(
    llmock: httpx.AsyncClient, tmp_path: Path, fault: dict[str, Any], replies_spoilt: int, status: str
) -> None:
    """Every part is read and merged, though a call failed on the way, and the verdict on all calls is clean."""
    text = "\n\n".join(f"{VOTE} {'Nothing else was said about it that day. ' * 60}" for _ in range(6))
    settings = Settings(
        database_url=f"sqlite:///{tmp_path}/precis.db",
        base_url=f"{llmock.base_url}/v1",
        model="gpt-4o",
        context_window=WINDOW,
        slots=2,
        silence_s=0.5,
    )
    async with bootstrap.open_jobs(settings) as jobs:
        documents = [Document(id="d1", text=text)]
        parts = (await jobs.plan(documents, Options())).chunks
        assert parts > 1
        reply = {"type": "reply", "text": mapped([(1, VOTE)]), "times": parts + replies_spoilt}
        scripted = await llmock.post("/_llmock/scenario", json={"behaviors": [fault, reply]})
        assert scripted.is_success, scripted.text
        accepted = await jobs.submit("local", documents, Options())
        summary = await jobs.wait("local", accepted.id, wait_s=30)
    verdict = (await llmock.get("/_llmock/verdict")).json()
    told = f"{summary.status} {summary.error} {verdict}"
    assert summary.status == status, told
    assert not {finding["code"] for finding in verdict["findings"]} & NEVER, told
    assert verdict["faults_injected"] > 0, told
    assert summary.result is not None
    assert {place.quote for point in summary.result.key_points for place in point.evidence} == {VOTE}
    assert [gap.code for gap in summary.result.gaps] == ["endpoint_timeout"] * (status == "partial")
