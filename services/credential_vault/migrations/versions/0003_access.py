"""Who owns which account, as the access service announces it."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    # Empty: the topic is read from its start, and until a creator's grant comes commands wait.
    op.create_table(
        "ownership",
        sa.Column("brand_id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("member", sa.Text(), nullable=False),
        sa.Column("is_owner", sa.Boolean(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("brand_id <> ''", name=op.f("ownership_brand_check")),
        sa.PrimaryKeyConstraint("brand_id", "account_id", "member", name=op.f("ownership_pkey")),
    )
    for name, columns in (
        ("ownership_owner_idx", ["brand_id", "account_id", "member"]),
        ("ownership_member_idx", ["brand_id", "member", "account_id"]),
    ):
        op.create_index(name, "ownership", columns, postgresql_where=sa.text("is_owner"))
