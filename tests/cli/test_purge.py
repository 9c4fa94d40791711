"""`precis purge`: removes by hand what a server removes every hour, and says what it was."""

import json
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

DYING = Path(__file__).parents[1] / "faults" / "dying.py"
SEEDS = sorted((Path(__file__).parents[2] / "seeds").glob("*.txt"))

Precis = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def made(own_folder: Path, precis: Precis) -> list[str]:
    """Two summaries, one finished 8 days ago and one 31."""
    ids = [json.loads(precis("summarise", seed, "--json").stdout)["id"] for seed in SEEDS[:2]]
    with closing(sqlite3.connect(own_folder / "precis.db")) as connection:
        for name, days in zip(ids, (8, 31), strict=True):
            query = "UPDATE summaries SET finished_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now', ?) WHERE id = ?"
            connection.execute(query, [f"-{days} days", name])
        connection.commit()
    return ids


def left(folder: Path) -> list[tuple[str, bool]]:
    """The summaries that there are, and whether their texts are."""
    with closing(sqlite3.connect(folder / "precis.db")) as connection:
        query = "SELECT summary_id, text != '' FROM documents"
        return [(name, bool(there)) for name, there in connection.execute(query)]


def unfinished(folder: Path) -> int:
    """How many summaries have not ended."""
    with closing(sqlite3.connect(folder / "precis.db")) as connection:
        (number,) = connection.execute("SELECT count(*) FROM summaries WHERE finished_at IS NULL").fetchone()
        return int(number)


def age(folder: Path, *, days: int) -> None:
    """Have all that was made and begun be so many days older."""
    with closing(sqlite3.connect(folder / "precis.db")) as connection:
        for column in ("created_at", "started_at", "finished_at"):
            older = f"strftime('%Y-%m-%dT%H:%M:%fZ', {column}, '-{days} days')"
            connection.execute(f"UPDATE summaries SET {column} = {older}")  # noqa: S608 - our own columns
        connection.commit()


def test_it_says_what_it_removes(own_folder: Path, precis: Precis, made: list[str]) -> None:
    """The text of the one and the whole of the other; then nothing is due."""
    ran = precis("purge")
    assert (ran.returncode, ran.stdout) == (0, "deleted the texts of one summary\ndeleted one summary\n")
    assert left(own_folder) == [(made[0], False)]
    assert precis("purge").stdout == "nothing is due\n"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_what_a_killed_batch_left_goes_without_a_server(
    own_folder: Path, precis: Precis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By `kill -9` in the middle: summaries that ran or waited have their days as well, and are then gone."""
    text = "The council voted on Tuesday to close the old bridge. Engineer Ana Ruiz said so on Monday."
    requests = [{"custom_id": str(n), "documents": [{"text": f"{text} It was vote {n}."}]} for n in range(12)]
    Path("in.ndjson").write_text("\n".join(map(json.dumps, requests)), encoding="utf-8")
    command = [sys.executable, str(DYING), "after_claim", "3", "batch", "in.ndjson", "-o", "out.ndjson"]
    assert subprocess.run(command, timeout=60, check=False).returncode == -signal.SIGKILL  # noqa: S603 - our own command
    assert unfinished(own_folder) > 1
    assert precis("purge").stdout == "nothing is due\n"
    age(own_folder, days=8)
    due = precis("purge", "--dry-run").stdout
    assert precis("purge").stdout == due.replace("would delete", "deleted")
    assert (unfinished(own_folder), any(there for _, there in left(own_folder))) == (0, False)
    monkeypatch.setenv("PRECIS_RESULTS_DAYS", "0")
    assert precis("purge").returncode == 0
    assert left(own_folder) == []


def test_a_dry_run_removes_nothing(own_folder: Path, precis: Precis, made: list[str]) -> None:
    """It says what would be."""
    ran = precis("purge", "--dry-run")
    assert (ran.returncode, ran.stdout) == (0, "would delete the texts of one summary\nwould delete one summary\n")
    assert sorted(left(own_folder)) == sorted((name, True) for name in made)


def test_what_is_set_is_what_holds(
    own_folder: Path, precis: Precis, made: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`never` keeps everything; a shorter time takes more."""
    monkeypatch.setenv("PRECIS_DOCUMENTS_DAYS", "never")
    monkeypatch.setenv("PRECIS_RESULTS_DAYS", "never")
    assert precis("purge").stdout == "nothing is due\n"
    monkeypatch.setenv("PRECIS_RESULTS_DAYS", "1")
    assert precis("purge").stdout == "deleted 2 summaries\n"
    assert left(own_folder) == []


def test_other_commands_remove_nothing(own_folder: Path, precis: Precis, made: list[str]) -> None:
    """Whoever summarises beside a server, or without one, leaves what is due to it."""
    for arguments in (("summarise", str(SEEDS[2])), ("doctor",)):
        assert precis(*arguments).returncode == 0
    assert len(left(own_folder)) == 3


def test_a_wrong_time_is_refused(own_folder: Path, precis: Precis, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what fits."""
    monkeypatch.setenv("PRECIS_DOCUMENTS_DAYS", "soon")
    ran = precis("purge")
    assert ran.returncode == 2
    assert "what fits is a number from 0 to 36500 or one of never" in ran.stderr
