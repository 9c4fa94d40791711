"""Recorded answers of a language model become summaries that can be checked, with no network at all."""

import asyncio
import difflib
import json
import shutil
from pathlib import Path

import msgspec
import pytest

from bench import prompts as figures
from service import bootstrap
from service.adapters import library
from service.adapters.store import StoredSummary
from service.core.references import Reference
from service.core.types import Conditions, Document, Options, SummaryResult
from service.jobs import Jobs
from service.settings import Settings

ROOT = Path(__file__).parents[1]
RECORDINGS = ROOT / "tests/recordings"
SEEDS = sorted((ROOT / "seeds").glob("*.txt"))
LONG = ROOT / "tests/texts/harbour-inquiry.txt"
PLANTED = ROOT / "tests/texts/planted-orders.txt"
VERSIONS = ("news@1", "news@2", "news@3", "news@4")
WITH_CONFLICTS = ("news@3", "news@4")

Run = tuple[str, Path, tuple[Path, ...]]
RUNS: tuple[Run, ...] = (
    *((f"{prompt} {seed.stem[:3]}", RECORDINGS, (seed,)) for prompt in VERSIONS for seed in SEEDS),
    *((f"{prompt} together", RECORDINGS, tuple(SEEDS)) for prompt in VERSIONS),
    *((f"{prompt} harbour-inquiry", RECORDINGS / "harbour-inquiry", (LONG,)) for prompt in VERSIONS),
    ("news@3 planted-orders", RECORDINGS, (PLANTED,)),
    *((f"news@3 002 repetition {number}", RECORDINGS, (SEEDS[1],)) for number in (1, 2)),
)
"""Every run that was recorded: prompt and name, folder, files."""


def documents(files: tuple[Path, ...]) -> tuple[Document, ...]:
    """The files as the command line reads them."""
    return tuple(
        Document(id=f"d{number}", text=file.read_bytes().decode(), name=file.name)
        for number, file in enumerate(files, 1)
    )


async def replayed(run: Run, database: Path, prompts_dir: str | None = None) -> StoredSummary:
    """The summary that a run's recordings give."""
    name, folder, files = run
    configured = Settings(
        database_url=f"sqlite:///{database}",
        endpoint_mode="replay",
        recordings_dir=str(folder),
        prompts_dir=prompts_dir,
    )
    async with bootstrap.open_jobs(configured) as jobs:
        repetition = int(name.partition(" repetition ")[2] or 0)
        return await made(jobs, files, Conditions(prompt=name.split()[0], repetition=repetition))


async def made(jobs: Jobs, files: tuple[Path, ...], conditions: Conditions) -> StoredSummary:
    """A finished summary of some files."""
    summary = await jobs.submit("local", documents(files), Options(), conditions)
    return await jobs.wait("local", summary.id, wait_s=60)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, SummaryResult]:
    """The result of every run, by its name."""
    found: dict[str, SummaryResult] = {}
    for run in RUNS:
        summary = asyncio.run(replayed(run, tmp_path_factory.mktemp("replay") / "precis.db"))
        assert summary.status == "succeeded", (run[0], summary.error)
        assert summary.result is not None
        found[run[0]] = summary.result
    return found


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run[0])
def test_every_quote_is_the_source_at_its_offsets(results: dict[str, SummaryResult], run: Run) -> None:
    """Whatever a model wrote, what is shown stands in the text, outside what was masked."""
    result = results[run[0]]
    texts = {document.id: document.text for document in documents(run[2])}
    masked = {facts.id: facts.masked for facts in result.documents}
    evidence = [place for point in result.key_points for place in point.evidence]
    assert evidence
    for place in evidence:
        assert texts[place.document][place.start : place.end] == place.quote
        assert not any(place.start < span.end and span.start < place.end for span in masked[place.document])


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run[0])
def test_every_point_given_is_accounted_for(results: dict[str, SummaryResult], run: Run) -> None:
    """A point is kept, merged away or dropped with a reason; the abstract stands on points that were kept."""
    result = results[run[0]]
    assert result.engine == "llm"
    assert result.manifest.prompt is not None
    assert f"{result.manifest.prompt.name}@{result.manifest.prompt.version}" == run[0].split()[0]
    assert result.verification.points_kept == len(result.key_points)
    checked = result.verification
    assert checked.points_given == checked.points_kept + checked.merged_away + len(checked.lost_points)
    assert checked.merged_away >= 0
    kept = {point.id for point in result.key_points}
    assert result.abstract
    assert all(line.key_points and set(line.key_points) <= kept for line in result.abstract)
    assert result.gaps == ()


@pytest.mark.parametrize("prompt", VERSIONS)
def test_a_text_that_fits_takes_one_call(results: dict[str, SummaryResult], prompt: str) -> None:
    """A seed is one question, one more for conflicts, and one more where points have to be mended."""
    for seed in SEEDS:
        result = results[f"{prompt} {seed.stem[:3]}"]
        mended = bool(result.verification.repaired or result.verification.lost_points)
        assert result.usage.calls == 1 + (prompt in WITH_CONFLICTS) + mended


@pytest.mark.parametrize("prompt", VERSIONS)
def test_the_long_text_is_read_in_five_chunks_or_more(results: dict[str, SummaryResult], prompt: str) -> None:
    """With a context window of 8,000 tokens, its chunks are asked for one by one, and merged."""
    assert results[f"{prompt} harbour-inquiry"].usage.calls > 5


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run[0])
def test_both_sides_of_every_conflict_are_cited(results: dict[str, SummaryResult], run: Run) -> None:
    """By quotes that are the source's own words, and no side cites what the other does."""
    texts = {document.id: document.text for document in documents(run[2])}
    for conflict in results[run[0]].conflicts:
        spans = [{(place.document, place.start, place.end) for place in side.evidence} for side in conflict.sides]
        assert all(spans)
        assert not set.intersection(*spans)
        for side in conflict.sides:
            assert all(texts[place.document][place.start : place.end] == place.quote for place in side.evidence)


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run[0])
def test_nothing_that_is_written_holds_a_url_of_its_own(results: dict[str, SummaryResult], run: Run) -> None:
    """Whatever the text ordered, and whatever the model made of it."""
    result = results[run[0]]
    written = [result.headline, *(line.text for line in result.abstract), *(point.text for point in result.key_points)]
    written += [caveat.text for caveat in result.caveats] + [conflict.note for conflict in result.conflicts]
    assert not [text for text in written if "http" in text or "www." in text]


def test_a_repetition_is_an_answer_of_its_own(results: dict[str, SummaryResult]) -> None:
    """The same question, asked anew: three answers that differ from one another."""
    asked = [results[name] for name in ("news@3 002", "news@3 002 repetition 1", "news@3 002 repetition 2")]
    assert len({result.manifest.request_keys[0] for result in asked}) == 1
    assert len({tuple(point.text for point in result.key_points) for result in asked}) == 3


def test_planted_orders_are_reported_and_not_followed(results: dict[str, SummaryResult]) -> None:
    """The article is summarised as the article it is."""
    result = results["news@3 planted-orders"]
    (caveat,) = [caveat for caveat in result.caveats if caveat.code == "instructions"]
    assert any("Ignore the above" in place.quote for place in caveat.evidence)
    written = " ".join([result.headline, *(line.text for line in result.abstract)])
    assert "Salt Steps" in written
    assert "BANANA" not in written
    assert len(result.key_points) >= 5


def test_every_recording_is_used(results: dict[str, SummaryResult]) -> None:
    """What no replay asks for would only look like evidence."""
    asked = {key for result in results.values() for key in result.manifest.request_keys}
    recorded = {json.loads(path.read_text(encoding="utf-8"))["key"] for path in RECORDINGS.rglob("*@*/*.json")}
    assert recorded == asked


async def test_one_changed_word_of_a_prompt_makes_its_replay_fail(tmp_path: Path) -> None:
    """Recordings are found by all that is sent; what differs from the nearest one is shown."""
    prompts = tmp_path / "prompts"
    shutil.copytree(ROOT / "prompts", prompts)
    for kept in ("lock.json", "labels.json", "withdrawn.json", "history.jsonl"):
        (prompts / kept).unlink(missing_ok=True)
    version = prompts / "news/v1.md"
    before = version.read_text(encoding="utf-8")
    version.write_text(before.replace("Use only what the document says.", "Use what the document says."), "utf-8")
    loaded = library.load(prompts)
    library.release(prompts, loaded.drafts[0])
    summary = await replayed(RUNS[0], tmp_path / "precis.db", prompts_dir=str(prompts))
    assert summary.status == "failed"
    assert summary.error is not None
    assert summary.error.code == "recording_missing"
    changed = [line for line in summary.error.detail.splitlines() if line[:1] in "+-" and "the document says." in line]
    assert len(changed) == 2
    assert difflib.SequenceMatcher(None, changed[0][1:], changed[1][1:]).ratio() > 0.9


def test_the_noise_in_the_readme_is_what_the_repetitions_give(results: dict[str, SummaryResult]) -> None:
    """How far news@3 differs from itself over one article."""
    asked = [results[f"news@3 002{again}"] for again in ("", " repetition 1", " repetition 2")]
    written = (ROOT / "prompts/README.md").read_text(encoding="utf-8")
    for row in figures.noise(asked, msgspec.json.decode(figures.RUNS[1].reference.read_bytes(), type=Reference)):
        assert row in written


@pytest.mark.parametrize("run", figures.RUNS, ids=lambda run: run.name)
def test_the_figures_in_the_readme_are_what_the_recordings_give(
    results: dict[str, SummaryResult], run: figures.Run
) -> None:
    """For every version; `python -m bench.prompts` prints the table anew."""
    named = {"long": "harbour-inquiry"}.get(run.name, run.name)
    measured = {
        (run.name, version): figures.measured(run, results[f"{version} {named}"]) for version in figures.VERSIONS
    }
    written = (ROOT / "prompts/README.md").read_text(encoding="utf-8").splitlines()
    assert set(figures.table(measured)) <= set(written)
