"""Comparisons and their trials; a summary may be a trial."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables, and a column for the comparison that a summary is a trial of."""
    op.add_column("summaries", sa.Column("comparison", sa.Text))
    op.create_index("summaries_of_comparison", "summaries", ["tenant", "comparison"])
    op.create_table(
        "comparisons",
        sa.Column("tenant", sa.Text, nullable=False, server_default="local"),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("created_at", sa.Text, nullable=False),
        sa.Column("started_at", sa.Text),
        sa.Column("finished_at", sa.Text),
        sa.Column("experiment", sa.Text, nullable=False),
        sa.Column("error", sa.Text),
        sa.Column("result", sa.Text),
        sa.PrimaryKeyConstraint("tenant", "id"),
    )
    op.create_index("comparisons_newest", "comparisons", ["tenant", "created_at", "id"])
    op.create_index("comparisons_by_status", "comparisons", ["status", "created_at", "id"])
    op.create_table(
        "trials",
        sa.Column("tenant", sa.Text, nullable=False, server_default="local"),
        sa.Column("comparison_id", sa.Text, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("set", sa.Text, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("repetition", sa.Integer, nullable=False),
        sa.Column("summary_id", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "comparison_id", "position"),
        sa.ForeignKeyConstraint(
            ["tenant", "comparison_id"],
            ["comparisons.tenant", "comparisons.id"],
            name="trials_comparison",
            ondelete="CASCADE",
        ),
    )


def downgrade() -> None:
    """Remove the tables and the column."""
    op.drop_table("trials")
    op.drop_table("comparisons")
    op.drop_index("summaries_of_comparison", "summaries")
    op.drop_column("summaries", "comparison")
