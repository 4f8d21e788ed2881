"""What a brand may use, what engines use of it, and how far uninstallations have got."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0002"
down_revision = "0001"


def _text(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=nullable)


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=False)


def _flag(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean(), nullable=False)


def _time(name: str, *, nullable: bool = False) -> sa.Column:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _create(
    table: str, key: tuple[str, ...], *parts: sa.schema.SchemaItem, **options: object
) -> None:
    op.create_table(
        table,
        *map(_text, ("brand_id", *key)),
        *parts,
        sa.CheckConstraint("brand_id <> ''", name=op.f(f"{table}_brand_check")),
        sa.PrimaryKeyConstraint("brand_id", *key, name=op.f(f"{table}_pkey")),
        **options,
    )


def upgrade() -> None:
    _create_copies()
    _create_records()
    op.add_column("engine", sa.Column("uses", JSONB(), nullable=False, server_default="{}"))
    op.alter_column("engine", "uses", server_default=None)
    op.add_column("account", _text("barred", nullable=True))
    # Nothing has been said of any licence yet: what is used comes back with the news of it.
    op.execute(
        "UPDATE account SET barred = 'not_licensed', is_to_judge = true WHERE state <> 'unknown'"
    )
    op.create_index("account_extension_idx", "account", ["brand_id", "extension", "id"])


def _create_copies() -> None:
    _create(
        "licence",
        (),
        sa.Column("extensions", JSONB(), nullable=False),
        _number("epoch"),
        _number("sequence"),
        _flag("is_to_follow"),
    )
    _create(
        "installation",
        ("extension",),
        _text("state"),
        _flag("is_implicit"),
        _flag("is_preview"),
        _text("uninstall_id", nullable=True),
        _time("uninstalled_at", nullable=True),
        _number("epoch"),
        _number("sequence"),
        _flag("is_to_follow"),
    )
    for table, key in (("licence", ["brand_id"]), ("installation", ["brand_id", "extension"])):
        op.create_index(
            f"{table}_to_follow_idx", table, key, postgresql_where=sa.text("is_to_follow")
        )
    op.create_index(
        "installation_uninstalling_idx",
        "installation",
        ["brand_id", "extension"],
        postgresql_where=sa.text("installation.state = 'uninstalling'"),
    )


def _create_records() -> None:
    _create(
        "clearance",
        ("extension",),
        _text("uninstall_id"),
        _number("tasks"),
        _flag("is_done"),
        sa.CheckConstraint("tasks >= 0", name=op.f("clearance_tasks_check")),
    )
    _create(
        "recount",
        ("engine_id",),
        _number("changes"),
        _number("counted"),
        _time("due_at"),
        postgresql_with={"fillfactor": 50},
    )
    op.create_index(
        "recount_due_idx",
        "recount",
        ["due_at"],
        postgresql_where=sa.text("recount.changes > recount.counted"),
    )
    # What was told before is counted once.
    op.execute(
        "INSERT INTO recount (brand_id, engine_id, changes, counted, due_at) "
        "SELECT brand_id, id, 1, 0, now() FROM engine WHERE state = 'registered'"
    )
