"""Editions, retirement and certification; licences with their plans; what brands have installed."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0002"
down_revision = "0001"


def _text(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=nullable)


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=False)


def _time(name: str) -> sa.Column:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False)


def _json(name: str) -> sa.Column:
    return sa.Column(name, JSONB(), nullable=False)


def _has_a_brand(table: str) -> sa.CheckConstraint:
    return sa.CheckConstraint("brand_id <> ''", name=op.f(f"{table}_brand_check"))


def upgrade() -> None:
    _extend_extensions()
    op.create_table(
        "edition",
        _text("slug"),
        _number("version"),
        _json("manifest"),
        _time("published_at"),
        _text("published_by", nullable=True),
        sa.PrimaryKeyConstraint("slug", "version", name=op.f("edition_pkey")),
        sa.CheckConstraint("version > 0", name=op.f("edition_version_check")),
        comment="Readable for every brand.",
    )
    # Of the versions before nothing was kept; all of them came with the catalog.
    op.execute(
        "INSERT INTO edition (slug, version, manifest, published_at)"
        " SELECT slug, version, manifest, published_at FROM extension"
    )
    op.create_table(
        "plan",
        _text("name"),
        _json("extensions"),
        sa.PrimaryKeyConstraint("name", name=op.f("plan_pkey")),
    )
    op.create_table(
        "licence",
        _text("brand_id"),
        _json("extensions"),
        _json("plans"),
        _json("covers"),
        _text("set_by"),
        _time("set_at"),
        sa.PrimaryKeyConstraint("brand_id", name=op.f("licence_pkey")),
        _has_a_brand("licence"),
    )
    op.create_table(
        "installation",
        _text("brand_id"),
        _text("extension"),
        sa.Column("is_there", sa.Boolean(), nullable=False),
        _number("epoch"),
        _number("sequence"),
        sa.PrimaryKeyConstraint("brand_id", "extension", name=op.f("installation_pkey")),
        _has_a_brand("installation"),
    )


def _extend_extensions() -> None:
    for column in (
        _text("state", nullable=True),
        sa.Column("is_certified", sa.Boolean(), nullable=True),
        _text("retired_because", nullable=True),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revision", sa.BigInteger(), nullable=True),
    ):
        op.add_column("extension", column)
    op.execute(
        "UPDATE extension SET state = 'published', is_certified = false,"
        " published_at = now(), revision = 1"
    )
    for name in ("state", "is_certified", "published_at", "revision"):
        op.alter_column("extension", name, nullable=False)
    op.create_check_constraint(
        op.f("extension_state_check"), "extension", "state IN ('published', 'retired')"
    )
    op.create_check_constraint(
        op.f("extension_retired_check"),
        "extension",
        "(retired_because IS NOT NULL) = (state = 'retired')",
    )
    op.create_index(op.f("extension_revision_idx"), "extension", ["revision"])
