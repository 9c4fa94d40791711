"""The description of the API is true, and its pages need nothing from elsewhere."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import pytest_asyncio

from service.core.errors import PrecisError
from service.settings import Settings
from service.web.app import create_app
from service.web.bodies import ACCEPTED

pytestmark = pytest.mark.asyncio(loop_scope="module")

PAGES = {"/", "/docs", "/docs/problems", "/docs/assets/{name}"}
"""For people; the description does not list them."""
METHODS = {"get", "post", "put", "patch", "delete", "head", "options", "trace"}
TYPES = {"null", "boolean", "object", "array", "number", "string", "integer"}

Node = dict[str, Any]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def description(client: httpx.AsyncClient) -> Node:
    """Give what `/openapi.json` says."""
    found: Node = (await client.get("/openapi.json")).json()
    return found


def operations(description: Node) -> Iterator[tuple[str, str, Node]]:
    """Give path, method and operation of all that is described."""
    for path, item in description["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def nodes(value: object) -> Iterator[Node]:
    """Give every object in a description, at any depth."""
    if isinstance(value, dict):
        yield value
        for item in value.values():
            yield from nodes(item)
    elif isinstance(value, list):
        for item in value:
            yield from nodes(item)


class References(HTMLParser):
    """Collects what a page refers to."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        """Take every `src` and `href`."""
        self.found += [value or "" for name, value in attrs if name in {"src", "href", "srcset", "action"}]


async def test_exactly_the_routes_that_exist_are_described(description: Node) -> None:
    """Neither one more nor one less, with their methods."""
    app: Any = create_app(Settings(), open_jobs=lambda _: None).app  # type: ignore[arg-type, return-value]
    there = {
        (route.path_format, method.lower())
        for route in app.routes
        for method in route.methods - {"OPTIONS"}
        if route.path_format not in PAGES
    }
    assert {(path, method) for path, method, _ in operations(description)} == there


async def test_the_description_is_valid_in_structure(description: Node) -> None:
    """What OpenAPI 3.1 requires stands there, and every reference leads somewhere."""
    assert re.fullmatch(r"3\.1\.\d", description["openapi"])
    assert {"title", "version"} <= description["info"].keys()
    names: list[str] = []
    for path, method, operation in operations(description):
        assert method in METHODS
        names.append(operation["operationId"])
        assert operation["responses"]
        for status, response in operation["responses"].items():
            assert re.fullmatch(r"[1-5]\d\d", status)
            assert response["description"]
        parameters = operation.get("parameters", [])
        assert {p["name"] for p in parameters if p["in"] == "path"} == set(re.findall(r"{(\w+)}", path))
        assert all(p["required"] for p in parameters if p["in"] == "path")
        assert all(p["in"] in {"path", "query", "header"} and "schema" in p for p in parameters)
        assert len({(p["name"], p["in"]) for p in parameters}) == len(parameters)
        assert set(operation["tags"]) <= {tag["name"] for tag in description["tags"]}
    assert len(set(names)) == len(names)
    for node in nodes(description):
        if isinstance(node.get("$ref"), str):
            prefix, _, name = node["$ref"].rpartition("/")
            assert prefix == "#/components/schemas"
            assert name in description["components"]["schemas"]
        if isinstance(node.get("type"), str):
            assert node["type"] in TYPES


async def test_every_example_is_accepted_by_the_service(client: httpx.AsyncClient, description: Node) -> None:
    """What the description shows can be sent as it stands, to every operation that shows it."""
    sent = 0
    for path, method, operation in operations(description):
        headers = {p["name"]: p["example"] for p in operation.get("parameters", []) if p["in"] == "header"}
        # one key is for one request, and here come several
        headers.pop("Idempotency-Key", None)
        for kind, content in operation.get("requestBody", {"content": {}})["content"].items():
            if "example" not in content:
                continue
            example = content["example"]
            body: Any = {"json": example} if kind == "application/json" else {"content": example}
            response = await client.request(method, path, headers={**headers, "Content-Type": kind}, **body)
            assert str(response.status_code) in operation["responses"]
            # versions of a prompt can be compared only where a model is configured
            needs_model = operation["operationId"] == "compare" and response.json()["code"] == "needs_model"
            assert response.is_success or needs_model, response.text
            sent += 1
    assert sent == 11


async def test_every_parameter_of_a_query_is_accepted(client: httpx.AsyncClient, description: Node) -> None:
    """Those described are those read, with their defaults."""
    examples = {"title": "t", "url": "u", "published_at": "2026-11-03", "text_language": "en", "language": "en"}
    examples |= {"max_words": "50", "focus": "bridge", "status": "succeeded", "limit": "5"}
    examples |= {"max_tokens": "5000", "max_cost": "1.5", "fallback": "extractive", "strict": "true"}
    examples |= {"from": "1", "to": "2", "wait": "0", "after": "0"}
    batch = description["paths"]["/v1/batches"]["post"]["requestBody"]["content"]["application/jsonl"]["example"]
    made = await client.post("/v1/batches", content=batch, headers={"Content-Type": "application/jsonl"})
    article = description["paths"]["/v1/plans"]["post"]["requestBody"]["content"]["text/plain"]["example"]
    for path, method, operation in operations(description):
        named = {p["name"]: p["example"] for p in operation.get("parameters", []) if p["in"] == "path"}
        at = path.format(**{**named, "batch_id": made.json()["id"]})
        examples["status"] = "finished" if "batches" in path else "succeeded"
        for parameter in operation.get("parameters", []):
            name, default = parameter["name"], parameter["schema"].get("default")
            # what names a prompt or a model is refused where no endpoint is configured
            if parameter["in"] != "query" or name in ("cursor", "prompt", "model"):
                continue
            body: Any = {"content": article, "headers": {"Content-Type": "text/plain"}} if method == "post" else {}
            response = await client.request(method, at, params={name: default or examples[name]}, **body)
            assert response.is_success, (name, response.text)


async def test_what_is_not_plain_by_its_name_is_explained(description: Node) -> None:
    """The words of a key point, of its evidence and of the options."""
    schemas = description["components"]["schemas"]
    for name, fields in {
        "KeyPoint": {"importance", "kind", "stance", "polarity", "verdict"},
        "Evidence": {"match"},
        "Options": {"length", "plan"},
        "OptionsBody": {"length", "plan"},
    }.items():
        assert all(schemas[name]["properties"][field]["description"] for field in fields)
    for operation in ("/v1/summaries", "/v1/plans"):
        explained = {p["name"] for p in description["paths"][operation]["post"]["parameters"] if p["description"]}
        assert {"length", "plan"} <= explained


async def test_the_content_types_described_are_those_read(description: Node) -> None:
    """The request bodies name the same types as a 415 does."""
    for path in ("/v1/summaries", "/v1/plans"):
        assert set(description["paths"][path]["post"]["requestBody"]["content"]) == set(ACCEPTED)


async def test_the_pages_refer_to_nothing_outside(client: httpx.AsyncClient) -> None:
    """Every script, style, image and link of the documentation is served here, and a policy says so to the browser."""
    for page in ("/docs", "/docs/problems"):
        response = await client.get(page)
        assert response.headers["content-type"] == "text/html; charset=utf-8"
        assert response.headers["content-security-policy"].startswith("default-src 'self'")
        parser = References()
        parser.feed(response.text)
        assert parser.found
        for reference in parser.found:
            assert urlsplit(reference)[:2] == ("", "")
            assert (await client.get(reference)).status_code == 200
    assert (await client.get("/", follow_redirects=False)).headers["location"] == "/docs"


async def test_no_asset_fetches_from_elsewhere(client: httpx.AsyncClient) -> None:
    """The style sheet names no address outside, and the start script turns the online validator off."""
    style = (await client.get("/docs/assets/swagger-ui.css")).text
    assert not re.findall(r"url\(\s*[\"']?https?:|@import", style)
    start = (await client.get("/docs/assets/start.js")).text
    assert "validatorUrl: null" in start
    assert "http" not in start


async def test_every_problem_is_explained_where_its_type_points(client: httpx.AsyncClient) -> None:
    """The page has an anchor for each code that a caller can meet."""
    page = (await client.get("/docs/problems")).text
    for kind in PrecisError.__subclasses__():
        assert (f'id="{kind.code}"' in page) == (kind.code != "bad_settings")


async def test_problems_are_explained_to_callers(client: httpx.AsyncClient) -> None:
    """In a line each; the arguments of an error in the code are nobody's business there."""
    assert "Args:" not in (await client.get("/docs/problems")).text
