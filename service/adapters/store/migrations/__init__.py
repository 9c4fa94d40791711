"""How the tables came to be, one file a step, and how a file is brought up to date. Released steps never change."""

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from service.core.errors import StoreUnavailable


def copy_aside(path: Path, revision: str) -> Path:
    """Copy what is committed to `<file>.before-<revision>.bak`, in place of an earlier copy of that name."""
    copy = path.with_name(f"{path.name}.before-{revision}.bak")
    part = copy.with_name(f"{copy.name}.part")
    part.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(part)) as target:
        source.backup(target)
    return part.replace(copy)


def configured(connection: sa.Connection, metadata: sa.MetaData | None = None) -> Config:
    """Configure alembic for the steps beside this module; `metadata` is what a new step is drafted from."""
    config = Config(attributes={"connection": connection, "metadata": metadata})
    config.set_main_option("script_location", "service.adapters.store:migrations")
    return config


# alembic keeps the migration that it runs in globals of its modules
_migrating = threading.Lock()


def migrate(connection: sa.Connection, path: Path) -> None:
    """Bring the schema to this version's, within the transaction; a database that holds anything is copied first."""
    config = configured(connection)
    script = ScriptDirectory.from_config(config)
    head = script.get_current_head() or "base"
    found = set(MigrationContext.configure(connection).get_current_heads())
    if found == {head}:
        return
    if unknown := found - {revision.revision for revision in script.walk_revisions()}:
        raise StoreUnavailable(
            f"{path} was written by a newer version of the service: its revision is {min(unknown)}, and this version "
            f"knows those up to {head}. Install the newer version, or name another file in PRECIS_DATABASE_URL."
        )
    if sa.inspect(connection).get_table_names():
        copy_aside(path, head)
    with _migrating:
        command.upgrade(config, "head")
