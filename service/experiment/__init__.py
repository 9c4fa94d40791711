"""Prompt versions x documents x repetitions: run as summaries, kept, and drawn as a comparison.

A trial is a summary like any other: a row before it runs, its completions remembered, taken up again after a crash. A
comparison is a row that names its trials; running it again pays for nothing twice.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Literal, Self

import structlog
from msgspec.structs import replace

from service import pipeline
from service.adapters.store import (
    ComparisonPage,
    ComparisonStore,
    Failure,
    Key,
    Status,
    StoredComparison,
    StoredSummary,
    StoredTrial,
    new_id,
)
from service.core import catalogue, trials
from service.core.comparison import (
    Comparison,
    DocumentSet,
    Experiment,
    Progress,
    Trial,
    TrialFailure,
)
from service.core.errors import (
    EndpointUnavailable,
    FieldError,
    InternalError,
    InvalidRequest,
    NotFound,
    PrecisError,
)
from service.core.types import Document, RequestPlan
from service.experiment.asked import Asked, check
from service.experiment.asked import conditions as conditions_of
from service.experiment.asked import versions as versions_of
from service.experiment.drawing import check_references, check_sets, digest, draw
from service.jobs import Jobs

__all__ = ["Asked", "Experiments"]

log = structlog.stdlib.get_logger(__name__)


class Experiments:
    """The comparisons of one store, and the tasks that work on them in this process."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs
        self._store = ComparisonStore(jobs.store)
        self._tasks: dict[tuple[str, str], asyncio.Task[None]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def made_under(self, tenant: str, key: Key | None) -> StoredComparison | None:
        """The comparison that was made under a key before, as it is; None where there is none.

        Raises:
            KeyReused: another request was made under the key.
        """
        made = await self._jobs.store.made_under(tenant, key) if key else None
        return await self._store.get(tenant, made) if made else None

    async def submit(
        self,
        tenant: str,
        sets: Sequence[tuple[str, Sequence[Document]]],
        asked: Asked,
        *,
        key: Key | None = None,
    ) -> StoredComparison:
        """Store a comparison with all its trials and start on it; returns once the rows are committed.

        Args:
            tenant: whose it is.
            sets: documents that are summarised together, each set with a name.
            asked: versions, and how to compare them.
            key: that it is made under; where one was made under it before, that is returned, as far as it is.

        Raises:
            InvalidRequest: it does not fit; nothing is stored.
            KeyReused: another request was made under the key.
            NotFound: there is no such prompt version.
            StoreUnavailable: the rows could not be committed.
        """
        versions = versions_of(asked, self._jobs.catalogue)
        check(asked, len(sets) * len(versions))
        numbered: list[DocumentSet] = []
        for number, (name, documents) in enumerate(sets, 1):
            try:
                await self._jobs.check(documents, asked.options)
            except PrecisError as error:
                raise _of_set(error, number - 1, alone=len(documents) == 1) from error
            numbered.append(DocumentSet(id=f"s{number}", name=name, digests=tuple(map(digest, documents))))
        check_sets(numbered)
        check_references(asked.references, numbered, [one for _, documents in sets for one in documents])
        comparison = self._accepted(tenant, asked, numbered, versions)
        conditions = [self._jobs.pinned(conditions_of(asked, named), withdrawn_too=True) for named in versions]
        run: list[StoredTrial] = []
        own: list[tuple[StoredSummary, Sequence[Document]]] = []
        for document_set, (_, documents) in zip(numbered, sets, strict=True):
            for repetition in range(asked.repetitions):
                for named, how in zip(versions, conditions, strict=True):
                    summary = self._jobs.accepted(
                        tenant, asked.options, replace(how, repetition=repetition), comparison=comparison.id
                    )
                    own.append((summary, documents))
                    run.append(
                        StoredTrial(
                            set=document_set.id, version=named.version.id, repetition=repetition, summary_id=summary.id
                        )
                    )
        return await self._stored(comparison, run, own, key=key)

    async def submit_summaries(
        self, tenant: str, summaries: Sequence[str], asked: Asked, *, key: Key | None = None
    ) -> StoredComparison:
        """Store a comparison of summaries that are there and draw it; no call is made. `key` as in `submit`.

        Raises:
            InvalidRequest: they are all of one version, or one has no result.
            KeyReused: another request was made under the key.
            NotFound: there is no such summary.
        """
        check(asked, len(summaries))
        existing: list[trials.Existing] = []
        for position, summary in enumerate(summaries):
            stored = await self._jobs.get(tenant, summary)
            if stored.result is None:
                fault = FieldError(f"/summaries/{position}", f"it is {stored.status}")
                raise InvalidRequest(
                    f"Summary {summary} has no result to compare; it is {stored.status}.", errors=(fault,)
                )
            existing.append(trials.Existing(name=summary, result=stored.result, summary=summary))
        found = trials.assembled(existing)
        check_references(asked.references, found.sets, ())
        comparison = self._accepted(tenant, asked, found.sets, ())
        run = [
            StoredTrial(set=one.set, version=one.version, repetition=one.repetition, summary_id=one.summary or "")
            for one in found.trials
        ]
        return await self._stored(comparison, run, key=key)

    async def plan(self, sets: Sequence[tuple[str, Sequence[Document]]], asked: Asked) -> tuple[RequestPlan, ...]:
        """What each trial would take at most, memory aside; nothing is stored or sent. Raises as `submit` does."""
        versions = versions_of(asked, self._jobs.catalogue)
        check(asked, len(sets) * len(versions))
        return tuple(
            [
                await self._jobs.plan(documents, asked.options, conditions_of(asked, version), withdrawn_too=True)
                for _, documents in sets
                for version in versions
                for _ in range(asked.repetitions)
            ]
        )

    async def wait(self, tenant: str, comparison: str, *, wait_s: float) -> StoredComparison:
        """The comparison once it is finished, or as it is after `wait_s` seconds; raises NotFound."""
        task = self._tasks.get((tenant, comparison))
        if task is not None and wait_s > 0:
            await asyncio.wait({task}, timeout=wait_s)
        return await self.get(tenant, comparison)

    async def get(self, tenant: str, comparison: str) -> StoredComparison:
        """The comparison as it is; raises NotFound."""
        found = await self._store.get(tenant, comparison)
        if found is None:
            raise _no_comparison(comparison)
        return found

    def working_on(self, tenant: str, comparison: str) -> bool:
        """Whether this process works on a comparison."""
        return (tenant, comparison) in self._tasks

    async def progress(self, tenant: str, comparison: str) -> Progress:
        """How far a comparison is."""
        tally = await self._store.tally(tenant, comparison)
        completed = tally.get("succeeded", 0) + tally.get("partial", 0)
        return Progress(total=sum(tally.values()), completed=completed, failed=tally.get("failed", 0))

    async def texts(self, comparison: StoredComparison) -> dict[str, str]:
        """The texts of a comparison by their SHA-256, as far as the summaries that hold them are there."""
        wanted = {digest for one in comparison.experiment.sets for digest in one.digests}
        sources = await self._documents(comparison, await self._store.trials(comparison.tenant, comparison.id))
        found = {digest(document): document.text for documents in sources.values() for document in documents}
        return {digest: text for digest, text in found.items() if digest in wanted}

    async def page(self, tenant: str, *, limit: int, after: str | None, status: Status | None) -> ComparisonPage:
        """A page of comparisons without their results, newest first; raises InvalidRequest for a broken cursor."""
        return await self._store.page(tenant, limit=limit, after=after, status=status)

    async def delete(self, tenant: str, comparison: str) -> None:
        """Remove a comparison and the summaries that were made for it; raises NotFound."""
        own = await self._store.trials(tenant, comparison)
        if not await self._store.delete(tenant, comparison):
            raise _no_comparison(comparison)
        if task := self._tasks.get((tenant, comparison)):
            task.cancel()
        for trial in own:
            await self._jobs.drop(tenant, trial.summary_id)

    async def resume(self) -> int:
        """Start on every unfinished comparison in the store; returns how many."""
        await self._store.adopt()
        unfinished = await self._store.unfinished()
        for tenant, comparison in unfinished:
            self._begin(tenant, comparison)
        return len(unfinished)

    async def close(self) -> None:
        """Leave what is being worked on for the next start."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # --- accepting ---------------------------------------------------------------------------------------------------

    def _accepted(
        self, tenant: str, asked: Asked, sets: Sequence[DocumentSet], versions: Sequence[catalogue.Resolved]
    ) -> StoredComparison:
        return StoredComparison(
            tenant=tenant,
            id=new_id("cmp"),
            status="queued",
            experiment=Experiment(
                sets=tuple(sets),
                prompts=tuple(one.version.id for one in versions),
                repetitions=asked.repetitions,
                metric=asked.metric,
                rules=asked.rules,
                references=asked.references,
            ),
            created_at=self._jobs.now(),
        )

    async def _stored(
        self,
        comparison: StoredComparison,
        run: Sequence[StoredTrial],
        own: Sequence[tuple[StoredSummary, Sequence[Document]]] = (),
        *,
        key: Key | None,
    ) -> StoredComparison:
        """Commit a comparison and start on it; where one was made under the key before, that one."""
        made = await self._store.add(comparison, run, own, key=key)
        if made != comparison.id:
            return await self.get(comparison.tenant, made)
        self._begin(comparison.tenant, comparison.id)
        return comparison

    # --- running -----------------------------------------------------------------------------------------------------

    def _begin(self, tenant: str, comparison: str) -> None:
        key = (tenant, comparison)
        if key not in self._tasks:
            self._tasks[key] = asyncio.create_task(self._run(tenant, comparison), name=f"comparison {comparison}")
            self._tasks[key].add_done_callback(lambda _: self._tasks.pop(key, None))

    async def _run(self, tenant: str, comparison: str) -> None:
        """Run what is missing and draw; whatever goes wrong ends in the row, if there is a row to write it to."""
        try:
            # where the store fails all is done again: what there is already is found, and nothing is paid for twice
            await self._jobs.store.patiently(lambda: self._compare(tenant, comparison))
        except PrecisError as error:
            await self._fail(tenant, comparison, error)
        except Exception:
            log.exception("comparison_crashed", comparison=comparison)
            detail = "A fault of the service, not of the request; the log names it under this comparison's id."
            await self._fail(tenant, comparison, InternalError(detail))

    async def _compare(self, tenant: str, comparison: str) -> None:
        if not await self._store.start(tenant, comparison, self._jobs.now()):
            return
        stored = await self.get(tenant, comparison)
        planned = await self._store.trials(tenant, comparison)
        if stored.experiment.prompts:
            await self._run_trials(tenant, planned)
        drawn = await self._draw(stored, planned)
        failed = [trial for trial in drawn.trials if trial.result is None]
        if len(failed) == len(drawn.trials):
            why = failed[0].failure
            raise EndpointUnavailable(
                f"None of the {len(failed)} trials has a result, so there is nothing to compare. The first: "
                f"{why.title + '. ' + why.detail if why else 'its summary is gone'}"
            )
        status: Literal["succeeded", "partial"] = "partial" if failed else "succeeded"
        await self._store.finish(
            tenant, comparison, status=status, result=drawn, at=self._jobs.now(), keep=self._jobs.keep
        )
        log.info("comparison_drawn", comparison=comparison, trials=len(drawn.trials), failed=len(failed))

    async def _run_trials(self, tenant: str, planned: Sequence[StoredTrial]) -> None:
        """Document sets side by side; within one, trial after trial, as an endpoint's prefix cache serves the next."""
        by_set: dict[str, list[StoredTrial]] = {}
        for trial in planned:
            by_set.setdefault(trial.set, []).append(trial)
        places = asyncio.Semaphore(self._jobs.concurrency)

        async def one_set(own: Sequence[StoredTrial]) -> None:
            async with places:
                for trial in own:
                    # one that was deleted meanwhile is a failed trial, and no reason to leave the others
                    with suppress(NotFound):
                        await self._jobs.work(tenant, trial.summary_id)

        try:
            async with asyncio.TaskGroup() as group:
                for own in by_set.values():
                    group.create_task(one_set(own))
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None

    async def _draw(self, stored: StoredComparison, planned: Sequence[StoredTrial]) -> Comparison:
        found = [
            await self._trial(stored.tenant, number, trial, stored.experiment)
            for number, trial in enumerate(planned, 1)
        ]
        documents = await self._documents(stored, planned)
        return await asyncio.to_thread(self._drawn, stored.experiment, found, documents)

    def _drawn(
        self, experiment: Experiment, found: Sequence[Trial], documents: Mapping[str, Sequence[Document]]
    ) -> Comparison:
        sources = pipeline.read([one for some in documents.values() for one in some], self._jobs.tools)
        return draw(experiment, found, sources, self._jobs.catalogue)

    async def _trial(self, tenant: str, number: int, trial: StoredTrial, experiment: Experiment) -> Trial:
        """The trial with what its summary has come to; one that is not finished or gone is a failure, and says so."""
        made = Trial(
            id=f"t{number}",
            set=trial.set,
            version=trial.version,
            repetition=trial.repetition,
            result=None,
            summary=trial.summary_id,
        )
        try:
            stored = await self._jobs.get(tenant, trial.summary_id)
        except NotFound as error:
            return replace(
                made, failure=TrialFailure(code=error.code, title="The summary is gone", detail=error.detail)
            )
        if stored.result is not None:
            # only what was run here was timed here: a summary that was there may have waited for anything
            ran = bool(experiment.prompts) and stored.started_at is not None and stored.finished_at is not None
            wall_s = (stored.finished_at - stored.started_at).total_seconds() if ran else None  # type: ignore[operator]
            return replace(made, result=stored.result, wall_s=wall_s)
        if stored.error is not None:
            said = stored.error
            return replace(made, failure=TrialFailure(code=said.code, title=said.title, detail=said.detail))
        detail = f"Its summary is {stored.status}."
        return replace(made, failure=TrialFailure(code="unfinished", title="The trial has no result", detail=detail))

    async def _documents(
        self, stored: StoredComparison, planned: Sequence[StoredTrial]
    ) -> dict[str, tuple[Document, ...]]:
        """The documents of each set, from the first of its summaries that is still there."""
        found: dict[str, tuple[Document, ...]] = {}
        for trial in planned:
            if trial.set not in found:
                documents = await self._jobs.store.documents(stored.tenant, trial.summary_id)
                if documents:
                    found[trial.set] = documents
        return found

    async def _fail(self, tenant: str, comparison: str, error: PrecisError) -> None:
        failure = Failure(code=error.code, status=error.status, title=error.title, detail=error.detail)
        await self._jobs.store.patiently(
            lambda: self._store.finish(
                tenant, comparison, status="failed", error=failure, at=self._jobs.now(), keep=self._jobs.keep
            )
        )
        log.warning("comparison_failed", comparison=comparison, code=error.code)


def _of_set(error: PrecisError, position: int, *, alone: bool) -> PrecisError:
    """The error of a document that stands by itself, with its place in the request."""
    if not alone:
        return error
    moved = (
        FieldError(field.pointer.replace("/documents/0", f"/documents/{position}", 1), field.detail)
        for field in error.errors
    )
    return type(error)(error.detail, errors=tuple(moved))


def _no_comparison(comparison: str) -> NotFound:
    return NotFound(
        f"There is no comparison {comparison[:80]!r}. It may have been deleted; GET /v1/comparisons lists those there "
        "are."
    )
