"""The tables, each with the tenant first in its key. Portable: only `sqlite` beside this module knows SQLite."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect

from service.adapters.store.rows import UNFINISHED, as_text
from service.core.types import Document


class Moment(sa.types.TypeDecorator[datetime]):
    """An aware moment kept as text: SQLite has no time zones, and the same text compares alike in every database."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Write it."""
        return None if value is None else as_text(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Read it."""
        return None if value is None else datetime.fromisoformat(value)


def tenant_column() -> sa.Column[str]:
    """Make the column that every table has first in its key."""
    return sa.Column("tenant", sa.Text, primary_key=True, nullable=False, server_default="local")


metadata = sa.MetaData()
# bodies come last: SQLite reads a row from its front, and a listing stops before them
summaries = sa.Table(
    "summaries",
    metadata,
    tenant_column(),
    sa.Column("id", sa.Text, primary_key=True, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("started_at", Moment),
    sa.Column("finished_at", Moment),
    sa.Column("options", sa.Text, nullable=False),
    sa.Column("conditions", sa.Text, nullable=False, server_default="{}"),
    sa.Column("comparison", sa.Text),  # that it is a trial of; it is then listed and worked on with that
    sa.Column("batch", sa.Text),  # that it is a line of; as above
    sa.Column("owner", sa.Text),  # process that works on it or is about to; see `serving`
    sa.Column("tries", sa.Integer, nullable=False, server_default="0"),
    sa.Column("next_attempt_at", Moment),
    sa.Column("expires_at", Moment),
    sa.Column("purged_at", Moment),
    sa.Column("error", sa.Text),
    sa.Column("result", sa.Text),
    sa.Index("summaries_of_comparison", "tenant", "comparison"),
    sa.Index("summaries_of_batch", "tenant", "batch", "status", "id"),
    sa.Index("summaries_by_end", "finished_at"),
    sa.Index("summaries_with_texts", "purged_at", "finished_at"),
    sa.Index("summaries_newest", "tenant", "created_at", "id"),
    sa.Index("summaries_by_status", "status", "created_at", "id"),
)
documents = sa.Table(
    "documents",
    metadata,
    tenant_column(),
    sa.Column("summary_id", sa.Text, primary_key=True, nullable=False),
    sa.Column("id", sa.Text, primary_key=True, nullable=False),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("sha256", sa.Text, nullable=False),
    sa.Column("media_type", sa.Text, nullable=False),
    sa.Column("name", sa.Text),
    sa.Column("title", sa.Text),
    sa.Column("url", sa.Text),
    sa.Column("published_at", sa.Text),
    sa.Column("language", sa.Text),
    sa.Column("text", sa.Text, nullable=False),
    sa.ForeignKeyConstraint(
        ["tenant", "summary_id"], ["summaries.tenant", "summaries.id"], name="documents_summary", ondelete="CASCADE"
    ),
)
completions = sa.Table(
    "completions",
    metadata,
    tenant_column(),
    sa.Column("key", sa.Text, primary_key=True, nullable=False),
    sa.Column("repetition", sa.Integer, primary_key=True, nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("completion", sa.Text, nullable=False),
)
completion_uses = sa.Table(
    "completion_uses",
    metadata,
    tenant_column(),
    sa.Column("summary_id", sa.Text, primary_key=True, nullable=False),
    sa.Column("key", sa.Text, primary_key=True, nullable=False),
    sa.Column("repetition", sa.Integer, primary_key=True, nullable=False),
    sa.ForeignKeyConstraint(
        ["tenant", "summary_id"],
        ["summaries.tenant", "summaries.id"],
        name="completion_uses_summary",
        ondelete="CASCADE",
    ),
    sa.Index("completion_uses_by_key", "tenant", "key", "repetition"),
)
attempts = sa.Table(
    "attempts",
    metadata,
    tenant_column(),
    sa.Column("summary_id", sa.Text, primary_key=True, nullable=False),
    sa.Column("key", sa.Text, primary_key=True, nullable=False),
    sa.Column("repetition", sa.Integer, primary_key=True, nullable=False),
    sa.Column("number", sa.Integer, primary_key=True, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("status", sa.Integer),
    sa.Column("sent_at", Moment, nullable=False),
    sa.Column("ended_at", Moment),
    sa.ForeignKeyConstraint(
        ["tenant", "summary_id"], ["summaries.tenant", "summaries.id"], name="attempts_summary", ondelete="CASCADE"
    ),
)
comparisons = sa.Table(
    "comparisons",
    metadata,
    tenant_column(),
    sa.Column("id", sa.Text, primary_key=True, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("started_at", Moment),
    sa.Column("finished_at", Moment),
    sa.Column("experiment", sa.Text, nullable=False),
    sa.Column("owner", sa.Text),
    sa.Column("tries", sa.Integer, nullable=False, server_default="0"),
    sa.Column("expires_at", Moment),
    sa.Column("error", sa.Text),
    sa.Column("result", sa.Text),
    sa.Index("comparisons_newest", "tenant", "created_at", "id"),
    sa.Index("comparisons_by_status", "status", "created_at", "id"),
)
trials = sa.Table(
    "trials",
    metadata,
    tenant_column(),
    sa.Column("comparison_id", sa.Text, primary_key=True, nullable=False),
    sa.Column("position", sa.Integer, primary_key=True, nullable=False),
    sa.Column("set", sa.Text, nullable=False),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("repetition", sa.Integer, nullable=False),
    # no foreign key: a summary that was there before may be deleted, and the comparison then has its quotes
    sa.Column("summary_id", sa.Text, nullable=False),
    sa.ForeignKeyConstraint(
        ["tenant", "comparison_id"],
        ["comparisons.tenant", "comparisons.id"],
        name="trials_comparison",
        ondelete="CASCADE",
    ),
    sa.Index("trials_by_summary", "tenant", "summary_id"),
)
batches = sa.Table(
    "batches",
    metadata,
    tenant_column(),
    sa.Column("id", sa.Text, primary_key=True, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("finished_at", Moment),
    sa.Column("expires_at", Moment),
    sa.Column("owner", sa.Text),
    sa.Column("total", sa.Integer, nullable=False, server_default="0"),
    sa.Index("batches_newest", "tenant", "created_at", "id"),
    sa.Index("batches_by_status", "status", "created_at", "id"),
)
batch_lines = sa.Table(
    "batch_lines",
    metadata,
    tenant_column(),
    sa.Column("batch_id", sa.Text, primary_key=True, nullable=False),
    sa.Column("position", sa.Integer, primary_key=True, nullable=False),
    sa.Column("custom_id", sa.Text),
    sa.Column("summary_id", sa.Text),
    sa.Column("error", sa.Text),  # of a line that could not be accepted
    sa.ForeignKeyConstraint(
        ["tenant", "batch_id"], ["batches.tenant", "batches.id"], name="batch_lines_batch", ondelete="CASCADE"
    ),
    sa.Index("batch_lines_by_summary", "tenant", "summary_id"),
)
idempotency = sa.Table(
    "idempotency",
    metadata,
    tenant_column(),
    sa.Column("key", sa.Text, primary_key=True, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),  # of the request that it came with
    sa.Column("resource", sa.Text, nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Index("idempotency_by_resource", "tenant", "resource"),
)
LISTED = [column for column in summaries.c if column.name != "result"]
DOCUMENT = [documents.c[name] for name in Document.__struct_fields__]
# of one column: where all are asked for, SQLite takes the index that has them all and reads every use of the tenant
UNUSED = ~sa.exists(completion_uses.c.key).where(
    completion_uses.c.tenant == completions.c.tenant,
    completion_uses.c.key == completions.c.key,
    completion_uses.c.repetition == completions.c.repetition,
)
"""Of completions that no summary uses."""
ALONE = (summaries.c.comparison.is_(None), summaries.c.batch.is_(None))
"""Of summaries that were asked for by themselves."""
WORKED_ON = summaries.c.status.in_([status for status in UNFINISHED if status != "cancelling"])
"""Of summaries that are worked on or are to be."""


# --- statements that are made once: making one takes longer than running it ------------------------------------------


def given(column: sa.Column[Any]) -> sa.BindParameter[Any]:
    """A value that a statement is given when it is executed; see `values`."""
    return sa.bindparam(f"_{column.name}", type_=column.type)


def same(columns: Iterable[sa.Column[Any]]) -> list[sa.ColumnElement[bool]]:
    """Of rows whose columns have the values that are given."""
    return [column == given(column) for column in columns]


def values(**by_name: object) -> dict[str, object]:
    """What is given to a statement, by the names of its columns."""
    return {f"_{name}": value for name, value in by_name.items()}
