"""Bad input, and what it gets: a problem object that says what happened, why, and what to do."""

import io
import json
import string
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from service import bootstrap
from service.adapters.store import Key, StoredSummary
from service.core.types import Conditions, Document, Options
from service.jobs import AS_CONFIGURED, Jobs
from service.settings import Settings

pytestmark = pytest.mark.asyncio(loop_scope="module")

ARTICLE = "The council voted on Tuesday to close the old bridge. Engineer Ana Ruiz said so on Monday."
JSON = {"Content-Type": "application/json"}
PLAIN = {"Content-Type": "text/plain"}
FORM = {"Content-Type": "multipart/form-data; boundary=x"}
PDF = {"Content-Type": "application/pdf"}
LEFTOVERS = "End of content\nNo more pages to load\n"
KEYS = {"type", "title", "status", "detail", "instance", "code", "request_id"}

Serve = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


def a_part(content: bytes, disposition: str = 'name="f"; filename="a.txt"', kind: str = "text/plain") -> bytes:
    """Write a part of a form, without the end of the form."""
    return b"--x\r\nContent-Disposition: form-data; %s\r\nContent-Type: %s\r\n\r\n%s\r\n" % (
        disposition.encode(),
        kind.encode(),
        content,
    )


def check_problem(response: httpx.Response, status: int) -> dict[str, Any]:
    """Check that a response is a whole problem object; gives it."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = response.json()
    assert problem.keys() - {"errors"} == KEYS
    assert problem["status"] == status
    assert problem["type"] == f"/docs/problems#{problem['code']}"
    assert problem["instance"] == response.request.url.path
    assert problem["request_id"] == response.headers["x-request-id"]
    assert len(response.content) < 3000
    return problem


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"documents": [{"text": ""}]}, "/documents/0/text"),
        ({"documents": [{"text": " \n\t\u00a0\u2003"}]}, "/documents/0/text"),
        ({"documents": [{"text": ARTICLE}, {"text": "a\0b"}]}, "/documents/1/text"),
        ({"documents": [{"text": ARTICLE}, {"text": "half \ud83d a pair"}]}, "/documents/1/text"),
        ({"documents": [{"text": ARTICLE, "title": "half \udc00"}]}, "/documents/0/title"),
        ({"documents": [{"text": ARTICLE}], "\ud800": "\ud800"}, "/\\ud800"),
        ({"documents": [{"text": LEFTOVERS}]}, "/documents/0/text"),
        ({"documents": [{"html": "<p> </p>"}]}, "/documents/0/html"),
        ({"documents": []}, "/documents"),
        ({}, ""),
        ([], ""),
        (None, ""),
        ({"documents": "text"}, "/documents"),
        ({"documents": [ARTICLE]}, "/documents/0"),
        ({"documents": [{}]}, "/documents/0"),
        ({"documents": [{"text": None}]}, "/documents/0"),
        ({"documents": [{"text": ARTICLE, "html": ARTICLE}]}, "/documents/0"),
        ({"documents": [{"text": 5}]}, "/documents/0/text"),
        ({"documents": [{"text": ARTICLE, "published_at": "yesterday"}]}, "/documents/0/published_at"),
        ({"documents": [{"text": ARTICLE, "language": "english"}]}, "/documents/0/language"),
        ({"documents": [{"text": ARTICLE, "language": "en\n"}]}, "/documents/0/language"),
        ({"documents": [{"text": ARTICLE, "title": "a\0b"}]}, "/documents/0/title"),
        ({"documents": [{"text": ARTICLE, "id": "a/b"}]}, "/documents/0/id"),
        ({"documents": [{"text": ARTICLE, "id": ".."}]}, "/documents/0/id"),
        ({"documents": [{"text": ARTICLE, "id": "a\n"}]}, "/documents/0/id"),
        ({"documents": [{"text": ARTICLE, "id": "a"}, {"text": ARTICLE, "id": "a"}]}, "/documents/1/id"),
        ({"documents": [{"text": ARTICLE, "id": "d2"}, {"text": ARTICLE}]}, "/documents/1/id"),
        ({"documents": [{"text": ARTICLE}] * 101}, "/documents"),
        ({"documents": [{"html": "<p>x"}] * 101}, "/documents"),
        ({"documents": [{"text": ARTICLE}], "options": {"length": "short"}}, "/options/length"),
        ({"documents": [{"text": ARTICLE}], "options": {"max_words": 9}}, "/options/max_words"),
        ({"documents": [{"text": ARTICLE}], "options": {"max_words": 10**40}}, "/options/max_words"),
        ({"documents": [{"text": ARTICLE}], "options": {"focus": ""}}, "/options/focus"),
        ({"documents": [{"text": ARTICLE}], "options": {"language": "de"}}, "/options/language"),
    ],
)
async def test_what_does_not_fit_is_422_with_a_pointer(client: httpx.AsyncClient, body: object, pointer: str) -> None:
    """JSON that decodes and does not fit is refused by summaries and plans alike, and the field is named."""
    for path in ("/v1/summaries", "/v1/plans"):
        response = await client.post(path, content=json.dumps(body), headers=JSON)
        assert check_problem(response, 422)["errors"] == [
            {"pointer": pointer, "detail": response.json()["errors"][0]["detail"]}
        ]


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({"options": {"length": "short"}}, "`length` is one of brief, standard, detailed"),
        ({"options": {"length": 5}}, "`length` is one of brief, standard, detailed, not a number"),
        ({"options": {"plan": "fast"}}, "`plan` is one of detail, latency"),
        ({"options": {"max_words": 9}}, "`max_words` is a whole number from 10 to 10,000"),
        ({"options": {"max_words": "9"}}, "`max_words` is a whole number from 10 to 10,000, not a text"),
        ({"options": {"language": "EN"}}, "`language` is two or three small letters, such as en"),
        ({"options": {"focus": ""}}, "`focus` is a text of 1 to 500 characters, none of them NUL"),
        ({"budget": {"max_cost": -1}}, "`max_cost` is a number from 0 up"),
        ({"fallback": "llm"}, "`fallback` is extractive, or left out"),
        ({"strict": "yes"}, "`strict` is true or false, not a text"),
        ({"documents": []}, "`documents` is a list of at least one"),
        ({"documents": "x"}, "`documents` is a list of at least one, not a text"),
        ({"documents": [{"text": ARTICLE, "id": "a/b"}]}, "`id` is 1 to 200 characters, none of them white space"),
        ({"documents": [ARTICLE]}, "each of `documents` is an object with id, text, html"),
        ({"documents": [{"text": 5}]}, "`text` is a text, not a number"),
    ],
)
async def test_a_field_that_does_not_fit_is_told_what_would(
    client: httpx.AsyncClient, body: dict[str, object], detail: str
) -> None:
    """In plain words, by its name, with all that it may be."""
    response = await client.post("/v1/summaries", json={"documents": [{"text": ARTICLE}], **body})
    problem = check_problem(response, 422)
    assert problem["errors"][0]["detail"].startswith(detail)
    assert detail in str(problem["detail"])
    assert not any(word in response.text for word in ("enum", "`int`", "`str`", "regex", ">="))


@pytest.mark.parametrize("field", ["text", "markdown"])
async def test_an_address_is_no_text(client: httpx.AsyncClient, field: str) -> None:
    """Nothing is fetched: not an address in place of a text, and not the `url` beside none."""
    address = "https://example.org/article"
    problem = check_problem(await client.post("/v1/summaries", json={"documents": [{field: address}]}), 422)
    assert problem["code"] == "nothing_to_read"
    assert problem["errors"] == [
        {"pointer": f"/documents/0/{field}", "detail": "that is an address; nothing is fetched: send the text"}
    ]
    bare = check_problem(await client.post("/v1/summaries", content=address, headers=PLAIN), 422)
    assert "nothing is fetched: send the text" in str(bare["detail"])
    without = check_problem(await client.post("/v1/summaries", json={"documents": [{"url": address}]}), 422)
    assert "is not fetched" in without["errors"][0]["detail"]


async def test_a_pdf_sent_as_text_is_told_its_type(client: httpx.AsyncClient) -> None:
    """Curl's `--data-binary @article.pdf` with the header of the example."""
    problem = check_problem(await client.post("/v1/summaries", content=b"%PDF-1.7 ...", headers=PLAIN), 422)
    assert "Content-Type application/pdf" in str(problem["detail"])


@pytest.mark.parametrize("headers", [{}, {"Content-Type": "application/x-www-form-urlencoded"}])
async def test_without_a_fitting_type_both_ways_are_shown(client: httpx.AsyncClient, headers: dict[str, str]) -> None:
    """Curl sends a form unless told otherwise; JSON and text have a header each."""
    problem = check_problem(await client.post("/v1/summaries", content=b"{}", headers=headers), 415)
    for kind in ("application/json", "text/plain"):
        assert f"-H 'Content-Type: {kind}'" in str(problem["detail"])


@pytest.mark.parametrize(
    ("body", "pointer", "advice"),
    [
        ({"document": []}, "/document", "`documents`"),
        ({"documents": [{"txt": ARTICLE}]}, "/documents/0/txt", "`text`"),
        ({"documents": [{"text": ARTICLE, "publishd": ""}]}, "/documents/0/publishd", "`published_at`"),
        ({"documents": [{"text": ARTICLE}], "options": {"lenght": "brief"}}, "/options/lenght", "`length`"),
        ({"documents": [{"text": ARTICLE, "a/b~c": 1}]}, "/documents/0/a~1b~0c", "known are id, text"),
        ({"documents": [{"text": ARTICLE, "x` - at `$.y": 1}]}, "/documents/0/x` - at `$.y", "known are id, text"),
        ({"x" * 100_000: 1}, "/" + "x" * 200 + "…", "known are documents, options"),
    ],
)
async def test_an_unknown_field_gets_the_nearest_name(
    client: httpx.AsyncClient, body: object, pointer: str, advice: str
) -> None:
    """At every level, with a pointer after RFC 6901; a long name is not repeated whole."""
    problem = check_problem(await client.post("/v1/summaries", json=body), 422)
    (fault,) = problem["errors"]
    assert fault["pointer"] == pointer
    assert advice in fault["detail"]
    assert advice in str(problem["detail"])


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("lenght=brief", "lenght"),
        ("length=short", "length"),
        ("length=brief&length=detailed", "length"),
        ("max_words=many", "max_words"),
        ("published_at=yesterday", "published_at"),
        ("text_language=EN", "text_language"),
        ("focus=a%00b", "focus"),
    ],
)
async def test_a_query_that_does_not_fit_is_422(client: httpx.AsyncClient, query: str, pointer: str) -> None:
    """The parameter is named, one that is given twice too."""
    response = await client.post(f"/v1/summaries?{query}", content=ARTICLE, headers=PLAIN)
    (fault,) = check_problem(response, 422)["errors"]
    assert fault["pointer"] == pointer


@pytest.mark.parametrize(
    ("body", "offset"),
    [
        (b"", 0),
        (b"{nope", 1),
        (b'{"documents": [}', 15),
        (b'{"documents": [', 15),
        (b'\xef\xbb\xbf{"documents": [}', 18),
        ('{"documents": [{"text": "é" x}]}'.encode(), 29),
        (b'{"documents": [{"text": "\xff"}]}', 25),
        (b'\xef\xbb\xbf{"documents": [{"text": "\xff"}]}', 28),
        (json.dumps({"documents": []}).encode("utf-16"), 0),
    ],
)
async def test_what_does_not_decode_is_400_with_the_byte_offset(
    client: httpx.AsyncClient, body: bytes, offset: int
) -> None:
    """Not JSON or not UTF-8: the offset counts bytes of the body as it was sent."""
    problem = check_problem(await client.post("/v1/summaries", content=body, headers=JSON), 400)
    assert f"offset {offset} " in str(problem["detail"]) or f"(byte {offset})" in str(problem["detail"])


@pytest.mark.parametrize(
    "kind", ["text/plain", "text/markdown", "text/plain; charset=utf-8", "text/plain; charset=ascii"]
)
async def test_text_that_is_not_utf8_is_400_with_the_byte_offset(client: httpx.AsyncClient, kind: str) -> None:
    """A text in another charset is refused, never guessed."""
    response = await client.post(
        "/v1/summaries", content=b"Caf\xe9. " + ARTICLE.encode(), headers={"Content-Type": kind}
    )
    assert "offset 3 " in str(check_problem(response, 400)["detail"])


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 1_000_000,
        b'{"documents":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        *(b'{"x":' + b"[" * n + b'"\\ud800"' + b"]" * n + b"}" for n in (100, 900, 950, 980, 1000, 100_000)),
        *(b'{"a":' * n + b'"\\ud800"' + b"}" * n for n in (900, 950, 1000, 100_000)),
    ],
    ids=lambda body: f"{body[:8].decode()}{len(body)}",
)
async def test_deep_nesting_is_refused(client: httpx.AsyncClient, body: bytes) -> None:
    """However deep, it is the caller's fault and nobody's stack overflows."""
    response = await client.post("/v1/summaries", content=body, headers=JSON)
    check_problem(response, response.status_code)
    assert response.status_code in {400, 422}


@pytest.mark.parametrize(
    ("body", "size"),
    [(b"x" * 5_000_001, "5,000,001 bytes"), (b"a b. " * 800_001, "4,000,005 characters; the limit is 4,000,000")],
)
async def test_what_is_too_large_is_413_with_the_limit(client: httpx.AsyncClient, body: bytes, size: str) -> None:
    """Bytes of the body and characters of the text have limits of their own; a JSON string has them too."""
    problem = check_problem(await client.post("/v1/summaries", content=body, headers=PLAIN), 413)
    assert size in str(problem["detail"])
    text = {"documents": [{"text": body.decode()}]}
    check_problem(await client.post("/v1/summaries", json=text), 413)


async def test_a_body_over_the_limit_is_not_read_to_its_end(client: httpx.AsyncClient) -> None:
    """Without a length announced, reading stops at the limit, for forms too."""
    for kind in ("text/plain", "multipart/form-data; boundary=x", "application/json"):
        sent = 0

        async def pieces() -> AsyncIterator[bytes]:
            nonlocal sent
            for _ in range(1000):
                sent += 100_000
                yield b"x" * 100_000

        response = await client.post("/v1/summaries", content=pieces(), headers={"Content-Type": kind})
        assert "5,000,000 bytes" in str(check_problem(response, 413)["detail"])
        assert sent <= 5_200_000


async def test_an_announced_length_over_the_limit_is_refused_unread(client: httpx.AsyncClient) -> None:
    """Nothing of the body is read."""
    sent = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal sent
        sent += 1
        yield b"x"

    headers = {**PLAIN, "Content-Length": "50000000"}
    response = await client.post("/v1/summaries", content=body(), headers=headers)
    assert "50,000,000 bytes" in str(check_problem(response, 413)["detail"])
    assert sent == 0


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content-Type": ""},
        {"Content-Type": ";;;"},
        {"Content-Type": "image/png"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "text/plain; charset=klingon"},
        {"Content-Type": "text/plain; charset=base64"},
        {"Content-Type": "text/plain; charset=punycode"},
        {"Content-Type": "text/plain; charset=undefined"},
        {"Content-Type": "text/plain", "Content-Encoding": "gzip"},
    ],
    ids=str,
)
async def test_what_is_not_read_is_415_with_what_is(client: httpx.AsyncClient, headers: dict[str, str]) -> None:
    """The right content types are listed, or the right charset or coding is said."""
    response = await client.post("/v1/summaries", content=ARTICLE.encode(), headers=headers)
    detail = str(check_problem(response, 415)["detail"])
    assert any(said in detail for said in ("text/plain, text/markdown, text/html", "Send UTF-8", "as it is"))


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"junk", 400),
        (b"--x--\r\n", 422),
        (a_part(b"text")[:-30], 400),
        (b"--x\r\nContent-Disposition: bogus\r\n\r\nabc\r\n--x--\r\n", 400),
        (a_part(b"brief", 'name="length"') + b"--x--\r\n", 422),
        (a_part(b"\xff\xfe", 'name="length"') + b"--x--\r\n", 400),
        (a_part(b"brief", 'name="length"', "text/plain; charset=klingon") + b"--x--\r\n", 400),
        (a_part(ARTICLE.encode(), 'name="f"; filename="a.bin"', "image/png") + b"--x--\r\n", 415),
        (a_part(ARTICLE.encode()) * 101 + b"--x--\r\n", 422),
        (a_part(ARTICLE.encode()) * 1500 + b"--x--\r\n", 400),
    ],
)
async def test_a_form_that_does_not_fit_is_refused(client: httpx.AsyncClient, content: bytes, status: int) -> None:
    """Broken forms, fields beside files, too many files: the caller's fault, each time."""
    check_problem(await client.post("/v1/summaries", content=content, headers=FORM), status)


async def test_a_form_without_a_boundary_is_400(client: httpx.AsyncClient) -> None:
    """It cannot be taken apart."""
    response = await client.post("/v1/summaries", content=a_part(b"x"), headers={"Content-Type": "multipart/form-data"})
    assert "boundary" in str(check_problem(response, 400)["detail"])


@pytest.mark.parametrize("content", [b"", b"%PDF-1.4 junk", b"PK\3\4", b"\x9d\xff\0" * 700])
@pytest.mark.parametrize("kind", ["pdf", "vnd.openxmlformats-officedocument.wordprocessingml.document"])
async def test_a_broken_file_is_422(client: httpx.AsyncClient, kind: str, content: bytes) -> None:
    """It says so, and that the text itself can be sent."""
    headers = {"Content-Type": f"application/{kind}"}
    problem = check_problem(await client.post("/v1/summaries", content=content, headers=headers), 422)
    assert problem["code"] == "unreadable_file"
    assert "text/plain" in str(problem["detail"])


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/summaries/nope"),
        ("DELETE", "/v1/summaries/nope"),
        ("GET", "/v1/summaries/nope/documents/d1"),
        ("GET", "/v1/summaries/a%00b"),
        ("GET", "/v1/summaries/%ff%fe"),
        ("GET", "/v1/summaries/' OR 1=1 --"),
        ("GET", "/v1/nope"),
        ("GET", "/docs/assets/nope.js"),
        ("GET", "/docs/assets/..%2f..%2f..%2fpyproject.toml"),
    ],
)
async def test_what_is_not_there_is_404(client: httpx.AsyncClient, method: str, path: str) -> None:
    """Unknown ids and unknown paths alike."""
    assert check_problem(await client.request(method, path), 404)["code"] == "not_found"


async def test_an_unknown_document_is_404_and_says_where_to_look(client: httpx.AsyncClient) -> None:
    """The summary is there, and its document is not."""
    where = (await client.post("/v1/summaries", content=ARTICLE, headers=PLAIN)).headers["location"]
    assert "no document 'd9'" in str(check_problem(await client.get(f"{where}/documents/d9"), 404)["detail"])


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("PUT", "/v1/summaries", "GET, HEAD, OPTIONS, POST"),
        ("GET", "/v1/plans", "OPTIONS, POST"),
        ("POST", "/v1/summaries/sum_1", "DELETE, GET, HEAD, OPTIONS"),
        ("BREW", "/health", "GET, HEAD, OPTIONS"),
    ],
)
async def test_another_method_is_405_with_those_there_are(
    client: httpx.AsyncClient, method: str, path: str, allow: str
) -> None:
    """`Allow` lists them (RFC 9110), and a header does not override the method."""
    response = await client.request(method, path, headers={"X-HTTP-Method-Override": "DELETE"})
    assert allow in str(check_problem(response, 405)["detail"])
    assert response.headers["allow"] == allow


@pytest.mark.parametrize(
    "query",
    [
        "cursor=abc",
        "cursor=%ff",
        "cursor=",
        "limit=0",
        "limit=101",
        "limit=x",
        "status=nope",
        "lmit=2",
        "limit=1&limit=2",
    ],
)
async def test_a_listing_refuses_what_does_not_fit(client: httpx.AsyncClient, query: str) -> None:
    """A broken cursor, a limit out of bounds, an unknown filter: 422 with its name."""
    (fault,) = check_problem(await client.get(f"/v1/summaries?{query}"), 422)["errors"]
    assert fault["pointer"] == query.partition("=")[0]


async def test_a_request_id_that_fits_is_taken_over(client: httpx.AsyncClient) -> None:
    """It stands on the response and in the problem; another is replaced, so that no log line can be forged."""
    for given_id, fits in (
        (b"abc-1.2:3_4", True),
        (b"x" * 128, True),
        (b"x" * 129, False),
        (b"a b", False),
        (b"a\n", False),
        (b"\xff", False),
        (b"", False),
    ):
        response = await client.get("/nope", headers={b"X-Request-ID": given_id})
        check_problem(response, 404)
        assert (response.headers["x-request-id"].encode() == given_id) == fits
    assert (await client.get("/health")).headers["x-request-id"] != (await client.get("/health")).headers[
        "x-request-id"
    ]


class Broken(Jobs):
    """Jobs with a fault in them, which speaks of the text."""

    async def submit(
        self,
        tenant: str,  # noqa: ARG002
        documents: Sequence[Document],
        options: Options,  # noqa: ARG002
        conditions: Conditions = AS_CONFIGURED,  # noqa: ARG002
        *,
        key: Key | None = None,  # noqa: ARG002
    ) -> StoredSummary:
        """Fail in a way that nobody foresaw."""
        raise RuntimeError(f"secret text: {documents[0].text}")


@asynccontextmanager
async def open_broken(settings: Settings) -> AsyncIterator[Jobs]:
    """Open jobs that fail."""
    async with (
        bootstrap.open_jobs(settings) as jobs,
        Broken(store=jobs.store, tools=jobs.tools, concurrency=1, max_documents=1) as broken,
    ):
        yield broken


async def test_a_fault_of_the_service_is_500_without_a_word_of_it(serve: Serve, logged: io.StringIO) -> None:
    """The log names the exception under the request's id; neither it nor the response repeats its message."""
    async with serve(open_broken) as client:
        response = await client.post("/v1/summaries", content=ARTICLE, headers=PLAIN)
    problem = check_problem(response, 500)
    assert problem["code"] == "internal_error"
    for said in (response.text, logged.getvalue()):
        assert "secret" not in said
        assert "council" not in said
    crashed = next(line for line in logged.getvalue().splitlines() if "request_crashed" in line)
    assert "RuntimeError" in crashed
    assert str(problem["request_id"]) in crashed


async def test_the_log_holds_no_content(serve: Serve, logged: io.StringIO) -> None:
    """Whatever comes in and however it ends: no text, title, focus, file name, address or query is logged."""
    canary = "Zanzibarquartz"
    text = f"{canary} voted on Tuesday to close the bridge of {canary}. {ARTICLE}"
    document = {"text": text, "title": canary, "url": f"https://{canary}.example", "name": canary}
    good = {"documents": [document], "options": {"focus": canary}}
    async with serve() as client:
        made = await client.post("/v1/summaries", json=good)
        sent = [
            made,
            await client.get(made.headers["location"], headers={"Accept": "text/html"}),
            await client.get(made.headers["location"], headers={"Accept": "text/markdown"}),
            await client.get(f"{made.headers['location']}/documents/d1"),
            await client.post("/v1/plans", json=good),
            await client.post(f"/v1/summaries?focus={canary}&title={canary}", content=text, headers=PLAIN),
            await client.post(f"/v1/summaries?{canary}=1", content=text, headers=PLAIN),
            await client.post("/v1/summaries", json={**good, canary: 1}),
            await client.post("/v1/summaries", json={"documents": [document], "options": {"length": canary}}),
            await client.post("/v1/summaries", content=json.dumps(good)[:-1], headers=JSON),
            await client.post("/v1/summaries", content=f"{canary} \xff".encode("latin-1"), headers=PLAIN),
            await client.post("/v1/summaries", content=f"%PDF-1.4 {canary}".encode(), headers=PDF),
            await client.post("/v1/summaries", content=f"<p>{text}</p>", headers={"Content-Type": "text/html"}),
            await client.post("/v1/summaries", files={canary: (f"{canary}.txt", text.encode(), "text/plain")}),
            await client.post("/v1/summaries", data={canary: canary}, files={"f": (f"{canary}.bin", b"x", canary)}),
            await client.post("/v1/summaries", content=text, headers={"Content-Type": f"text/plain; charset={canary}"}),
            await client.get(f"/v1/summaries?cursor={canary}", headers={"Authorization": canary, "Cookie": canary}),
        ]
        assert {response.status_code for response in sent} == {200, 201, 400, 415, 422}
    assert canary.lower() not in logged.getvalue().lower()
    assert logged.getvalue().count('"event": "request"') == len(sent)


TOKENS = ["documents", "text", "html", "markdown", "options", "length", "max_words", "focus", "id", "language", "d1"]
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from([*TOKENS, "brief"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(TOKENS) | st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
documents = st.lists(st.dictionaries(st.sampled_from(TOKENS), values | st.just(ARTICLE), max_size=3), max_size=3)
requests = st.fixed_dictionaries({"documents": documents | values}, optional={"options": values})
kinds = st.sampled_from(
    [
        "application/json",
        "text/plain",
        "text/html",
        "text/markdown",
        "text/plain; charset=utf-16",
        "multipart/form-data; boundary=x",
        "application/pdf",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ]
) | st.text(string.printable.strip(), max_size=30)
parts = st.builds(
    lambda content, disposition, kind: a_part(content, disposition, kind) + b"--x--\r\n",
    st.binary(max_size=50),
    st.text(string.printable.strip(), max_size=30),
    st.sampled_from(["text/plain", "text/html", "application/pdf", "x", "text/plain; charset=x"]),
)
contents = st.one_of(
    st.binary(max_size=200),
    st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")),
    requests.map(lambda value: json.dumps(value).encode()),
    values.map(lambda value: json.dumps(value).encode()),
    parts,
)


@hypothesis_settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(content=contents, kind=kinds)
async def test_no_body_is_a_fault_of_the_service(client: httpx.AsyncClient, content: bytes, kind: str) -> None:
    """Random bytes, random JSON and random forms are answered with 2xx or 4xx, and every 4xx is a problem object."""
    response = await client.post("/v1/plans", content=content, headers={"Content-Type": kind})
    assert response.status_code < 500, (content, kind)
    if response.status_code >= 400:
        check_problem(response, response.status_code)


@hypothesis_settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=st.text(max_size=20), query=st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=3))
async def test_no_path_is_a_fault_of_the_service(client: httpx.AsyncClient, path: str, query: dict[str, str]) -> None:
    """Whatever stands in the address, it is found or it is not."""
    encoded = "".join(f"%{byte:02x}" for byte in path.encode("utf-8", "surrogatepass"))
    for address in (f"/{encoded}", f"/v1/summaries/{encoded}", f"/v1/summaries/a/documents/{encoded}", "/v1/summaries"):
        response = await client.get(address, params=query)
        assert response.status_code < 500
