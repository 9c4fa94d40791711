"""A caller whose server is unreliable: it asks again until it is answered, and looks until all is finished."""

import asyncio
import json
from collections.abc import Sequence
from contextlib import suppress
from itertools import islice
from typing import Any

import httpx
from articles import article

FINISHED = frozenset({"succeeded", "partial", "failed", "cancelled"})
PROMPTS = ("news@1", "news@1", "news@4")
"""By the length of a text: the last asks for conflicts as well, so that it takes a call more."""
POSTING = 2
"""Requests in flight that make summaries."""
ANEW = 25
"""One accepted request in so many is sent again to the next server."""
LOOKS, LOOK_S = 4, 0.2
"""Summaries that are looked at in turn, and the pause when none of them was finished."""
Resource = dict[str, Any]


class Caller:
    """Asks for summaries and looks at them until they are finished.

    A request that is not answered is sent again to the next server, under the same key.

    Args:
        port: of every server.
        name: what its keys begin with.
        lines: articles that it asks for as one batch.
    """

    def __init__(self, port: int, *, name: str, lines: Sequence[int] = ()) -> None:
        self._name = name
        self._lines = lines
        self._batch: str | None = None
        self._batch_ended = not lines
        self._last_line = 0
        self._http = httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", timeout=30, trust_env=False, headers={"Accept": "application/json"}
        )
        self.accepted: dict[int, str] = {}
        """Ids of summaries, by the number of their article."""
        self.seen: dict[str, Resource] = {}
        """Summaries as they were when they were first seen finished."""
        self.unanswered: list[int] = []
        self._pending: dict[str, None] = {}
        self.refused: list[str] = []
        """Answers that a caller should not get."""

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    @property
    def all_seen(self) -> bool:
        """Whether everything that was accepted was seen finished, and nothing is left to be accepted."""
        return not (self._pending or self.unanswered) and self._batch_ended

    async def post(self, numbers: Sequence[int]) -> None:
        """Ask for summaries of articles, first of those that were not answered before; ends when the server does.

        Of those that were, some are asked for again, as if the answer had not arrived.
        """
        answered = [number for number in self.accepted if number not in self._lines]
        waiting = [*answered[::ANEW], *self.unanswered, *numbers]
        self.unanswered = []
        waiting.reverse()

        async def send() -> None:
            while waiting:
                number = waiting.pop()
                try:
                    await self._post(number)
                except httpx.TransportError:
                    if number not in self.accepted:
                        self.unanswered.append(number)
                    return

        with suppress(httpx.TransportError):
            await asyncio.gather(*(send() for _ in range(POSTING)), self._post_batch())
        self.unanswered += (number for number in reversed(waiting) if number not in self.accepted)

    async def _post(self, number: int) -> None:
        headers = {"Prefer": "wait=0", "Idempotency-Key": f"{self._name}-{number}"}
        answer = await self._http.post("/v1/summaries", json=_wanted(number), headers=headers)
        if answer.status_code not in (201, 202):
            self.refused.append(f"POST of {number}: {answer.status_code} {answer.text[:300]}")
            return
        made = answer.json()["id"]
        if self.accepted.setdefault(number, made) != made:
            self.refused.append(f"POST of {number} made {self.accepted[number]}, and then {made}")
        if made not in self.seen:
            self._pending[made] = None

    async def _post_batch(self) -> None:
        if not self._lines:
            return
        lines = [json.dumps({"custom_id": str(number), **_wanted(number)}) + "\n" for number in self._lines]
        headers = {"Content-Type": "application/x-ndjson", "Idempotency-Key": f"{self._name}-batch"}
        answer = await self._http.post("/v1/batches", content="".join(lines).encode(), headers=headers)
        if answer.status_code != 201:
            self.refused.append(f"POST of a batch: {answer.status_code} {answer.text[:300]}")
            return
        made = answer.json()["id"]
        if self._batch not in (None, made):
            self.refused.append(f"POST of a batch made {self._batch}, and then {made}")
        self._batch = made

    async def watch(self) -> None:
        """Look at what is not seen finished, the oldest first, until the server ends."""
        while True:
            before = len(self.seen)
            try:
                for summary in list(islice(self._pending, LOOKS)):
                    found = await self.get(summary)
                    if found is not None and found["status"] in FINISHED:
                        self.seen[summary] = found
                        del self._pending[summary]
                if self._batch is not None and not self._batch_ended:
                    await self._look_at_batch(self._batch)
            except httpx.TransportError:
                return
            if len(self.seen) == before:
                await asyncio.sleep(LOOK_S)

    async def _look_at_batch(self, batch: str) -> None:
        """Take what the batch has come to since it was last looked at."""
        for line in await self._results(batch, after=self._last_line):
            self._last_line = line["line"]
            self._note(line, self.seen)
        answer = await self._http.get(f"/v1/batches/{batch}")
        answer.raise_for_status()
        self._batch_ended = answer.json()["finished_at"] is not None and self._last_line == len(self._lines)

    async def finals(self) -> dict[str, Resource | None]:
        """Every summary that was accepted, as it is in the end; those of the batch as its lines."""
        by_line: dict[str, Resource] = {}
        if self._batch is not None:
            lines = await self._results(self._batch, after=0)
            if [line["line"] for line in lines] != list(range(1, len(self._lines) + 1)):
                self.refused.append(f"the batch has the lines {[line['line'] for line in lines]}")
            for line in lines:
                self._note(line, by_line)
        return {
            summary: by_line[summary] if summary in by_line else await self.get(summary)
            for summary in self.accepted.values()
        }

    async def _results(self, batch: str, *, after: int) -> list[Resource]:
        answer = await self._http.get(
            f"/v1/batches/{batch}/results",
            params={"after": after, "wait": 0},
            headers={"Accept": "application/x-ndjson"},
        )
        answer.raise_for_status()
        return [json.loads(line) for line in answer.text.splitlines()]

    def _note(self, line: Resource, into: dict[str, Resource]) -> None:
        """Take the summary of a line."""
        number = self._lines[line["line"] - 1]
        summary = line.get("summary")
        if line["custom_id"] != str(number) or summary is None:
            self.refused.append(f"line {line['line']}: {line['custom_id']} with {line.get('error')}")
            return
        if self.accepted.setdefault(number, summary["id"]) != summary["id"]:
            self.refused.append(f"line {line['line']} was {self.accepted[number]}, and then {summary['id']}")
        into[summary["id"]] = summary

    async def get(self, summary: str) -> Resource | None:
        """A summary as it is; None where it is not there."""
        answer = await self._http.get(f"/v1/summaries/{summary}")
        if answer.status_code == 404:
            return None
        answer.raise_for_status()
        found: Resource = answer.json()
        return found


def _wanted(number: int) -> dict[str, object]:
    text = article(number)
    return {"documents": [{"text": text}], "prompt": PROMPTS[len(text) % len(PROMPTS)]}
