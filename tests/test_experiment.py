"""Versions over documents, run as summaries that are kept, drawn as a comparison; all of it from recordings."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, NoReturn

import msgspec
import pytest

from service import bootstrap
from service.adapters.store import ComparisonStore, Memo
from service.core.errors import InvalidRequest, NeedsModel, NotFound, StoreFull
from service.core.references import Reference
from service.core.types import Conditions, Document, Options
from service.experiment import Asked, Experiments
from service.jobs import Jobs
from service.settings import Settings

ROOT = Path(__file__).parents[1]
RECORDINGS = ROOT / "tests/recordings"
SEEDS = sorted((ROOT / "seeds").glob("*.txt"))
LONGEST_S = 60.0
ASKED = Asked(prompts=("news@1", "news@3"))


def sets(*files: Path) -> list[tuple[str, list[Document]]]:
    """Each file as a document set of its own."""
    return [
        (file.name, [Document(id="d1", text=file.read_bytes().decode(), name=file.name)]) for file in files or SEEDS
    ]


@asynccontextmanager
async def opened(folder: Path, **settings: object) -> AsyncIterator[tuple[Jobs, Experiments]]:
    """Jobs and experiments over the recordings, with a database in a folder."""
    configured = Settings(
        **{  # type: ignore[arg-type]
            "database_url": f"sqlite:///{folder}/precis.db",
            "endpoint_mode": "replay",
            "recordings_dir": str(RECORDINGS),
            **settings,
        }
    )
    async with bootstrap.open_jobs(configured) as jobs, Experiments(jobs) as experiments:
        yield jobs, experiments


async def test_versions_are_run_over_documents_and_compared(tmp_path: Path) -> None:
    """Three seeds by three versions are nine trials, and what came out names each of them."""
    async with opened(tmp_path) as (_, experiments):
        asked = Asked(prompts=("news@1", "news@2", "news@3"))
        accepted = await experiments.submit("local", sets(), asked)
        done = await experiments.wait("local", accepted.id, wait_s=LONGEST_S)
        assert done.status == "succeeded", done.error
        assert done.result is not None
        assert len(done.result.trials) == 9
        assert [version.id for version in done.result.versions] == ["news@1", "news@2", "news@3"]
        assert (done.result.pairs[0].a, done.result.pairs[0].b) == ("news@1", "news@3")
        assert {row.verdict for row in done.result.pairs[0].metrics} <= {None, "too_few_documents"}
        assert done.result.prompt_diffs[0].parts
        assert all(strip.sentences for one in done.result.pairs[0].sets for strip in one.strips)
        progress = await experiments.progress("local", accepted.id)
        assert (progress.total, progress.completed, progress.failed) == (9, 9, 0)


async def test_trials_are_rows_before_anything_runs(tmp_path: Path) -> None:
    """A comparison and all its trials are committed together when `submit` returns."""
    async with opened(tmp_path) as (jobs, experiments):
        accepted = await experiments.submit("local", sets(SEEDS[0]), ASKED)
        planned = await ComparisonStore(jobs.store).trials("local", accepted.id)
        assert [(one.version, one.repetition) for one in planned] == [("news@1", 0), ("news@3", 0)]
        await experiments.wait("local", accepted.id, wait_s=LONGEST_S)


async def test_what_a_crash_leaves_is_taken_up_at_the_next_start(tmp_path: Path) -> None:
    """Closed at once after it was accepted, it is finished by another process over the same file."""
    async with opened(tmp_path) as (_, experiments):
        accepted = await experiments.submit("local", sets(), ASKED)
        await experiments.close()
    async with opened(tmp_path) as (jobs, experiments):
        assert await experiments.resume() == 1
        done = await experiments.wait("local", accepted.id, wait_s=LONGEST_S)
        assert done.status == "succeeded"
        assert await jobs.resume() == 0


async def test_trials_of_a_set_run_one_after_another(tmp_path: Path) -> None:
    """An endpoint's prefix cache can serve a version only once the one before has ended."""
    async with opened(tmp_path, concurrency=4) as (jobs, experiments):
        accepted = await experiments.submit("local", sets(SEEDS[0]), Asked(prompts=("news@1", "news@2", "news@3")))
        await experiments.wait("local", accepted.id, wait_s=LONGEST_S)
        planned = await ComparisonStore(jobs.store).trials("local", accepted.id)
        made = [await jobs.get("local", one.summary_id) for one in planned]
        for before, after in pairwise(made):
            assert before.finished_at is not None
            assert after.started_at is not None
            assert before.finished_at <= after.started_at


async def test_a_failed_trial_leaves_a_partial_comparison(tmp_path: Path) -> None:
    """A text that was not recorded has no answers: the report says so, and the others are compared."""
    other = tmp_path / "other.txt"
    other.write_text("The harbour was closed on Monday. Two ships had to wait outside. Nobody was hurt.", "utf-8")
    async with opened(tmp_path) as (_, experiments):
        accepted = await experiments.submit("local", sets(SEEDS[0], other), ASKED)
        done = await experiments.wait("local", accepted.id, wait_s=LONGEST_S)
        assert done.status == "partial"
        assert done.result is not None
        failed = [trial for trial in done.result.trials if trial.result is None]
        assert {(trial.set, trial.failure.code) for trial in failed if trial.failure} == {("s2", "recording_missing")}
        assert done.result.gate.outcome == "regression"


async def test_a_comparison_without_a_single_result_has_failed(tmp_path: Path) -> None:
    """There is nothing to compare, and the first reason is told."""
    other = tmp_path / "other.txt"
    other.write_text("The harbour was closed on Monday. Two ships had to wait outside. Nobody was hurt.", "utf-8")
    async with opened(tmp_path) as (_, experiments):
        accepted = await experiments.submit("local", sets(other), ASKED)
        done = await experiments.wait("local", accepted.id, wait_s=LONGEST_S)
        assert done.status == "failed"
        assert done.error is not None
        assert "None of the 2 trials has a result" in done.error.detail


async def test_references_are_matched_by_what_they_are_of(tmp_path: Path) -> None:
    """Each document set is held against the one of its own texts; the verdict is then about recall."""
    held = tuple(
        msgspec.json.decode(path.read_bytes(), type=Reference)
        for path in sorted((ROOT / "tests/references").glob("*.json"))
    )
    async with opened(tmp_path) as (_, experiments):
        asked = Asked(prompts=("news@1", "news@3"), references=held)
        accepted = await experiments.submit("local", sets(), asked)
        done = await experiments.wait("local", accepted.id, wait_s=LONGEST_S)
        assert done.result is not None
        assert done.result.primary_metric == "must_recall"
        (row,) = [row for row in done.result.pairs[0].metrics if row.name == "must_recall"]
        assert row.n == 3


async def test_summaries_that_are_there_are_compared_without_a_call(tmp_path: Path) -> None:
    """Nothing is journalled beyond what making them took."""
    async with opened(tmp_path) as (jobs, experiments):
        made = []
        for prompt in ("news@1", "news@3"):
            one = await jobs.submit("local", sets(SEEDS[2])[0][1], Options(), Conditions(prompt=prompt))
            await jobs.wait("local", one.id, wait_s=LONGEST_S)
            made.append(one.id)
        before = [await Memo(jobs.store, "local", one).attempts() for one in made]
        accepted = await experiments.submit_summaries("local", made, Asked())
        done = await experiments.wait("local", accepted.id, wait_s=LONGEST_S)
        assert done.status == "succeeded"
        assert done.result is not None
        assert (done.result.pairs[0].a, done.result.pairs[0].b) == ("news@1", "news@3")
        assert [await Memo(jobs.store, "local", one).attempts() for one in made] == before
        await experiments.delete("local", accepted.id)
        assert (await jobs.get("local", made[0])).result is not None


async def test_a_comparison_that_ends_the_process_when_it_is_drawn_is_given_up(tmp_path: Path) -> None:
    """After five times; its trials, which count their own, keep their results."""
    async with opened(tmp_path) as (_, experiments):
        accepted = await experiments.submit("local", sets(SEEDS[0]), ASKED)
    async with opened(tmp_path) as (jobs, experiments):
        store = ComparisonStore(jobs.store)
        # as processes leave it that die over the drawing
        assert [await store.try_to_draw("local", accepted.id) for _ in range(5)] == [1, 2, 3, 4, 5]
        assert await experiments.resume() == 1
        given_up = await experiments.wait("local", accepted.id, wait_s=LONGEST_S)
        assert given_up.status == "failed"
        assert given_up.error is not None
        assert given_up.error.code == "abandoned"
        assert "Work on this comparison was begun 5 times" in given_up.error.detail
        for trial in await store.trials("local", accepted.id):
            assert (await jobs.get("local", trial.summary_id)).status == "succeeded"


async def test_a_comparison_that_cannot_be_written_is_drawn_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waits for the store with what was drawn in hand, however often that fails: no process ended over it."""
    finish, left = ComparisonStore.finish, [StoreFull("It is full.")] * 8

    async def failing(self: ComparisonStore, *arguments: Any, **more: Any) -> bool:
        if left:
            raise left.pop()
        return await finish(self, *arguments, **more)

    monkeypatch.setattr(ComparisonStore, "finish", failing)
    async with opened(tmp_path) as (jobs, experiments):
        monkeypatch.setattr(jobs.store, "_sleep", lambda _: asyncio.sleep(0))
        accepted = await experiments.submit("local", sets(SEEDS[0]), ASKED)
        drawn = await experiments.wait("local", accepted.id, wait_s=LONGEST_S)
    assert (drawn.status, drawn.tries, left) == ("succeeded", 1, [])


async def test_a_stop_in_order_while_a_comparison_is_drawn_is_no_try(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is drawn at the next start, however often that happens."""
    is_drawing, go_on = asyncio.Event(), threading.Event()

    def held(*_: object) -> NoReturn:
        loop.call_soon_threadsafe(is_drawing.set)
        go_on.wait(LONGEST_S)
        raise RuntimeError

    loop = asyncio.get_running_loop()
    monkeypatch.setattr("service.experiment.running.draw", held)
    async with opened(tmp_path) as (_, experiments):
        accepted = await experiments.submit("local", sets(SEEDS[0]), ASKED)
        async with asyncio.timeout(LONGEST_S):
            await is_drawing.wait()
        assert (await experiments.get("local", accepted.id)).tries == 1
        await experiments.close()
        assert (await experiments.get("local", accepted.id)).tries == 0
        go_on.set()
    monkeypatch.undo()
    async with opened(tmp_path) as (_, experiments):
        await experiments.resume()
        assert (await experiments.wait("local", accepted.id, wait_s=LONGEST_S)).status == "succeeded"


async def test_a_deleted_comparison_takes_its_trials_with_it(tmp_path: Path) -> None:
    """And stops what is being worked on for it."""
    async with opened(tmp_path) as (jobs, experiments):
        accepted = await experiments.submit("local", sets(), ASKED)
        planned = await ComparisonStore(jobs.store).trials("local", accepted.id)
        await experiments.delete("local", accepted.id)
        with pytest.raises(NotFound):
            await experiments.get("local", accepted.id)
        for one in planned:
            with pytest.raises(NotFound):
                await jobs.get("local", one.summary_id)
        with pytest.raises(NotFound):
            await experiments.delete("local", accepted.id)


async def test_a_trial_deleted_while_it_runs_is_a_failed_trial(tmp_path: Path) -> None:
    """The others go on, and the report says what is gone."""
    async with opened(tmp_path) as (jobs, experiments):
        accepted = await experiments.submit("local", sets(SEEDS[0], SEEDS[2]), ASKED)
        planned = await ComparisonStore(jobs.store).trials("local", accepted.id)
        await jobs.delete("local", planned[-1].summary_id)
        done = await experiments.wait("local", accepted.id, wait_s=LONGEST_S)
        assert done.status == "partial"
        assert done.result is not None
        gone = [trial for trial in done.result.trials if trial.result is None]
        assert [trial.failure.title for trial in gone if trial.failure] == ["The summary is gone"]


async def test_a_summary_that_is_gone_leaves_the_report_with_its_quotes(tmp_path: Path) -> None:
    """The comparison holds what it was drawn from; only the text of the source can no longer be shown."""
    async with opened(tmp_path) as (jobs, experiments):
        accepted = await experiments.submit("local", sets(SEEDS[0]), ASKED)
        done = await experiments.wait("local", accepted.id, wait_s=LONGEST_S)
        assert set(await experiments.texts(done)) == {done.experiment.sets[0].digests[0]}
        for one in await ComparisonStore(jobs.store).trials("local", accepted.id):
            await jobs.delete("local", one.summary_id)
        assert await experiments.texts(done) == {}
        again = await experiments.get("local", accepted.id)
        assert again.result == done.result


async def test_the_same_experiment_again_is_answered_from_memory(tmp_path: Path) -> None:
    """What was paid for is not paid again: the plan of both is the same, the calls are not."""
    async with opened(tmp_path) as (_, experiments):
        accepted = await experiments.submit("local", sets(SEEDS[0]), ASKED)
        first = await experiments.wait("local", accepted.id, wait_s=LONGEST_S)
        again = await experiments.submit("local", sets(SEEDS[0]), ASKED)
        second = await experiments.wait("local", again.id, wait_s=LONGEST_S)
        assert first.result is not None
        assert second.result is not None
        assert first.result.pairs[0].sets == second.result.pairs[0].sets


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (Asked(prompts=("news@1",)), "two prompt versions"),
        (Asked(prompts=("news@1", "news@1")), "named twice"),
        (Asked(prompts=("news@1", "news@2"), repetitions=0), "repetitions"),
        (Asked(prompts=("news@1", "news@2"), repetitions=11), "repetitions"),
        (Asked(prompts=("news@1", "news@2"), metric="recal"), "no metric"),
    ],
)
async def test_what_does_not_fit_is_refused_before_anything_is_stored(tmp_path: Path, asked: Asked, words: str) -> None:
    """With what would."""
    async with opened(tmp_path) as (_, experiments):
        with pytest.raises(InvalidRequest, match=words):
            await experiments.submit("local", sets(), asked)
        assert (await experiments.page("local", limit=5, after=None, status=None)).data == ()


async def test_too_many_trials_are_refused(tmp_path: Path) -> None:
    """A comparison is bounded; the message says how many it would have been."""
    async with opened(tmp_path) as (_, experiments):
        many = sets(SEEDS[2]) * 1001
        with pytest.raises(InvalidRequest, match="2,002 trials"):
            await experiments.submit("local", many, ASKED)


async def test_an_unknown_version_is_not_found(tmp_path: Path) -> None:
    """With what there is."""
    async with opened(tmp_path) as (_, experiments):
        with pytest.raises(NotFound, match="news@4"):
            await experiments.submit("local", sets(), Asked(prompts=("news@1", "news@9")))


async def test_without_an_endpoint_versions_cannot_be_run(tmp_path: Path) -> None:
    """The extractive engine sends no prompt."""
    async with opened(tmp_path, endpoint_mode="live", recordings_dir=None) as (_, experiments):
        with pytest.raises(NeedsModel):
            await experiments.submit("local", sets(), ASKED)


async def test_summaries_of_one_version_are_no_comparison(tmp_path: Path) -> None:
    """And one without a result has nothing to compare."""
    async with opened(tmp_path) as (jobs, experiments):
        one = await jobs.submit("local", sets(SEEDS[2])[0][1], Options(), Conditions(prompt="news@1"))
        with pytest.raises(InvalidRequest, match="has no result"):
            await experiments.submit_summaries("local", [one.id], Asked())
        await jobs.wait("local", one.id, wait_s=LONGEST_S)
        with pytest.raises(InvalidRequest, match="of one version, news@1"):
            await experiments.submit_summaries("local", [one.id, one.id], Asked())
        with pytest.raises(NotFound):
            await experiments.submit_summaries("local", ["sum_nowhere"], Asked())


async def test_two_comparisons_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    """Each has its own trials, and both come to an end."""
    async with opened(tmp_path) as (_, experiments):
        accepted = [await experiments.submit("local", sets(), ASKED) for _ in range(2)]
        done = await asyncio.gather(*(experiments.wait("local", one.id, wait_s=LONGEST_S) for one in accepted))
        assert [one.status for one in done] == ["succeeded"] * 2
        assert len({trial.summary for one in done if one.result for trial in one.result.trials}) == 12
