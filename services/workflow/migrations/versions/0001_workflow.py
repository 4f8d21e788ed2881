"""Engines with their lists, copies of the vault's news, and rollouts."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None


def _text(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=nullable)


def _number(name: str, default: str | None = None) -> sa.Column[int]:
    server_default = None if default is None else sa.text(default)
    return sa.Column(name, sa.BigInteger(), nullable=False, server_default=server_default)


def _bytes(name: str) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary(), nullable=False)


def _flag(name: str, default: str | None = None) -> sa.Column[bool]:
    server_default = None if default is None else sa.text(default)
    return sa.Column(name, sa.Boolean(), nullable=False, server_default=server_default)


def _time(name: str, *, nullable: bool = False) -> sa.Column:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _json(name: str, *, nullable: bool = False) -> sa.Column:
    return sa.Column(name, JSONB(none_as_null=nullable), nullable=nullable)


def _create(
    table: str, key: tuple[str, ...], *parts: sa.schema.SchemaItem, **options: object
) -> None:
    op.create_table(
        table,
        *(_number(one) if one == "version" else _text(one) for one in ("brand_id", *key)),
        *parts,
        sa.CheckConstraint("brand_id <> ''", name=op.f(f"{table}_brand_check")),
        sa.PrimaryKeyConstraint("brand_id", *key, name=op.f(f"{table}_pkey")),
        **options,
    )


def _with_room(percent: int) -> dict[str, object]:
    return {"postgresql_with": {"fillfactor": percent}}


def upgrade() -> None:
    _create(
        "engine",
        ("id",),
        _text("kind"),
        _text("state"),
        _number("epoch"),
        _number("number"),
        _json("list", nullable=True),
        _number("count"),
        _bytes("digest"),
        _text("registration"),
        _json("retirement", nullable=True),
        sa.CheckConstraint("octet_length(digest) = 32", name=op.f("engine_digest_check")),
        sa.CheckConstraint(
            "(state = 'retired') = (retirement IS NOT NULL)", name=op.f("engine_retirement_check")
        ),
        **_with_room(50),
    )
    _create(
        "account",
        ("id",),
        _number("epoch"),
        _number("sequence"),
        _text("extension"),
        _text("creator"),
        _text("state"),
        _number("version"),
        _json("holders"),
        _number("opened_version", "1"),
        _flag("is_to_open"),
        _flag("is_to_judge", "false"),
        **_with_room(70),
    )
    op.create_index(
        op.f("account_to_open_idx"),
        "account",
        ["brand_id", "id"],
        postgresql_where=sa.text("is_to_open"),
    )
    op.create_index(
        op.f("account_to_judge_idx"),
        "account",
        ["brand_id", "id"],
        postgresql_where=sa.text("is_to_judge"),
    )
    _create(
        "receipt",
        ("account_id", "engine_id", "version"),
        _number("epoch"),
        _number("sequence"),
        _text("receipt_sha256"),
    )
    _create("workflow", ("engine_id", "id"), _text("name"), _text("owner"))
    _create(
        "binding",
        ("engine_id", "workflow_id", "account_id", "task_id"),
        _number("named_epoch"),
        _number("named_number"),
        _flag("is_vanished"),
        **_with_room(85),
    )
    op.create_index(
        op.f("binding_account_idx"),
        "binding",
        ["brand_id", "account_id", "engine_id", "workflow_id"],
    )
    op.create_index(
        op.f("binding_vanished_idx"),
        "binding",
        ["brand_id", "account_id", "engine_id"],
        postgresql_where=sa.text("is_vanished"),
    )
    _create(
        "holding",
        ("engine_id", "account_id"),
        _number("count"),
        _bytes("digest"),
        _number("allowed_count"),
        _number("vanished_count"),
        _flag("is_named_since"),
        _number("confirmed_version"),
        _flag("confirmed_holds"),
        _number("failed_count"),
        _flag("announced_bound"),
        _flag("announced_allowed"),
        _text("announced_reason", nullable=True),
        sa.CheckConstraint("octet_length(digest) = 32", name=op.f("holding_digest_check")),
        sa.CheckConstraint("count >= 0 AND vanished_count >= 0", name=op.f("holding_counts_check")),
        **_with_room(50),
    )
    op.create_index(op.f("holding_account_idx"), "holding", ["brand_id", "account_id"])
    _create(
        "confirmation",
        ("engine_id", "account_id"),
        _text("confirmation", nullable=True),
        _text("settlement", nullable=True),
    )
    _create("failure", ("engine_id", "account_id", "workflow_id"), _text("reason"))
    op.create_index(op.f("failure_account_idx"), "failure", ["brand_id", "account_id"])
    _create(
        "rollout",
        ("account_id", "version"),
        _number("account_epoch"),
        _text("state"),
        _time("opened_at"),
        _time("deadline"),
        _time("look_at"),
        _json("leases"),
        _json("excused"),
        _number("asked"),
        _time("asked_at"),
        _time("announced_at"),
        _json("view"),
        _time("completed_at", nullable=True),
        _text("proof_sha256", nullable=True),
        **_with_room(70),
    )
    op.create_index(
        op.f("rollout_look_at_idx"),
        "rollout",
        ["look_at"],
        postgresql_where=sa.text("state IN ('open', 'overdue')"),
    )
    op.create_index(
        op.f("rollout_open_idx"),
        "rollout",
        ["brand_id", "account_id"],
        postgresql_where=sa.text("state IN ('open', 'overdue')"),
    )
    op.create_index(op.f("rollout_opened_at_idx"), "rollout", ["brand_id", "opened_at"])
    _create("proof", ("account_id", "version"), _bytes("bundle"))
