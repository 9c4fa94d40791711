"""Completions that were paid for, who uses them, and a journal of every attempt to get one."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables, and a column for how a summary is to be made."""
    op.add_column("summaries", sa.Column("conditions", sa.Text, nullable=False, server_default="{}"))
    op.create_table(
        "completions",
        sa.Column("tenant", sa.Text, nullable=False, server_default="local"),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("repetition", sa.Integer, nullable=False),
        sa.Column("created_at", sa.Text, nullable=False),
        sa.Column("completion", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "key", "repetition"),
    )
    op.create_table(
        "completion_uses",
        sa.Column("tenant", sa.Text, nullable=False, server_default="local"),
        sa.Column("summary_id", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("repetition", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "summary_id", "key", "repetition"),
        sa.ForeignKeyConstraint(
            ["tenant", "summary_id"],
            ["summaries.tenant", "summaries.id"],
            name="completion_uses_summary",
            ondelete="CASCADE",
        ),
    )
    op.create_index("completion_uses_by_key", "completion_uses", ["tenant", "key", "repetition"])
    op.create_table(
        "attempts",
        sa.Column("tenant", sa.Text, nullable=False, server_default="local"),
        sa.Column("summary_id", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("repetition", sa.Integer, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("sent_at", sa.Text, nullable=False),
        sa.Column("ended_at", sa.Text),
        sa.PrimaryKeyConstraint("tenant", "summary_id", "key", "repetition", "number"),
        sa.ForeignKeyConstraint(
            ["tenant", "summary_id"], ["summaries.tenant", "summaries.id"], name="attempts_summary", ondelete="CASCADE"
        ),
    )


def downgrade() -> None:
    """Remove the tables and the column."""
    for table in ("attempts", "completion_uses", "completions"):
        op.drop_table(table)
    op.drop_column("summaries", "conditions")
