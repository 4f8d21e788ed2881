"""The extensions that the platform offers."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "extension",
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("manifest", JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("slug", name="extension_pkey"),
        sa.CheckConstraint("version > 0", name=op.f("extension_version_check")),
        comment="Readable for every brand.",
    )
