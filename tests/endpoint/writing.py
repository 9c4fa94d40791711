"""A small model of the tests' own: it answers the stages of `key-points/1` from the numbered lines of a prompt."""

import asyncio
import json
import re
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from peers import CANARY, Asked, Reply, Server, listening, streamed

ROOT = Path(__file__).parents[2]
LONG = (ROOT / "tests/texts/harbour-inquiry.txt").read_text(encoding="utf-8")
PARTS = LONG[:14_000]
"""Three chunks or more in a window of 8,000 tokens."""
SHORT = (
    "The council voted on Tuesday to close the old bridge. Engineer Ana Ruiz said the repairs would cost $1.2 million. "
    "Traffic will reportedly be diverted until May 2027."
)

MOST_POINTS = 8
_LINE = re.compile(r"^\[(\d+)\] (.*)$", re.MULTILINE)


def settings(server: Server, **more: object) -> dict[str, object]:
    """What names the server as the endpoint; nothing is tried twice or waited for, no conflicts are searched for."""
    once = {"attempts": 1, "outage_s": 0}
    return {"base_url": server.url, "model": "m", "api_key": CANARY, "prompt": "news@1", **once, **more}


def by_parts(server: Server, **more: object) -> dict[str, object]:
    """The same, with a window that a longer text does not fit."""
    return settings(server, context_window=8_000, **more)


def rows(database: Path, query: str) -> list[tuple[Any, ...]]:
    """What stands in the database."""
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(query).fetchall()


def is_numbered(part: int, asked: Asked) -> bool:
    """Whether a request is about a certain part of a text."""
    return f"Part {part} of" in json.dumps(asked.body)


def stage(asked: Asked) -> str:
    """Which stage a request is of, by the delimiters in its prompt, and by what is asked for over points."""
    if '"conflicts"' in _prompt(asked):
        return "conflicts"
    return next(
        name
        for name, mark in (("map", "<<<DOCUMENT "), ("merge", "<<<POINTS "), ("repair", "<<<CLAIMS "))
        if mark in _prompt(asked)
    )


def stages(server: Server) -> list[str]:
    """The stages of the completions that a server was asked for, in order."""
    return [stage(asked) for asked in server.asked if asked.method == "POST"]


def written(asked: Asked) -> Reply:
    """A good answer to any stage, as a stream."""
    return streamed(answer(asked))


def answer(asked: Asked) -> str:
    """Takes some sentences as they are, keeps every point, and gives claims that are in doubt a sentence near them."""
    lines = numbered_lines(asked)
    match stage(asked):
        case "map":
            step = max(1, len(lines) // MOST_POINTS)
            return mapped(lines[::step][:MOST_POINTS])
        case "merge":
            points = [{"ids": [number]} for number, _ in lines]
            merged = {"points": points, "headline": "Merged", "abstract": [{"text": "All.", "points": [1]}]}
            return json.dumps(merged)
        case "conflicts":
            return json.dumps({"conflicts": []})
        case _:
            claims = re.findall(r"^Claim (\d+):", _prompt(asked), re.MULTILINE)
            number, text = lines[0]
            quotes = [{"sentence": number, "quote": text}]
            mended = [{"id": int(claim), "action": "requote", "claim": None, "quotes": quotes} for claim in claims]
            return json.dumps({"points": mended})


def numbered_lines(asked: Asked) -> list[tuple[int, str]]:
    """The numbered lines of a prompt."""
    return [(int(number), text) for number, text in _LINE.findall(_prompt(asked))]


def mapped(quoted: list[tuple[int, str]]) -> str:
    """A map reply with a point for each sentence."""
    points = [
        {
            "id": at,
            "claim": text,
            "importance": "must" if at == 1 else "should",
            "kind": "fact",
            "stance": "asserted",
            "polarity": "affirmed",
            "who": None,
            "who_type": "author",
            "via": None,
            "numbers": [],
            "dates": [],
            "entities": [],
            "quotes": [{"sentence": number, "quote": text}],
        }
        for at, (number, text) in enumerate(quoted, 1)
    ]
    return json.dumps(
        {
            "headline": "A headline",
            "abstract": [{"text": "A line.", "points": [1]}],
            "points": points,
            "entities": [],
            "caveats": [],
            "document_date": None,
        }
    )


def _prompt(asked: Asked) -> str:
    messages = asked.body["messages"]
    assert isinstance(messages, list)
    return "\n".join(message["content"] for message in messages if message["role"] == "user")


@contextmanager
def beside(server: Server) -> Iterator[Server]:
    """Runs a server in a thread of its own, for processes, and for a command that has an event loop of its own."""
    ready, ended = threading.Event(), threading.Event()

    async def serve() -> None:
        async with listening(server):
            ready.set()
            await asyncio.to_thread(ended.wait)

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert ready.wait(20)
    try:
        yield server
    finally:
        ended.set()
        thread.join()
