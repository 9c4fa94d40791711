"""Prompts over HTTP: to read, with or without an endpoint; names are looked up, and never opened."""

import io
import json
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import msgspec
import pytest
import pytest_asyncio

from service.adapters import library
from service.core.comparison import PromptDiff
from service.core.prompt_diff import diff
from service.core.types import SummaryResult
from service.rendering.prompts import PromptDetail, PromptList, VersionDetail

ROOT = Path(__file__).parents[2]
(SEED,) = (ROOT / "seeds").glob("000_*.txt")
Serve = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The released versions of the project with a label, news@2 withdrawn, and the draft news@5."""
    path = tmp_path / "prompts"
    shutil.copytree(ROOT / "prompts", path)
    for kept in ("labels.json", "withdrawn.json", "history.jsonl"):
        (path / kept).unlink(missing_ok=True)
    text = (path / "news/v4.md").read_text(encoding="utf-8").replace("You summarise news", "You retell news")
    (path / "news/v5.md").write_text(text.replace("version: 4", "version: 5"), encoding="utf-8")
    library.label(path, "news@3", "production", why="It finds conflicts.")
    library.withdraw(path, "news@2", "It loses numbers.")
    return path


@pytest_asyncio.fixture
async def reader(serve: Serve, folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    """Give a client to a service without an endpoint."""
    async with serve(prompts_dir=str(folder)) as found:
        yield found


async def got(client: httpx.AsyncClient, path: str, kind: Any, **query: str) -> Any:
    """What is answered, decoded as what it is described as."""
    response = await client.get(path, params=query)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/json"
    return decoded(response.content, kind)


def decoded(content: bytes, kind: Any) -> Any:
    """Decode strictly."""
    return msgspec.json.decode(content, type=kind)


async def refused(client: httpx.AsyncClient, path: str, status: int) -> str:
    """The detail of a problem."""
    response = await client.get(path)
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    detail = response.json()["detail"]
    assert isinstance(detail, str)
    return detail


async def test_the_prompts_are_listed_without_an_endpoint(reader: httpx.AsyncClient) -> None:
    """With versions, states and labels; drafts are not used, and so not there."""
    found = await got(reader, "/v1/prompts", PromptList)
    (prompt,) = found.data
    assert (prompt.name, prompt.latest, prompt.labels) == ("news", "news@4", {"production": 3})
    assert [(one.id, one.state, one.labels, one.latest) for one in prompt.versions] == [
        ("news@1", "released", (), False),
        ("news@2", "withdrawn", (), False),
        ("news@3", "released", ("production",), False),
        ("news@4", "released", (), True),
    ]
    assert prompt.versions[1].withdrawn == "It loses numbers."


async def test_a_prompt_has_its_history(reader: httpx.AsyncClient) -> None:
    """What was done with it, oldest first."""
    found = await got(reader, "/v1/prompts/news", PromptDetail)
    assert [(event.action, event.from_, event.to) for event in found.history] == [
        ("label", None, 3),
        ("withdraw", 2, None),
    ]
    raw = (await reader.get("/v1/prompts/news")).json()["history"]
    assert (raw[0]["from"], raw[0]["why"]) == (None, "It finds conflicts.")


@pytest.mark.parametrize(
    ("selector", "number", "label"),
    [("1", 1, None), ("production", 3, "production"), ("latest", 4, None), ("2", 2, None)],
)
async def test_a_version_is_shown_by_number_or_label(
    reader: httpx.AsyncClient, folder: Path, selector: str, number: int, label: str | None
) -> None:
    """With all that is sent; a withdrawn one too."""
    found = await got(reader, f"/v1/prompts/news/versions/{selector}", VersionDetail)
    version = library.load(folder).released[number - 1]
    assert (found.id, found.label, found.digest, found.params) == (
        f"news@{number}",
        label,
        version.digest,
        version.front.params,
    )
    assert found.templates == version.stages
    by_digest = await got(reader, f"/v1/prompts/news/versions/sha256:{version.digest[:8]}", VersionDetail)
    assert by_digest.id == found.id


async def test_a_difference_is_from_the_parent_unless_another_is_named(reader: httpx.AsyncClient, folder: Path) -> None:
    """And to the latest version; by number or label, withdrawn or not."""
    one, two, three, four = library.load(folder).released
    path = "/v1/prompts/news/diff"
    assert await got(reader, path, PromptDiff) == diff(three, four)
    assert await got(reader, path, PromptDiff, to="production") == diff(two, three)
    assert await got(reader, path, PromptDiff, **{"from": "1", "to": "2"}) == diff(one, two)
    assert await got(reader, path, PromptDiff, **{"from": "production"}) == diff(three, four)
    assert (await got(reader, path, PromptDiff, **{"from": "4", "to": "4"})).parts == ()


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("/v1/prompts/nws", 404, "Did you mean news?"),
        ("/v1/prompts/nws/versions/1", 404, "Did you mean news?"),
        ("/v1/prompts/news/versions/9", 404, "There are: news@1"),
        ("/v1/prompts/news/versions/5", 404, "is a draft, and not used"),
        ("/v1/prompts/news/versions/prodction", 404, "Did you mean production?"),
        ("/v1/prompts/news/versions/sha256:00000000", 404, "digest that begins so"),
        ("/v1/prompts/news/versions/2@production", 400, "Name one of them"),
        ("/v1/prompts/news/versions/production@2", 400, "Name one of them"),
        ("/v1/prompts/news/versions/v2", 422, "is no reference"),
        ("/v1/prompts/news/diff?to=9", 404, "There are: news@1"),
        ("/v1/prompts/news/diff?to=1", 422, "news@1 has no parent"),
        ("/v1/prompts/news/diff?from=1@2", 400, "Name one of them"),
        ("/v1/prompts/news/diff?form=1", 422, "did you mean `from`?"),
        ("/v1/prompts/news/diff?to=", 422, "`to` is a text of 1 to 200 characters"),
        ("/v1/prompts/news/diff?to=1&to=2", 422, "more than once"),
        ("/v1/prompts/nws/diff", 404, "Did you mean news?"),
    ],
)
async def test_what_is_not_there_is_answered_with_what_is(
    reader: httpx.AsyncClient, path: str, status: int, says: str
) -> None:
    """One problem object, with the nearest names; a missing label is never another version."""
    assert says in await refused(reader, path, status)


HOSTILE = ["../x", "a/b", "../../etc/passwd", "n" * 10_000, "1" * 10_000, "a\nb", "a\x00b", "lock.json", "%2e%2e"]


@pytest.mark.parametrize("name", HOSTILE)
async def test_hostile_names_open_nothing(reader: httpx.AsyncClient, folder: Path, name: str) -> None:
    """They are looked up among what was loaded: the folder may even be gone."""
    shutil.rmtree(folder)
    sent = quote(name, safe="")
    for path in (f"/v1/prompts/{sent}", f"/v1/prompts/news/versions/{sent}", f"/v1/prompts/{sent}/diff"):
        response = await reader.get(path)
        assert response.status_code in (404, 422), response.text
        assert len(response.json()["detail"]) < 11_000
    response = await reader.get("/v1/prompts/news/diff", params={"from": name})
    assert response.status_code in (404, 422)
    assert (await reader.get("/v1/prompts/news/versions/1")).status_code == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_prompts_are_not_changed_over_http(reader: httpx.AsyncClient, method: str) -> None:
    """That is done where they lie."""
    for path in ("/v1/prompts", "/v1/prompts/news", "/v1/prompts/news/versions/1", "/v1/prompts/news/diff"):
        assert (await reader.request(method, path)).status_code == 405


async def test_drafts_are_there_with_dev(serve: Serve, folder: Path) -> None:
    """Under the name that results and recordings have."""
    (draft,) = library.load(folder).drafts
    async with serve(prompts_dir=str(folder), prompts_dev=True) as client:
        (prompt,) = (await got(client, "/v1/prompts", PromptList)).data
        last = prompt.versions[-1]
        assert (last.id, last.state, last.dirty, last.latest) == (draft.id, "draft", True, False)
        assert prompt.latest == "news@4"
        shown = await got(client, f"/v1/prompts/news/versions/{quote(draft.id.partition('@')[2])}", VersionDetail)
        assert shown.templates == draft.stages


# --- summaries by reference ------------------------------------------------------------------------------------------


@pytest.fixture
def replaying(folder: Path) -> dict[str, Any]:
    """Settings of a service that answers from recordings."""
    recordings = ROOT / "tests/recordings"
    return {"prompts_dir": str(folder), "endpoint_mode": "replay", "recordings_dir": str(recordings)}


async def asked(client: httpx.AsyncClient, prompt: str) -> httpx.Response:
    """Ask for a summary of a seed by a prompt."""
    body = {"documents": [{"text": SEED.read_bytes().decode(), "name": SEED.name}], "prompt": prompt}
    return await client.post("/v1/summaries", json=body)


async def test_a_summary_echoes_the_version_and_the_label_it_was_asked_by(
    serve: Serve, replaying: dict[str, Any]
) -> None:
    """Pinned to what the label was on; by a digest or a number there is no label."""
    async with serve(**replaying) as client:
        for prompt, label in (("news@production", "production"), ("news@3", None), ("news@sha256:6907aa40", None)):
            made = (await asked(client, prompt)).json()
            assert made["status"] == "succeeded", made
            assert made["prompt"] == "news@3"
            ref = msgspec.convert(made["result"], SummaryResult).manifest.prompt
            assert ref is not None
            assert (ref.name, ref.version, ref.label, ref.dirty) == ("news", 3, label, False)
            assert ref.digest.startswith("6907aa40")


async def test_the_log_names_version_digest_and_label(
    serve: Serve, replaying: dict[str, Any], logged: io.StringIO
) -> None:
    """And nothing of the prompt's text."""
    async with serve(**replaying) as client:
        assert (await asked(client, "news@production")).json()["status"] == "succeeded"
    lines = [json.loads(line) for line in logged.getvalue().splitlines()]
    (line,) = (line for line in lines if line["event"] == "summary_asked")
    assert (line["version"], line["digest"][:8], line["label"]) == ("news@3", "6907aa40", "production")
    assert "You summarise" not in logged.getvalue()


@pytest.mark.parametrize(
    ("prompt", "status", "code", "says"),
    [
        ("news@2", 422, "prompt_withdrawn", "news@2 was withdrawn: It loses numbers. Use news@4 instead."),
        ("news@2@production", 400, "conflicting_reference", "Name one of them"),
        ("news@production@2", 400, "conflicting_reference", "Name one of them"),
        ("news@staging", 404, "not_found", "Labels there: production (news@3)"),
        ("news@5", 404, "not_found", "is a draft"),
        ("news@9", 404, "not_found", "There are: news@1"),
        ("../x", 422, "invalid_request", "is no reference"),
        ("news@../../etc", 422, "invalid_request", "is no reference"),
        ("news\n", 422, "invalid_request", "is no reference"),
        ("news\x00", 422, "invalid_request", "is no reference"),
        ("n" * 10_000, 422, "invalid_request", "`prompt` is a text of 1 to 200 characters"),
    ],
)
async def test_a_summary_by_what_cannot_be_used_is_refused(
    serve: Serve, replaying: dict[str, Any], prompt: str, status: int, code: str, says: str
) -> None:
    """Before anything is stored; with what to use."""
    async with serve(**replaying) as client:
        response = await asked(client, prompt)
        assert (response.status_code, response.json()["code"]) == (status, code)
        assert says in response.json()["detail"]
        assert (await client.get("/v1/summaries")).json()["data"] == []


async def test_a_label_that_is_moved_meanwhile_leaves_accepted_summaries_as_they_are(
    serve: Serve, replaying: dict[str, Any], folder: Path
) -> None:
    """A running service keeps what it read, and a stored summary its version."""
    async with serve(**replaying) as client:
        library.label(folder, "news@4", "production", why="w")
        made = (await asked(client, "news@production")).json()
        assert made["prompt"] == "news@3"
    async with serve(**replaying) as client:
        assert (await client.get(f"/v1/summaries/{made['id']}")).json()["prompt"] == "news@3"
        assert (await asked(client, "news@production")).json()["prompt"] == "news@4"
