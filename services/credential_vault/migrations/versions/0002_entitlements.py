"""What a brand may use, as other services said, and how far uninstallations have got."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0002"
down_revision = "0001"


def _text(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=nullable)


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=False)


def _json(name: str) -> sa.Column:
    return sa.Column(name, JSONB(), nullable=False)


def _key(table: str, *columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*columns, name=op.f(f"{table}_pkey"))


def _check(table: str, name: str, condition: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(condition, name=op.f(f"{table}_{name}_check"))


def _has_a_brand(table: str) -> sa.CheckConstraint:
    return _check(table, "brand", "brand_id <> ''")


def upgrade() -> None:
    op.add_column("extension", _text("party", nullable=True))
    op.execute("UPDATE extension SET party = event -> 'manifest' ->> 'party'")
    op.alter_column("extension", "party", nullable=False)
    op.create_index(
        "account_extension_idx",
        "account",
        ["brand_id", "extension", "id"],
        postgresql_where=sa.text("account.state <> 'deleted'"),
    )
    op.create_table(
        "licence",
        _text("brand_id"),
        _json("extensions"),
        _number("epoch"),
        _number("sequence"),
        _key("licence", "brand_id"),
        _has_a_brand("licence"),
    )
    op.create_table(
        "installation",
        _text("brand_id"),
        _text("extension"),
        _text("state"),
        _number("version"),
        _json("declared"),
        _json("added"),
        _text("uninstall_id", nullable=True),
        _number("epoch"),
        _number("sequence"),
        _key("installation", "brand_id", "extension"),
        _has_a_brand("installation"),
    )
    op.create_index(
        "installation_ending_idx",
        "installation",
        ["brand_id", "extension"],
        postgresql_where=sa.text("installation.state IN ('uninstalling', 'uninstalled')"),
    )
    op.create_table(
        "clearance",
        _text("brand_id"),
        _text("extension"),
        _text("uninstall_id"),
        _number("accounts"),
        sa.Column("is_done", sa.Boolean(), nullable=False),
        _key("clearance", "brand_id", "extension"),
        _check("clearance", "accounts", "accounts >= 0"),
        _has_a_brand("clearance"),
    )
