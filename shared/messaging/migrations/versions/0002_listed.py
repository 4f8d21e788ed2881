"""A copy of every brand's list of members."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "listed",
        sa.Column("brand_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=True),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("brand_id <> ''", name=op.f("listed_brand_check")),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("listed_pkey")),
    )
