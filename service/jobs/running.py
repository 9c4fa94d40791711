"""Work on one summary, from its row to its end: whatever happens to it is written into that row."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from time import perf_counter, process_time
from typing import Literal

import structlog
from msgspec.structs import replace

from service import pipeline
from service.adapters.queue import Job
from service.adapters.store import Failure, Keep, Store, StoredSummary
from service.asking import Asking
from service.core.errors import (
    Abandoned,
    EndpointError,
    EndpointUnavailable,
    Incomplete,
    InternalError,
    NeedsModel,
    PrecisError,
    StoreUnavailable,
)
from service.core.types import Caveat, Document, KeyPoint, SummaryResult
from service.core.watching import CallAnswered, PartEnded, PhaseBegun, PointsStood, Progress, Seen
from service.jobs.events import Events

MOST_TRIES = 5
"""How often work is begun on a summary whose work never ends, since the process dies over it."""

log = structlog.stdlib.get_logger(__name__)


def abandoned(what: str) -> Abandoned:
    """Why something is given up, such as a summary."""
    return Abandoned(
        f"Work on this {what} was begun {MOST_TRIES} times, and the process ended each time before it did. See its log "
        "for why; then ask anew."
    )


class Runner:
    """Works on summaries; called as a function with one.

    Args:
        store: that they are in.
        tools: of the pipeline.
        asking: the endpoint, where there is one.
        events: told of what happens.
        keep: how long a finished summary and its texts are kept.
        now: the moment, aware.
    """

    def __init__(
        self,
        store: Store,
        tools: pipeline.Tools,
        asking: Asking | None,
        *,
        events: Events,
        keep: Keep,
        now: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._tools = tools
        self._asking = asking
        self._events = events
        self._keep = keep
        self._now = now

    async def __call__(self, job: Job) -> None:
        """Work on one summary; whatever goes wrong ends in its row, if there is a row to write it to.

        A store that is full, locked or gone is waited for, with the work in hand: no summary fails for that.

        Raises:
            asyncio.CancelledError: it is to stop. The row says what then becomes of it: one that is being cancelled is
                finished as such, another is left for the next start.
        """
        started, cpu = perf_counter(), process_time()
        watcher = Watcher(self._events, job, self._asking)
        try:
            await self._work(job, watcher)
        except asyncio.CancelledError:
            # the row is written although this task is to end: nothing else would write it
            await asyncio.shield(self._stopped(job))
            raise
        except StoreUnavailable as error:
            log.warning("summary_left_for_want_of_the_store", summary=job.id, code=error.code)
            await self._stopped(job)
        finally:
            watcher.end()
            log.info(
                "summary_worked_on",
                summary=job.id,
                tenant=job.tenant,
                wall_ms=round((perf_counter() - started) * 1000, 1),
                process_cpu_ms=round((process_time() - cpu) * 1000, 1),
            )

    async def cancelled(self, job: Job) -> None:
        """Finish a summary that is being cancelled and is not worked on."""
        await self._finish(job, "cancelled")

    async def _work(self, job: Job, watcher: "Watcher") -> None:
        try:
            if begun := await self._begun(job):
                watcher.begin()
                await self._summarise(job, begun, watcher)
        except StoreUnavailable:
            # it was waited for until this process is to end: no fault of the summary's
            raise
        except PrecisError as error:
            await self._fail(job, error)
        except Exception:
            log.exception("summary_crashed", summary=job.id)
            detail = "A fault of the service, not of the request; the log names it under this summary's id."
            await self._fail(job, InternalError(detail))

    async def _begun(self, job: Job) -> StoredSummary | None:
        """The summary, noted as worked on, where there is something to do."""
        begun = await self._store.patiently(lambda: self._store.start(job.tenant, job.id, self._now()))
        if begun is None:
            # to be cancelled when the process ended before it could be
            await self._store.patiently(lambda: self._finish(job, "cancelled"))
        return begun

    async def _summarise(self, job: Job, stored: StoredSummary, watcher: "Watcher") -> None:
        if stored.tries > MOST_TRIES:
            raise abandoned("summary")
        documents = await self._store.patiently(lambda: self._store.documents(job.tenant, job.id))
        result = await self._result(stored, documents, watcher)
        if result.gaps and stored.conditions.strict:
            gap = result.gaps[0]
            raise Incomplete(
                f"{len(result.gaps)} parts were not read, and the request is strict. The first: characters {gap.start} "
                f"to {gap.end} of {gap.document}: {gap.detail}"
            )
        status: Literal["partial", "succeeded"] = "partial" if result.gaps else "succeeded"
        if not await self._store.patiently(lambda: self._finish(job, status, result=result)):
            log.info("summary_result_not_taken", summary=job.id)

    async def _result(self, stored: StoredSummary, documents: Sequence[Document], watcher: "Watcher") -> SummaryResult:
        """The summary by the configured endpoint, by the extractive engine where there is none or it may stand in."""
        if stored.conditions.prompt is None:
            # Accepted while no endpoint was configured, and so without calls.
            return await pipeline.summarise(documents, stored.options, tools=self._tools, watch=watcher)
        try:
            return await self._asked(stored, documents, watcher)
        except EndpointError as error:
            if stored.conditions.fallback != "extractive":
                raise
            log.warning("summary_falls_back", summary=stored.id, code=error.code)
            try:
                result = await pipeline.summarise(documents, stored.options, tools=self._tools, watch=watcher)
            except NeedsModel:
                # What is asked for only a model can do: then the endpoint's fault is what there is to say.
                raise error from None
            text = f"{error.title}, so the sources' own sentences were used, as asked for. {error.detail}"
            return replace(result, caveats=(Caveat(code="fallback", text=text), *result.caveats))

    async def _asked(self, stored: StoredSummary, documents: Sequence[Document], watcher: "Watcher") -> SummaryResult:
        """The summary by the configured endpoint; raises EndpointError."""
        conditions = stored.conditions
        if self._asking is None:
            raise EndpointUnavailable(
                f"The summary was accepted for {conditions.prompt}, and no endpoint is configured any more. Set "
                "PRECIS_BASE_URL and PRECIS_MODEL again, and ask anew."
            )
        version = self._asking.version(conditions)
        log.info("summary_asked", summary=stored.id, version=version.id, digest=version.digest, label=conditions.label)
        await self._asking.look(conditions)
        complete = await self._asking.for_summary(
            self._store,
            stored.tenant,
            stored.id,
            conditions,
            background=stored.batch is not None,
            # who has said what to do when the endpoint fails does not want it waited for
            held=None if conditions.fallback else Held(self._store, stored.tenant, stored.id, watcher),
        )
        engaged = pipeline.Engaged(
            model=self._asking.model(conditions, complete, watcher),
            endpoint=self._asking.url,
            name=conditions.model or "",
            label=conditions.label,
        )
        result = await pipeline.summarise(documents, stored.options, tools=self._tools, engaged=engaged)
        return replace(result, usage=replace(result.usage, cost=self._asking.cost(result.usage)))

    async def _finish(
        self,
        job: Job,
        status: Literal["succeeded", "partial", "failed", "cancelled"],
        *,
        result: SummaryResult | None = None,
        error: Failure | None = None,
    ) -> bool:
        """Write the end into the row; False where it is not taken: the row is gone, or has another end already."""
        return await self._store.finish(
            job.tenant, job.id, status=status, result=result, error=error, at=self._now(), keep=self._keep
        )

    async def _stopped(self, job: Job) -> None:
        """The row of a summary that is no longer worked on: cancelled where that is meant, else left for later."""
        try:
            if not await self._finish(job, "cancelled"):
                await self._store.put_back(job.tenant, job.id)
        except PrecisError as unwritten:
            log.warning("summary_stop_not_stored", summary=job.id, store=unwritten.detail)

    async def _fail(self, job: Job, error: PrecisError) -> None:
        failure = Failure(code=error.code, status=error.status, title=error.title, detail=error.detail)
        if await self._store.patiently(lambda: self._finish(job, "failed", error=failure)):
            log.warning("summary_failed", summary=job.id, code=error.code)
        else:
            log.info("summary_failure_not_taken", summary=job.id, code=error.code)


class Held:
    """Notes in a summary's row that its calls wait for the endpoint, while any of them does.

    Where the store fails the note is left out: nothing rests on it.
    """

    def __init__(self, store: Store, tenant: str, summary: str, watcher: "Watcher") -> None:
        self._store = store
        self._tenant = tenant
        self._summary = summary
        self._watcher = watcher
        self._waiting = 0

    async def begin(self, until: datetime) -> None:
        """A call waits until then at least."""
        self._waiting += 1
        with suppress(StoreUnavailable):
            await self._store.hold(self._tenant, self._summary, until)
        self._watcher.wait(until)

    async def end(self) -> None:
        """A call that waited goes on."""
        self._waiting -= 1
        if self._waiting == 0:
            with suppress(StoreUnavailable):
                await self._store.go_on(self._tenant, self._summary)
            self._watcher.go_on()


class Watcher:
    """Adds up how far a summary is, and tells those who follow it."""

    def __init__(self, events: Events, job: Job, asking: Asking | None) -> None:
        self._events = events
        self._job = job
        self._asking = asking
        self._progress = Progress()
        self._prompt = self._completion = 0
        self._next_attempt_at: datetime | None = None

    def __call__(self, seen: Seen) -> None:
        """Count what was seen, and tell it."""
        progress, points = self._progress, seen.points if isinstance(seen, PointsStood) else ()
        match seen:
            case PhaseBegun(phase=phase, parts=parts):
                progress = replace(progress, phase=phase, total=progress.total + parts)
            case PartEnded(failed=True):
                progress = replace(progress, failed=progress.failed + 1)
            case PartEnded():
                progress = replace(progress, completed=progress.completed + 1)
            case CallAnswered(prompt_tokens=prompt, completion_tokens=completion):
                self._prompt += prompt
                self._completion += completion
                cost = self._asking.prices.of(self._prompt, self._completion) if self._asking else None
                progress = replace(progress, tokens=self._prompt + self._completion, cost=cost)
        self._progress = progress
        self._tell(points)

    def begin(self) -> None:
        """Work has begun."""
        self._tell()

    def wait(self, until: datetime) -> None:
        """The endpoint is waited for, until then at least."""
        self._next_attempt_at = until
        self._tell()

    def go_on(self) -> None:
        """The endpoint is not waited for any more."""
        self._next_attempt_at = None
        self._tell()

    def end(self) -> None:
        """Nothing more will happen: what became of it is in the row."""
        self._events.end(self._job.tenant, self._job.id)

    def _tell(self, points: tuple[KeyPoint, ...] = ()) -> None:
        self._events.tell(
            self._job.tenant,
            self._job.id,
            status="waiting" if self._next_attempt_at else "running",
            progress=self._progress,
            next_attempt_at=self._next_attempt_at,
            points=points,
        )
