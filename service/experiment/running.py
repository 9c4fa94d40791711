"""Work on one comparison, from its row to its end: its trials are run as summaries, and what they gave is drawn."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Literal

import structlog
from msgspec.structs import replace

from service import pipeline
from service.adapters.store import ComparisonStore, Failure, StoredComparison, StoredTrial
from service.core.comparison import Comparison, Experiment, Trial, TrialFailure
from service.core.errors import EndpointUnavailable, InternalError, NotFound, PrecisError
from service.core.types import Document
from service.experiment.drawing import draw
from service.jobs import MOST_TRIES, Jobs, abandoned

log = structlog.stdlib.get_logger(__name__)


class Runner:
    """Works on comparisons; called as a function with one.

    Args:
        jobs: that run the trials.
        store: that the comparisons are in.
    """

    def __init__(self, jobs: Jobs, store: ComparisonStore) -> None:
        self._jobs = jobs
        self._store = store

    async def __call__(self, tenant: str, comparison: str) -> None:
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
        stored = await self._store.get(tenant, comparison)
        if stored is None:
            return
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
        # with what was drawn in hand: to draw it again would count as another try
        await self._jobs.store.patiently(
            lambda: self._store.finish(
                tenant, comparison, status=status, result=drawn, at=self._jobs.now(), keep=self._jobs.keep
            )
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
        """Draw, the try counted: trials count their own, and this is what is left that may end the process."""
        found = [
            await self._trial(stored.tenant, number, trial, stored.experiment)
            for number, trial in enumerate(planned, 1)
        ]
        documents = await self.documents(stored, planned)
        tries = await self._store.try_to_draw(stored.tenant, stored.id)
        if tries > MOST_TRIES:
            raise abandoned("comparison")
        try:
            return await asyncio.to_thread(self._drawn, stored.experiment, found, documents)
        except asyncio.CancelledError:
            # it is left for the next start: that is no try
            await asyncio.shield(self._store.take_back_try(stored.tenant, stored.id))
            raise

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

    async def documents(
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
