"""One server a file, and every process its own rows; with real processes, which are killed."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from service.adapters.store import (
    FOR_EVER,
    BatchStore,
    ComparisonStore,
    Retention,
    Store,
    StoredSummary,
    serving,
)
from service.adapters.store.serving import Worker, living
from service.core.comparison import DocumentSet, Experiment
from service.core.errors import BadSettings, StoreUnavailable
from service.core.types import Document, Options

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
DOCUMENT = Document(id="d1", text="The council voted.")
EXPERIMENT = Experiment(sets=(DocumentSet(id="s1", name="one", digests=("0",)),), prompts=("news@1", "news@2"))

SERVER = """
import sys
from service.adapters.store import serving
with serving(sys.argv[1]):
    print("ready", flush=True)
    sys.stdin.readline()
"""
WORKER = """
import asyncio, sys
from datetime import UTC, datetime
from service.adapters.store import BatchStore, ComparisonStore, Store, StoredComparison, StoredLine, StoredSummary
from service.core.comparison import DocumentSet, Experiment
from service.core.types import Document, Options

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)

async def main():
    store = await Store.open(sys.argv[1], working=True)
    def asked(name, **fields):
        return StoredSummary(
            tenant="local", id=name, status="queued", options=Options(), created_at=NOON, **fields
        )
    texts = (Document(id="d1", text="The council voted."),)
    for name in ("begun", "queued"):
        await store.add(asked(name), texts)
    await store.start("local", "begun", NOON)
    experiment = Experiment(sets=(DocumentSet(id="s1", name="one", digests=("0",)),), prompts=("news@1", "news@2"))
    row = StoredComparison(tenant="local", id="cmp_1", status="queued", experiment=experiment, created_at=NOON)
    await ComparisonStore(store).add(row, ())
    await ComparisonStore(store).start("local", "cmp_1", NOON)
    batches = BatchStore(store)
    await batches.begin("local", "bat_1", NOON)
    lines = [StoredLine(line=number, custom_id=None, summary=f"line{number}") for number in (1, 2)]
    await batches.extend("local", "bat_1", lines, [(asked(f"line{number}", batch="bat_1"), texts) for number in (1, 2)])
    await batches.accept("local", "bat_1", 2, NOON)
    await store.start("local", "line1", NOON)
    await batches.begin("local", "bat_half", NOON)
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    await store.put_back("local", "begun")
    await store.close()

asyncio.run(main())
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Name a file that is not there yet."""
    return tmp_path / "precis.sqlite3"


def url(path: Path | str) -> str:
    """Name a file the way settings do."""
    return f"sqlite:///{path}"


@contextmanager
def process(script: str, path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that is ready, and goes on until it is told to end."""
    command = [sys.executable, "-c", script, url(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as made:  # noqa: S603
        try:
            assert made.stdout
            assert made.stdout.readline() == "ready\n"
            yield made
        finally:
            made.kill()


def refused(path: Path | str) -> str:
    """What the second server of a file is told."""
    with pytest.raises(BadSettings) as caught, serving(url(path)):
        pass
    return caught.value.detail


# --- one server a file -----------------------------------------------------------------------------------------------


def test_a_second_server_of_a_file_is_refused_and_told_which_has_it(path: Path) -> None:
    """In one line: the process, since when, and what to do."""
    with process(SERVER, path) as first:
        detail = refused(path)
    assert f"process {first.pid} on " in detail
    assert f"since {datetime.now(UTC):%Y-%m}" in detail
    for part in (str(path), "Stop that one", "PRECIS_DATABASE_URL"):
        assert part in detail
    assert "\n" not in detail


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such signal")
def test_a_server_that_was_killed_leaves_the_way_free(path: Path) -> None:
    """The kernel frees its lock; what it had written is no obstacle."""
    with process(SERVER, path) as first:
        first.send_signal(signal.SIGKILL)
        first.wait(timeout=20)
        with serving(url(path)):
            assert f"process {os.getpid()} on " in refused(path)


def test_a_server_that_ends_leaves_the_way_free(path: Path) -> None:
    """And no word of itself."""
    for _ in range(2):
        with serving(url(path)):
            pass
    assert path.with_name(f"{path.name}.server").read_text(encoding="utf-8") == ""


def test_the_same_file_by_another_name_is_the_same_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By links, relative paths and ways round."""
    path.touch()
    link, folder = path.with_name("link.sqlite3"), path.parent.with_name(f"{path.parent.name}-link")
    link.symlink_to(path)
    folder.symlink_to(path.parent, target_is_directory=True)
    monkeypatch.chdir(path.parent)
    with serving(url(path)):
        for other in (link, folder / path.name, path.name, f"./x/../{path.name}", folder / "link.sqlite3"):
            assert "served already" in refused(other)
    with serving(url(link)):
        assert "served already" in refused(path)


def test_servers_of_different_files_do_not_meet(tmp_path: Path) -> None:
    """Each has its own, in a folder that is made where there is none."""
    with serving(url(tmp_path / "new" / "a.db")), serving(url(tmp_path / "new" / "b.db")):
        assert "a.db is served already" in refused(tmp_path / "new" / "a.db")


def test_a_lock_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    """A way through a file leads nowhere."""
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnavailable, match="PRECIS_DATABASE_URL"), serving(url(tmp_path / "file" / "a.db")):
        pass


async def test_a_linked_file_keeps_its_log_short(path: Path) -> None:
    """The log is beside the file itself, and is found there."""
    (path.parent / "elsewhere").mkdir()
    link = path.parent / "elsewhere" / "link.sqlite3"
    link.symlink_to(path)
    store = await Store.open(url(link))
    for number in range(8):
        row = StoredSummary(tenant="local", id=f"s{number}", status="queued", options=Options(), created_at=NOON)
        await store.add(row, [Document(id="d1", text="x" * 1_000_000)])
    assert path.with_name(f"{path.name}-wal").stat().st_size < 5_500_000
    await store.close()


# --- every process its own rows --------------------------------------------------------------------------------------


async def test_rows_of_a_living_process_are_left_to_it(path: Path) -> None:
    """Begun or queued, summaries, comparisons and lines: nobody else takes them up, begins them or ends them."""
    with process(WORKER, path):
        store = await Store.open(url(path), working=True)
        assert await store.unfinished() == ()
        for name in ("begun", "queued", "line1", "line2"):
            assert not await store.start("local", name, NOON)
            assert not await store.finish("local", name, status="failed", at=NOON)
        assert not await store.put_back("local", "begun")
        comparisons, batches = ComparisonStore(store), BatchStore(store)
        assert await comparisons.unfinished() == ()
        assert not await comparisons.start("local", "cmp_1", NOON)
        assert not await comparisons.finish("local", "cmp_1", status="failed", at=NOON)
        assert ((await batches.queued(10)).lines, await batches.left()) == ((), ())
        assert await batches.put_back() == 0
        assert await Retention(store).abandon(NOON, FOR_EVER) == 0
        await store.close()


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such signal")
async def test_rows_of_a_process_that_was_killed_are_anybodys(path: Path) -> None:
    """From the moment of its death on, with the tries that it had begun."""
    with process(WORKER, path) as worker:
        store = await Store.open(url(path), working=True)
        worker.send_signal(signal.SIGKILL)
        worker.wait(timeout=20)
        assert await store.unfinished() == (("local", "begun", 1), ("local", "queued", 0))
        assert await store.start("local", "begun", NOON)
        found = await store.get("local", "begun")
        assert found is not None
        assert found.tries == 2
        comparisons, batches = ComparisonStore(store), BatchStore(store)
        assert await comparisons.unfinished() == (("local", "cmp_1"),)
        assert await comparisons.start("local", "cmp_1", NOON)
        assert await batches.put_back() == 1
        assert (await batches.queued(10)).lines == (("local", "line1"), ("local", "line2"))
        assert await batches.left() == (("local", "bat_half", "accepting"),)
        # what was begun just now is this process's
        assert await Retention(store).abandon(NOON, FOR_EVER) == 3
        await store.close()


async def test_rows_of_a_process_that_ends_are_anybodys(path: Path) -> None:
    """What it puts back is queued, and no try was made."""
    with process(WORKER, path) as worker:
        assert worker.stdin
        worker.stdin.write("end\n")
        worker.stdin.close()
        assert worker.wait(timeout=20) == 0
    store = await Store.open(url(path), working=True)
    assert await store.unfinished() == (("local", "begun", 0), ("local", "queued", 0))
    found = await store.get("local", "begun")
    assert found is not None
    assert (found.status, found.tries) == ("queued", 0)
    await store.close()


async def test_another_process_may_cancel_and_delete(path: Path) -> None:
    """Who asks for that is obeyed, whoever works on the row: its result is not taken then."""
    store, other = await Store.open(url(path), working=True), await Store.open(url(path), working=True)
    for name in ("a", "b"):
        row = StoredSummary(tenant="local", id=name, status="queued", options=Options(), created_at=NOON)
        await store.add(row, [DOCUMENT])
        await store.start("local", name, NOON)
    assert await other.cancelling("local", "a")
    assert await other.finish("local", "a", status="cancelled", at=NOON)
    assert await other.delete("local", "b")
    for name in ("a", "b"):
        assert not await store.finish("local", name, status="succeeded", at=NOON)
    await store.close()
    await other.close()


async def test_one_of_many_who_begin_a_row_begins_it(path: Path) -> None:
    """Of several processes that find the same row left behind, one works on it."""
    first = await Store.open(url(path), working=True)
    row = StoredSummary(tenant="local", id="a", status="queued", options=Options(), created_at=NOON)
    await first.add(row, [DOCUMENT])
    await first.close()
    stores = await asyncio.gather(*(Store.open(url(path), working=True) for _ in range(5)))
    begun = await asyncio.gather(*(store.start("local", "a", NOON) for store in stores))
    (winner,) = (store for store, row in zip(stores, begun, strict=True) if row is not None)
    assert await winner.finish("local", "a", status="succeeded", at=NOON)
    await asyncio.gather(*(store.close() for store in stores))


async def test_a_row_without_an_owner_is_anybodys(path: Path) -> None:
    """Those of an older version have none."""
    store, working = await Store.open(url(path)), await Store.open(url(path), working=True)
    row = StoredSummary(tenant="local", id="a", status="queued", options=Options(), created_at=NOON)
    await store.add(row, [DOCUMENT])
    assert await working.unfinished() == (("local", "a", 0),)
    await store.close()
    await working.close()


# --- workers ---------------------------------------------------------------------------------------------------------


def test_a_worker_is_known_for_as_long_as_it_lives(path: Path) -> None:
    """Its file goes with it, and the folder with the last."""
    one, other = Worker.enter(path), Worker.enter(path)
    assert living(path) == {one.name, other.name}
    one.leave()
    assert living(path) == {other.name}
    other.leave()
    assert living(path) == frozenset()
    assert list(path.parent.iterdir()) == []


def test_files_of_the_dead_are_removed_by_who_finds_them(path: Path) -> None:
    """They would pile up otherwise."""
    one = Worker.enter(path)
    left = path.with_name(f"{path.name}.workers") / "1-dead"
    left.touch()
    assert living(path) == {one.name}
    assert not left.exists()
    one.leave()


def test_a_worker_that_is_just_born_is_not_taken_for_dead(path: Path) -> None:
    """However many look at the same moment: a look does not hurt."""
    with ThreadPoolExecutor(8) as pool:
        looks = [pool.submit(lambda: [living(path) for _ in range(50)]) for _ in range(4)]
        born = list(pool.map(lambda _: Worker.enter(path), range(100)))
        for look in looks:
            look.result()
    assert living(path) == {worker.name for worker in born}
    for worker in born:
        worker.leave()


def test_a_file_in_the_place_of_the_folder_is_said(path: Path) -> None:
    """Nobody waits for it to go away."""
    path.with_name(f"{path.name}.workers").touch()
    with pytest.raises(StoreUnavailable, match="exists"):
        asyncio.run(Store.open(url(path), working=True))


def test_workers_may_come_while_the_last_one_goes(path: Path) -> None:
    """The folder that the last one takes along is made again."""

    def live(_: int) -> bool:
        worker = Worker.enter(path)
        known = worker.name in living(path)
        worker.leave()
        return known

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(live, range(200)))
