"""Durable jobs: a summary is a row before it is anything else, and is worked on from that row.

What a crash leaves unfinished is taken up at the next start. Running a job again gives the same result.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from time import perf_counter, process_time
from typing import Literal, NoReturn, Self

import structlog
from msgspec.structs import replace

from service import pipeline
from service.adapters.store import Failure, Page, Status, Store, StoredSummary, new_id
from service.asking import Asking
from service.core.catalogue import Catalogue
from service.core.errors import (
    EndpointError,
    EndpointUnavailable,
    FieldError,
    Incomplete,
    InternalError,
    InvalidRequest,
    NeedsModel,
    NotFound,
    PrecisError,
)
from service.core.types import (
    Caveat,
    CompletionRequest,
    Conditions,
    Document,
    Options,
    RequestPlan,
    SummaryResult,
)

log = structlog.stdlib.get_logger(__name__)

TENANT = "local"
"""Whose summaries are made and seen, as long as callers are not told apart."""
AS_CONFIGURED = Conditions()
NO_PROMPTS = Catalogue()
FINISHED: frozenset[Status] = frozenset({"succeeded", "partial", "failed"})


class Jobs:
    """The summaries of one store, and the tasks that work on them in this process."""

    def __init__(
        self,
        *,
        store: Store,
        tools: pipeline.Tools,
        concurrency: int,
        max_documents: int,
        asking: Asking | None = None,
        catalogue: Catalogue = NO_PROMPTS,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.store = store
        self.tools = tools
        self.asking = asking
        self.catalogue = catalogue
        self.concurrency = concurrency
        self._slots = asyncio.Semaphore(concurrency)
        self._max_documents = max_documents
        self.now = now
        self._tasks: dict[tuple[str, str], asyncio.Task[None]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close(drain_s=0)

    async def submit(
        self, tenant: str, documents: Sequence[Document], options: Options, conditions: Conditions = AS_CONFIGURED
    ) -> StoredSummary:
        """Store a summary to be made and start on it; returns once the row is committed.

        Raises:
            InvalidRequest: the documents, options or conditions do not fit; nothing is stored.
            NotFound: there is no such prompt.
            StoreUnavailable: the row could not be committed.
        """
        pinned = self.pinned(conditions)
        await self.check(documents, options)
        summary = self.accepted(tenant, options, pinned)
        await self.store.add(summary, documents)
        self._begin(tenant, summary.id)
        return summary

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
        """Work on a stored summary until it is finished; raises NotFound where it was deleted meanwhile."""
        self._begin(tenant, summary)
        if (task := self._tasks.get((tenant, summary))) is not None:
            await asyncio.wait({task})
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
        """The summary once it is finished, or as it is after `wait_s` seconds.

        Raises:
            NotFound: there is no such summary, or no longer.
        """
        task = self._tasks.get((tenant, summary))
        if task is not None and wait_s > 0:
            await asyncio.wait({task}, timeout=wait_s)
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
        """One document of a summary, with the text that offsets refer to; raises NotFound."""
        found = await self.store.document(tenant, summary, document)
        if found is None:
            await self.get(tenant, summary)
            raise NotFound(f"Summary {summary} has no document {document!r}. Its `documents` list those it has.")
        return found

    async def page(self, tenant: str, *, limit: int, after: str | None, status: Status | None) -> Page:
        """A page of summaries without their results, newest first; raises InvalidRequest for a broken cursor."""
        return await self.store.page(tenant, limit=limit, after=after, status=status)

    async def delete(self, tenant: str, summary: str) -> None:
        """Remove a summary, its result and its documents; raises NotFound."""
        if not await self.store.delete(tenant, summary):
            raise _no_summary(summary)
        self.drop(tenant, summary)

    def drop(self, tenant: str, summary: str) -> None:
        """Stop working on a summary, as it was deleted."""
        if (task := self._tasks.get((tenant, summary))) is not None:
            task.cancel()

    async def resume(self) -> int:
        """Start on every unfinished summary in the store; returns how many."""
        unfinished = await self.store.unfinished()
        for tenant, summary in unfinished:
            self._begin(tenant, summary)
        return len(unfinished)

    async def close(self, *, drain_s: float) -> None:
        """Wait up to `drain_s` seconds for what is being worked on; the rest is left for the next start."""
        tasks = set(self._tasks.values())
        if tasks and drain_s > 0:
            await asyncio.wait(tasks, timeout=drain_s)
        left = [task for task in tasks if not task.done()]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

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

    def _begin(self, tenant: str, summary: str) -> None:
        key = (tenant, summary)
        if key not in self._tasks:
            self._tasks[key] = asyncio.create_task(self._run(tenant, summary), name=f"summary {summary}")
            self._tasks[key].add_done_callback(lambda _: self._tasks.pop(key, None))

    async def _run(self, tenant: str, summary: str) -> None:
        """Work on one summary; whatever goes wrong ends in its row, if there is a row to write it to."""
        async with self._slots:
            started, cpu = perf_counter(), process_time()
            try:
                await self._summarise(tenant, summary)
            except PrecisError as error:
                await self._fail(tenant, summary, error)
            except Exception:
                log.exception("summary_crashed", summary=summary)
                detail = "A fault of the service, not of the request; the log names it under this summary's id."
                await self._fail(tenant, summary, InternalError(detail))
            finally:
                log.info(
                    "summary_worked_on",
                    summary=summary,
                    tenant=tenant,
                    wall_ms=round((perf_counter() - started) * 1000, 1),
                    process_cpu_ms=round((process_time() - cpu) * 1000, 1),
                )

    async def _summarise(self, tenant: str, summary: str) -> None:
        if not await self.store.start(tenant, summary, self.now()):
            return
        stored = await self.get(tenant, summary)
        documents = await self.store.documents(tenant, summary)
        result = await self._result(stored, documents)
        if result.gaps and stored.conditions.strict:
            gap = result.gaps[0]
            raise Incomplete(
                f"{len(result.gaps)} parts were not read, and the request is strict. The first: characters {gap.start} "
                f"to {gap.end} of {gap.document}: {gap.detail}"
            )
        status: Literal["succeeded", "partial"] = "partial" if result.gaps else "succeeded"
        await self.store.finish(tenant, summary, status=status, result=result, at=self.now())

    async def _result(self, stored: StoredSummary, documents: Sequence[Document]) -> SummaryResult:
        """The summary by the configured endpoint, by the extractive engine where there is none or it may stand in."""
        if stored.conditions.prompt is None:
            # Accepted while no endpoint was configured, and so without calls.
            return await pipeline.summarise(documents, stored.options, tools=self.tools)
        try:
            return await self._asked(stored, documents)
        except EndpointError as error:
            if stored.conditions.fallback != "extractive":
                raise
            log.warning("summary_falls_back", summary=stored.id, code=error.code)
            try:
                result = await pipeline.summarise(documents, stored.options, tools=self.tools)
            except NeedsModel:
                # What is asked for only a model can do: then the endpoint's fault is what there is to say.
                raise error from None
            text = f"{error.title}, so the sources' own sentences were used, as asked for. {error.detail}"
            return replace(result, caveats=(Caveat(code="fallback", text=text), *result.caveats))

    async def _asked(self, stored: StoredSummary, documents: Sequence[Document]) -> SummaryResult:
        """The summary by the configured endpoint; raises EndpointError."""
        conditions = stored.conditions
        if self.asking is None:
            raise EndpointUnavailable(
                f"The summary was accepted for {conditions.prompt}, and no endpoint is configured any more. Set "
                "PRECIS_BASE_URL and PRECIS_MODEL again, and ask anew."
            )
        version = self.asking.version(conditions)
        log.info("summary_asked", summary=stored.id, version=version.id, digest=version.digest, label=conditions.label)
        await self.asking.look(conditions)
        complete = await self.asking.for_summary(self.store, stored.tenant, stored.id, conditions)
        engaged = pipeline.Engaged(
            model=self.asking.model(conditions, complete),
            endpoint=self.asking.url,
            name=conditions.model or "",
            label=conditions.label,
        )
        result = await pipeline.summarise(documents, stored.options, tools=self.tools, engaged=engaged)
        return replace(result, usage=replace(result.usage, cost=self.asking.cost(result.usage)))

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

    async def _fail(self, tenant: str, summary: str, error: PrecisError) -> None:
        failure = Failure(code=error.code, status=error.status, title=error.title, detail=error.detail)
        try:
            await self.store.finish(tenant, summary, status="failed", error=failure, at=self.now())
        except PrecisError as unwritten:
            # The row stays unfinished, so the next start takes it up again.
            log.exception("summary_failure_not_stored", summary=summary, code=error.code, store=unwritten.detail)
        else:
            log.warning("summary_failed", summary=summary, code=error.code)


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
