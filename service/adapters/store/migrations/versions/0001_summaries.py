"""Summaries and their documents."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "summaries",
        sa.Column("tenant", sa.Text, nullable=False, server_default="local"),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("created_at", sa.Text, nullable=False),
        sa.Column("started_at", sa.Text),
        sa.Column("finished_at", sa.Text),
        sa.Column("options", sa.Text, nullable=False),
        sa.Column("error", sa.Text),
        sa.Column("result", sa.Text),
        sa.PrimaryKeyConstraint("tenant", "id"),
    )
    op.create_index("summaries_newest", "summaries", ["tenant", "created_at", "id"])
    op.create_index("summaries_by_status", "summaries", ["status", "created_at", "id"])
    op.create_table(
        "documents",
        sa.Column("tenant", sa.Text, nullable=False, server_default="local"),
        sa.Column("summary_id", sa.Text, nullable=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("media_type", sa.Text, nullable=False),
        sa.Column("name", sa.Text),
        sa.Column("title", sa.Text),
        sa.Column("url", sa.Text),
        sa.Column("published_at", sa.Text),
        sa.Column("language", sa.Text),
        sa.Column("text", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "summary_id", "id"),
        sa.ForeignKeyConstraint(
            ["tenant", "summary_id"], ["summaries.tenant", "summaries.id"], name="documents_summary", ondelete="CASCADE"
        ),
    )


def downgrade() -> None:
    """Drop the tables."""
    op.drop_table("documents")
    op.drop_table("summaries")
