"""Comparisons over HTTP: made of documents or of summaries, shown in every form, listed and deleted."""

import csv
import hashlib
import io
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import httpx
import pytest

Serve = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]

ROOT = Path(__file__).parents[2]
SEEDS = sorted((ROOT / "seeds").glob("*.txt"))
REPLAY = {"endpoint_mode": "replay", "recordings_dir": str(ROOT / "tests/recordings")}


def body(*names: str, prompts: tuple[str, ...] = ("news@1", "news@3"), **fields: Any) -> dict[str, Any]:
    """A request to compare versions over sample articles, by the beginnings of their names."""
    files = [next(seed for seed in SEEDS if seed.name.startswith(name)) for name in names or ("004",)]
    documents = [{"text": file.read_bytes().decode(), "name": file.name} for file in files]
    return {"documents": documents, "prompts": list(prompts), **fields}


async def test_versions_are_compared_over_documents(serve: Serve) -> None:
    """Each document is a set of its own; the answer is the comparison, with its path."""
    async with serve(**REPLAY) as client:
        made = await client.post("/v1/comparisons", json=body("000", "004"))
        assert made.status_code == 201, made.text
        found = made.json()
        assert made.headers["location"] == f"/v1/comparisons/{found['id']}"
        assert found["status"] == "succeeded"
        assert found["prompts"] == ["news@1", "news@3"]
        assert found["progress"] == {"total": 4, "completed": 4, "failed": 0}
        assert len(found["result"]["sets"]) == 2
        assert found["result"]["pairs"][0]["sentence"].startswith("news@3 against news@1: ")
        again = await client.get(made.headers["location"])
        assert again.status_code == 200
        assert again.json()["result"] == found["result"]


async def test_documents_together_are_one_set(serve: Serve) -> None:
    """One summary over all of them for each version."""
    async with serve(**REPLAY) as client:
        made = await client.post("/v1/comparisons", json=body("000", "002", "004", together=True))
        (only,) = made.json()["result"]["sets"]
        assert len(only["digests"]) == 3


async def test_a_caller_who_does_not_wait_asks_again(serve: Serve) -> None:
    """202 with Location and Retry-After, and the comparison is there all the same."""
    async with serve(**REPLAY) as client:
        made = await client.post("/v1/comparisons", json=body(), headers={"Prefer": "wait=0"})
        assert made.status_code == 202
        assert made.headers["retry-after"] == "1"
        assert made.headers["preference-applied"] == "wait=0"
        assert (await client.get(made.headers["location"])).status_code == 200


async def test_every_form_is_to_be_had_by_accept(serve: Serve) -> None:
    """One value, shown as JSON, page, Markdown, CSV and JUnit XML."""
    async with serve(**REPLAY) as client:
        made = await client.post("/v1/comparisons", json=body())
        at = made.headers["location"]
        sentence = made.json()["result"]["pairs"][0]["sentence"]
        page = await client.get(at, headers={"Accept": "text/html"})
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert sentence.split(".")[0] in page.text
        assert "Tom Cruise" in page.text
        markdown = await client.get(at, headers={"Accept": "text/markdown"})
        assert "news@3 against news@1" in markdown.text
        table = await client.get(at, headers={"Accept": "text/csv"})
        rows = list(csv.DictReader(io.StringIO(table.text)))
        assert rows
        assert all(None not in row for row in rows)
        junit = await client.get(at, headers={"Accept": "application/xml"})
        assert ET.fromstring(junit.text).tag == "testsuites"  # noqa: S314 - our own
        assert all(found.headers["vary"] == "Accept" for found in (page, markdown, table, junit))
        none = await client.get(at, headers={"Accept": "image/png"})
        assert none.status_code == 406


async def test_summaries_that_are_there_are_compared(serve: Serve) -> None:
    """By their ids; they stay when the comparison is deleted."""
    async with serve(**REPLAY) as client:
        text = SEEDS[2].read_bytes().decode()
        ids = [
            (await client.post("/v1/summaries", json={"documents": [{"text": text}], "prompt": prompt})).json()["id"]
            for prompt in ("news@1", "news@3")
        ]
        made = await client.post("/v1/comparisons", json={"summaries": ids})
        assert made.status_code == 201, made.text
        assert [one["id"] for one in made.json()["result"]["versions"]] == ["news@1", "news@3"]
        assert (await client.delete(made.headers["location"])).status_code == 204
        assert (await client.get(f"/v1/summaries/{ids[0]}")).status_code == 200


async def test_comparisons_are_listed_without_their_results(serve: Serve) -> None:
    """Newest first, in pages; their trials are in no list of summaries."""
    async with serve(**REPLAY) as client:
        ids = [(await client.post("/v1/comparisons", json=body())).json()["id"] for _ in range(3)]
        first = (await client.get("/v1/comparisons", params={"limit": 2})).json()
        assert [one["id"] for one in first["data"]] == ids[:0:-1]
        assert {one["result"] for one in first["data"]} == {None}
        rest = (await client.get("/v1/comparisons", params={"cursor": first["next_cursor"]})).json()
        assert [one["id"] for one in rest["data"]] == ids[:1]
        assert rest["has_more"] is False
        assert (await client.get("/v1/comparisons", params={"status": "failed"})).json()["data"] == []
        assert (await client.get("/v1/summaries")).json()["data"] == []


async def test_a_deleted_comparison_is_gone(serve: Serve) -> None:
    """Once, and with it all that was made for it."""
    async with serve(**REPLAY) as client:
        made = await client.post("/v1/comparisons", json=body())
        at = made.headers["location"]
        trial = made.json()["result"]["trials"][0]["summary"]
        assert (await client.delete(at)).status_code == 204
        assert (await client.get(at)).status_code == 404
        assert (await client.delete(at)).status_code == 404
        assert (await client.get(f"/v1/summaries/{trial}")).status_code == 404


async def test_a_trial_that_failed_is_in_the_answer(serve: Serve) -> None:
    """A text that nobody recorded has no answers; the others are compared."""
    async with serve(**REPLAY) as client:
        request = body("004")
        request["documents"].append({"text": "The harbour was closed on Monday. Two ships waited outside."})
        made = await client.post("/v1/comparisons", json=request)
        assert made.status_code == 201
        assert made.json()["status"] == "partial"
        assert made.json()["progress"] == {"total": 4, "completed": 2, "failed": 2}
        assert made.json()["result"]["gate"]["outcome"] == "regression"


async def test_a_comparison_that_failed_says_why(serve: Serve) -> None:
    """In every form."""
    async with serve(**REPLAY) as client:
        request = {
            "documents": [{"text": "The harbour was closed. Two ships waited."}],
            "prompts": ["news@1", "news@2"],
        }
        made = await client.post("/v1/comparisons", json=request)
        assert (made.status_code, made.json()["status"]) == (201, "failed")
        assert made.json()["error"]["code"] == "endpoint_unavailable"
        page = await client.get(made.headers["location"], headers={"Accept": "text/html"})
        assert "None of the 2 trials has a result" in page.text


@pytest.mark.parametrize(
    ("request_body", "status", "pointer"),
    [
        (body(prompts=("news@1",)), 422, "/prompts"),
        (body(prompts=("news@1", "news@1")), 422, "/prompts"),
        (body(prompts=("news@1", "news@99")), 404, None),
        (body(prompts=("news@1", "news@2@production")), 400, None),
        (body(prompts=("news@1", "../../etc/passwd")), 422, None),
        (body(repetitions=0), 422, "/repetitions"),
        (body(repetitions=11), 422, "/repetitions"),
        (body(metric="recal"), 422, "/metric"),
        (body(gate={"margins": {"recal": 0.1}}), 422, "/margins"),
        (body(gate={"margins": {"must_recall": -1}}), 422, None),
        (body(promts=["news@1"]), 422, "/promts"),
        ({"prompts": ["news@1", "news@2"]}, 422, "/documents"),
        ({"summaries": ["sum_nowhere"]}, 404, None),
        ({"summaries": ["sum_nowhere"], "prompts": ["news@1", "news@2"]}, 422, "/prompts"),
        ({"documents": [{"text": " "}], "prompts": ["news@1", "news@2"]}, 422, "/documents/0/text"),
    ],
)
async def test_what_does_not_fit_is_refused_with_a_pointer(
    serve: Serve, request_body: dict[str, Any], status: int, pointer: str | None
) -> None:
    """And nothing is stored."""
    async with serve(**REPLAY) as client:
        refused = await client.post("/v1/comparisons", json=request_body)
        assert refused.status_code == status, refused.text
        assert refused.headers["content-type"] == "application/problem+json"
        if pointer:
            assert [error["pointer"] for error in refused.json()["errors"]] == [pointer]
        assert (await client.get("/v1/comparisons")).json()["data"] == []


async def test_a_reference_that_points_nowhere_is_refused_before_anything_runs(serve: Serve) -> None:
    """By its place in the request; so is one of other documents, and two of the same."""
    request = body("004")
    text = request["documents"][0]["text"]
    digest = hashlib.sha256(text.encode()).hexdigest()

    def reference(end: int, sha256: str = digest, document: str = "r") -> dict[str, Any]:
        span = {"document": document, "start": 0, "end": end}
        fact = {"id": "f1", "text": "It is planned.", "importance": "must", "spans": [span]}
        return {"documents": [{"id": "r", "sha256": sha256}], "facts": [fact]}

    refused = (
        [reference(2**40)],
        [reference(5, document="x")],
        [reference(-1)],
        [reference(5, sha256="00")],
        [reference(5), reference(6)],
    )
    async with serve(**REPLAY) as client:
        for references in refused:
            answer = await client.post("/v1/comparisons", json={**request, "references": references})
            assert answer.status_code == 422, references
            assert answer.json()["errors"][0]["pointer"].startswith("/references")
        assert (await client.get("/v1/comparisons")).json()["data"] == []
        fine = await client.post("/v1/comparisons", json={**request, "references": [reference(40)]})
        assert fine.json()["result"]["primary_metric"] == "must_recall"


async def test_the_second_document_is_named_where_it_is_at_fault(serve: Serve) -> None:
    """Each is a set of its own, and its place is that in the request."""
    request = body("004")
    request["documents"].append({"text": " "})
    async with serve(**REPLAY) as client:
        refused = await client.post("/v1/comparisons", json=request)
        assert [error["pointer"] for error in refused.json()["errors"]] == ["/documents/1/text"]
        request["documents"][1] = request["documents"][0]
        twice = await client.post("/v1/comparisons", json=request)
        assert [error["pointer"] for error in twice.json()["errors"]] == ["/documents/1"]


async def test_what_is_no_json_is_refused(serve: Serve) -> None:
    """Texts and forms make summaries, not comparisons."""
    async with serve(**REPLAY) as client:
        text = await client.post("/v1/comparisons", content="A text.", headers={"Content-Type": "text/plain"})
        assert text.status_code == 415
        assert text.json()["detail"].endswith("Send application/json.")
        broken = await client.post("/v1/comparisons", content="{", headers={"Content-Type": "application/json"})
        assert broken.status_code == 400
        assert (await client.put("/v1/comparisons", json={})).status_code == 405


async def test_without_a_model_versions_cannot_be_compared(serve: Serve) -> None:
    """The extractive engine sends no prompt; the answer says what to set."""
    async with serve() as client:
        refused = await client.post("/v1/comparisons", json=body())
        assert (refused.status_code, refused.json()["code"]) == (422, "needs_model")
