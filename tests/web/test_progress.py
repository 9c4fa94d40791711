"""How far a summary is, in the resource and in the headers, whoever works on it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from following import NEVER, Following, Scripted, Serve, posted
from writing import PARTS, SHORT, stage

from service.adapters.store import StoredSummary
from service.core.types import Document, Options
from service.core.watching import Progress
from service.jobs import Jobs
from service.rendering import resource

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
FIELDS = {"phase", "total", "completed", "failed", "tokens", "cost", "next_attempt_at"}
SHAPE = [
    "id",
    "status",
    "created_at",
    "started_at",
    "finished_at",
    "expires_at",
    "progress",
    "prompt",
    "result",
    "gaps",
    "error",
]


def row(**fields: Any) -> StoredSummary:
    """A summary in the store."""
    given = {"tenant": "local", "id": "sum_there", "status": "queued", "options": Options(), "created_at": NOON}
    return StoredSummary(**{**given, **fields})


def jobs_of(client: httpx.AsyncClient) -> Jobs:
    """The jobs of the application that a client is of."""
    jobs: Jobs = client._transport.app.app.state.jobs  # type: ignore[attr-defined]
    return jobs


async def test_a_summary_under_way_says_how_far_it_is(serve: Serve) -> None:
    """The numbers that its followers are told; when it is finished, what it took, and null for what is not kept."""
    scripted = Scripted()
    scripted.holds = lambda asked: stage(asked) == "merge"
    async with serve(scripted.jobs, NEVER) as client:
        summary = await posted(client, PARTS)
        await scripted.held.wait()
        under_way = await client.get(f"/v1/summaries/{summary}")
        found = under_way.json()
        parts = len(scripted.asked) - 1
        assert list(found) == SHAPE
        assert found["progress"].keys() == FIELDS
        assert (found["status"], under_way.headers["retry-after"]) == ("running", "1")
        assert {name: found["progress"][name] for name in ("phase", "total", "completed", "failed")} == {
            "phase": "merging",
            "total": parts,
            "completed": parts,
            "failed": 0,
        }
        assert found["progress"]["tokens"] > 0
        assert found["progress"]["cost"] > 0
        (listed,) = (await client.get("/v1/summaries")).json()["data"]
        assert (list(listed), listed["progress"]) == (SHAPE, None)
        scripted.opened.set()
        async with Following(client, summary) as follower:
            await follower.end()
        finished = await client.get(f"/v1/summaries/{summary}")
    done, usage = finished.json()["progress"], finished.json()["result"]["usage"]
    assert "retry-after" not in finished.headers
    assert done == {
        "phase": "done",
        "total": None,
        "completed": None,
        "failed": None,
        "tokens": usage["estimated_prompt_tokens"] + usage["estimated_completion_tokens"],
        "cost": usage["cost"],
        "next_attempt_at": None,
    }


async def test_accepted_summaries_are_202_until_they_are_finished(serve: Serve) -> None:
    """With `Retry-After` and how far they are; the prompt that is shown is a string, as it always was."""
    scripted = Scripted()
    scripted.holds = lambda _: True
    async with serve(scripted.jobs, NEVER, concurrency=1) as client:
        first = await posted(client, SHORT)
        await scripted.held.wait()
        body = {"documents": [{"text": f"{SHORT} Again."}]}
        second = await client.post("/v1/summaries", json=body, headers={"Prefer": "wait=0"})
        assert (second.status_code, second.headers["retry-after"]) == (202, "1")
        found = second.json()
        assert (found["status"], found["progress"]["phase"], found["prompt"]) == ("queued", "queued", "news@1")
        assert (found["progress"]["total"], found["progress"]["tokens"]) == (0, 0)
        assert (await client.get(f"/v1/summaries/{first}")).json()["progress"]["phase"] == "drafting"


@pytest.mark.parametrize(
    ("left_s", "told"), [(-5, "1"), (0, "1"), (0.2, "1"), (7.5, "8"), (60, "60"), (60.5, "60"), (2_100, "60")]
)
async def test_retry_after_is_when_the_endpoint_is_tried_again(serve: Serve, left_s: float, told: str) -> None:
    """In whole seconds, at least 1 and at most 60, while a summary waits."""
    async with serve() as client:
        jobs = jobs_of(client)
        jobs.now = lambda: NOON
        await jobs.store.add(row(), [Document(id="d1", text=SHORT)])
        await jobs.store.start("local", "sum_there", NOON)
        await jobs.store.hold("local", "sum_there", NOON + timedelta(seconds=left_s))
        response = await client.get("/v1/summaries/sum_there")
        assert (response.json()["status"], response.headers["retry-after"]) == ("waiting", told)
        assert response.json()["progress"]["next_attempt_at"] is not None


@pytest.mark.parametrize("accept", ["application/json", "text/markdown", "text/html"])
async def test_a_summary_that_another_process_works_on_says_what_is_known(serve: Serve, accept: str) -> None:
    """Its status; nothing is made up for the rest."""
    async with serve() as client:
        jobs = jobs_of(client)
        await jobs.store.add(row(), [Document(id="d1", text=SHORT)])
        await jobs.store.start("local", "sum_there", NOON)
        response = await client.get("/v1/summaries/sum_there", headers={"Accept": accept})
        assert response.headers["retry-after"] == "1"
        if accept == "application/json":
            assert (response.json()["status"], set(response.json()["progress"].values())) == ("running", {None})
        else:
            assert response.text == "Summary sum_there is running\n"


def test_progress_is_taken_from_the_row_where_nobody_here_has_seen_it() -> None:
    """By its status alone; and what was seen here does not outlive the end."""
    seen = Progress(phase="drafting", total=3, completed=1, tokens=5)
    assert resource.progress(row(), None).phase == "queued"
    assert resource.progress(row(status="running"), None).phase is None
    assert resource.progress(row(status="cancelling"), seen).total == 3
    for status in ("succeeded", "partial", "failed", "cancelled"):
        found = resource.progress(row(status=status), seen)
        assert (found.phase, found.total, found.tokens, found.cost) == ("done", None, None, None)
    waiting = row(status="waiting", next_attempt_at=NOON)
    assert resource.progress(waiting, seen).next_attempt_at == NOON
    assert resource.progress(waiting, None).next_attempt_at == NOON


def test_when_it_expires_is_shown() -> None:
    """Null as long as it is kept for good or not finished."""
    assert resource.summary(row()).expires_at is None
    assert resource.summary(row(status="failed", expires_at=NOON)).expires_at == NOON
