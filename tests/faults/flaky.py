"""An endpoint that fails now and then, never says the same twice, and writes down every call that it accepts.

It runs as a process of its own, on loopback, and so outlives the service that is killed beside it. Each record of its
journal is one write to a file that is only ever added to: what is written stays, whichever process is killed. It prints
its port, and ends when its standard input does, so that it never outlives whoever started it.

    python flaky.py --journal FILE [--seed N] [--faults SHARE] [--least-s S] [--most-s S]

A fault is drawn by the seed, the key of the request and how often that key was asked before, and so does not depend on
the order of calls. A key never fails twice in a row: the endpoint is flaky, not down.
"""

import argparse
import asyncio
import json
import os
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal, get_args

from peers import Asked, delta, dumped, event
from writing import answer, stage

from service.core.wire import request_key

Fault = Literal["500", "503", "429", "reset_before", "reset_after", "cut", "broken", "slow"]
"""`cut` ends a stream early and in order, `broken` in the middle of a piece; both resets are of the connection."""
FAULTS: tuple[Fault, ...] = get_args(Fault)
PATH = "/chat/completions"
SLOW_S = 0.5
RETRY_AFTER_S = 0.2
"""Shorter than any real one: a pause is for all calls, and a test has no minutes."""
MISQUOTED = 10
"""One map reply in so many has a quote that is not the text's, and needs to be repaired."""
_LENGTH = re.compile(r"^content-length: *(\d+)\r$", re.IGNORECASE | re.MULTILINE)
_REPETITION = re.compile(r"^x-repetition: *(\d+)\r$", re.IGNORECASE | re.MULTILINE)


class Journal:
    """A file of records, each written at once."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def write(self, **record: object) -> None:
        """Add a record."""
        os.write(self._file, json.dumps(record).encode() + b"\n")


class Flaky:
    """Answers completions.

    Args:
        journal: of every call.
        seed: that faults and delays are drawn by.
        share: of the calls that have a fault.
        delays_s: the least and the most time that an answer takes.
    """

    def __init__(self, journal: Journal, *, seed: int, share: float, delays_s: tuple[float, float]) -> None:
        self._journal = journal
        self._seed = seed
        self._share = share
        self._delays_s = delays_s
        self._calls = 0
        self._asked: Counter[str] = Counter()
        self._well: set[str] = set()
        """Keys whose last call had a fault, and whose next one has none."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = _LENGTH.search(head)
                content = await reader.readexactly(int(length[1])) if length else b""
                if not head.startswith("POST"):
                    writer.write(_whole("404 Not Found", {"error": {"message": "no such path"}}))
                elif not await self._called(head, json.loads(content), writer):
                    break
                await writer.drain()
        writer.close()

    async def _called(self, head: str, body: dict[str, object], writer: asyncio.StreamWriter) -> bool:
        """Answer a call, and say whether the connection goes on."""
        self._calls += 1
        call, key = self._calls, request_key("POST", PATH, body)
        repetition = int(found[1]) if (found := _REPETITION.search(head)) else 0
        fault, delay_s = self.fault(key)
        self._journal.write(
            event="accepted", call=call, key=key, repetition=repetition, at=time.time(), fault=fault, stage=_stage(body)
        )
        sent, status = False, 0
        try:
            await asyncio.sleep(delay_s)
            status = await self._answered(fault, reply(body, call, key), writer)
            sent = status == 200 and fault not in ("cut", "broken")
        finally:
            self._journal.write(event="ended", call=call, at=time.time(), status=status, sent=sent)
        return fault in (None, "500", "503", "429", "slow")

    def fault(self, key: str) -> tuple[Fault | None, float]:
        """Draw the fault of the next call for a key, and the seconds that its answer takes."""
        chance = random.Random(f"{self._seed} {key} {self._asked[key]}")  # noqa: S311 - to be the same again
        self._asked[key] += 1
        delay_s = chance.uniform(*self._delays_s)
        if key in self._well:
            self._well.discard(key)
            return None, delay_s
        if chance.random() >= self._share:
            return None, delay_s
        self._well.add(key)
        fault = chance.choice(FAULTS)
        return fault, SLOW_S if fault == "slow" else delay_s

    async def _answered(self, fault: Fault | None, text: str, writer: asyncio.StreamWriter) -> int:
        """Send what there is to be sent, and give its status; 0 where nothing is sent."""
        if writer.transport.is_closing():
            raise ConnectionResetError
        match fault:
            case "500" | "503":
                writer.write(_whole(f"{fault} No", {"error": {"message": "try again"}}))
                return int(fault)
            case "429":
                more = (f"Retry-After: {RETRY_AFTER_S}",)
                writer.write(_whole("429 Too Many", {"error": {"message": "slow down"}}, more))
                return 429
            case "reset_before":
                writer.transport.abort()
                return 0
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        middle = len(text) // 2
        _piece(writer, delta(text[:middle]))
        await writer.drain()
        match fault:
            case "cut":
                writer.write(b"0\r\n\r\n")
            case "broken":
                writer.write(b"fff\r\ndata: ")
            case _:
                _piece(writer, delta(text[middle:]))
                _piece(writer, delta(finish="stop") + event(b"[DONE]"))
                writer.write(b"0\r\n\r\n")
        await writer.drain()
        if fault == "reset_after":
            writer.transport.abort()
        return 200


def reply(body: dict[str, object], call: int, key: str) -> str:
    """The text of an answer. Its headline is of this call alone; the rest is the same for the same request."""
    asked = Asked("POST", PATH, {}, body)
    said = json.loads(answer(asked))
    if "headline" in said:
        said["headline"] = headline(call)
    points = said.get("points")
    if stage(asked) == "map" and len(points) > 1 and int(key, 16) % MISQUOTED == 0:
        points[1]["quotes"][0]["quote"] = "and nobody ever wrote these words"
    return json.dumps(said)


def headline(call: int) -> str:
    """A line that tells a call from all others, without a number in it, which no text would bear out."""
    return "what was said then: " + "".join(chr(ord("a") + int(digit)) for digit in str(call))


def _stage(body: dict[str, object]) -> str:
    return stage(Asked("POST", PATH, {}, body))


def _whole(status: str, body: object, more: Sequence[str] = ()) -> bytes:
    content = dumped(body)
    lines = (
        f"HTTP/1.1 {status}",
        "Content-Type: application/json",
        f"Content-Length: {len(content)}",
        *more,
    )
    return "".join(f"{line}\r\n" for line in lines).encode() + b"\r\n" + content


def _piece(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(b"%x\r\n%b\r\n" % (len(data), data))


async def _serve(flaky: Flaky) -> None:
    listening = await asyncio.start_server(flaky.serve, "127.0.0.1", 0)
    print(listening.sockets[0].getsockname()[1], flush=True)  # noqa: T201 - whoever started it reads this
    await asyncio.to_thread(sys.stdin.read)
    listening.close()


def main() -> None:
    """Serve until standard input ends."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--journal", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--faults", type=float, default=0.05, metavar="SHARE")
    parser.add_argument("--least-s", type=float, default=0.02)
    parser.add_argument("--most-s", type=float, default=0.1)
    given = parser.parse_args()
    delays_s = (given.least_s, given.most_s)
    asyncio.run(_serve(Flaky(Journal(given.journal), seed=given.seed, share=given.faults, delays_s=delays_s)))


if __name__ == "__main__":
    main()
