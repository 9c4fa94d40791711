"""Whole summaries by a model, over HTTP, past every way in which an endpoint fails."""

import asyncio
import json
import sqlite3
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from peers import CANARY, Asked, Reply, Server, delta, failing, streamed, whole
from writing import (
    LONG,
    PARTS,
    ROOT,
    SHORT,
    by_parts,
    is_numbered,
    mapped,
    numbered_lines,
    rows,
    settings,
    stage,
    stages,
    written,
)

from service.adapters import library

pytestmark = pytest.mark.enable_socket

Serve = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]
Resource = dict[str, Any]


async def posted(client: httpx.AsyncClient, text: str = SHORT, **more: object) -> Resource:
    """A summary that was waited for."""
    body = {"documents": [{"text": text}], **more}
    response = await client.post("/v1/summaries", json=body, headers={"Prefer": "wait=60"}, timeout=90)
    assert response.status_code == 201, response.text
    found: Resource = response.json()
    return found


async def refused(client: httpx.AsyncClient, **more: object) -> Resource:
    """The problem that a request is answered with."""
    response = await client.post("/v1/summaries", json={"documents": [{"text": SHORT}], **more})
    found: Resource = response.json()
    assert response.status_code == found["status"]
    return found


# --- what comes of a good endpoint -----------------------------------------------------------------------------------


async def test_a_text_that_fits_takes_one_call(server: Server, serve: Serve) -> None:
    """Its quotes are the text's own, and it says by what it was made."""
    server.script = written
    async with serve(**settings(server)) as client:
        summary = await posted(client)
    result = summary["result"]
    assert (summary["status"], stages(server), result["engine"]) == ("succeeded", ["map"], "llm")
    for point in result["key_points"]:
        for evidence in point["evidence"]:
            assert SHORT[evidence["start"] : evidence["end"]] == evidence["quote"]
    assert summary["prompt"] == "news@1"
    manifest = result["manifest"]
    assert (manifest["endpoint"], manifest["model"], len(manifest["request_keys"])) == (server.url, "m", 1)
    assert result["usage"]["calls"] == 1


async def test_a_long_text_is_read_in_parts_and_merged(server: Server, serve: Serve) -> None:
    """Every part is asked about once, all that was found is merged, and nothing was left unread."""
    server.script = written
    async with serve(**by_parts(server)) as client:
        plan = (await client.post("/v1/plans", json={"documents": [{"text": LONG}]})).json()
        assert stages(server) == []
        summary = await posted(client, LONG)
    asked = stages(server)
    assert summary["status"] == "succeeded"
    assert asked.count("map") == plan["chunks"] >= 5
    assert asked[plan["chunks"] :] == ["merge"] * (len(asked) - plan["chunks"])
    (coverage,) = summary["result"]["coverage"]["documents"]
    assert coverage["unread"] == 0
    assert summary["result"]["usage"]["calls"] == len(asked)


async def test_quotes_that_are_nowhere_are_asked_for_again_in_one_call(server: Server, serve: Serve) -> None:
    """What the answer gives in their place is held against the text like any other."""

    def script(asked: Asked) -> Reply:
        if stage(asked) == "map":
            return streamed(mapped([(1, "The bridge was painted green."), (2, "It fell into the river.")]))
        return written(asked)

    server.script = script
    async with serve(**settings(server)) as client:
        summary = await posted(client)
    assert stages(server) == ["map", "repair"]
    assert summary["result"]["verification"]["repaired"] == 2
    quotes = {evidence["quote"] for point in summary["result"]["key_points"] for evidence in point["evidence"]}
    assert quotes <= set(SHORT.replace(". ", ".\n").splitlines())


async def test_a_reply_that_is_none_is_asked_back_once(server: Server, serve: Serve) -> None:
    """With what is wrong with it; the second reply counts."""
    server.script = lambda asked: written(asked) if len(server.bodies) > 1 else streamed("I would rather not say.")
    async with serve(**settings(server)) as client:
        summary = await posted(client)
    assert summary["status"] == "succeeded"
    messages = server.bodies[1]["messages"]
    assert isinstance(messages, list)
    assert [message["role"] for message in messages] == ["system", "user", "assistant", "user"]


async def test_nothing_configured_is_extractive_and_says_so(server: Server, serve: Serve) -> None:
    """No endpoint, no call, no cost."""
    async with serve() as client:
        summary = await posted(client)
    assert (summary["status"], summary["result"]["engine"]) == ("succeeded", "extractive")
    assert summary["result"]["manifest"]["endpoint"] is None
    assert server.asked == []


# --- what is asked for -----------------------------------------------------------------------------------------------


async def test_the_prompt_is_pinned_when_a_summary_is_accepted(server: Server, serve: Serve, tmp_path: Path) -> None:
    """`news` is whatever is newest now, and stays that version whenever it is worked on."""
    server.script = written
    newest = max(version.front.version for version in library.load(ROOT / "prompts").released)
    async with serve(**settings(server, prompt="news")) as client:
        for named in ({}, {"prompt": "news"}, {"prompt": f"news@{newest}"}):
            summary = await posted(client, **named)
            assert summary["prompt"] == f"news@{newest}"
            manifest = summary["result"]["manifest"]["prompt"]
            assert (manifest["version"], len(manifest["digest"])) == (newest, 64)
    stored = rows(tmp_path / "precis.db", "SELECT DISTINCT json_extract(conditions, '$.prompt') FROM summaries")
    assert stored == [(f"news@{newest}",)]


async def test_what_cannot_be_asked_for_is_refused_at_once(server: Server, serve: Serve, tmp_path: Path) -> None:
    """An unknown prompt is told what there is; models are those of a list; a cost needs prices. Nothing is stored."""
    async with serve(**settings(server, models="small, large")) as client:
        unknown = await refused(client, prompt="news@7")
        assert (unknown["status"], unknown["code"]) == (404, "not_found")
        assert "There are: news@1" in unknown["detail"]
        model = await refused(client, model="gpt-9")
        assert (model["status"], model["errors"]) == (422, [{"pointer": "/model", "detail": "one of m, small, large"}])
        cost = await refused(client, budget={"max_cost": 1.0})
        assert (cost["status"], cost["errors"][0]["pointer"]) == (422, "/budget/max_cost")
        assert "PRECIS_PRICE_PROMPT" in cost["detail"]
    async with serve() as client:
        for named in ({"prompt": "news@1"}, {"model": "m"}):
            needs = await refused(client, **named)
            assert (needs["status"], needs["code"]) == (422, "needs_model")
    assert server.asked == []
    assert rows(tmp_path / "precis.db", "SELECT count(*) FROM summaries") == [(0,)]


async def test_a_model_of_the_list_is_the_one_that_is_asked(server: Server, serve: Serve) -> None:
    """And not the configured one."""
    server.script = written
    async with serve(**settings(server, models="small, large")) as client:
        await posted(client, model="large")
    assert [body["model"] for body in server.bodies] == ["large"]


async def test_a_window_that_the_endpoint_states_is_kept_to(server: Server, serve: Serve) -> None:
    """Where none is set, it is asked for once."""
    server.models = whole({"data": [{"id": "m", "max_model_len": 8_000}]})
    server.script = written
    async with serve(**settings(server)) as client:
        await posted(client, PARTS)
        await posted(client, SHORT)
    assert stages(server).count("map") > 2
    assert [asked.target for asked in server.asked if asked.method == "GET"] == ["/v1/models"]


# --- what was paid for -----------------------------------------------------------------------------------------------


async def test_every_call_is_journalled_before_it_is_sent(server: Server, serve: Serve, tmp_path: Path) -> None:
    """When a server reads a request its row is committed; when it was answered, the row says so."""
    journal = "SELECT state, status, number, ended_at IS NULL FROM attempts"
    before: list[list[tuple[Any, ...]]] = []

    def script(asked: Asked) -> Reply:
        before.append(rows(tmp_path / "precis.db", journal))
        return written(asked) if len(before) > 1 else failing(503)

    server.script = script
    async with serve(**settings(server, attempts=2)) as client:
        await posted(client)
    assert before == [[("sent", None, 1, 1)], [("failed", 503, 1, 0), ("sent", None, 2, 1)]]
    assert rows(tmp_path / "precis.db", journal) == [("failed", 503, 1, 0), ("answered", 200, 2, 0)]


async def test_the_same_request_again_makes_no_call(server: Server, serve: Serve) -> None:
    """It gives the same result, also after a restart."""
    server.script = written
    async with serve(**by_parts(server)) as client:
        first = await posted(client, PARTS)
        calls = len(server.bodies)
        again = await posted(client, PARTS)
    async with serve(**by_parts(server)) as client:
        restarted = await posted(client, PARTS)
    assert first["result"] == again["result"] == restarted["result"]
    assert len({first["id"], again["id"], restarted["id"]}) == 3
    assert len(server.bodies) == calls > 3


async def test_the_same_request_at_the_same_time_is_paid_once(server: Server, serve: Serve) -> None:
    """Whoever comes second waits for the answer to the first."""
    server.script = written
    async with serve(**settings(server)) as client:
        made = await asyncio.gather(*(posted(client) for _ in range(4)))
    assert len(server.bodies) == 1
    assert all(summary["result"] == made[0]["result"] for summary in made)


def refuses_max_tokens(asked: Asked) -> Reply:
    """As reasoning models do: the first request to such an endpoint is one that it refuses."""
    return failing(400, "Unsupported parameter", param="max_tokens") if "max_tokens" in asked.body else written(asked)


@pytest.mark.parametrize("script", [written, refuses_max_tokens])
async def test_a_second_run_after_a_crash_pays_nothing_again(
    server: Server, serve: Serve, tmp_path: Path, script: Callable[[Asked], Reply]
) -> None:
    """Whatever was learned of the endpoint on the way, and is not known to the process that comes after."""
    server.script = script
    async with serve(**by_parts(server)) as client:
        first = await posted(client, PARTS)
    calls = len(server.bodies)
    with closing(sqlite3.connect(tmp_path / "precis.db")) as connection, connection:
        connection.execute("UPDATE summaries SET status = 'running', result = NULL, finished_at = NULL")
    async with serve(**by_parts(server)) as client:
        again = await finished(client, first["id"])
    assert again["result"] == first["result"]
    assert len(server.bodies) == calls


async def finished(client: httpx.AsyncClient, summary: str) -> Resource:
    """A summary once it is finished."""
    async with asyncio.timeout(30):
        while True:
            found: Resource = (await client.get(f"/v1/summaries/{summary}")).json()
            if found["finished_at"]:
                return found
            await asyncio.sleep(0.02)


# --- budgets ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("budget", [{"max_tokens": 18_000}, {"max_cost": 0.09}], ids=lambda budget: next(iter(budget)))
async def test_a_budget_that_is_too_small_for_all_gives_a_part(
    server: Server, serve: Serve, budget: dict[str, float]
) -> None:
    """What it allows is read and merged; what it does not is a gap, and never was sent."""
    server.script = written
    prices = {"price_prompt": 2.0, "price_completion": 8.0}
    async with serve(**by_parts(server, **prices)) as client:
        summary = await posted(client, LONG, budget=budget)
    result = summary["result"]
    assert summary["status"] == "partial"
    assert {gap["code"] for gap in summary["gaps"]} == {"budget_spent"}
    assert next(iter(budget)) in summary["gaps"][0]["detail"]
    assert 2 <= stages(server).count("map") == len(server.bodies) - 1
    assert stages(server)[-1] == "merge"
    used = result["usage"]
    tokens = used["estimated_prompt_tokens"] + used["estimated_completion_tokens"]
    assert (tokens if "max_tokens" in budget else used["cost"]) <= next(iter(budget.values()))
    (coverage,) = result["coverage"]["documents"]
    assert coverage["unread"] > 0


async def test_a_strict_request_fails_over_what_a_budget_leaves_out(server: Server, serve: Serve) -> None:
    """The error says what was not read and why."""
    server.script = written
    async with serve(**by_parts(server)) as client:
        summary = await posted(client, LONG, budget={"max_tokens": 18_000}, strict=True)
    error = summary["error"]
    assert (summary["status"], error["code"], error["status"]) == ("failed", "incomplete", 502)
    assert "budget" in error["detail"]


async def test_a_budget_for_no_call_at_all_fails_or_falls_back(server: Server, serve: Serve) -> None:
    """By the extractive engine where the request says so, and then the result says so."""
    async with serve(**settings(server)) as client:
        failed = await posted(client, budget={"max_tokens": 100})
        fallen = await posted(client, budget={"max_tokens": 100}, fallback="extractive")
    assert (failed["status"], failed["error"]["code"], failed["error"]["status"]) == ("failed", "budget_spent", 402)
    assert (fallen["status"], fallen["result"]["engine"]) == ("succeeded", "extractive")
    (caveat,) = [caveat for caveat in fallen["result"]["caveats"] if caveat["code"] == "fallback"]
    assert "budget is 100" in caveat["text"]
    assert server.bodies == []


# --- what comes of a bad endpoint ------------------------------------------------------------------------------------


async def failure(serve: Serve, configured: dict[str, object], **more: object) -> Resource:
    """The error that a summary ends with."""
    async with serve(**configured) as client:
        summary = await posted(client, **more)  # type: ignore[arg-type]
    assert (summary["status"], summary["result"]) == ("failed", None)
    found: Resource = summary["error"]
    return found


@pytest.mark.parametrize(
    ("url", "cause"),
    [
        ("http://127.0.0.1:1/v1", "the connection was refused"),
        ("http://nowhere.invalid/v1", "its name does not resolve"),
    ],
)
async def test_an_endpoint_that_is_not_there_is_unavailable(server: Server, serve: Serve, url: str, cause: str) -> None:
    """The error names the URL, the cause and what to try."""
    error = await failure(serve, settings(server, base_url=url))
    assert (error["code"], error["status"]) == ("endpoint_unavailable", 502)
    assert f"{url} could not be reached: {cause}" in error["detail"]
    assert "Check" in error["detail"]
    if "127.0.0.1" in url:
        assert "Inside Docker use host.docker.internal" in error["detail"]


async def test_a_wrong_key_is_rejected_after_one_call(server: Server, serve: Serve) -> None:
    """The error names the setting, never the key, and a long text makes no more of it than a short one."""
    server.script = lambda _: failing(401, f"Incorrect API key provided: {CANARY}", code="invalid_api_key")
    error = await failure(serve, settings(server, attempts=4))
    assert (error["code"], error["status"]) == ("endpoint_rejected", 502)
    assert "PRECIS_API_KEY" in error["detail"]
    assert CANARY not in json.dumps(error)
    assert len(server.bodies) == 1


async def test_an_unknown_model_is_rejected_with_those_that_there_are(server: Server, serve: Serve) -> None:
    """After one call, too."""
    server.models = whole({"data": [{"id": "small"}, {"id": "large"}]})
    server.script = lambda _: failing(404, "The model `m` does not exist", code="model_not_found")
    error = await failure(serve, settings(server, attempts=4))
    assert error["code"] == "endpoint_rejected"
    assert "'m' (PRECIS_MODEL). It lists: small, large" in error["detail"]
    assert len(server.bodies) == 1


@pytest.mark.parametrize("end", ["hang", "drip"])
async def test_an_endpoint_that_does_not_come_to_an_end_times_out(server: Server, serve: Serve, end: Any) -> None:
    """Within the deadline and a second; then the slot is free for the next."""
    replies = [Reply(chunks=[delta("{")], end=end)]
    server.script = lambda asked: replies.pop() if replies else written(asked)
    async with serve(**settings(server, deadline_s=0.5, slots=1, attempts=4)) as client:
        waiting = asyncio.create_task(posted(client))
        await server.arrived.wait()
        async with asyncio.timeout(0.5 + 1):
            await server.gone.wait()
            failed = await waiting
        fine = await posted(client, SHORT)
    assert (failed["error"]["code"], failed["error"]["status"]) == ("endpoint_timeout", 504)
    assert "PRECIS_DEADLINE_S" in failed["error"]["detail"]
    assert fine["status"] == "succeeded"
    assert len(server.bodies) == 2


async def test_when_half_of_the_parts_fail_the_rest_is_a_summary(server: Server, serve: Serve) -> None:
    """Gaps name what was not read; asked again, only that is paid for."""

    def script(asked: Asked) -> Reply:
        return failing(503) if any(is_numbered(part, asked) for part in (2, 4)) else written(asked)

    server.script = script
    async with serve(**by_parts(server)) as client:
        summary = await posted(client, PARTS)
        calls = len(server.bodies)
        server.script = written
        again = await posted(client, PARTS)
    assert summary["status"] == "partial"
    assert [gap["code"] for gap in summary["gaps"]] == ["endpoint_unavailable"] * len(summary["gaps"])
    for gap in summary["gaps"]:
        assert 0 <= gap["start"] < gap["end"] <= len(PARTS)
    assert summary["result"]["key_points"]
    assert again["status"] == "succeeded"
    assert stages(server)[calls:] == ["map"] * len(summary["gaps"]) + ["merge"]


@pytest.mark.parametrize("script", [lambda _: failing(503), lambda _: streamed("no"), lambda _: failing(401)])
async def test_a_failed_endpoint_is_stood_in_for_only_where_that_is_asked_for(
    server: Server, serve: Serve, script: Callable[[Asked], Reply]
) -> None:
    """And never for what a model alone can do: then the endpoint's fault is what is told."""
    server.script = script
    async with serve(**settings(server)) as client:
        failed = await posted(client)
        fallen = await posted(client, fallback="extractive")
        abroad = await posted(client, fallback="extractive", options={"language": "de"})
    assert failed["status"] == abroad["status"] == "failed"
    assert abroad["error"]["code"] == failed["error"]["code"]
    assert fallen["result"]["engine"] == "extractive"
    assert "fallback" in [caveat["code"] for caveat in fallen["result"]["caveats"]]


async def test_a_thin_summary_of_a_long_text_is_a_failure(server: Server, serve: Serve) -> None:
    """Two points that stand are too few for over 300 words; the text's own sentences serve where they may."""

    def script(asked: Asked) -> Reply:
        if stage(asked) != "map":
            return streamed(json.dumps({"points": []}))
        lines = numbered_lines(asked)
        return streamed(mapped([*lines[:2], (3, "Nobody wrote this."), (4, "Nor did anybody write that.")]))

    server.script = script
    article = LONG[:4_000]
    async with serve(**settings(server)) as client:
        failed = await posted(client, article)
        fallen = await posted(client, article, fallback="extractive")
        short = await posted(client, SHORT)
    assert (failed["status"], failed["error"]["code"]) == ("failed", "too_little_supported")
    assert "2 of the 4 points" in failed["error"]["detail"]
    assert "2 not_found" in failed["error"]["detail"]
    assert fallen["result"]["engine"] == "extractive"
    assert "stand up to it" in fallen["result"]["caveats"][0]["text"]
    assert short["status"] == "succeeded"


async def test_what_was_accepted_for_a_model_is_not_made_without_one(
    server: Server, serve: Serve, tmp_path: Path
) -> None:
    """Nor the other way round, when the settings are others at the next start."""
    server.script = written
    async with serve(**settings(server)) as client:
        modelled = (await posted(client))["id"]
    async with serve() as client:
        extracted = (await posted(client))["id"]
    with closing(sqlite3.connect(tmp_path / "precis.db")) as connection, connection:
        connection.execute("UPDATE summaries SET status = 'queued', result = NULL, finished_at = NULL")
    async with serve() as client:
        found = await finished(client, modelled)
        assert found["error"]["code"] == "endpoint_unavailable"
        assert "PRECIS_BASE_URL" in found["error"]["detail"]
    with closing(sqlite3.connect(tmp_path / "precis.db")) as connection, connection:
        connection.execute("UPDATE summaries SET status = 'queued', result = NULL, finished_at = NULL, error = NULL")
    async with serve(**settings(server)) as client:
        assert (await finished(client, extracted))["result"]["engine"] == "extractive"
        assert (await finished(client, modelled))["result"]["engine"] == "llm"
