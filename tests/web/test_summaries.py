"""Summaries over HTTP: made, fetched, listed, deleted."""

import io
import json
import re
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import docx
import httpx
import msgspec
import pytest
from pypdf import PdfReader, PdfWriter

from service.rendering.resource import Summary, SummaryPage

pytestmark = pytest.mark.asyncio(loop_scope="module")

SEEDS = {path.stem[:3]: path.read_bytes() for path in (Path(__file__).parents[2] / "seeds").glob("*.txt")}
ARTICLE = (
    "The council voted on Tuesday to close the old bridge. Engineer Ana Ruiz said the repairs would cost $1.2 million. "
    "Traffic will reportedly be diverted until May 2027."
)
PLAIN = {"Content-Type": "text/plain"}
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


def a_pdf(text: str) -> bytes:
    """Write a page with a line of text, by hand."""
    stream = f"BT /F1 12 Tf 40 700 Td ({text}) Tj ET".encode()
    objects = (
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 1800 800] /Contents 4 0 R /Resources << /Font << /F1 %s >> >> >>"
        % b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
    )
    body, offsets = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        offsets.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    tail = b"xref\n0 5\n0000000000 65535 f \n%strailer << /Size 5 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n"
    return body + tail % (table, len(body))


def an_encrypted_pdf(text: str) -> bytes:
    """Write the same page behind a password."""
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(a_pdf(text))))
    writer.encrypt("secret", algorithm="RC4-128")
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def a_docx(text: str) -> bytes:
    """Write a document of one paragraph."""
    document = docx.Document()
    document.add_paragraph(text)
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


async def check_quotes(client: httpx.AsyncClient, response: httpx.Response) -> Summary:
    """Hold every quote of a finished summary against the text that the service gives out; gives the summary."""
    summary = msgspec.json.decode(response.content, type=Summary)
    assert summary.result is not None
    assert summary.result.key_points
    for point in summary.result.key_points:
        assert point.evidence
        for evidence in point.evidence:
            text = await client.get(f"/v1/summaries/{summary.id}/documents/{evidence.document}")
            assert text.content.decode()[evidence.start : evidence.end] == evidence.quote
    return summary


@pytest.mark.parametrize("name", sorted(SEEDS))
async def test_a_posted_file_gives_201_with_quotes_at_their_offsets(client: httpx.AsyncClient, name: str) -> None:
    """`curl --data-binary @file -H 'Content-Type: text/plain'` is all it takes, and the text comes back as it was."""
    response = await client.post("/v1/summaries", content=SEEDS[name], headers=PLAIN)
    assert response.status_code == 201
    summary = await check_quotes(client, response)
    assert response.headers["location"] == f"/v1/summaries/{summary.id}"
    assert (await client.get(f"/v1/summaries/{summary.id}/documents/d1")).content == SEEDS[name]
    assert (await client.get(response.headers["location"])).content == response.content


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("text/plain", ARTICLE.encode()),
        ("Text/Plain; Charset=UTF-8", ARTICLE.encode()),
        ("text/plain; charset=utf-16", ARTICLE.encode("utf-16")),
        ("text/markdown", f"# The *bridge*\n\n{ARTICLE}".encode()),
        ("text/html", f"<html><body><article><p>{ARTICLE}</p></article></body></html>".encode()),
        ("text/html; charset=iso-8859-1", f'<meta charset="iso-8859-1"><p>Café. {ARTICLE}</p>'.encode("latin-1")),
        ("application/pdf", a_pdf(ARTICLE)),
        (DOCX, a_docx(ARTICLE)),
        ("application/json", json.dumps({"documents": [{"text": ARTICLE}]}).encode()),
        ("application/json", b"\xef\xbb\xbf" + json.dumps({"documents": [{"html": f"<p>{ARTICLE}</p>"}]}).encode()),
        ("application/json", json.dumps({"documents": [{"markdown": ARTICLE}]}).encode()),
    ],
)
async def test_every_content_type_makes_a_checked_summary(client: httpx.AsyncClient, kind: str, body: bytes) -> None:
    """Whatever it comes in, offsets refer to the text that the service keeps, and the article is in it."""
    response = await client.post("/v1/summaries", content=body, headers={"Content-Type": kind})
    assert response.status_code == 201, response.text
    summary = await check_quotes(client, response)
    text = (await client.get(f"/v1/summaries/{summary.id}/documents/d1")).text
    assert "Engineer Ana Ruiz said the repairs would cost $1.2 million." in text
    assert ("Café" in text) == ("8859" in kind)


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffA byte order mark stands first. Then comes the second sentence of this text.",
        "One line ends so.\r\nAnother ends so.\rA third ends so.\nAnd the last one ends without.",
        "قال الوزير يوم الثلاثاء إن الجسر القديم سيغلق. وأضاف أن الإصلاح سيكلف مليون دولار.",
        "市议会星期二投票决定关闭旧桥。工程师说维修费用为一百二十万美元。交通将改道至五月。",
        "The token <|endoftext|> stands in this sentence. The text goes on after it, as texts do.",
        "👩‍👩‍👧‍👦 The family 👍🏽 walked over the bridge 🌉 on Tuesday. Nobody was hurt 🙂.",
        " " * 1_000_000 + "A sentence after a million spaces stands here.",
    ],
    ids=["bom", "line ends", "arabic", "chinese", "endoftext", "emoji", "spaces"],
)
async def test_odd_texts_are_summarised_with_exact_offsets(client: httpx.AsyncClient, text: str) -> None:
    """Offsets are code points of the text as it was sent, byte for byte."""
    response = await client.post("/v1/summaries", content=text.encode(), headers=PLAIN)
    assert response.status_code == 201, response.text
    summary = await check_quotes(client, response)
    assert (await client.get(f"/v1/summaries/{summary.id}/documents/d1")).content == text.encode()


async def test_files_of_a_form_make_one_summary(client: httpx.AsyncClient) -> None:
    """Each file is a document with its name; its type is its own or its ending's; big ones are read too."""
    big = ("Nothing happened at the river on that day. " * 50_000).encode()
    files = [
        ("a", ("bridge.txt", ARTICLE.encode(), "text/plain")),
        ("b", ("notes/river.md", b"The river rose by 3 metres on Monday.", "application/octet-stream")),
        ("b", ("bridge.pdf", a_pdf(ARTICLE), "application/pdf")),
        ("b", ("big.txt", big, "text/plain")),
    ]
    response = await client.post("/v1/summaries?length=brief&focus=river", files=files)
    assert response.status_code == 201, response.text
    summary = await check_quotes(client, response)
    assert summary.result is not None
    assert [document.name for document in summary.result.documents] == [
        "bridge.txt",
        "river.md",
        "bridge.pdf",
        "big.txt",
    ]
    assert summary.result.manifest.parameters.length == "brief"
    assert summary.result.manifest.parameters.focus == "river"


async def test_the_query_describes_a_bare_text(client: httpx.AsyncClient) -> None:
    """Title, address, date and language of a text that is posted bare stand in the query."""
    query = {"title": "Bridge", "url": "https://example.org/b", "published_at": "2026-11-03", "text_language": "en"}
    response = await client.post("/v1/summaries", params=query, content=ARTICLE, headers=PLAIN)
    (document,) = response.json()["result"]["documents"]
    assert (document["title"], document["url"], document["date"]["iso"], document["language"]) == (
        "Bridge",
        "https://example.org/b",
        "2026-11-03",
        "en",
    )


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("*/*", "application/json"),
        ("", "application/json"),
        ("application/json; charset=utf-8", "application/json"),
        ("text/markdown", "text/markdown"),
        ("text/*", "text/markdown"),
        ("TEXT/HTML", "text/html"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/html"),
        ("application/json;q=0.5, text/html;q=0.4, text/markdown;q=0.6", "text/markdown"),
        ("application/json;q=0.1, */*", "text/markdown"),
        ("text/html;q=0, */*;q=0.1", "application/json"),
    ],
)
async def test_accept_chooses_the_representation(client: httpx.AsyncClient, accept: str, kind: str) -> None:
    """JSON, Markdown or a page: the one with the highest quality, on POST as on GET."""
    headers = {"Accept": accept or ""}
    made = await client.post("/v1/summaries", content=ARTICLE, headers={**PLAIN, **headers})
    assert (made.status_code, made.headers["content-type"].partition(";")[0]) == (201, kind)
    shown = await client.get(made.headers["location"], headers=headers)
    assert (shown.status_code, shown.headers["content-type"].partition(";")[0]) == (200, kind)
    assert shown.headers["vary"] == "Accept"
    assert "Ana Ruiz" in shown.text


@pytest.mark.parametrize("accept", ["image/png", "text/html;q=0", "application/xml, text/csv", "nonsense"])
async def test_what_cannot_be_had_is_406(client: httpx.AsyncClient, accept: str) -> None:
    """The problem names what there is, and nothing is made."""
    before = (await client.get("/v1/summaries")).content
    response = await client.post("/v1/summaries", content=ARTICLE, headers={**PLAIN, "Accept": accept})
    assert response.status_code == 406
    assert "text/markdown" in response.json()["detail"]
    assert (await client.get("/v1/summaries")).content == before


async def test_without_a_wait_it_is_202_and_later_finished(client: httpx.AsyncClient) -> None:
    """`Prefer: wait=0` answers at once, with where and when to ask again."""
    made = await client.post("/v1/summaries", content=ARTICLE, headers={**PLAIN, "Prefer": "wait=0"})
    assert made.status_code == 202
    assert (made.headers["retry-after"], made.headers["preference-applied"]) == ("1", "wait=0")
    assert made.json()["status"] in {"queued", "running"}
    shown = await client.get(made.headers["location"])
    while shown.json()["status"] in {"queued", "running"}:
        assert (shown.status_code, shown.headers["retry-after"]) == (200, "1")
        shown = await client.get(made.headers["location"])
    assert shown.json()["status"] == "succeeded"
    assert "retry-after" not in shown.headers


@pytest.mark.parametrize(
    ("prefer", "applied"),
    [("wait=7", "wait=7"), ("respond-async, WAIT=5", "wait=5"), ("wait=3600", "wait=60"), ("wait=soon", None)],
)
async def test_the_wait_that_applied_is_said(client: httpx.AsyncClient, prefer: str, applied: str | None) -> None:
    """A wait of over a minute is one minute; what cannot be read does not apply (RFC 7240)."""
    response = await client.post("/v1/summaries", content=ARTICLE, headers={**PLAIN, "Prefer": prefer})
    assert (response.status_code, response.headers.get("preference-applied")) == (201, applied)


async def test_pages_list_every_summary_once_newest_first(client: httpx.AsyncClient) -> None:
    """Following the cursor to its end visits all, without their results."""
    made = [(await client.post("/v1/summaries", content=ARTICLE, headers=PLAIN)).json()["id"] for _ in range(5)]
    seen: list[str] = []
    query: dict[str, str] = {"limit": "3"}
    while True:
        response = await client.get("/v1/summaries", params=query)
        page = msgspec.json.decode(response.content, type=SummaryPage)
        seen += [summary.id for summary in page.data]
        assert all(summary.result is None for summary in page.data)
        assert page.has_more == (page.next_cursor is not None)
        if page.next_cursor is None:
            break
        query["cursor"] = page.next_cursor
    assert seen[:5] == made[::-1]
    assert len(set(seen)) == len(seen)


async def test_a_listing_can_be_of_one_status(client: httpx.AsyncClient) -> None:
    """The filter leaves the others out."""
    made = (await client.post("/v1/summaries", content=ARTICLE, headers=PLAIN)).json()["id"]
    succeeded = (await client.get("/v1/summaries?status=succeeded")).json()["data"]
    assert succeeded[0]["id"] == made
    assert {summary["status"] for summary in succeeded} == {"succeeded"}
    assert (await client.get("/v1/summaries?status=failed")).json()["data"] == []


async def test_what_is_deleted_is_gone(client: httpx.AsyncClient) -> None:
    """204 once, then 404 for the summary, its text and another DELETE."""
    where = (await client.post("/v1/summaries", content=ARTICLE, headers=PLAIN)).headers["location"]
    deleted = await client.delete(where)
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert [
        (await client.get(where)).status_code,
        (await client.get(f"{where}/documents/d1")).status_code,
        (await client.delete(where)).status_code,
    ] == [404, 404, 404]


async def test_a_plan_counts_and_stores_nothing(client: httpx.AsyncClient) -> None:
    """Chunks, tokens and no calls, for the same bodies as a summary."""
    before = (await client.get("/v1/summaries")).content
    response = await client.post("/v1/plans", content=SEEDS["000"], headers=PLAIN)
    assert response.status_code == 200
    plan = response.json()
    assert (plan["engine"], plan["chunks"], plan["calls"]) == ("extractive", 1, 0)
    assert 500 < plan["documents"][0]["tokens"] < 1500
    assert (await client.get("/v1/summaries")).content == before


async def test_one_text_gives_one_result(client: httpx.AsyncClient) -> None:
    """JSON and bare text are two ways to say the same: the results are equal."""
    text = SEEDS["002"].decode()
    bare = await client.post("/v1/summaries?length=detailed", content=text.encode(), headers=PLAIN)
    body = {"documents": [{"text": text}], "options": {"length": "detailed"}}
    assert bare.json()["result"] == (await client.post("/v1/summaries", json=body)).json()["result"]


async def test_hostile_ids_of_documents_can_be_fetched(client: httpx.AsyncClient) -> None:
    """An id is any word without a slash; encoded in the path, it finds its text."""
    for name in ("é", "a%2fb", "a&b=c", "a;b", "…", "-", "a.b"):
        body = {"documents": [{"id": name, "text": ARTICLE}]}
        where = (await client.post("/v1/summaries", json=body)).headers["location"]
        path = "".join(f"%{byte:02x}" for byte in name.encode())
        assert (await client.get(f"{where}/documents/{path}")).text == ARTICLE


async def test_texts_are_given_out_as_plain_text_only(client: httpx.AsyncClient) -> None:
    """A posted script is not run by a browser that fetches it."""
    text = f"<script>alert(1)</script> {ARTICLE}"
    where = (await client.post("/v1/summaries", content=text, headers=PLAIN)).headers["location"]
    response = await client.get(f"{where}/documents/d1", headers={"Accept": "text/html"})
    assert (response.text, response.headers["content-type"]) == (text, "text/plain; charset=utf-8")
    assert response.headers["x-content-type-options"] == "nosniff"


async def test_head_is_get_without_a_body(client: httpx.AsyncClient) -> None:
    """Status and headers are the same, and the method cannot be overridden by a header."""
    where = (await client.post("/v1/summaries", content=ARTICLE, headers=PLAIN)).headers["location"]
    for path in (where, f"{where}/documents/d1", "/v1/summaries", "/health", "/docs", "/openapi.json", "/nothing"):
        head, get = await client.head(path), await client.get(path, headers={"X-HTTP-Method-Override": "DELETE"})
        assert (head.status_code, head.content) == (get.status_code, b"")
        assert head.headers["content-type"] == get.headers["content-type"]
        if get.status_code == 200:
            assert head.headers["content-length"] == get.headers["content-length"]


async def test_a_slash_at_the_end_changes_nothing(client: httpx.AsyncClient) -> None:
    """Paths with and without it are the same."""
    where = (await client.post("/v1/summaries/", content=ARTICLE, headers=PLAIN)).headers["location"]
    assert (await client.get(f"{where}/")).content == (await client.get(where)).content


async def test_health_and_readiness(
    serve: Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]], tmp_path: Path
) -> None:
    """Without its database the process is still healthy, and no longer ready: 503 with Retry-After, not 500."""
    async with serve() as client:
        assert (await client.get("/health")).json() == {"status": "ok"}
        assert (await client.get("/ready")).json() == {"status": "ready"}
        (tmp_path / "precis.db").unlink()
        assert (await client.get("/health")).status_code == 200
        for response in (
            await client.get("/ready"),
            await client.get("/v1/summaries"),
            await client.post("/v1/summaries", content=ARTICLE, headers=PLAIN),
        ):
            assert response.status_code == 503
            assert response.headers["content-type"] == "application/problem+json"
            assert response.json()["code"] == "store_unavailable"
            assert re.fullmatch(r"\d+", response.headers["retry-after"])
