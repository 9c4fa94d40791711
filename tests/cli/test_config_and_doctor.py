"""`precis config` shows what is set and why; `precis doctor` tries what the service stands on."""

import json
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from service.settings import Settings, describe

Precis = Callable[..., subprocess.CompletedProcess[str]]


def test_config_shows_every_setting_with_its_origin(precis: Precis, monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting is left out, and each says where its value came from."""
    monkeypatch.setenv("PRECIS_CONCURRENCY", "3")
    rows = {row["name"]: row for row in json.loads(precis("--log-level", "error", "config", "--json").stdout)}
    assert list(rows) == [field.name for field in describe(Settings)]
    assert (rows["concurrency"]["value"], rows["concurrency"]["origin"]) == ("3", "environment PRECIS_CONCURRENCY")
    assert (rows["log_level"]["value"], rows["log_level"]["origin"]) == ("error", "flag --log-level")
    assert (rows["port"]["value"], rows["port"]["origin"]) == ("8000", "default")
    assert all(row["description"] for row in rows.values())


def test_config_as_a_table_has_every_setting(precis: Precis) -> None:
    """A person sees what a program sees."""
    shown = precis("config").stdout
    assert all(field.name in shown for field in describe(Settings))


def test_config_masks_the_password_of_the_database(precis: Precis) -> None:
    """What is shown can be pasted into a question to others."""
    url = "postgresql://me:hunter2@db/precis"
    table, rows = precis("--database-url", url, "config"), precis("--database-url", url, "config", "--json")
    assert "hunter2" not in table.stdout + table.stderr + rows.stdout + rows.stderr
    assert json.loads(rows.stdout)[0]["value"] == "postgresql://me:****@db/precis"


def test_config_cuts_no_value_short(precis: Precis) -> None:
    """A long path is broken over lines and never ends in dots."""
    ran = precis("--database-url", "sqlite:////" + "very-long-name/" * 20 + "precis.db", "config")
    assert "…" not in ran.stdout
    assert ran.stdout.count("name/") >= 15


def test_a_healthy_machine_is_0(precis: Precis) -> None:
    """Everything was tried, and what it is was said."""
    ran = precis("doctor")
    assert ran.returncode == 0, ran.stdout
    for name in ("precis", "sqlite", "database", "tokens", "language", "files", "data", "engine"):
        assert f" {name} " in ran.stdout
    assert "BAD" not in ran.stdout
    assert "0 summaries unfinished" in " ".join(ran.stdout.split())


def test_a_folder_as_database_is_bad(precis: Precis, own_folder: Path) -> None:
    """The doctor says what is wrong and what to do, and goes on with the rest."""
    ran = precis("--database-url", f"sqlite:///{own_folder.as_posix()}", "doctor")
    assert (ran.returncode, ran.stderr) == (1, "")
    assert "BAD" in ran.stdout
    assert "is a folder" in " ".join(ran.stdout.split())
    assert " engine " in ran.stdout


@pytest.mark.parametrize("damage", ["not a database", "newer", "unknown engine"])
def test_a_database_that_cannot_be_used_is_bad(precis: Precis, own_folder: Path, damage: str) -> None:
    """Damage is a finding, not a crash."""
    path = own_folder / "precis.db"
    url = f"sqlite:///{path.as_posix()}"
    if damage == "not a database":
        path.write_bytes(b"this is no database, but it is long enough to be looked at" * 100)
    elif damage == "newer":
        assert precis("doctor").returncode == 0
        with sqlite3.connect(path) as connection:
            connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.close()
    else:
        url = "oracle://somewhere/precis"
    ran = precis("--database-url", url, "doctor")
    assert ran.returncode == 1
    assert "BAD" in ran.stdout
    assert "Traceback" not in ran.stdout + ran.stderr
