"""The store, on real files."""

import asyncio
import hashlib
import logging
import os
import sqlite3
import sys
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from threading import Barrier

import msgspec
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.adapters.store import Failure, Page, Status, Store, StoredSummary, new_id
from service.adapters.store.migrations import copy_aside
from service.adapters.store.rows import as_text, cursor_after, read_cursor
from service.adapters.store.sqlite import database_path, use_wal
from service.adapters.store.tables import metadata
from service.core.errors import BadSettings, InternalError, InvalidRequest, StoreUnavailable
from service.core.types import (
    OFFSET_UNIT,
    SCHEMA_VERSION,
    Coverage,
    Date,
    Document,
    DocumentFacts,
    LengthReport,
    Manifest,
    Options,
    SummaryResult,
    Usage,
    Verification,
)

NOON = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
SENTINEL = "the-secret-sentence-of-a-document"

HEAD = "0004"


def url(path: Path) -> str:
    """Name a file the way settings do."""
    return f"sqlite:///{path}"


def names(folder: Path) -> list[str]:
    """List a folder."""
    return sorted(entry.name for entry in folder.iterdir())


def size(file: Path) -> int:
    """Measure a file in bytes."""
    return file.stat().st_size


def remove(file: Path) -> None:
    """Remove a file, as an operator might while the service runs."""
    file.unlink()


def holds(folder: Path, words: str) -> bool:
    """Search the bytes of every file in a folder."""
    return any(words.encode() in file.read_bytes() for file in folder.iterdir())


def queued(name: str, *, tenant: str = "local", at: datetime = NOON) -> StoredSummary:
    """Make a summary that waits."""
    return StoredSummary(tenant=tenant, id=name, status="queued", options=Options(length="brief"), created_at=at)


def text(name: str, body: str) -> Document:
    """Make a document."""
    return Document(id=name, text=body)


def result(headline: str = "A headline") -> SummaryResult:
    """Make a result."""
    facts = DocumentFacts(id="a", sha256="0" * 64, characters=1, language="en", date=Date(text=""), masked=())
    return SummaryResult(
        schema_version=SCHEMA_VERSION,
        offset_unit=OFFSET_UNIT,
        engine="extractive",
        headline=headline,
        abstract=(),
        key_points=(),
        entities=(),
        conflicts=(),
        caveats=(),
        documents=(facts,),
        coverage=Coverage(documents=()),
        verification=Verification(
            points_given=0,
            points_kept=0,
            quotes_given=0,
            exact=0,
            normalised=0,
            ellipsis=0,
            fuzzy=0,
            repaired=0,
            dropped=(),
        ),
        length=LengthReport(asked="brief", max_words=60, abstract_words=0, key_point_words=0, within=True),
        usage=Usage(),
        manifest=Manifest(
            engine="extractive",
            service_version="0",
            prompt=None,
            endpoint=None,
            model=None,
            parameters=Options(),
            versions={"sentences": "1"},
        ),
    )


FAILURE = Failure(code="internal_error", status=500, title="Internal error", detail="It broke. Report this.")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Name a file that is not there yet."""
    return tmp_path / "precis.sqlite3"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[Store]:
    """Open an empty store."""
    opened = await Store.open(url(path))
    yield opened
    await opened.close()


async def listed(store: Store, *, limit: int, status: Status | None = None) -> list[Page]:
    """Read a whole listing, page by page."""
    pages = [await store.page("local", limit=limit, status=status)]
    while (cursor := pages[-1].next_cursor) is not None:
        pages.append(await store.page("local", limit=limit, after=cursor, status=status))
    return pages


# --- ids and moments -------------------------------------------------------------------------------------------------


def test_ids_are_sum_and_26_characters_that_fit_a_path() -> None:
    """An id needs no escaping in a URL or a file name."""
    made = new_id()
    assert made.startswith("sum_")
    assert len(made) == 30
    assert made.isascii()
    assert made == made.lower()
    assert made.removeprefix("sum_").isalnum()


def test_ids_begin_with_the_time_and_differ() -> None:
    """Ids made at once differ, and no id has an earlier time than the one before it."""
    made = [new_id() for _ in range(1000)]
    assert len(set(made)) == 1000
    times = [one[4:13] for one in made]
    assert times == sorted(times)


@given(st.datetimes(timezones=st.timezones()), st.datetimes(timezones=st.timezones()))
def test_moments_sort_as_text_and_round_trip(one: datetime, other: datetime) -> None:
    """Text in the database orders as the moments do, and reads back as the same moment in UTC."""
    try:
        first, second = one.astimezone(UTC), other.astimezone(UTC)
    except OverflowError:  # a local time at the very ends of the calendar has no UTC
        return
    assert (as_text(one) < as_text(other)) == (first < second)
    assert datetime.fromisoformat(as_text(one)) == first


def test_a_moment_without_a_time_zone_is_refused() -> None:
    """A naive datetime is nobody's time."""
    with pytest.raises(ValueError, match="time zone"):
        as_text(datetime(2026, 3, 1))  # noqa: DTZ001


# --- opening ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["sqlite", "sqlite+aiosqlite"])
async def test_a_new_file_is_made_with_its_folder(tmp_path: Path, scheme: str) -> None:
    """Both forms of URL make the folder, the file and the tables, and no copy."""
    file = tmp_path / "new" / "folder with 100% ümlauts" / "precis.sqlite3"
    store = await Store.open(f"{scheme}:///{file}")
    await store.ping()
    await store.close()
    assert names(file.parent) == ["precis.sqlite3"]


def test_a_relative_path_is_of_the_working_folder() -> None:
    """Three slashes are relative, and do not move when the working folder does."""
    assert database_path("sqlite:///data/precis.sqlite3") == Path.cwd() / "data" / "precis.sqlite3"
    assert database_path("sqlite:////data/precis.sqlite3") == Path("/data/precis.sqlite3")


@pytest.mark.parametrize(
    "refused",
    [
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite+aiosqlite:///:memory:",
        "sqlite:///file.sqlite3?mode=ro",
        "sqlite://host/file.sqlite3",
        "postgresql://me:hunter2@localhost/precis",
        "postgresql://me:hunter2@localhost:port/precis",
        "/var/lib/precis.sqlite3",
        "",
    ],
)
async def test_other_urls_are_refused_without_being_shown(refused: str) -> None:
    """What is not an SQLite file stops the service with the forms that fit; a password in it is not repeated."""
    with pytest.raises(BadSettings, match="sqlite:///") as caught:
        await Store.open(refused)
    assert "hunter2" not in caught.value.detail


async def test_the_schema_is_that_of_the_tables_in_the_module(store: Store) -> None:
    """The migrations make exactly what the queries expect."""
    async with store._engine.connect() as connection:

        def differences(sync: sa.Connection) -> list[object]:
            context = MigrationContext.configure(sync, opts={"compare_type": True, "compare_server_default": True})
            return list(compare_metadata(context, metadata))

        assert await connection.run_sync(differences) == []


async def test_the_pragmas_are_set_on_every_connection(store: Store) -> None:
    """Each connection of the pool is durable, waits, cascades and wipes what it deletes.

    The tests that kill a process with `kill -9` do not prove durability against power loss: what a process has written
    outlives it in the page cache. What a commit is on the disk rests on these PRAGMAs, and on a disk that tells the
    truth; so they are asserted.
    """
    wanted = {
        "journal_mode": "wal",
        "synchronous": 2,
        "busy_timeout": 5000,
        "foreign_keys": 1,
        "secure_delete": 1,
        "wal_autocheckpoint": 0,
    }
    async with store._engine.connect() as one, store._engine.connect() as other:
        for connection in (one, other):
            found = {name: await connection.scalar(sa.text(f"PRAGMA {name}")) for name in wanted}
            assert found == wanted


async def test_eight_openers_of_one_new_file_all_succeed(path: Path) -> None:
    """Opening at the same time in one process migrates once."""
    stores = await asyncio.gather(*(Store.open(url(path)) for _ in range(8)))
    for number, store in enumerate(stores):
        await store.add(queued(f"s{number}"), ())
    assert len((await stores[0].page("local", limit=100)).data) == 8
    await asyncio.gather(*(store.close() for store in stores))


def test_threads_that_switch_new_files_to_the_log_at_once_all_succeed(tmp_path: Path) -> None:
    """SQLite refuses some of those who make the switch at the same moment without waiting; here they wait."""
    with ThreadPoolExecutor(8) as pool:
        for number in range(40):
            file = tmp_path / f"{number}.sqlite3"
            at_once = Barrier(8)

            def switch(file: Path = file, at_once: Barrier = at_once) -> None:
                at_once.wait()
                use_wal(file)

            for done in [pool.submit(switch) for _ in range(8)]:
                assert done.result() is None


async def test_opening_waits_for_who_reads_a_file_that_has_no_log_yet(path: Path) -> None:
    """The switch to the write-ahead log needs the file alone, and waits for it."""
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("CREATE TABLE notes (note TEXT)")
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM notes").fetchall()
        opening = asyncio.create_task(Store.open(url(path)))
        await asyncio.wait({opening}, timeout=0.1)
        assert not opening.done()
        reader.execute("COMMIT")
        store = await opening
    await store.ping()
    await store.close()


async def test_new_files_are_opened_side_by_side(tmp_path: Path) -> None:
    """Migrations of several files at once do not mix."""
    stores = await asyncio.gather(*(Store.open(url(tmp_path / f"{n}.sqlite3")) for n in range(4)))
    await asyncio.gather(*(store.add(queued("s"), ()) for store in stores))
    await asyncio.gather(*(store.close() for store in stores))


async def test_two_processes_may_make_the_same_file(path: Path) -> None:
    """Two processes that meet a missing file both end up with the tables."""
    script = (
        "import asyncio, sys\n"
        "from service.adapters.store import Store\n"
        "async def main():\n"
        "    print('ready', flush=True)\n"
        "    sys.stdin.readline()\n"
        "    store = await Store.open(sys.argv[1])\n"
        "    await store.ping()\n"
        "    await store.close()\n"
        "asyncio.run(main())\n"
    )
    pipe = asyncio.subprocess.PIPE
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", script, url(path), stdin=pipe, stdout=pipe, stderr=pipe
        )
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
    ends = await asyncio.gather(*(process.communicate(b"go\n") for process in processes))
    assert [errors for _, errors in ends] == [b"", b""]
    assert [process.returncode for process in processes] == [0, 0]


async def test_opening_again_changes_and_copies_nothing(path: Path, store: Store) -> None:
    """A file of this version is left as it is."""
    await store.add(queued("s"), ())
    again = await Store.open(url(path))
    assert await again.get("local", "s") == queued("s")
    await again.close()
    assert names(path.parent) == [path.name, f"{path.name}-shm", f"{path.name}-wal"]


async def test_an_older_file_is_copied_before_it_is_migrated(path: Path) -> None:
    """A database without this version's tables is kept as it was beside the migrated one."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE notes (note TEXT)")
        connection.execute("INSERT INTO notes VALUES ('kept')")
        connection.commit()
    store = await Store.open(url(path))
    await store.add(queued("s"), ())
    await store.close()
    copy = path.with_name(f"precis.sqlite3.before-{HEAD}.bak")
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("notes",)]
        assert connection.execute("SELECT note FROM notes").fetchall() == [("kept",)]
    assert names(path.parent) == [path.name, copy.name]


async def test_a_copy_holds_what_is_only_in_the_log(path: Path, store: Store) -> None:
    """Commits that have not reached the main file yet are in the copy, and an earlier copy is replaced."""
    await store.add(queued("s"), [text("a", "alpha")])
    path.with_name("precis.sqlite3.before-0004.bak").write_bytes(b"an earlier copy")
    copy = copy_aside(path, "0004")
    assert copy.name == "precis.sqlite3.before-0004.bak"
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT text FROM documents").fetchall() == [("alpha",)]


async def test_a_migration_that_fails_leaves_the_file_as_it_was(path: Path) -> None:
    """Half a migration is none: a foreign table of the same name stops it and nothing was made."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE documents (mine TEXT)")
    with pytest.raises(StoreUnavailable, match="already exists"):
        await Store.open(url(path))
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("documents",)]


async def test_a_file_of_a_newer_version_is_refused(path: Path, store: Store) -> None:
    """An unknown revision is not touched; the message names the file, both revisions and the way out."""
    await store.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    with pytest.raises(StoreUnavailable) as caught:
        await Store.open(url(path))
    for part in (str(path), "newer version", "9999", HEAD, "Install"):
        assert part in caught.value.detail


def test_a_file_that_is_no_database_is_refused(path: Path) -> None:
    """The file is named and left alone."""
    path.write_text("Dear diary, " * 100)
    with pytest.raises(StoreUnavailable, match=r"not a database\. Move the file aside") as caught:
        asyncio.run(Store.open(url(path)))
    assert str(path) in caught.value.detail
    assert path.read_text() == "Dear diary, " * 100


async def test_a_folder_is_refused(tmp_path: Path) -> None:
    """A folder is not a file in it."""
    with pytest.raises(StoreUnavailable, match="is a folder"):
        await Store.open(url(tmp_path))


def test_a_path_through_a_file_is_refused(tmp_path: Path) -> None:
    """Where no folder can be made, the message says so and what to set."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable, match="PRECIS_DATABASE_URL"):
        asyncio.run(Store.open(url(tmp_path / "file" / "precis.sqlite3")))


def test_a_file_that_may_not_be_written_is_refused(path: Path) -> None:
    """A file without write permission stops the service at its start, naming the remedy."""

    async def make() -> None:
        await (await Store.open(url(path))).close()

    asyncio.run(make())
    path.chmod(0o400)
    path.parent.chmod(0o500)
    if os.access(path, os.W_OK):
        pytest.skip("every file is writable for root")
    try:
        with pytest.raises(StoreUnavailable, match="writable"):
            asyncio.run(make())
    finally:
        path.parent.chmod(0o700)


async def test_opening_leaves_logging_as_it_was(path: Path) -> None:
    """Alembic sets up no handlers and disables no loggers."""
    before = logging.root.level, list(logging.root.handlers), logging.getLogger("uvicorn").disabled
    store = await Store.open(url(path))
    await store.close()
    assert (logging.root.level, list(logging.root.handlers), logging.getLogger("uvicorn").disabled) == before


async def test_no_text_of_a_document_is_logged(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Even where everything is logged, no library writes the parameters of a statement."""
    caplog.set_level(logging.DEBUG)
    store = await Store.open(url(path))
    await store.add(queued("s"), [text("a", SENTINEL)])
    assert await store.document("local", "s", "a") == text("a", SENTINEL)
    await store.close()
    assert SENTINEL not in caplog.text


# --- round trips -----------------------------------------------------------------------------------------------------


async def test_a_summary_round_trips_with_its_documents(store: Store) -> None:
    """Every field of a summary and its documents comes back as it went in, documents in their order."""
    west = timezone(timedelta(hours=-7))
    summary = StoredSummary(
        tenant="local",
        id=new_id(),
        status="failed",
        options=Options(length="detailed", max_words=7, focus="the moon", language="de", plan="latency"),
        created_at=NOON.astimezone(west),
        result=result(),
        error=FAILURE,
        started_at=NOON + timedelta(microseconds=1),
        finished_at=datetime(2026, 12, 31, tzinfo=UTC),
    )
    given_texts = (
        Document(
            id="z",
            text="Zed",
            name="zed.html",
            title="A title",
            url="https://example.org/z",
            published_at="2026-03-01",
            language="en",
            media_type="text/html",
        ),
        Document(id="a", text=""),
    )
    await store.add(summary, given_texts)
    found = await store.get("local", summary.id)
    assert found == summary
    assert found is not None
    assert found.created_at.utcoffset() == timedelta(0)
    assert await store.documents("local", summary.id) == given_texts
    assert await store.document("local", summary.id, "a") == given_texts[1]
    assert await store.document("local", summary.id, "missing") is None


async def test_long_texts_with_odd_line_ends_round_trip(store: Store) -> None:
    """Four million characters, CRLF, CR, a BOM and astral characters come back as they were, with their digest."""
    body = "\ufeff" + "Line one.\r\nLine two.\rLine three.\n\U0001f600 é e\u0301 " * 100_000
    body = (body * 2)[:4_000_000]
    await store.add(queued("s"), [text("a", body)])
    found = await store.document("local", "s", "a")
    assert found is not None
    assert found.text == body
    async with store._engine.connect() as connection:
        digest = await connection.scalar(sa.text("SELECT sha256 FROM documents"))
    assert digest == hashlib.sha256(body.encode()).hexdigest()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), name=st.text("ab|-_", min_size=1)
)
def test_any_text_round_trips(tmp_path_factory: pytest.TempPathFactory, body: str, name: str) -> None:
    """Texts, titles and ids of any characters come back as they were."""

    async def round_trip() -> None:
        store = await Store.open(url(tmp_path_factory.getbasetemp() / "any.sqlite3"))
        document = Document(id=name, text=body, title=body)
        try:
            await store.add(queued(name), [document])
            assert await store.documents("local", name) == (document,)
            assert await store.delete("local", name)
        finally:
            await store.close()

    asyncio.run(round_trip())


async def test_an_id_that_is_taken_is_refused_whole(store: Store) -> None:
    """A second summary of the same id stores nothing, neither row nor documents."""
    await store.add(queued("s"), [text("a", "alpha")])
    with pytest.raises(InternalError, match="taken"):
        await store.add(queued("s"), [text("b", "beta")])
    with pytest.raises(InternalError, match="taken"):
        await store.add(queued("t"), [text("c", SENTINEL), text("c", SENTINEL)])
    assert await store.documents("local", "s") == (text("a", "alpha"),)
    assert await store.get("local", "t") is None


async def test_a_result_of_an_unknown_form_is_a_fault_and_not_shown(path: Path, store: Store) -> None:
    """A stored result that no longer decodes says which summary it is, and none of what it holds."""
    await store.add(queued("s"), ())
    await store.finish("local", "s", status="succeeded", result=result(), at=NOON)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE summaries SET result = ?", [f'{{"engine": "{SENTINEL}"}}'])
        connection.commit()
    with pytest.raises(InternalError, match="Summary s ") as caught:
        await store.get("local", "s")
    assert SENTINEL not in caught.value.detail
    assert len((await store.page("local", limit=5)).data) == 1


# --- the life of a summary -------------------------------------------------------------------------------------------


async def test_a_summary_is_queued_then_running_then_finished(store: Store) -> None:
    """Each step keeps what the one before it stored."""
    await store.add(queued("s"), ())
    assert await store.start("local", "s", NOON + timedelta(seconds=1))
    running = await store.get("local", "s")
    assert running == msgspec.structs.replace(
        queued("s"), status="running", tries=1, started_at=NOON + timedelta(seconds=1)
    )
    assert await store.finish("local", "s", status="succeeded", result=result(), at=NOON + timedelta(seconds=2))
    assert await store.get("local", "s") == msgspec.structs.replace(
        running, status="succeeded", result=result(), finished_at=NOON + timedelta(seconds=2)
    )


async def test_a_summary_that_is_started_again_keeps_its_first_start(store: Store) -> None:
    """After a restart of the service a running summary may be started again."""
    await store.add(queued("s"), ())
    assert await store.start("local", "s", NOON)
    assert await store.start("local", "s", NOON + timedelta(hours=1))
    found = await store.get("local", "s")
    assert found is not None
    assert (found.status, found.started_at) == ("running", NOON)


async def test_a_failure_is_stored_with_its_fields(store: Store) -> None:
    """A failed summary says why, and has no result."""
    await store.add(queued("s"), ())
    assert await store.finish("local", "s", status="failed", error=FAILURE, at=NOON)
    found = await store.get("local", "s")
    assert found is not None
    assert (found.status, found.result, found.error) == ("failed", None, FAILURE)


async def test_a_summary_finishes_once(store: Store) -> None:
    """Of finishes at the same time one counts, and a finished summary neither finishes nor starts again."""
    await store.add(queued("s"), ())
    counted = await asyncio.gather(
        *(store.finish("local", "s", status="succeeded", result=result(str(n)), at=NOON) for n in range(5))
    )
    assert sorted(counted) == [False, False, False, False, True]
    assert not await store.finish("local", "s", status="failed", error=FAILURE, at=NOON)
    assert not await store.start("local", "s", NOON)
    found = await store.get("local", "s")
    assert found is not None
    assert found.result == result(str(counted.index(True)))


async def test_a_deleted_summary_does_not_come_back(store: Store) -> None:
    """What finishes after it was deleted is dropped."""
    await store.add(queued("s"), ())
    assert await store.delete("local", "s")
    assert not await store.delete("local", "s")
    assert not await store.start("local", "s", NOON)
    assert not await store.finish("local", "s", status="succeeded", result=result(), at=NOON)
    assert await store.get("local", "s") is None


async def test_deleting_takes_the_documents_along(path: Path, store: Store) -> None:
    """The texts of a deleted summary are neither in the tables nor in the bytes of the file or its log."""
    await store.add(queued("s"), [text("a", SENTINEL * 1000), text("b", SENTINEL)])
    await store.add(queued("t"), [text("a", "kept")])
    assert holds(path.parent, SENTINEL)
    assert await store.delete("local", "s")
    assert await store.documents("local", "s") == ()
    assert await store.documents("local", "t") == (text("a", "kept"),)
    assert not holds(path.parent, SENTINEL)


async def test_the_log_is_emptied_when_it_is_long(path: Path, store: Store) -> None:
    """Writing much does not let the log grow without end."""
    for number in range(8):
        await store.add(queued(f"s{number}"), [text("a", "x" * 1_000_000)])
    assert size(path.with_name(f"{path.name}-wal")) < 5_500_000
    assert size(path) > 4_000_000


# --- listing ---------------------------------------------------------------------------------------------------------


async def test_a_listing_is_newest_first_and_complete(store: Store) -> None:
    """Pages follow one another without gaps or repeats, also where moments are equal."""
    added = [f"s{number:02}" for number in range(11)]
    for number, name in enumerate(added):
        await store.add(queued(name, at=NOON + timedelta(microseconds=number // 4)), ())
    pages = await listed(store, limit=3)
    assert [len(page.data) for page in pages] == [3, 3, 3, 2]
    assert [row.id for page in pages for row in page.data] == added[::-1]


async def test_a_last_page_that_is_full_has_no_cursor(store: Store) -> None:
    """A cursor is given only where there is more."""
    for name in ("a", "b"):
        await store.add(queued(name), ())
    assert (await store.page("local", limit=2)).next_cursor is None
    assert (await store.page("local", limit=1)).next_cursor is not None
    assert await store.page("nobody", limit=2) == Page(data=(), next_cursor=None)


async def test_what_is_added_while_paging_moves_nothing(store: Store) -> None:
    """A newer summary does not shift the pages that follow."""
    for number in range(4):
        await store.add(queued(f"s{number}", at=NOON + timedelta(seconds=number)), ())
    first = await store.page("local", limit=2)
    await store.add(queued("new", at=NOON + timedelta(hours=1)), ())
    second = await store.page("local", limit=2, after=first.next_cursor)
    assert [row.id for row in (*first.data, *second.data)] == ["s3", "s2", "s1", "s0"]


async def test_a_listing_may_be_of_one_status(store: Store) -> None:
    """The filter holds over pages."""
    for number in range(6):
        await store.add(queued(f"s{number}"), ())
        if number % 2:
            await store.start("local", f"s{number}", NOON)
    pages = await listed(store, limit=2, status="running")
    assert [row.id for page in pages for row in page.data] == ["s5", "s3", "s1"]


async def test_a_listing_reads_no_results(store: Store) -> None:
    """Rows of a page have everything but the result, and the query does not ask for it."""
    await store.add(queued("s"), ())
    await store.finish("local", "s", status="succeeded", result=result(), at=NOON)
    statements: list[str] = []

    def note(*call: object) -> None:
        statements.append(str(call[2]))

    sa.event.listen(store._engine.sync_engine, "before_cursor_execute", note)
    row = (await store.page("local", limit=1)).data[0]
    assert (row.status, row.result, row.finished_at) == ("succeeded", None, NOON)
    assert not any("result" in statement or "text" in statement for statement in statements)


async def test_listings_are_read_from_an_index(store: Store) -> None:
    """Neither a page nor the unfinished are sorted or searched row by row."""
    plans = {
        "SELECT id FROM summaries WHERE tenant = 'local' AND (created_at, id) < ('2026', 's') "
        "ORDER BY created_at DESC, id DESC LIMIT 10": "summaries_newest",
        "SELECT tenant, id FROM summaries WHERE status IN ('queued', 'running')": "summaries_by_status",
    }
    async with store._engine.connect() as connection:
        for query, index in plans.items():
            plan = [row[3] for row in await connection.execute(sa.text(f"EXPLAIN QUERY PLAN {query}"))]
            assert len(plan) == 1
            assert f"INDEX {index}" in plan[0].replace("COVERING ", "")


@pytest.mark.parametrize(
    "broken",
    ["", "x", "!!!!", "é", "c3Vt", "MjAyNi0wMy0wMXxzdW0", "Mg==", cursor_after(queued("s"))[:-1], "a" * 5000],
)
async def test_a_broken_cursor_names_the_parameter(store: Store, broken: str) -> None:
    """A cursor that this service did not write is the caller's fault."""
    with pytest.raises(InvalidRequest, match="cursor") as caught:
        await store.page("local", limit=1, after=broken)
    assert [error.pointer for error in caught.value.errors] == ["cursor"]


@given(st.text(max_size=60))
def test_any_cursor_is_read_or_refused(cursor: str) -> None:
    """Whatever a caller sends, there is a place or an InvalidRequest."""
    try:
        created_at, name = read_cursor(cursor)
    except InvalidRequest:
        return
    assert cursor_after(queued(name, at=created_at)) == cursor


@given(st.datetimes(min_value=datetime(1900, 1, 1), timezones=st.just(UTC)), st.text("sum_|0av", min_size=1))  # noqa: DTZ001
def test_a_cursor_reads_back(created_at: datetime, name: str) -> None:
    """A cursor holds the place it was made from."""
    assert read_cursor(cursor_after(queued(name, at=created_at))) == (created_at, name)


async def test_the_unfinished_are_named_oldest_first_over_all_tenants(store: Store) -> None:
    """What the service takes up again after a restart comes in the order in which it was accepted."""
    for number, tenant in enumerate(["b", "a", "b", "a"]):
        await store.add(queued(f"s{number}", tenant=tenant, at=NOON - timedelta(seconds=number)), ())
    await store.start("a", "s3", NOON)
    await store.finish("b", "s2", status="failed", error=FAILURE, at=NOON)
    assert await store.unfinished() == (("a", "s3", 1), ("a", "s1", 0), ("b", "s0", 0))


async def test_only_what_this_process_began_is_put_back(store: Store) -> None:
    """The try of another one, which ended with it, still counts."""
    await store.add(queued("s"), ())
    await store.start("local", "s", NOON)
    working = await Store.open(f"sqlite:///{store.path}", working=True)
    assert not await working.put_back("local", "s")
    assert await working.start("local", "s", NOON)
    assert await working.put_back("local", "s")
    found = await working.get("local", "s")
    assert found is not None
    assert (found.status, found.tries) == ("queued", 1)
    await working.close()


# --- tenants ---------------------------------------------------------------------------------------------------------


async def test_no_method_crosses_tenants(store: Store) -> None:
    """The same ids under two tenants are two things, and neither tenant reads, changes or deletes the other's."""
    for tenant in ("one", "two"):
        await store.add(queued("s", tenant=tenant), [text("a", tenant)])
    await store.add(queued("only", tenant="two"), [text("a", "two")])

    assert await store.get("one", "only") is None
    assert await store.documents("one", "only") == ()
    assert await store.document("one", "only", "a") is None
    assert not await store.start("one", "only", NOON)
    assert not await store.finish("one", "only", status="failed", error=FAILURE, at=NOON)
    assert not await store.delete("one", "only")
    assert [row.id for row in (await store.page("one", limit=9)).data] == ["s"]
    foreign = (await store.page("two", limit=1)).next_cursor
    assert {row.tenant for row in (await store.page("one", limit=9, after=foreign)).data} <= {"one"}

    assert await store.document("one", "s", "a") == text("a", "one")
    assert await store.start("one", "s", NOON)
    assert await store.get("two", "s") == queued("s", tenant="two")
    assert await store.delete("one", "s")
    assert await store.documents("two", "s") == (text("a", "two"),)
    assert await store.get("two", "only") == queued("only", tenant="two")


# --- several writers, and failures -----------------------------------------------------------------------------------


async def test_writers_of_two_stores_wait_for_one_another(path: Path, store: Store) -> None:
    """Reads and writes through two stores on one file all succeed."""
    other = await Store.open(url(path))

    async def write(writer: Store, name: str) -> None:
        await writer.add(queued(name), [text("a", name * 1000)])
        await writer.get("local", name)
        await writer.start("local", name, NOON)
        await writer.finish("local", name, status="succeeded", result=result(), at=NOON)

    await asyncio.gather(*(write((store, other)[number % 2], f"s{number}") for number in range(20)))
    pages = await listed(other, limit=7, status="succeeded")
    assert sum(len(page.data) for page in pages) == 20
    await other.close()


async def test_a_write_holds_the_lock_from_its_beginning(path: Path, store: Store) -> None:
    """A transaction that reads before it writes cannot find that somebody else was quicker; a read holds no lock."""
    with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as other:
        async with store.writes() as connection:
            await connection.execute(sa.text("SELECT 1"))
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                other.execute("BEGIN IMMEDIATE")
        async with store.reading() as connection:
            await connection.execute(sa.select(sa.func.count()).select_from(metadata.tables["summaries"]))
            other.execute("BEGIN IMMEDIATE")
            other.execute("ROLLBACK")


async def test_a_writer_waits_for_a_transaction_that_began_before(path: Path, store: Store) -> None:
    """A writer that finds the lock taken goes on as soon as it is free."""
    with closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        adding = asyncio.create_task(store.add(queued("s"), ()))
        assert await store.get("local", "s") is None
        assert not adding.done()
        holder.execute("COMMIT")
        await adding
    assert await store.get("local", "s") == queued("s")


async def test_a_lock_that_is_never_freed_is_a_503(path: Path, store: Store) -> None:
    """A writer gives up after the time limit, says why, and works again afterwards."""
    async with store._engine.connect() as connection:
        await connection.exec_driver_sql("PRAGMA busy_timeout = 1")
    with closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match=r"locked.*try again") as caught:
            await store.add(queued("s"), [text("a", SENTINEL)])
        assert SENTINEL not in f"{caught.value}{caught.value.__cause__}"
    await store.add(queued("s"), ())


async def test_a_writer_who_waits_too_long_for_the_others_is_told(store: Store) -> None:
    """Nobody waits without end for a turn; who has it is not hurried."""
    store.turn_s = 0.01
    async with store.writes():
        with pytest.raises(StoreUnavailable, match="others of this process"):
            await store.add(queued("s"), ())
    await store.add(queued("s"), ())


@pytest.mark.parametrize(
    ("pragma", "status", "reason", "undo"),
    [
        ("max_page_count = 1", 507, r"full.*Free space", "max_page_count = 1000000"),
        ("query_only = ON", 503, r"readonly.*writable", "query_only = OFF"),
    ],
)
async def test_a_write_that_fails_is_a_503_or_507_without_the_text(
    store: Store, pragma: str, status: int, reason: str, undo: str
) -> None:
    """A full disk or a read-only file stores nothing; neither the error nor its cause holds the text."""
    async with store._engine.connect() as connection:
        await connection.exec_driver_sql(f"PRAGMA {pragma}")
    with pytest.raises(StoreUnavailable, match=reason) as caught:
        await store.add(queued("s"), [text("a", SENTINEL * 10_000)])
    assert caught.value.status == status
    assert SENTINEL not in f"{caught.value}{caught.value.__cause__}"
    async with store._engine.connect() as connection:
        await connection.exec_driver_sql(f"PRAGMA {undo}")
    assert await store.get("local", "s") is None
    await store.add(queued("s"), ())


async def test_a_file_that_is_gone_is_a_503(path: Path, store: Store) -> None:
    """Nothing is written into a file that nobody will find again."""
    await store.ping()
    remove(path)
    with pytest.raises(StoreUnavailable, match="No such file"):
        await store.ping()
    with pytest.raises(StoreUnavailable, match="No such file"):
        await store.add(queued("s"), ())


async def test_a_cancelled_write_frees_the_lock(store: Store) -> None:
    """Whenever a writer is cancelled, the row is there whole or not at all, and the next writer goes on."""
    for steps in range(0, 2000, 50):
        name = f"s{steps}"
        adding = asyncio.create_task(store.add(queued(name), [text("a", "alpha")]))
        for _ in range(steps):
            await asyncio.sleep(0)
        adding.cancel()
        await asyncio.gather(adding, return_exceptions=True)
        found = await store.get("local", name)
        assert (found is None) == (await store.documents("local", name) == ())
    await store.add(queued("last"), ())
    assert await store.get("local", "last") == queued("last")


async def test_a_log_without_its_database_is_left_alone(path: Path) -> None:
    """A new database would take it from the one that was moved away, and what is in it with that."""
    store = await Store.open(f"sqlite:///{path}")
    await store.add(queued("s"), [text("a", SENTINEL)])
    await asyncio.to_thread(path.rename, path.with_name("away"))
    with pytest.raises(StoreUnavailable, match=r"its log .*-wal is.*Put that back"):
        await Store.open(f"sqlite:///{path}")
    assert not await asyncio.to_thread(path.exists)
    await asyncio.to_thread(path.with_name("away").rename, path)
    assert [document.text for document in await store.documents("local", "s")] == [SENTINEL]
    await store.close()
