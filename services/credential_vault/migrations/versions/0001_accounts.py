"""Accounts, their versions and secrets, who fetched them, and what other services said."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None

_VACUUMED_AT_ONCE = {"autovacuum_vacuum_threshold": 0, "autovacuum_vacuum_scale_factor": 0}


def _text(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=nullable)


def _number(name: str, *, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=nullable)


def _time(name: str, *, nullable: bool = False) -> sa.Column:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _flag(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean(), nullable=False)


def _json(name: str) -> sa.Column:
    return sa.Column(name, JSONB(), nullable=False)


def _encrypted() -> tuple[sa.Column, ...]:
    return (
        _text("key_id"),
        sa.Column("wrapped_key", sa.LargeBinary(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
    )


def _key(table: str, *columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*columns, name=op.f(f"{table}_pkey"))


def _check(table: str, name: str, condition: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(condition, name=op.f(f"{table}_{name}_check"))


def _has_a_brand(table: str) -> sa.CheckConstraint:
    return _check(table, "brand", "brand_id <> ''")


def upgrade() -> None:
    _create_accounts()
    _create_secrets()
    _create_records()
    _create_copies()


def _create_accounts() -> None:
    op.create_table(
        "account",
        _text("brand_id"),
        _text("id"),
        _text("extension"),
        _text("name"),
        _text("creator"),
        _text("retire"),
        _text("state"),
        _text("reason", nullable=True),
        _number("version"),
        _number("last_number"),
        _text("scheme"),
        _json("settings"),
        _key("account", "brand_id", "id"),
        _check(
            "account", "state", "state IN ('adding', 'connected', 'needs_attention', 'deleted')"
        ),
        _check("account", "version", "(version = 0) = (state = 'adding')"),
        _check("account", "last_number", "version <= last_number"),
        _has_a_brand("account"),
    )
    op.create_table(
        "version",
        _text("brand_id"),
        _text("account_id"),
        _number("number"),
        _text("status"),
        _text("scheme"),
        _json("settings"),
        _time("created_at"),
        _text("created_by"),
        _text("created_by_issuer"),
        _text("retires", nullable=True),
        _text("retire", nullable=True),
        _time("promoted_at", nullable=True),
        _time("ended_at", nullable=True),
        _text("ended_by", nullable=True),
        _text("ended_by_issuer", nullable=True),
        _text("refusal", nullable=True),
        _time("try_since", nullable=True),
        _time("retire_at", nullable=True),
        _time("try_due_at", nullable=True),
        _text("claim", nullable=True),
        _time("leased_until", nullable=True),
        _key("version", "brand_id", "account_id", "number"),
        _check(
            "version",
            "status",
            "status IN ('pending', 'current', 'previous', 'retired', 'refused')",
        ),
        _has_a_brand("version"),
    )
    op.create_index(
        "version_pending_key",
        "version",
        ["brand_id", "account_id"],
        unique=True,
        postgresql_where=sa.text("status = 'pending'"),
    )
    op.create_index(
        "version_to_try_idx",
        "version",
        ["try_since"],
        postgresql_where=sa.text("try_since IS NOT NULL"),
    )
    op.create_index(
        "version_to_retire_idx",
        "version",
        ["retire_at"],
        postgresql_where=sa.text("retire_at IS NOT NULL"),
    )


def _create_secrets() -> None:
    op.create_table(
        "secret",
        _text("brand_id"),
        _text("account_id"),
        _number("number"),
        *_encrypted(),
        _key("secret", "brand_id", "account_id", "number"),
        _has_a_brand("secret"),
        comment="Hidden from readers.",
        postgresql_with=_VACUUMED_AT_ONCE,
    )
    op.create_table(
        "transport_key",
        _text("kid"),
        _json("public"),
        *_encrypted(),
        _time("published_at"),
        _time("published_until"),
        _time("accepted_until"),
        _key("transport_key", "kid"),
        postgresql_with=_VACUUMED_AT_ONCE,
    )


def _create_records() -> None:
    op.create_table(
        "holder",
        _text("brand_id"),
        _text("account_id"),
        _text("engine_id"),
        _number("version"),
        _time("lease_until", nullable=True),
        _key("holder", "brand_id", "account_id", "engine_id", "version"),
        _has_a_brand("holder"),
    )
    op.create_table(
        "audit",
        _text("brand_id"),
        _text("id"),
        _time("at"),
        _text("issuer"),
        _text("actor"),
        _text("action"),
        _text("account_id"),
        _number("version", nullable=True),
        _text("engine_id", nullable=True),
        _text("result"),
        _text("reason", nullable=True),
        _key("audit", "brand_id", "id"),
        _has_a_brand("audit"),
    )


def _create_copies() -> None:
    op.create_table(
        "extension",
        _text("slug"),
        _json("event"),
        _number("epoch"),
        _number("sequence"),
        _key("extension", "slug"),
    )
    op.create_table(
        "engine",
        _text("brand_id"),
        _text("id"),
        _json("event"),
        _number("epoch"),
        _number("sequence"),
        _key("engine", "brand_id", "id"),
        _has_a_brand("engine"),
    )
    op.create_table(
        "holding",
        _text("brand_id"),
        _text("engine_id"),
        _text("account_id"),
        _flag("is_allowed"),
        _number("epoch"),
        _number("sequence"),
        _key("holding", "brand_id", "engine_id", "account_id"),
        _has_a_brand("holding"),
    )
    op.create_table(
        "completion",
        _text("brand_id"),
        _text("account_id"),
        _number("account_epoch"),
        _number("version"),
        sa.Column(
            "read_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        _flag("is_planned"),
        _key("completion", "brand_id", "account_id"),
        _has_a_brand("completion"),
    )
    op.create_index(
        "completion_to_plan_idx",
        "completion",
        ["brand_id", "account_id"],
        postgresql_where=sa.text("NOT is_planned"),
    )
