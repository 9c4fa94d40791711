"""Whole summaries by the worst model there is: what it writes is JSON of the right form, and no more can be said."""

import json
import re
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import httpx
import pytest
from peers import Asked, Reply, Server, streamed
from writing import LONG, SHORT, answer, mapped, numbered_lines, settings, stage

pytestmark = pytest.mark.enable_socket

Serve = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]
Resource = dict[str, Any]
ARTICLE = LONG[:6_000]
UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f\u200b\u202a-\u202e\u2066-\u2069]")


async def summarised(server: Server, serve: Serve, reply: Callable[[Asked], str], *texts: str) -> Resource:
    """The summary of texts by a model that maps as `reply` says."""
    server.script = lambda asked: streamed(reply(asked) if stage(asked) == "map" else answer(asked))
    async with serve(**settings(server)) as client:
        body = {"documents": [{"text": text} for text in texts]}
        response = await client.post("/v1/summaries", json=body, headers={"Prefer": "wait=60"}, timeout=90)
    assert response.status_code == 201, response.text
    found: Resource = response.json()
    return found


def bent(asked: Asked, count: int = 6, /, top: Resource | None = None, **fields: object) -> str:
    """A good map reply over the first sentences, every point of it bent, and what stands around the points."""
    reply = json.loads(mapped(numbered_lines(asked)[:count]))
    for point in reply["points"]:
        point.update(fields)
    return json.dumps({**reply, **(top or {})})


def strings(value: object) -> list[str]:
    """All texts in a JSON value."""
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for one in inner for text in strings(one)]


def assert_sound(result: Resource, *texts: str) -> None:
    """What holds of every summary, whatever the model wrote."""
    of = {facts["id"]: text for facts, text in zip(result["documents"], texts, strict=True)}
    points, account = result["key_points"], result["verification"]
    sides = [side for conflict in result["conflicts"] for side in conflict["sides"]]
    for place in [place for one in (*points, *sides, *result["caveats"]) for place in one["evidence"]]:
        assert of[place["document"]][place["start"] : place["end"]] == place["quote"]
    assert points
    assert all(point["evidence"] for point in points)
    assert all(side["evidence"] for side in sides)
    ids = {point["id"] for point in points}
    for line in result["abstract"]:
        assert line["key_points"]
        assert ids.issuperset(line["key_points"])
        assert len(set(line["key_points"])) == len(line["key_points"])
    lost = sum(drop["part"] == "key_point" for drop in account["dropped"])
    assert account["points_given"] == account["points_kept"] + account["merged_away"] + lost
    assert account["points_kept"] == len(points)


async def test_a_short_text_of_which_no_point_stands_has_no_summary(server: Server, serve: Serve) -> None:
    """Its headline would rest on nothing, and could say anything."""
    nothing = await summarised(
        server,
        serve,
        lambda asked: bent(asked, 0, top={"headline": "See http://evil.example: 999 million dead"}),
        SHORT,
    )
    assert (nothing["status"], nothing["error"]["code"]) == ("failed", "too_little_supported")
    assert "1 is the least" in nothing["error"]["detail"]


async def test_nobody_who_speaks_is_an_address(server: Server, serve: Serve) -> None:
    """An address that stands in no source blocks a point wherever it stands; listed numbers and dates are left out."""
    lies: Resource = {
        "numbers": ["http://evil.example"],
        "dates": [{"text": "evil.com", "iso": "9999-99-99", "basis": "none"}],
    }
    listed = await summarised(server, serve, lambda asked: bent(asked, **lies), ARTICLE)
    # Of another text: an answer is kept for the same question.
    spoken = await summarised(
        server, serve, lambda asked: bent(asked, who="www.evil.example", who_type="named"), ARTICLE[:-1]
    )
    assert_sound(listed["result"], ARTICLE)
    assert "evil." not in json.dumps(listed["result"])
    assert spoken["error"]["code"] == "too_little_supported"
    assert "6 url_not_in_source" in spoken["error"]["detail"]


async def test_nothing_that_is_written_commands_a_terminal_or_hides(server: Server, serve: Serve) -> None:
    """Controls, bidi marks and spaces without width are left out of all that a model writes."""
    marks = "\x00\x1b[2J\u202e\u2066\u200b"
    top = {
        "headline": f"H{marks}",
        "abstract": [{"text": f"A{marks}", "points": [1, 1, 1, -1, 10**30]}],
        "caveats": [{"code": "hedged", "text": f"C{marks}", "sentence": 1}],
    }
    found = await summarised(
        server,
        serve,
        lambda asked: bent(asked, top=top, claim=f"It is so.{marks}", who=f"W{marks}", via=marks),
        ARTICLE,
    )
    assert_sound(found["result"], ARTICLE)
    assert not [text for text in strings(found["result"]) if UNSEEN.search(text)]


@pytest.mark.parametrize("claim", ["\u200b\u2060", "...", "— —", "x" * 100_000])
async def test_a_claim_of_no_words_or_of_thousands_is_no_claim(server: Server, serve: Serve, claim: str) -> None:
    """The reply is asked back, and then cannot be used; what is said to the model holds nothing of it."""
    found = await summarised(server, serve, lambda asked: bent(asked, claim=claim), ARTICLE)
    assert found["error"]["code"] == "malformed_completion"
    assert len(server.bodies) == 2
    assert "$.points[0].claim" in found["error"]["detail"]


async def test_markup_in_a_claim_is_shown_as_text(server: Server, serve: Serve) -> None:
    """In the page and in Markdown alike."""
    claim = "<script>alert(x)</script> ![x](javascript:y)\n\n# z"
    server.script = lambda asked: Reply(
        headers={"content-type": "text/event-stream"},
        chunks=streamed(bent(asked, claim=claim, top={"headline": "</title><b>"})).chunks,
    )
    async with serve(**settings(server)) as client:
        response = await client.post(
            "/v1/summaries", json={"documents": [{"text": SHORT}]}, headers={"Prefer": "wait=60"}
        )
        url = f"/v1/summaries/{response.json()['id']}"
        page = (await client.get(url, headers={"Accept": "text/html"})).text
        plain = (await client.get(url, headers={"Accept": "text/markdown"})).text
    assert "<script" not in page
    assert page.count("</title>") == 1
    assert not re.search(r"^# z|(?<!\\)!?(?<!\\)\[x\]|(?<!\\)<script", plain, re.MULTILINE)


async def test_thousands_of_everything_are_a_summary(server: Server, serve: Serve) -> None:
    """Points, quotes, names, caveats and lines of the abstract, all the same or all absurd; twice the same bytes."""

    def flood(asked: Asked) -> str:
        lines = numbered_lines(asked)
        reply = json.loads(mapped([lines[at % len(lines)] for at in range(500)]))
        names = [
            {"name": f"(a+)+{at}", "aliases": [ARTICLE, "a", ".*", "Dr " * 500], "type": "other"} for at in range(200)
        ]
        return json.dumps(
            {
                **reply,
                "entities": names,
                "abstract": [{"text": "All.", "points": list(range(500))}] * 2,
                "caveats": [
                    {"code": "missing", "text": f"See http://x{at}.example", "sentence": -at} for at in range(500)
                ],
                "document_date": {"text": "9" * 10_000, "iso": "9999-99-99", "basis": "stated"},
            }
        )

    first = await summarised(server, serve, flood, ARTICLE)
    again = await summarised(server, serve, flood, ARTICLE)
    assert_sound(first["result"], ARTICLE)
    assert len(first["result"]["key_points"]) == 500
    assert first["result"] == again["result"]
    assert not [caveat for caveat in first["result"]["caveats"] if "example" in caveat["text"]]
