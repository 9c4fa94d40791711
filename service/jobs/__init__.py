"""Durable jobs: a summary is a row before it is anything else, and is worked on from that row.

What a crash leaves unfinished is taken up at the next start. Running a job again gives the same result.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import NoReturn, Self

import structlog

from service import pipeline
from service.adapters.queue import Job, LocalQueue
from service.adapters.store import (
    FINISHED,
    FOR_EVER,
    SUSPECT_TRIES,
    BatchPlace,
    BatchStore,
    Keep,
    Key,
    Page,
    Status,
    Store,
    StoredSummary,
    new_id,
)
from service.asking import Asking
from service.core.catalogue import Catalogue
from service.core.errors import (
    FieldError,
    InternalError,
    InvalidRequest,
    NeedsModel,
    NotFound,
    Purged,
)
from service.core.types import CompletionRequest, Conditions, Document, Options, RequestPlan
from service.jobs.events import Events
from service.jobs.running import MOST_TRIES, Runner, abandoned
from service.jobs.waiting import Waiting

log = structlog.stdlib.get_logger(__name__)

TENANT = "local"
"""Whose summaries are made and seen, as long as callers are not told apart."""
AS_CONFIGURED = Conditions()
NO_PROMPTS = Catalogue()
_DRAWN = 8
"""Lines of batches that are drawn at once at least; so many may be before one of a batch that has just come."""
__all__ = ["AS_CONFIGURED", "FINISHED", "MOST_TRIES", "TENANT", "Jobs", "abandoned", "check_count"]


class Jobs:
    """The summaries of one store, and the work on them in this process.

    Args:
        store: that they are in.
        tools: of the pipeline.
        concurrency: how many summaries of a lane are worked on at the same time.
        max_documents: most documents of a summary.
        asking: the endpoint, where there is one.
        catalogue: of the prompts.
        keep: how long finished summaries and their texts are kept.
        now: the moment, aware.
    """

    def __init__(  # noqa: PLR0913 - wired in one place, by name
        self,
        *,
        store: Store,
        tools: pipeline.Tools,
        concurrency: int,
        max_documents: int,
        asking: Asking | None = None,
        catalogue: Catalogue = NO_PROMPTS,
        keep: Keep = FOR_EVER,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.store = store
        self.tools = tools
        self.asking = asking
        self.catalogue = catalogue
        self.concurrency = concurrency
        self.events = Events()
        self.callers = Waiting()
        self.now = now
        self._max_documents = max_documents
        self._runner = Runner(store, tools, asking, events=self.events, keep=keep, now=now)
        self.keep = keep
        self.bell = asyncio.Event()
        """Set when a job of this process has ended; the next one hangs here then."""
        self.is_leaving = False
        """Whether this process is about to stop: no more lines are drawn, and who follows a batch is let go."""
        self._lines = BatchStore(store)
        self._turn: BatchPlace | None = None
        self._queue = LocalQueue(
            self._work,
            # without a model a line is nothing but computing: side by side it is no quicker, and slows all others
            places={"single": concurrency, "batch": 1 if asking is None else concurrency, "suspect": 1},
            refill=self._refill,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close(drain_s=0)

    async def submit(
        self,
        tenant: str,
        documents: Sequence[Document],
        options: Options,
        conditions: Conditions = AS_CONFIGURED,
        *,
        key: Key | None = None,
    ) -> StoredSummary:
        """Store a summary to be made and line it up; returns once the row is committed.

        Under a key that a summary was made with before, that one is returned, as far as it is.

        Raises:
            InvalidRequest: the documents, options or conditions do not fit; nothing is stored.
            KeyReused: another request was made under the key.
            NotFound: there is no such prompt.
            StoreUnavailable: the row could not be committed.
        """
        pinned = self.pinned(conditions)
        await self.check(documents, options)
        summary = self.accepted(tenant, options, pinned)
        made = await self.store.add(summary, documents, key=key)
        if made != summary.id:
            return await self.get(tenant, made)
        self._begin(tenant, summary.id, tries=0)
        return summary

    async def made_under(self, tenant: str, key: Key | None) -> StoredSummary | None:
        """The summary that was made under a key before, as it is; None where there is none.

        Raises:
            KeyReused: another request was made under the key.
        """
        made = await self.store.made_under(tenant, key) if key else None
        return await self.store.get(tenant, made) if made else None

    async def check(self, documents: Sequence[Document], options: Options) -> None:
        """Refuse documents or options that do not fit, as `submit` does; raises InvalidRequest."""
        self._check_sizes(documents)
        await pipeline.check(documents, options, tools=self.tools, model=self.asking is not None)

    def accepted(
        self, tenant: str, options: Options, conditions: Conditions, *, comparison: str | None = None
    ) -> StoredSummary:
        """The row of a summary that is to be made, not stored yet; its conditions are pinned."""
        return StoredSummary(
            tenant=tenant,
            id=new_id(),
            status="queued",
            options=options,
            conditions=conditions,
            comparison=comparison,
            created_at=self.now(),
        )

    async def work(self, tenant: str, summary: str) -> StoredSummary:
        """Have a stored summary worked on, and wait until it is finished; raises NotFound where it was deleted."""
        self._begin(tenant, summary, tries=(await self.get(tenant, summary)).tries)
        await self._queue.ended(Job(tenant=tenant, id=summary))
        return await self.get(tenant, summary)

    async def plan(
        self,
        documents: Sequence[Document],
        options: Options,
        conditions: Conditions = AS_CONFIGURED,
        *,
        withdrawn_too: bool = False,
    ) -> RequestPlan:
        """What a summary would take; nothing is stored or sent. Raises as `submit` does."""
        pinned = self.pinned(conditions, withdrawn_too=withdrawn_too)
        self._check_sizes(documents)
        if self.asking is None:
            return await pipeline.plan(documents, options, tools=self.tools)
        model = self.asking.model(pinned, _nothing_sent)
        return await pipeline.plan(documents, options, tools=self.tools, model=model, price=self.asking.prices.of)

    async def wait(self, tenant: str, summary: str, *, wait_s: float) -> StoredSummary:
        """The summary once it is finished, or as it is after `wait_s` seconds or when callers are let go.

        Raises:
            NotFound: there is no such summary, or no longer.
        """
        if wait_s > 0:
            await self.callers.wait(self._queue.ended(Job(tenant=tenant, id=summary)), wait_s=wait_s)
        return await self.get(tenant, summary)

    async def get(self, tenant: str, summary: str) -> StoredSummary:
        """The summary as it is; raises NotFound."""
        found = await self.store.get(tenant, summary)
        if found is None:
            raise _no_summary(summary)
        return found

    async def documents(self, tenant: str, summary: str) -> tuple[Document, ...]:
        """The documents of a summary, in order; raises NotFound."""
        await self.get(tenant, summary)
        return await self.store.documents(tenant, summary)

    async def document(self, tenant: str, summary: str, document: str) -> Document:
        """One document of a summary, with the text that offsets refer to.

        Raises:
            NotFound: there is no such summary, or it has no such document.
            Purged: the text was deleted after its time.
        """
        found = await self.store.document(tenant, summary, document)
        if found is not None:
            return found
        of = await self.get(tenant, summary)
        if of.purged_at is not None and await self.store.has_document(tenant, summary, document):
            raise Purged(
                f"The text of document {document!r} was deleted at {of.purged_at:%Y-%m-%dT%H:%M:%SZ}: texts are kept "
                "for PRECIS_DOCUMENTS_DAYS after their summary is finished. The summary keeps its quotes; for the "
                "text, send the document again."
            )
        raise NotFound(f"Summary {summary} has no document {document!r}. Its `documents` list those it has.")

    async def page(self, tenant: str, *, limit: int, after: str | None, status: Status | None) -> Page:
        """A page of summaries without their results, newest first; raises InvalidRequest for a broken cursor."""
        return await self.store.page(tenant, limit=limit, after=after, status=status)

    async def cancel(self, tenant: str, summary: str) -> StoredSummary:
        """Stop work on a summary: its calls are ended, their connections closed, and it takes no result any more.

        What was answered is remembered all the same. A summary that is finished stays as it is.

        Raises:
            NotFound: there is no such summary.
            StoreUnavailable: its end could not be written; one that is `cancelling` ends when it is next taken up.
        """
        if await self.store.cancelling(tenant, summary):
            job = Job(tenant=tenant, id=summary)
            if not await self._queue.abort(job):
                # nobody works on it here: another process may, and will find that its result is not taken
                log.info("summary_cancelled_elsewhere", summary=summary)
            try:
                await self._runner.cancelled(job)
            finally:
                self.events.end(tenant, summary)
        return await self.get(tenant, summary)

    async def delete(self, tenant: str, summary: str) -> None:
        """Remove a summary, its result and its documents, and stop work on it; raises NotFound."""
        if not await self.store.delete(tenant, summary):
            raise _no_summary(summary)
        await self.drop(tenant, summary)

    async def drop(self, tenant: str, summary: str) -> None:
        """Stop working on a summary that was deleted."""
        await self._queue.abort(Job(tenant=tenant, id=summary))
        self.events.end(tenant, summary)

    async def resume(self) -> int:
        """Line up every unfinished summary in the store; returns how many. Trials go with their comparisons."""
        await self._lines.put_back()
        # what waits its turn here is no less this process's than what is begun: nobody else gives it up
        await self.store.adopt()
        for tenant, summary in await self._lines.half_cancelled():
            # those are not drawn, and would hold up the end of their batch
            await self._runner.cancelled(Job(tenant=tenant, id=summary))
        unfinished = await self.store.unfinished()
        for tenant, summary, tries in unfinished:
            self._begin(tenant, summary, tries=tries)
        self._queue.more()
        return len(unfinished)

    def more(self) -> None:
        """Say that there are new lines of batches to be worked on."""
        self._queue.more()

    def leave(self) -> None:
        """Begin nothing more that nobody waits for: this process is about to stop."""
        self.is_leaving = True
        self.ring()

    def let_go(self) -> None:
        """Let all go who wait for something here or follow it, whatever becomes of it."""
        self.callers.close()
        self.events.close()

    async def close(self, *, drain_s: float) -> None:
        """Wait up to `drain_s` seconds for what is being worked on; the rest is left for the next start."""
        hurry = asyncio.get_running_loop().call_later(drain_s, self.store.wait_no_longer)
        try:
            await self._queue.close(drain_s=drain_s)
        finally:
            hurry.cancel()
        self.events.close()

    def _check_sizes(self, documents: Sequence[Document]) -> None:
        check_count(len(documents), self._max_documents)
        seen: dict[str, int] = {}
        for position, document in enumerate(documents):
            if document.id in seen:
                raise InvalidRequest(
                    f"Two documents have the id {document.id!r}. Give each its own, or none.",
                    errors=(FieldError(f"/documents/{position}/id", f"also at /documents/{seen[document.id]}/id"),),
                )
            seen[document.id] = position

    def _begin(self, tenant: str, summary: str, *, tries: int) -> None:
        """Line up a summary, unless it is already; `tries` is how often work on it was begun and has not ended."""
        job = Job(tenant=tenant, id=summary)
        if not self._queue.has(job):
            self.events.begin(tenant, summary)
            # Who runs beside one that ends the process is suspected as well, and not ended with it: of these one is
            # under way at a time, so that only its own tries grow. All others go on beside it.
            self._queue.put(job, "suspect" if tries >= SUSPECT_TRIES else "single")

    async def _refill(self, most: int) -> list[Job]:
        """Lines that wait, batches taking turns; once few are left, batches that have ended are noted as such."""
        found = await self.store.patiently(lambda: self._drawn(max(most, _DRAWN)))
        for job in found:
            self.events.begin(job.tenant, job.id)
        return found

    async def _drawn(self, most: int) -> list[Job]:
        if self.is_leaving:
            return []
        drawn = await self._lines.queued(most, after=self._turn)
        if len(drawn.lines) < most:
            await self._lines.settle(self.now(), self.keep)
        self._turn = drawn.place
        return [Job(tenant=tenant, id=summary) for tenant, summary in drawn.lines]

    async def _work(self, job: Job) -> None:
        try:
            await self._runner(job)
        finally:
            self.ring()

    def ring(self) -> None:
        """Wake those who wait for a job to end."""
        self.bell.set()
        self.bell = asyncio.Event()

    def expiry(self) -> datetime | None:
        """When what finishes now is deleted."""
        return self.keep.expires_at(self.now())

    def pinned(self, conditions: Conditions, *, withdrawn_too: bool = False) -> Conditions:
        """The conditions as the configured endpoint can keep them.

        Args:
            conditions: as they were asked for.
            withdrawn_too: whether a withdrawn prompt version may be used once more.

        Raises:
            InvalidRequest: they do not fit, or need a model where none is configured.
            NotFound: there is no such prompt.
        """
        if self.asking is not None:
            return self.asking.pinned(conditions, withdrawn_too=withdrawn_too)
        asked = [name for name in ("prompt", "model") if getattr(conditions, name) is not None]
        if asked:
            raise NeedsModel(
                f"The request names a {asked[0]}, but no endpoint is configured. Leave it out for an extractive "
                "summary, or set PRECIS_BASE_URL and PRECIS_MODEL.",
                errors=tuple(FieldError(f"/{name}", "needs a language model") for name in asked),
            )
        return conditions


async def _nothing_sent(_request: CompletionRequest, _counted: int) -> NoReturn:
    """In place of an endpoint where only a plan is wanted."""
    raise InternalError("A plan sends nothing. Report this.")


def check_count(documents: int, most: int) -> None:
    """Refuse too many documents; raises InvalidRequest."""
    if documents > most:
        raise InvalidRequest(
            f"{documents} documents are over the limit of {most} a request. Send fewer, or raise PRECIS_MAX_DOCUMENTS.",
            errors=(FieldError("/documents", f"at most {most}"),),
        )


def _no_summary(summary: str) -> NotFound:
    return NotFound(
        f"There is no summary {summary!r}. It may have been deleted; GET /v1/summaries lists those there are."
    )
