"""Copies of the database: made beside the running service, put back, and made by itself before a change of its tables.

The commands are those of docs/deploy.md, as they stand there.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa
from alembic import command
from deploying import SEEDS, Deployment, blocks, compose, docker, get, good, inside, post, quotes_stand, typed

from service.adapters.store.migrations import configured

pytestmark = [pytest.mark.docker, pytest.mark.enable_socket]

PAGE = "docs/deploy.md"
ARTICLES = [seed.read_bytes().decode() for seed in SEEDS]


def did(deployment: Deployment, heading: str) -> None:
    """Type what stands under a heading."""
    for block in blocks(PAGE, heading):
        good(typed(deployment, block))


def revision(path: Path) -> str:
    """The number of the tables of a database."""
    with closing(sqlite3.connect(path)) as connection:
        return str(connection.execute("SELECT version_num FROM alembic_version").fetchone()[0])


def one_version_back(path: Path) -> None:
    """Give a database the tables of the version before."""
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        command.downgrade(configured(connection), "-1")
    engine.dispose()


@pytest.fixture
def backup(deployment: Deployment) -> Iterator[Path]:
    """Where the copy of the database is."""
    path = deployment.folder / "backup.db"
    yield path
    path.unlink(missing_ok=True)


def test_a_backup_is_made_while_the_service_runs(running: Deployment, backup: Path) -> None:
    """It is whole, holds what was answered, and nothing of what was deleted; nothing of it stays in the volume."""
    kept, deleted = (post(running.url, text) for text in ARTICLES[:2])
    assert httpx.delete(f"{running.url}{deleted.headers['Location']}", timeout=60).status_code == 204
    did(running, "Back up")
    with closing(sqlite3.connect(backup)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        ids = [row[0] for row in connection.execute("SELECT id FROM summaries")]
    assert kept.json()["id"] in ids
    assert deleted.json()["id"] not in ids
    assert ARTICLES[1].splitlines()[0].encode() not in backup.read_bytes()
    assert "backup.db" not in inside(running, "import os; print(os.listdir('/data'))")
    assert get(f"{running.url}/ready").status_code == 200


def test_a_backup_is_restored_into_a_new_volume(running: Deployment, backup: Path) -> None:
    """On another machine, or after the volume was lost: results and texts are there, and new ones are made."""
    answer = post(running.url, ARTICLES[0])
    did(running, "Back up")
    compose(running, "down", "--volumes")
    did(running, "Restore")
    found = get(f"{running.url}{answer.headers['Location']}")
    assert found.json() == answer.json()
    assert quotes_stand(ARTICLES[0], found)
    document = answer.json()["result"]["documents"][0]["id"]
    assert get(f"{running.url}{answer.headers['Location']}/documents/{document}").text == ARTICLES[0]
    assert post(running.url, ARTICLES[2]).status_code == 201


def test_a_backup_is_restored_over_what_is_there(running: Deployment, backup: Path) -> None:
    """What was made since is gone, and nothing of it comes back out of a log that was left behind."""
    before = post(running.url, ARTICLES[0])
    did(running, "Back up")
    after = post(running.url, ARTICLES[2])
    compose(running, "kill")
    did(running, "Restore")
    assert get(f"{running.url}{before.headers['Location']}").json() == before.json()
    assert get(f"{running.url}{after.headers['Location']}").status_code == 404


def test_an_upgrade_copies_the_database_first_and_can_be_rolled_back(running: Deployment, backup: Path) -> None:
    """A database of the version before is migrated at the start; the copy that was made is that one, and put back."""
    answer = post(running.url, ARTICLES[1])
    did(running, "Back up")
    new = revision(backup)
    one_version_back(backup)
    old = revision(backup)
    assert old < new
    did(running, "Restore")
    assert get(f"{running.url}{answer.headers['Location']}").json()["result"] == answer.json()["result"]
    made = json.loads(inside(running, "import glob, json; print(json.dumps(glob.glob('*.bak')))"))
    assert made == [f"precis.db.before-{new}.bak"]
    backup.unlink()
    lost = post(running.url, ARTICLES[2])
    good(typed(running, blocks(PAGE, "Roll back")[1].replace("NNNN", new)))
    assert revision(backup) == old
    did(running, "Restore")
    assert get(f"{running.url}{answer.headers['Location']}").json()["result"] == answer.json()["result"]
    assert get(f"{running.url}{lost.headers['Location']}").status_code == 404


def test_the_image_before_is_kept_and_runs_again(running: Deployment, image: str) -> None:
    """Under another name, which one variable gives to Compose."""
    keep = blocks(PAGE, "Upgrade")[0].splitlines()[0]
    before = f"{image}-before"
    try:
        good(typed(running, keep.replace("precis:before", before)))
        again = blocks(PAGE, "Roll back")[0].strip()
        good(typed(running, again.replace("DEPLOY_IMAGE=precis:before", f"DEPLOY_IMAGE={before}")))
        used = good(docker("inspect", "--format", "{{.Config.Image}}", compose(running, "ps", "-q", "precis").strip()))
        assert used.strip() == before
        assert get(f"{running.url}/ready").status_code == 200
    finally:
        docker("image", "rm", "--force", before)
