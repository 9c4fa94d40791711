"""Batches over HTTP: a stream of lines in, results in their order out, whatever a caller may send."""

import asyncio
import gzip
import json
import threading
import tracemalloc
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from litestar.exceptions import LitestarException
from msgspec.structs import replace

from service import bootstrap
from service.core.errors import PrecisError
from service.jobs import Jobs
from service.settings import Settings

Serve = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]
Node = dict[str, Any]

ROOT = Path(__file__).parents[2]
REPLAY = {"endpoint_mode": "replay", "recordings_dir": str(ROOT / "tests/recordings")}
ARTICLE = "The council voted on Tuesday to close the old bridge. Engineer Ana Ruiz said so on Monday."
NDJSON = {"Content-Type": "application/x-ndjson"}
LONGEST_S = 30.0


def line(name: str, text: str = ARTICLE, **fields: Any) -> str:
    """A request as a line, without its end."""
    return json.dumps({"custom_id": name, "documents": [{"text": f"{text} {name}."}], **fields}, ensure_ascii=False)


async def posted(client: httpx.AsyncClient, content: Any, **headers: str) -> Node:
    """A batch that was made."""
    response = await client.post("/v1/batches", content=content, headers={**NDJSON, **headers})
    assert response.status_code == 201, response.text
    found: Node = response.json()
    assert response.headers["location"] == f"/v1/batches/{found['id']}"
    return found


async def results(client: httpx.AsyncClient, batch: Node, **query: Any) -> list[Node]:
    """The results of a batch."""
    response = await client.get(f"/v1/batches/{batch['id']}/results", params=query, timeout=60)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("application/x-ndjson")
    assert response.text == "" or response.text.endswith("\n")
    return [json.loads(one) for one in response.text.splitlines()]


def came_to(found: Iterable[Node]) -> list[tuple[int, str | None, str]]:
    """Number and name of each line, and what it has come to."""
    return [
        (one["line"], one["custom_id"], one["summary"]["status"] if "summary" in one else one["error"]["code"])
        for one in found
    ]


def check_refused(response: httpx.Response, status: int, code: str) -> str:
    """Hold a refusal against what it should be; gives what it says."""
    assert (response.status_code, response.json().get("code")) == (status, code), response.text
    assert response.headers["content-type"] == "application/problem+json"
    detail: str = response.json()["detail"]
    return detail


async def listed(client: httpx.AsyncClient, **query: Any) -> list[Node]:
    """The batches that there are."""
    found: list[Node] = (await client.get("/v1/batches", params=query)).json()["data"]
    return found


class Wire:
    """One request to the application, its body and its answer piece by piece, as a server passes them on."""

    def __init__(self, client: httpx.AsyncClient, method: str, path: str, headers: dict[str, str]) -> None:
        self._inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._outbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        where, _, query = path.partition("?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "path": where,
            "raw_path": where.encode(),
            "query_string": query.encode(),
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
            "scheme": "http",
            "server": ("precis.test", 80),
            "client": ("127.0.0.1", 1),
            "root_path": "",
        }
        app: Any = client._transport.app  # type: ignore[attr-defined]
        self.task = asyncio.create_task(app(scope, self._inbox.get, self._outbox.put))

    def send(self, body: bytes, *, more: bool) -> None:
        """Send a piece of the body."""
        self._inbox.put_nowait({"type": "http.request", "body": body, "more_body": more})

    def hang_up(self) -> None:
        """Close the connection."""
        self._inbox.put_nowait({"type": "http.disconnect"})

    async def receive(self) -> dict[str, Any]:
        """The next message of the answer."""
        async with asyncio.timeout(LONGEST_S):
            return await self._outbox.get()

    async def broken_off(self) -> set[str]:
        """Wait for the end of an answer that is broken off: the codes of what led to it."""
        async with asyncio.timeout(LONGEST_S):
            with pytest.raises(LitestarException) as broken:
                await self.task
        assert self._outbox.empty()
        return {error.code for error in causes(broken.value) if isinstance(error, PrecisError)}

    async def body(self) -> bytes:
        """The next piece of its body."""
        found: bytes = (await self.receive())["body"]
        return found


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error, and all that led to it."""
    if error is not None:
        yield error
        yield from causes(error.__cause__)
        for member in error.exceptions if isinstance(error, BaseExceptionGroup) else ():
            yield from causes(member)


class Gate:
    """A language detector that holds the texts that hold a word."""

    def __init__(self, word: str) -> None:
        self.opened = threading.Event()
        self.jobs: Jobs | None = None
        self._word = word

    def __call__(self, text: str) -> str:
        """Wait until it is open."""
        assert self._word not in text or self.opened.wait(LONGEST_S)
        return "en"

    @asynccontextmanager
    async def open_jobs(self, settings: Settings) -> AsyncIterator[Jobs]:
        """Jobs that go through it."""
        async with bootstrap.open_jobs(settings) as jobs:
            tools = replace(jobs.tools, detect_language=self)
            async with Jobs(store=jobs.store, tools=tools, concurrency=2, max_documents=9) as gated:
                self.jobs = gated
                yield gated
                self.opened.set()


# --- good batches ----------------------------------------------------------------------------------------------------


async def test_every_line_has_its_summary_in_the_order_of_the_body(serve: Serve) -> None:
    """By its own options; each summary is one like any other, and in no list of summaries."""
    lines = [line("a"), line("b", options={"length": "brief"}), line("c", strict=True)]
    async with serve() as client:
        batch = await posted(client, "\n".join(lines))
        assert batch["counts"]["total"] == 3
        found = await results(client, batch)
        assert came_to(found) == [(1, "a", "succeeded"), (2, "b", "succeeded"), (3, "c", "succeeded")]
        assert [one["summary"]["result"]["length"]["asked"] for one in found] == ["standard", "brief", "standard"]
        alone = (await client.get(f"/v1/summaries/{found[0]['summary']['id']}")).json()
        assert alone == found[0]["summary"]
        text = await client.get(f"/v1/summaries/{alone['id']}/documents/d1")
        assert text.text == f"{ARTICLE} a."
        assert (await client.get("/v1/summaries")).json()["data"] == []
        batch = (await client.get(f"/v1/batches/{batch['id']}")).json()
        assert batch["status"] == "finished"
        assert batch["finished_at"] < batch["expires_at"]
        assert {name: n for name, n in batch["counts"].items() if n} == {"total": 3, "succeeded": 3}


@pytest.mark.parametrize("kind", ["application/x-ndjson", "application/jsonl", "Application/X-NDJSON; charset=utf-8"])
async def test_both_names_of_the_form_are_read(serve: Serve, kind: str) -> None:
    """In any spelling; the results are to be had under both as well, and in no other form."""
    async with serve() as client:
        batch = await posted(client, line("a"), **{"Content-Type": kind})
        where = f"/v1/batches/{batch['id']}/results"
        found = await client.get(where, headers={"Accept": "application/jsonl"})
        assert found.headers["content-type"].startswith("application/jsonl")
        check_refused(await client.get(where, headers={"Accept": "text/html"}), 406, "not_acceptable")


async def test_a_mark_crlf_blank_lines_and_a_missing_last_end_are_fine(serve: Serve) -> None:
    """Blank lines are passed over, and counted: a line has the number under which an editor shows it."""
    body = f"\ufeff{line('a')}\r\n\r\n  \t\r\n{line('b')}\n\n{line('ü')}"
    async with serve() as client:
        batch = await posted(client, body.encode())
        assert batch["counts"]["total"] == 3
        assert [one[:2] for one in came_to(await results(client, batch))] == [(1, "a"), (4, "b"), (6, "ü")]


async def test_it_does_not_matter_in_which_pieces_a_batch_comes(serve: Serve) -> None:
    """Byte by byte, through the middle of a character as well."""
    body = f"\ufeff{line('ä')}\r\n{line('b')}\n".encode()

    async def pieces() -> AsyncIterator[bytes]:
        for byte in body:
            yield bytes([byte])

    async with serve() as client:
        found = came_to(await results(client, await posted(client, pieces())))
        assert found == [(1, "ä", "succeeded"), (2, "b", "succeeded")]


async def test_names_need_not_be_unique(serve: Serve) -> None:
    """Lines are told apart by their numbers; a name is the caller's affair."""
    async with serve() as client:
        batch = await posted(client, "\n".join([line("same")] * 3))
        assert [one[:2] for one in came_to(await results(client, batch))] == [(n, "same") for n in (1, 2, 3)]


async def test_lines_are_made_by_their_prompts(serve: Serve) -> None:
    """With a model: each line names its own version, or none."""
    seed = next((ROOT / "seeds").glob("004_*.txt")).read_bytes().decode()
    lines = [json.dumps({"custom_id": p, "documents": [{"text": seed}], "prompt": p}) for p in ("news@1", "news@3")]
    async with serve(**REPLAY) as client:
        found = await results(client, await posted(client, "\n".join(lines)))
        assert [one["summary"]["prompt"] for one in found] == ["news@1", "news@3"]
        assert [one[2] for one in came_to(found)] == ["succeeded"] * 2


# --- results ---------------------------------------------------------------------------------------------------------


async def test_results_are_sent_as_they_come(serve: Serve) -> None:
    """The first ones while a later one is still worked on, which the stream then waits for."""
    gate = Gate("held")
    async with serve(gate.open_jobs) as client:
        batch = await posted(client, "\n".join(map(line, ("a", "b", "held", "d"))))
        wire = Wire(client, "GET", f"/v1/batches/{batch['id']}/results", {})
        wire.send(b"", more=False)
        assert (await wire.receive())["status"] == 200
        assert [json.loads(await wire.body())["custom_id"] for _ in range(2)] == ["a", "b"]
        assert came_to(await results(client, batch, wait=0)) == [(1, "a", "succeeded"), (2, "b", "succeeded")]
        assert await results(client, batch, after=2, wait=0.01) == []
        gate.opened.set()
        assert [json.loads(await wire.body())["custom_id"] for _ in range(2)] == ["held", "d"]
        assert await wire.receive() == {"type": "http.response.body", "body": b"", "more_body": False}
        wire.hang_up()
        await wire.task
        assert [one[0] for one in came_to(await results(client, batch, after=2))] == [3, 4]
        assert await results(client, batch, after=4) == []


async def test_who_hangs_up_is_not_waited_for(serve: Serve) -> None:
    """The stream of results ends with its connection; the batch goes on."""
    gate = Gate("held")
    async with serve(gate.open_jobs) as client:
        batch = await posted(client, line("held"))
        wire = Wire(client, "GET", f"/v1/batches/{batch['id']}/results", {})
        wire.send(b"", more=False)
        assert (await wire.receive())["status"] == 200
        wire.hang_up()
        async with asyncio.timeout(LONGEST_S):
            await wire.task
        gate.opened.set()
        assert came_to(await results(client, batch)) == [(1, "held", "succeeded")]


async def test_a_server_that_is_told_to_stop_breaks_results_off(serve: Serve) -> None:
    """Without waiting for the rest, and without an end that would make it look whole; no further line is begun."""
    gate = Gate("held")
    async with serve(gate.open_jobs) as client:
        batch = await posted(client, "\n".join(map(line, ("a", "held", *map(str, range(30))))))
        wire = Wire(client, "GET", f"/v1/batches/{batch['id']}/results", {})
        wire.send(b"", more=False)
        assert (await wire.receive())["status"] == 200
        assert json.loads(await wire.body())["custom_id"] == "a"
        assert gate.jobs is not None
        gate.jobs.leave()
        assert await wire.broken_off() == {"stopping"}
        gate.opened.set()
    async with serve() as client:
        assert len(await results(client, batch)) == 32


async def test_results_of_a_batch_that_is_deleted_are_broken_off(serve: Serve) -> None:
    """They have no end, and who reads them takes them for no whole."""
    gate = Gate("held")
    async with serve(gate.open_jobs) as client:
        batch = await posted(client, "\n".join(map(line, ("a", "held"))))
        wire = Wire(client, "GET", f"/v1/batches/{batch['id']}/results", {})
        wire.send(b"", more=False)
        assert (await wire.receive())["status"] == 200
        assert json.loads(await wire.body())["custom_id"] == "a"
        assert (await client.delete(f"/v1/batches/{batch['id']}")).status_code == 204
        assert await wire.broken_off() == {"not_found"}
        gate.opened.set()


async def test_a_head_of_results_waits_for_nothing(serve: Serve) -> None:
    """And has no body."""
    gate = Gate("held")
    async with serve(gate.open_jobs) as client:
        batch = await posted(client, line("held"))
        async with asyncio.timeout(LONGEST_S):
            head = await client.head(f"/v1/batches/{batch['id']}/results")
        assert (head.status_code, head.content) == (200, b"")


@pytest.mark.parametrize(
    "query", ["after=-1", "after=x", "wait=-1", "wait=nan", "aftr=1", "after=99999999999999999999"]
)
async def test_a_broken_query_of_results_names_the_parameter(serve: Serve, query: str) -> None:
    """Nothing is sent."""
    async with serve() as client:
        batch = await posted(client, line("a"))
        refused = await client.get(f"/v1/batches/{batch['id']}/results?{query}")
        check_refused(refused, 422, "invalid_request")
        assert refused.json()["errors"][0]["pointer"] == query.partition("=")[0]


# --- listing and ending ----------------------------------------------------------------------------------------------


async def test_batches_are_listed_newest_first(serve: Serve) -> None:
    """In pages, with their counts."""
    async with serve() as client:
        made = [await posted(client, "\n".join([line("a")] * n)) for n in (1, 2, 3)]
        for batch in made:
            await results(client, batch)
            assert (await client.get(f"/v1/batches/{batch['id']}")).json()["status"] == "finished"
        first = (await client.get("/v1/batches", params={"limit": 2})).json()
        assert [(one["id"], one["counts"]["total"]) for one in first["data"]] == [
            (made[2]["id"], 3),
            (made[1]["id"], 2),
        ]
        assert first["has_more"] is True
        assert [one["id"] for one in await listed(client, cursor=first["next_cursor"])] == [made[0]["id"]]
        assert len(await listed(client, status="finished")) == 3
        assert await listed(client, status="cancelled") == []
        check_refused(await client.get("/v1/batches?status=done"), 422, "invalid_request")
        check_refused(await client.get("/v1/batches?cursor=x"), 422, "invalid_request")


async def test_a_batch_is_cancelled(serve: Serve) -> None:
    """What has ended stays; the results say which lines have not."""
    gate = Gate("held")
    async with serve(gate.open_jobs) as client:
        batch = await posted(client, "\n".join(map(line, ("a", "held", *map(str, range(40))))))
        await results(client, batch, wait=0)
        where = f"/v1/batches/{batch['id']}"
        cancelled = (await client.post(f"{where}/cancel")).json()
        assert (cancelled["status"], cancelled["counts"]["running"]) == ("cancelled", 0)
        found = await results(client, batch)
        assert len(found) == 42
        assert found[1]["summary"]["status"] == "cancelled"
        assert (await client.post(f"{where}/cancel")).json() == cancelled
        assert (await client.get(where)).json() == cancelled


async def test_a_deleted_batch_is_gone(serve: Serve) -> None:
    """Once, with the summaries of its lines."""
    async with serve() as client:
        batch = await posted(client, f"{line('a')}\n{line('b')}")
        found = await results(client, batch)
        where = f"/v1/batches/{batch['id']}"
        assert (await client.delete(where)).status_code == 204
        assert (await client.get(f"/v1/summaries/{found[0]['summary']['id']}")).status_code == 404
        for method, path in (
            ("GET", where),
            ("DELETE", where),
            ("POST", f"{where}/cancel"),
            ("GET", f"{where}/results"),
        ):
            assert "no batch" in check_refused(await client.request(method, path), 404, "not_found")
        assert await listed(client) == []


# --- bad lines -------------------------------------------------------------------------------------------------------


async def test_a_bad_line_among_good_ones_has_its_error_and_its_number(serve: Serve) -> None:
    """The others are made. Its name is kept where it can be read, and what is wrong is said as to a request."""
    lines = [
        line("a"),
        '{"custom_id": "cut", "documents": [{"te',
        '["a list"]',
        '{"custom_id": "none"}',
        json.dumps({"custom_id": 7, "documents": [{"text": ARTICLE}]}),
        json.dumps({"documents": [{"text": ARTICLE}]}),
        line("x" * 201),
        json.dumps({"custom_id": "empty", "documents": [{"text": " "}]}),
        json.dumps({"custom_id": "two", "documents": [{"text": "a", "html": "b"}]}),
        line("budget", budget={"max_cost": 1}),
        '{"custom_id": "half", "documents": [{"text": "\\ud800"}]}',
        f"{line('twice')} {line('twice')}",
        "NaN",
        line("z"),
    ]
    async with serve() as client:
        batch = await posted(client, "\n".join(lines))
        assert batch["counts"]["invalid"] == 11
        found = await results(client, batch)
        assert came_to(found) == [
            (1, "a", "succeeded"),
            (2, None, "malformed_body"),
            (3, None, "invalid_request"),
            (4, "none", "invalid_request"),
            (5, None, "invalid_request"),
            (6, None, "invalid_request"),
            (7, None, "invalid_request"),
            (8, "empty", "nothing_to_read"),
            (9, "two", "invalid_request"),
            (10, "budget", "succeeded"),
            (11, None, "invalid_request"),
            (12, None, "malformed_body"),
            (13, None, "malformed_body"),
            (14, "z", "succeeded"),
        ]
        problem = found[7]["error"]
        assert problem["type"] == "/docs/problems#nothing_to_read"
        assert (problem["status"], problem["errors"][0]["pointer"]) == (422, "/documents/0/text")


async def test_an_unknown_field_is_named_with_the_nearest_one(serve: Serve) -> None:
    """As in a request by itself."""
    async with serve() as client:
        (found,) = await results(client, await posted(client, line("a", promt="news")))
        assert found["custom_id"] == "a"
        assert found["error"]["detail"] == "There is no field `promt`; did you mean `prompt`?"
        assert found["error"]["errors"] == [{"pointer": "/promt", "detail": "did you mean `prompt`?"}]


async def test_a_prompt_that_does_not_exist_is_the_fault_of_its_line(serve: Serve) -> None:
    """Not of the batch, nor a failed summary."""
    lines = [line("a", prompt="news@99"), line("b", prompt="nws"), line("c", prompt="news@1@production")]
    async with serve(**REPLAY) as client:
        batch = await posted(client, "\n".join(lines))
        assert (batch["status"], batch["counts"]["invalid"]) == ("finished", 3)
        found = came_to(await results(client, batch))
        assert found == [(1, "a", "not_found"), (2, "b", "not_found"), (3, "c", "conflicting_reference")]


async def test_a_line_that_is_not_utf_8_is_bad_by_itself(serve: Serve) -> None:
    """It says where, and none of its bytes are repeated."""
    bad = b'{"custom_id": "b", "documents": [{"text": "caf\xe9 noir"}]}'
    async with serve() as client:
        batch = await posted(client, b"\n".join([line("a").encode(), bad, line("c").encode()]))
        found = await results(client, batch)
        assert came_to(found) == [(1, "a", "succeeded"), (2, "b", "malformed_body"), (3, "c", "succeeded")]
        assert found[1]["error"]["detail"] == "The line is not UTF-8: the byte at offset 46 does not fit."


async def test_a_line_over_the_limit_is_passed_over(serve: Serve) -> None:
    """A line of the limit fits, however it ends; the whole batch may be larger than a request by itself."""
    fits = line("a")
    most = len(fits)
    over = line("a", f"{ARTICLE}x")
    async with serve(max_body_bytes=most) as client:
        batch = await posted(client, f"\ufeff{fits}\r\n{over}\n{fits}\n{over}\r\n{over * 50}\n{fits}")
        found = await results(client, batch)
        codes = ["succeeded", "too_large", "succeeded", "too_large", "too_large", "succeeded"]
        assert [one[2] for one in came_to(found)] == codes
        assert f"limit of {most:,} bytes" in found[1]["error"]["detail"]
        refused = await client.post("/v1/summaries", content="x" * (most + 1), headers={"Content-Type": "text/plain"})
        check_refused(refused, 413, "too_large")


# --- bad batches -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", ["", "\n", "\ufeff", " \r\n\t\n"])
async def test_a_batch_without_lines_is_refused(serve: Serve, body: str) -> None:
    """Nothing, or nothing but blanks."""
    async with serve() as client:
        refused = await client.post("/v1/batches", content=body, headers=NDJSON)
        assert "no lines" in check_refused(refused, 422, "invalid_request")
        assert await listed(client) == []


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "application/x-www-form-urlencoded", "", "\xe9"])
async def test_another_content_type_is_refused(serve: Serve, kind: str) -> None:
    """With those that are read."""
    async with serve() as client:
        headers = {b"Content-Type": kind.encode("latin-1")} if kind else {}
        refused = await client.post("/v1/batches", content=line("a"), headers=headers)
        detail = check_refused(refused, 415, "unsupported_media_type")
        assert "application/x-ndjson, application/jsonl" in detail
        assert ("With curl: -H 'Content-Type: application/x-ndjson'." in detail) == (not kind or "form-url" in kind)


async def test_a_packed_batch_is_refused(serve: Serve) -> None:
    """With a header that says so; without one its lines are no JSON, and say so."""
    packed = gzip.compress(f"{line('a')}\n".encode(), mtime=0)
    async with serve() as client:
        refused = await client.post("/v1/batches", content=packed, headers={**NDJSON, "Content-Encoding": "gzip"})
        assert "gzip" in check_refused(refused, 415, "unsupported_media_type")
        batch = await posted(client, packed)
        assert {one[2] for one in came_to(await results(client, batch))} == {"malformed_body"}
        refused = await client.post("/v1/batches?length=brief", content=line("a"), headers=NDJSON)
        check_refused(refused, 422, "invalid_request")


async def test_a_batch_over_its_limits_leaves_nothing(serve: Serve) -> None:
    """Too many lines; too many bytes, announced or not."""
    one = f"{line('a')}\n"

    async def unannounced() -> AsyncIterator[bytes]:
        for _ in range(6):
            yield b" " * len(one)

    async with serve(batch_max_lines=4, batch_max_bytes=5 * len(one)) as client:
        await posted(client, one * 4)
        refused = await client.post("/v1/batches", content=one * 5, headers=NDJSON)
        assert "PRECIS_BATCH_MAX_LINES" in check_refused(refused, 413, "too_large")
        for body in (one * 6, unannounced(), b"\n" * 2000):
            refused = await client.post("/v1/batches", content=body, headers=NDJSON)
            assert "PRECIS_BATCH_MAX_BYTES" in check_refused(refused, 413, "too_large")
        assert len(await listed(client)) == 1


async def test_a_caller_who_hangs_up_in_the_middle_leaves_nothing(serve: Serve) -> None:
    """Nothing of it is kept or worked on: they have no id to ask with, and send it again."""
    async with serve() as client:
        wire = Wire(client, "POST", "/v1/batches", {**NDJSON, "Idempotency-Key": "k"})
        for number in range(300):
            wire.send(f"{line(str(number))}\n".encode(), more=True)
        wire.send(line("half")[:20].encode(), more=True)
        wire.hang_up()
        assert (await wire.receive())["status"] == 400
        problem = json.loads(await wire.body())
        assert (problem["code"], "Nothing of it was kept" in problem["detail"]) == ("malformed_body", True)
        await wire.task
        assert await listed(client) == []
        batch = await posted(client, line("a"), **{"Idempotency-Key": "k"})
        assert len(await results(client, batch)) == 1


async def test_a_large_batch_never_sits_in_memory(serve: Serve) -> None:
    """200 MB in one line without an end, then in lines that are each as large as they may be."""
    piece = b"x" * 65_536
    big = b'{"custom_id": "b", "padding": "' + b"x" * 4_900_000 + b'"}\n'

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(200_000_000 // len(piece)):
            yield piece

    async def lines() -> AsyncIterator[bytes]:
        for _ in range(200_000_000 // len(big)):
            for start in range(0, len(big), len(piece)):
                yield big[start : start + len(piece)]

    async with serve() as client:
        await posted(client, line("a"))
        for body, code in ((endless(), "too_large"), (lines(), "invalid_request")):
            tracemalloc.start()
            batch = await posted(client, body)
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            assert {one[2] for one in came_to(await results(client, batch))} == {code}
            assert peak < 40_000_000, f"{peak:,} bytes"
