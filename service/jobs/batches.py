"""Batches: many requests in one body, accepted whole or not at all, and worked on line by line.

A line that does not fit becomes a result that says why; the rest goes on. Lines are summaries like any other, but are
pulled from their table a few at a time, in a lane of their own.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from itertools import takewhile
from typing import Self

import structlog
from msgspec.structs import replace

from service.adapters.store import (
    FINISHED,
    BatchPage,
    BatchStatus,
    BatchStore,
    Counts,
    Key,
    Refusal,
    StoredBatch,
    StoredLine,
    StoredSummary,
    new_id,
)
from service.core.errors import (
    FieldError,
    InternalError,
    InvalidRequest,
    NotFound,
    PrecisError,
    Stopping,
    StoreUnavailable,
    TooLarge,
)
from service.core.types import Conditions, Document, Options, Value
from service.jobs import Jobs

GROUP_LINES = 200
"""Lines that are stored at once."""
GROUP_CHARACTERS = 1_000_000
"""Of texts that are stored at once; a line that has more is stored by itself."""
LOOK_S = 5.0
"""Between two looks at a line that may be worked on elsewhere."""
_AHEAD = 50
"""Lines whose statuses are read at once."""

log = structlog.stdlib.get_logger(__name__)


class Wanted(Value, frozen=True, kw_only=True):
    """A line that decodes: a request."""

    line: int
    """Of the body, counted from 1, blank ones included."""
    custom_id: str | None
    documents: tuple[Document, ...]
    options: Options
    conditions: Conditions


class Unfit(Value, frozen=True, kw_only=True):
    """A line that does not."""

    line: int
    custom_id: str | None
    refusal: Refusal


class Ended(Value, frozen=True, kw_only=True):
    """A line that nothing more happens to: one of its summary and its refusal is there."""

    line: int
    custom_id: str | None
    summary: StoredSummary | None = None
    refusal: Refusal | None = None


def refusal(error: PrecisError) -> Refusal:
    """An error as it is kept."""
    return Refusal(code=error.code, status=error.status, title=error.title, detail=error.detail, errors=error.errors)


class Batches:
    """The batches of one store.

    Args:
        jobs: that work on their lines.
        most_lines: of a batch.
    """

    def __init__(self, jobs: Jobs, *, most_lines: int) -> None:
        self._jobs = jobs
        self._store = BatchStore(jobs.store)
        self._most_lines = most_lines
        self._clearing: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    # --- accepting ---------------------------------------------------------------------------------------------------

    async def submit(
        self, tenant: str, lines: AsyncIterator[Wanted | Unfit], *, key: Callable[[], Key | None] = lambda: None
    ) -> StoredBatch:
        """Store a batch as its lines come, and have it worked on once all of them have; returns after the commit.

        Whatever breaks off before the end leaves nothing: who got no answer has no id to ask with, and sends it again.

        Args:
            tenant: whose it is.
            lines: in order.
            key: called after the last line for what the batch is made under; where one was before, that is returned.

        Raises:
            InvalidRequest: there is no line.
            KeyReused: another request was made under the key.
            TooLarge: there are too many lines.
            StoreUnavailable: the rows could not be committed.
        """
        batch, at = new_id("bat"), self._jobs.now()
        await self._store.begin(tenant, batch, at)
        try:
            total, accepted = await self._take(tenant, batch, lines)
            made = await self._store.accept(tenant, batch, total, at, key=key())
        except BaseException:
            # also where this task is cancelled: nobody else would
            await asyncio.shield(self._forget(tenant, batch))
            raise
        if made != batch:
            await self._forget(tenant, batch)
            return await self.get(tenant, made)
        log.info("batch_accepted", batch=batch, lines=total, invalid=total - accepted)
        self._jobs.more()
        return await self.get(tenant, batch)

    async def is_taken(self, tenant: str, key: str) -> bool:
        """Whether something was made under a key before, whatever the request was."""
        return await self._store.is_taken(tenant, key)

    async def made_under(self, tenant: str, key: Key) -> StoredBatch | None:
        """The batch that was made under a key before; None where there is none, or no longer.

        Raises:
            KeyReused: another request was made under the key.
        """
        made = await self._jobs.store.made_under(tenant, key)
        return await self._store.get(tenant, made) if made else None

    async def _take(self, tenant: str, batch: str, lines: AsyncIterator[Wanted | Unfit]) -> tuple[int, int]:
        """Store lines group by group; returns how many there were, and how many of them were accepted."""
        total = accepted = characters = 0
        group: list[StoredLine] = []
        own: list[tuple[StoredSummary, tuple[Document, ...]]] = []
        async for line in lines:
            total += 1
            if total > self._most_lines:
                raise TooLarge(
                    f"A batch may have {self._most_lines:,} lines, and this one has more. Send several, or raise "
                    "PRECIS_BATCH_MAX_LINES."
                )
            checked = await self._checked(tenant, batch, line)
            if isinstance(checked, Refusal):
                group.append(StoredLine(line=line.line, custom_id=line.custom_id, refusal=checked))
            else:
                accepted += 1
                characters += sum(len(document.text) for document in checked[1])
                own.append(checked)
                group.append(StoredLine(line=line.line, custom_id=line.custom_id, summary=checked[0].id))
            if len(group) == GROUP_LINES or characters >= GROUP_CHARACTERS:
                await self._store.extend(tenant, batch, *_in_order(group, own))
                group, own, characters = [], [], 0
        if group:
            await self._store.extend(tenant, batch, *_in_order(group, own))
        if total == 0:
            fault = FieldError("", "at least one line")
            raise InvalidRequest("The batch has no lines. Send one request a line, as JSON.", errors=(fault,))
        return total, accepted

    async def _checked(
        self, tenant: str, batch: str, line: Wanted | Unfit
    ) -> tuple[StoredSummary, tuple[Document, ...]] | Refusal:
        """The summary to be made for a line, held against all that a request by itself is."""
        if isinstance(line, Unfit):
            return line.refusal
        try:
            pinned = self._jobs.pinned(line.conditions)
            await self._jobs.check(line.documents, line.options)
        except PrecisError as error:
            return refusal(error)
        return replace(self._jobs.accepted(tenant, line.options, pinned), batch=batch), line.documents

    async def _forget(self, tenant: str, batch: str) -> None:
        # nobody sees it meanwhile
        with suppress(StoreUnavailable):
            await self._or_later(self._store.remove, tenant, batch)

    # --- reading -----------------------------------------------------------------------------------------------------

    async def get(self, tenant: str, batch: str) -> StoredBatch:
        """The batch as it is; raises NotFound."""
        found = await self._store.get(tenant, batch)
        if found is not None and found.status == "running" and _is_done(found.counts):
            # the last line may have ended just now, or none have been accepted
            await self._store.settle(self._jobs.now(), self._jobs.keep)
            found = await self._store.get(tenant, batch)
        if found is None:
            raise _no_batch(batch)
        return found

    async def page(self, tenant: str, *, limit: int, after: str | None, status: BatchStatus | None) -> BatchPage:
        """A page of batches, newest first; raises InvalidRequest for a broken cursor."""
        return await self._store.page(tenant, limit=limit, after=after, status=status)

    async def results(
        self, tenant: str, batch: str, *, after: int = 0, wait_s: float | None = None
    ) -> AsyncIterator[Ended]:
        """What has become of the lines behind line `after`, in order, each once nothing more happens to it.

        Ends behind the last line; before, where the next one takes over `wait_s` seconds.

        Raises:
            NotFound: the batch was deleted meanwhile.
            Stopping: this process is about to stop.
            StoreUnavailable: the rows cannot be read.
        """
        loop = asyncio.get_running_loop()
        waiting_since = loop.time()
        while True:
            bell = self._jobs.bell
            ahead = await self._store.lines(tenant, batch, after=after, most=_AHEAD)
            ended = list(takewhile(_has_ended, ahead))
            for line in ended:
                yield await self._ended(tenant, line)
                after, waiting_since = line.line, loop.time()
            if len(ended) == len(ahead):
                if len(ahead) == _AHEAD:
                    continue
                # of one that was deleted no line is found any more
                await self.get(tenant, batch)
                return
            left_s = LOOK_S if wait_s is None else min(LOOK_S, waiting_since + wait_s - loop.time())
            if left_s <= 0:
                return
            if self._jobs.is_leaving:
                raise Stopping(f"The results behind line {after} were not sent. Ask for them with `?after={after}`.")
            with suppress(TimeoutError):
                async with asyncio.timeout(left_s):
                    await bell.wait()

    async def _ended(self, tenant: str, line: StoredLine) -> Ended:
        if line.refusal is not None or line.summary is None:
            return Ended(line=line.line, custom_id=line.custom_id, refusal=line.refusal)
        found = await self._jobs.store.get(tenant, line.summary)
        if found is None:
            gone = NotFound(f"The summary {line.summary} of this line was deleted.")
            return Ended(line=line.line, custom_id=line.custom_id, refusal=refusal(gone))
        return Ended(line=line.line, custom_id=line.custom_id, summary=found)

    # --- ending ------------------------------------------------------------------------------------------------------

    async def cancel(self, tenant: str, batch: str) -> StoredBatch:
        """Stop work on a batch: calls are ended, and lines that have not ended are cancelled. One that has ended stays.

        Raises:
            NotFound: there is no such batch.
            StoreUnavailable: the rows could not be written; one that is `cancelling` ends once the store is back.
        """
        if await self._store.cancelling(tenant, batch):
            await self._or_later(self._cancel, tenant, batch)
        return await self.get(tenant, batch)

    async def delete(self, tenant: str, batch: str) -> None:
        """Stop work on a batch, and remove it with its lines, their summaries and their texts.

        Raises:
            NotFound: there is no such batch, or it is being deleted.
            StoreUnavailable: the rows could not be written; one that is not found any more goes once the store is back.
        """
        if not await self._store.deleting(tenant, batch):
            raise _no_batch(batch)
        await self._or_later(self._remove, tenant, batch)

    async def _remove(self, tenant: str, batch: str) -> None:
        await self._stop(tenant, batch)
        await self._store.remove(tenant, batch)
        self._jobs.ring()

    async def _cancel(self, tenant: str, batch: str) -> None:
        await self._stop(tenant, batch)
        await self._store.cancelled(tenant, batch, self._jobs.now(), self._jobs.expiry())
        self._jobs.ring()

    async def _stop(self, tenant: str, batch: str) -> None:
        """Cancel all lines of a batch of which none is begun any more."""
        before: tuple[str, ...] = ()
        while True:
            # those that are next come first, before those that are worked on make room for them
            queued = await self._store.cancel_queued(tenant, batch, self._jobs.now(), self._jobs.keep)
            working = await self._store.working_on(tenant, batch)
            if not (queued or working):
                return
            if working and working == before:
                raise InternalError(f"Summary {working[0]} of batch {batch} could not be stopped. Report this.")
            before = working
            await asyncio.gather(*(self._cancel_line(tenant, line) for line in working))

    async def _cancel_line(self, tenant: str, summary: str) -> None:
        with suppress(NotFound):
            await self._jobs.cancel(tenant, summary)

    # --- between starts ----------------------------------------------------------------------------------------------

    async def resume(self) -> int:
        """Go on with what the last process was at: half accepted or deleted batches go, half cancelled ones are.

        Returns how many. It is done beside what else begins; nobody sees or works on them meanwhile.
        """
        left = await self._store.left()
        self._clear(
            [
                partial(self._cancel if status == "cancelling" else self._store.remove, tenant, batch)
                for tenant, batch, status in left
            ]
        )
        return len(left)

    async def close(self) -> None:
        """Leave what is being cleared for the next start."""
        for task in self._clearing:
            task.cancel()
        await asyncio.gather(*self._clearing, return_exceptions=True)

    async def _or_later(self, act: Callable[[str, str], Awaitable[None]], tenant: str, batch: str) -> None:
        """Do something with a batch; where the store fails, say so and do it once the store is back."""
        try:
            await act(tenant, batch)
        except StoreUnavailable:
            self._clear([partial(act, tenant, batch)])
            raise

    def _clear(self, acts: Sequence[Callable[[], Awaitable[None]]]) -> None:
        """Bring to an end what was left half done, one after the other and however long the store takes."""

        async def clear() -> None:
            for act in acts:
                await self._jobs.store.patiently(act)

        if acts:
            task = asyncio.create_task(clear(), name="half-done batches")
            self._clearing.add(task)
            task.add_done_callback(self._clearing.discard)


def _in_order(
    lines: list[StoredLine], own: list[tuple[StoredSummary, tuple[Document, ...]]]
) -> tuple[list[StoredLine], list[tuple[StoredSummary, tuple[Document, ...]]]]:
    """The same with ids in the order of the lines, in which they are then worked on: those of one moment are random."""
    names = sorted(summary.id for summary, _ in own)
    ids = iter(names)
    named = [line if line.summary is None else replace(line, summary=next(ids)) for line in lines]
    made = [(replace(summary, id=name), texts) for name, (summary, texts) in zip(names, own, strict=True)]
    return named, made


def _is_done(counts: Counts) -> bool:
    return counts.queued + counts.running + counts.waiting == 0


def _has_ended(line: StoredLine) -> bool:
    return line.status is None or line.status in FINISHED


def _no_batch(batch: str) -> NotFound:
    return NotFound(f"There is no batch {batch!r}. It may have been deleted; GET /v1/batches lists those there are.")
