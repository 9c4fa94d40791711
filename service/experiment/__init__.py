"""Prompt versions x documents x repetitions: run as summaries, kept, and drawn as a comparison.

A trial is a summary like any other: a row before it runs, its completions remembered, taken up again after a crash. A
comparison is a row that names its trials; running it again pays for nothing twice.
"""

import asyncio
from collections.abc import Sequence
from typing import Self

from msgspec.structs import replace

from service.adapters.store import (
    ComparisonPage,
    ComparisonStore,
    Key,
    Status,
    StoredComparison,
    StoredSummary,
    StoredTrial,
    new_id,
)
from service.core import catalogue, trials
from service.core.comparison import (
    DocumentSet,
    Experiment,
    Progress,
)
from service.core.errors import (
    FieldError,
    InvalidRequest,
    NotFound,
    PrecisError,
)
from service.core.types import Document, RequestPlan
from service.experiment.asked import Asked, check
from service.experiment.asked import conditions as conditions_of
from service.experiment.asked import versions as versions_of
from service.experiment.drawing import check_references, check_sets, digest
from service.experiment.running import Runner
from service.jobs import Jobs

__all__ = ["Asked", "Experiments"]


class Experiments:
    """The comparisons of one store, and the tasks that work on them in this process."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs
        self._store = ComparisonStore(jobs.store)
        self._runner = Runner(jobs, self._store)
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
        """The comparison once it is finished, or as it is when it was waited for long enough; raises NotFound."""
        task = self._tasks.get((tenant, comparison))
        if task is not None and wait_s > 0:
            await self._jobs.callers.wait(asyncio.wait({task}), wait_s=wait_s)
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
        sources = await self._runner.documents(comparison, await self._store.trials(comparison.tenant, comparison.id))
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

    def _begin(self, tenant: str, comparison: str) -> None:
        key = (tenant, comparison)
        if key not in self._tasks:
            self._tasks[key] = asyncio.create_task(self._runner(tenant, comparison), name=f"comparison {comparison}")
            self._tasks[key].add_done_callback(lambda _: self._tasks.pop(key, None))


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
