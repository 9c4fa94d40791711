"""Jobs that wait, are tried again, expire; batches of them; and keys under which a request is made once."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_SUMMARIES = ("batch", "owner", "next_attempt_at", "expires_at", "purged_at")


def upgrade() -> None:
    """Add the columns and make the tables."""
    for name in _SUMMARIES:
        op.add_column("summaries", sa.Column(name, sa.Text))
    op.add_column("summaries", sa.Column("tries", sa.Integer, nullable=False, server_default="0"))
    op.create_index("summaries_of_batch", "summaries", ["tenant", "batch", "status", "id"])
    op.create_index("summaries_by_end", "summaries", ["finished_at"])
    op.create_index("summaries_with_texts", "summaries", ["purged_at", "finished_at"])
    op.create_index("trials_by_summary", "trials", ["tenant", "summary_id"])
    op.add_column("comparisons", sa.Column("owner", sa.Text))
    op.add_column("comparisons", sa.Column("tries", sa.Integer, nullable=False, server_default="0"))
    op.add_column("comparisons", sa.Column("expires_at", sa.Text))
    op.create_table(
        "batches",
        sa.Column("tenant", sa.Text, nullable=False, server_default="local"),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("created_at", sa.Text, nullable=False),
        sa.Column("finished_at", sa.Text),
        sa.Column("expires_at", sa.Text),
        sa.Column("owner", sa.Text),
        sa.Column("total", sa.Integer, nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("tenant", "id"),
    )
    op.create_index("batches_newest", "batches", ["tenant", "created_at", "id"])
    op.create_index("batches_by_status", "batches", ["status", "created_at", "id"])
    op.create_table(
        "batch_lines",
        sa.Column("tenant", sa.Text, nullable=False, server_default="local"),
        sa.Column("batch_id", sa.Text, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("custom_id", sa.Text),
        sa.Column("summary_id", sa.Text),
        sa.Column("error", sa.Text),
        sa.PrimaryKeyConstraint("tenant", "batch_id", "position"),
        sa.ForeignKeyConstraint(
            ["tenant", "batch_id"], ["batches.tenant", "batches.id"], name="batch_lines_batch", ondelete="CASCADE"
        ),
    )
    op.create_index("batch_lines_by_summary", "batch_lines", ["tenant", "summary_id"])
    op.create_table(
        "idempotency",
        sa.Column("tenant", sa.Text, nullable=False, server_default="local"),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("resource", sa.Text, nullable=False),
        sa.Column("created_at", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "key"),
    )
    op.create_index("idempotency_by_resource", "idempotency", ["tenant", "resource"])


def downgrade() -> None:
    """Remove them."""
    for table in ("idempotency", "batch_lines", "batches"):
        op.drop_table(table)
    op.drop_column("comparisons", "expires_at")
    op.drop_column("comparisons", "tries")
    op.drop_column("comparisons", "owner")
    op.drop_index("trials_by_summary", "trials")
    op.drop_index("summaries_with_texts", "summaries")
    op.drop_index("summaries_by_end", "summaries")
    op.drop_index("summaries_of_batch", "summaries")
    for name in ("tries", *_SUMMARIES):
        op.drop_column("summaries", name)
