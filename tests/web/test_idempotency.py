"""`Idempotency-Key`: the same request under the same key is made once, however often it is sent."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import httpx
import pytest

Serve = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]

ROOT = Path(__file__).parents[2]
SEED = next((ROOT / "seeds").glob("004_*.txt")).read_bytes().decode()
REPLAY = {"endpoint_mode": "replay", "recordings_dir": str(ROOT / "tests/recordings")}
ARTICLE = "The council voted on Tuesday to close the old bridge. Engineer Ana Ruiz said so on Monday."
BODY = {"documents": [{"text": ARTICLE}]}
KEY = {"Idempotency-Key": "k"}
PLAIN = {"Content-Type": "text/plain"}
NDJSON = {"Content-Type": "application/x-ndjson"}
BATCH = json.dumps({"custom_id": "a", **BODY})


def check_refused(response: httpx.Response, status: int, code: str) -> None:
    """Hold a refusal against what it should be."""
    assert (response.status_code, response.json().get("code")) == (status, code), response.text
    assert "idempotent-replayed" not in response.headers


async def stored(client: httpx.AsyncClient, kind: str = "summaries") -> list[str]:
    """The ids of what there is."""
    return [one["id"] for one in (await client.get(f"/v1/{kind}")).json()["data"]]


async def twice(client: httpx.AsyncClient, path: str, first: dict[str, Any], again: dict[str, Any]) -> str:
    """Send a request twice; the second time it is answered with what the first one made. Gives its id."""
    made = await client.post(path, **first)
    assert made.status_code in {201, 202}, made.text
    assert "idempotent-replayed" not in made.headers
    replayed = await client.post(path, **again)
    assert replayed.status_code in {201, 202}, replayed.text
    assert replayed.headers["idempotent-replayed"] == "true"
    assert replayed.json()["id"] == made.json()["id"]
    assert replayed.headers["location"] == made.headers["location"]
    found: str = made.json()["id"]
    return found


async def test_the_same_request_makes_one_summary(serve: Serve) -> None:
    """The second one is answered with the first's, and nothing is made."""
    request = {"json": BODY, "headers": KEY}
    async with serve() as client:
        made = await twice(client, "/v1/summaries", request, request)
        assert await stored(client) == [made]


async def test_the_same_request_makes_one_comparison(serve: Serve) -> None:
    """Its trials are made once as well; it is shown by what the second request accepts."""
    body = {"documents": [{"text": SEED, "name": "seed"}], "prompts": ["news@1", "news@3"]}
    request = {"json": body, "headers": KEY}
    async with serve(**REPLAY) as client:
        made = await twice(client, "/v1/comparisons", request, request)
        assert await stored(client, "comparisons") == [made]
        page = await client.post("/v1/comparisons", json=body, headers={**KEY, "Accept": "text/html"})
        assert page.headers["content-type"].startswith("text/html")
        assert page.headers["idempotent-replayed"] == "true"


async def test_the_same_stream_makes_one_batch(serve: Serve) -> None:
    """Whatever pieces it comes in: its digest is taken as it comes."""

    async def pieces() -> AsyncIterator[bytes]:
        for byte in BATCH.encode():
            yield bytes([byte])

    headers = {**NDJSON, **KEY}
    async with serve() as client:
        first, again = {"content": BATCH, "headers": headers}, {"content": pieces(), "headers": headers}
        made = await twice(client, "/v1/batches", first, again)
        assert await stored(client, "batches") == [made]


async def test_a_form_is_the_same_whatever_its_boundary(serve: Serve) -> None:
    """Clients draw another one each time."""

    def form(boundary: str) -> dict[str, Any]:
        part = f'--{boundary}\r\nContent-Disposition: form-data; name="a"; filename="a.txt"\r\n\r\n{ARTICLE}\r\n'
        return {
            "content": f"{part}--{boundary}--\r\n",
            "headers": {**KEY, "Content-Type": f"multipart/form-data; boundary={boundary}"},
        }

    async with serve() as client:
        await twice(client, "/v1/summaries?length=brief", form("one"), form("the-other"))


async def test_it_is_shown_as_it_is_now(serve: Serve) -> None:
    """202 at first and 201 once it is finished; how long one waits, and for which form, is no part of the request."""
    async with serve() as client:
        first = await client.post("/v1/summaries", json=BODY, headers={**KEY, "Prefer": "wait=0"})
        assert first.status_code == 202
        again = await client.post("/v1/summaries", json=BODY, headers={**KEY, "Accept": "text/markdown"})
        assert (again.status_code, again.headers["location"]) == (201, first.headers["location"])
        assert again.headers["content-type"].startswith("text/markdown")


async def test_a_key_outlives_a_restart_and_what_was_configured(serve: Serve) -> None:
    """What was accepted is answered with, even where it would not be accepted any more."""
    request: dict[str, Any] = {"json": {"documents": [{"text": SEED}], "prompt": "news@1"}, "headers": KEY}
    async with serve(**REPLAY) as client:
        made = await client.post("/v1/summaries", **request)
    async with serve() as client:
        again = await client.post("/v1/summaries", **request)
        assert (again.status_code, again.json()["id"]) == (201, made.json()["id"])
        refused = await client.post("/v1/summaries", json=request["json"])
        check_refused(refused, 422, "needs_model")


async def test_another_request_under_the_key_is_refused(serve: Serve) -> None:
    """Another body, query, content type or path; the first one is still answered."""
    async with serve() as client:
        made = await client.post("/v1/summaries", content=ARTICLE, headers={**PLAIN, **KEY})
        others = [
            client.post("/v1/summaries", content=f"{ARTICLE} ", headers={**PLAIN, **KEY}),
            client.post("/v1/summaries?length=brief", content=ARTICLE, headers={**PLAIN, **KEY}),
            client.post("/v1/summaries", content=ARTICLE, headers={"Content-Type": "text/markdown", **KEY}),
            client.post("/v1/summaries", json=BODY, headers=KEY),
            client.post("/v1/batches", content=BATCH, headers={**NDJSON, **KEY}),
        ]
        for other in others:
            response = await other
            check_refused(response, 422, "idempotency_key_reused")
            assert made.json()["id"] in response.json()["detail"]
        assert await stored(client, "batches") == []
        again = await client.post("/v1/summaries", content=ARTICLE, headers={**PLAIN, **KEY})
        assert again.headers["idempotent-replayed"] == "true"
        assert await stored(client) == [made.json()["id"]]


async def test_other_keys_and_none_make_others(serve: Serve) -> None:
    """Only a key makes two requests one."""
    async with serve() as client:
        for headers in ({}, {}, KEY, {"Idempotency-Key": "K"}):
            made = await client.post("/v1/summaries", json=BODY, headers=headers)
            assert "idempotent-replayed" not in made.headers
        assert len(await stored(client)) == 4


@pytest.mark.parametrize("key", ["x", "~ !\"'{},;", "x" * 255])
async def test_a_key_is_of_printable_characters(serve: Serve, key: str) -> None:
    """Up to 255 of them."""
    async with serve() as client:
        made = await client.post("/v1/summaries", json=BODY, headers={"Idempotency-Key": key})
        assert made.status_code == 201


async def test_white_space_around_a_key_is_no_part_of_it(serve: Serve) -> None:
    """It may come from a client or a proxy, and means nothing."""
    async with serve() as client:
        for key in ("k", "k  ", "\tk "):
            assert (await client.post("/v1/summaries", json=BODY, headers={"Idempotency-Key": key})).status_code == 201
        assert len(await stored(client)) == 1


@pytest.mark.parametrize("keys", [[b"x" * 256], [b""], ["é".encode()], [b"a\x7f"], [b"a\tb"], [b"a", b"a"]])
async def test_what_is_no_key_is_refused_at_every_door(serve: Serve, keys: list[bytes]) -> None:
    """Too long, empty, not ASCII, not printable, or twice: nothing is made."""
    async with serve() as client:
        for path, kind, content in (
            ("/v1/summaries", b"application/json", json.dumps(BODY)),
            ("/v1/comparisons", b"application/json", "{}"),
            ("/v1/batches", b"application/jsonl", BATCH),
        ):
            headers = [(b"Content-Type", kind), *((b"Idempotency-Key", key) for key in keys)]
            response = await client.post(path, content=content, headers=headers)
            check_refused(response, 422, "invalid_request")
            assert response.json()["errors"][0]["pointer"] == "Idempotency-Key"
        assert await stored(client) == []


async def test_a_key_under_which_something_is_being_accepted_is_409(serve: Serve) -> None:
    """For any request, until the first one's body has come and is stored; then it is answered with that."""
    for path, kind, body, prefer in (
        ("/v1/summaries", "application/json", json.dumps(BODY), "wait=0"),
        ("/v1/batches", "application/x-ndjson", BATCH, ""),
    ):
        begun, go_on = asyncio.Event(), asyncio.Event()

        async def slow(
            body: str = body, begun: asyncio.Event = begun, go_on: asyncio.Event = go_on
        ) -> AsyncIterator[bytes]:
            yield body[:10].encode()
            begun.set()
            await go_on.wait()
            yield body[10:].encode()

        headers = {"Idempotency-Key": path, "Content-Type": kind, "Prefer": prefer}
        async with serve() as client:
            first = asyncio.create_task(client.post(path, content=slow(), headers=headers))
            await begun.wait()
            for content in (body, "something else"):
                second = await client.post(path, content=content, headers=headers)
                check_refused(second, 409, "idempotency_key_in_use")
                assert second.headers["retry-after"] == "1"
            go_on.set()
            made = await first
            assert made.status_code in {201, 202}, made.text
            again = await client.post(path, content=body, headers=headers)
            assert again.json()["id"] == made.json()["id"]


async def test_a_key_is_not_in_use_while_a_summary_is_waited_for(serve: Serve) -> None:
    """Only until it is stored: who sends it again meanwhile waits for the same one."""
    async with serve() as client:
        answers = [client.post("/v1/summaries", json=BODY, headers=KEY) for _ in range(20)]
        found = await asyncio.gather(*answers)
        (made,) = {one.json()["id"] for one in found if one.status_code == 201}
        for refused in (one for one in found if one.status_code != 201):
            check_refused(refused, 409, "idempotency_key_in_use")
            assert refused.headers["retry-after"] == "1"
        again = await client.post("/v1/summaries", json=BODY, headers=KEY)
        assert (again.status_code, again.json()["id"]) == (201, made)
        assert len(await stored(client)) == 1


async def test_what_is_refused_leaves_its_key_free(serve: Serve) -> None:
    """A request that makes nothing can be mended and sent again."""
    async with serve() as client:
        for content, status in (("{", 400), ('{"documents": []}', 422), (json.dumps(BODY), 201)):
            headers = {**KEY, "Content-Type": "application/json"}
            assert (await client.post("/v1/summaries", content=content, headers=headers)).status_code == status
        for content, status in (("\n\n", 422), (BATCH, 201)):
            headers = {**NDJSON, "Idempotency-Key": "batch"}
            assert (await client.post("/v1/batches", content=content, headers=headers)).status_code == status


@pytest.mark.parametrize("kind", ["summaries", "batches"])
async def test_a_key_goes_with_what_was_made_under_it(serve: Serve, kind: str) -> None:
    """After DELETE it is free: kept, it could answer with nothing, and its digest would be what is left of the text."""
    content = json.dumps(BODY) if kind == "summaries" else BATCH
    headers = {**KEY, "Content-Type": "application/json" if kind == "summaries" else "application/jsonl"}
    async with serve() as client:
        first = await client.post(f"/v1/{kind}", content=content, headers=headers)
        assert (await client.delete(first.headers["location"])).status_code == 204
        second = await client.post(f"/v1/{kind}", content=content, headers=headers)
        assert second.status_code == 201
        assert "idempotent-replayed" not in second.headers
        assert second.json()["id"] != first.json()["id"]
        assert await stored(client, kind) == [second.json()["id"]]
