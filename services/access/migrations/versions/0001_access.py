"""Members, grants, enablements, copies of what others announced, and the audit."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None

_GRANTED = "state = 'granted'"
_ENABLED = "state = 'enabled'"

_DECISIVE = ("brand", "member", "access_grant", "enablement", "account", "installation")
"""What decisions rest on."""
# By the time a trigger runs its transaction has an id, and draws its numbers after that: of whoever
# has drawn one, everybody who looks later knows whether they are still at work.
_NOTE_CHANGE = """
CREATE FUNCTION note_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO change (brand_id, xid, revision, at)
  SELECT brand_id, pg_current_xact_id()::text::bigint, nextval('outbox_id_seq'), clock_timestamp()
    FROM (SELECT DISTINCT brand_id FROM changed) AS brands
  ON CONFLICT (brand_id, xid) DO NOTHING;
  RETURN NULL;
END
$$
"""


def _text(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=nullable)


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=False)


def _flag(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean(), nullable=False)


def _time(name: str, *, nullable: bool = False) -> sa.Column:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _check(table: str, name: str, condition: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(condition, name=op.f(f"{table}_{name}_check"))


def _create(
    table: str, key: tuple[str, ...], *parts: sa.schema.SchemaItem, comment: str | None = None
) -> None:
    op.create_table(
        table,
        *map(_text, key),
        *parts,
        _check(table, "brand", "brand_id <> ''"),
        sa.PrimaryKeyConstraint(*key, name=op.f(f"{table}_pkey")),
        comment=comment,
    )


def _index(table: str, name: str, columns: list[str], where: str | None = None) -> None:
    op.create_index(
        f"{table}_{name}_idx",
        table,
        columns,
        postgresql_where=sa.text(where) if where is not None else None,
    )


def upgrade() -> None:
    _create("brand", ("brand_id",), _flag("has_list"), _text("on_loss"))
    _create(
        "member",
        ("brand_id", "id"),
        _text("name"),
        _text("role"),
        _text("state"),
        _flag("is_to_end"),
        _check("member", "role", "role IN ('administrator', 'member')"),
        _check("member", "state", "state IN ('registered', 'removed')"),
    )
    _index("member", "to_end", ["brand_id", "id"], "is_to_end")
    _index(
        "member",
        "administrator",
        ["brand_id", "id"],
        "role = 'administrator' AND state = 'registered'",
    )
    _create_grants()
    _create_copies()
    _create(
        "audit",
        ("brand_id", "id"),
        _time("at"),
        _text("issuer"),
        _text("actor"),
        _text("action"),
        _text("subject"),
        sa.Column("members", JSONB(), nullable=False),
        _text("why", nullable=True),
    )
    _index("audit", "subject", ["brand_id", "subject", "id"])
    _create_changes()


def _create_changes() -> None:
    op.create_table(
        "change",
        _text("brand_id"),
        _number("xid"),
        _number("revision"),
        _time("at"),
        _check("change", "brand", "brand_id <> ''"),
        sa.PrimaryKeyConstraint("brand_id", "xid", name=op.f("change_pkey")),
    )
    _index("change", "xid", ["xid"])
    _index("change", "at", ["at"])
    op.execute(_NOTE_CHANGE)
    for table in _DECISIVE:
        for verb, rows in (("INSERT", "NEW"), ("UPDATE", "NEW"), ("DELETE", "OLD")):
            op.execute(
                f"CREATE TRIGGER note_{verb.lower()} AFTER {verb} ON {table}"
                f" REFERENCING {rows} TABLE AS changed"
                " FOR EACH STATEMENT EXECUTE FUNCTION note_change()"
            )


def _create_grants() -> None:
    _create(
        "access_grant",
        ("brand_id", "account_id", "member"),
        _text("level"),
        _text("state"),
        _text("how"),
        _text("by"),
        _time("since"),
        _time("until", nullable=True),
        _text("why_ended", nullable=True),
        _check("access_grant", "level", "level IN ('user', 'owner')"),
        _check("access_grant", "state", "state IN ('granted', 'ended')"),
        _check("access_grant", "everyone", "member <> '*' OR level = 'user'"),
        _check("access_grant", "why_ended", "(state = 'ended') = (why_ended IS NOT NULL)"),
    )
    _index("access_grant", "member", ["brand_id", "member", "account_id"])
    _index("access_grant", "alive", ["brand_id", "account_id", "member"], _GRANTED)
    _index(
        "access_grant",
        "owner",
        ["brand_id", "account_id", "member"],
        f"{_GRANTED} AND level = 'owner'",
    )
    _index("access_grant", "until", ["until"], f"{_GRANTED} AND until IS NOT NULL")
    _create(
        "enablement",
        ("brand_id", "extension", "member"),
        _text("state"),
        _text("by"),
        _time("since"),
        _text("why_ended", nullable=True),
        _check("enablement", "state", "state IN ('enabled', 'disabled')"),
    )
    _index("enablement", "member", ["brand_id", "member", "extension"])
    _index("enablement", "alive", ["brand_id", "extension", "member"], _ENABLED)


def _create_copies() -> None:
    _create(
        "account",
        ("brand_id", "id"),
        _text("extension"),
        _text("name"),
        _text("creator"),
        _flag("is_deleted"),
        _number("epoch"),
        _number("sequence"),
        _flag("is_created"),
        _flag("is_to_own"),
        _flag("is_to_end"),
    )
    _index("account", "extension", ["brand_id", "extension", "id"])
    _index("account", "to_own", ["brand_id", "id"], "is_to_own")
    _index("account", "to_end", ["brand_id", "id"], "is_to_end")
    _create(
        "installation",
        ("brand_id", "extension"),
        _text("party"),
        _text("state"),
        _text("uninstall_id", nullable=True),
        _number("epoch"),
        _number("sequence"),
        _flag("is_to_end"),
    )
    _index("installation", "to_end", ["brand_id", "extension"], "is_to_end")
    _create(
        "clearance",
        ("brand_id", "extension"),
        _text("uninstall_id"),
        _number("grants"),
        _number("enablements"),
        _flag("is_done"),
        _check("clearance", "counts", "grants >= 0 AND enablements >= 0"),
    )
    _create(
        "engine",
        ("brand_id", "id"),
        sa.Column("sig", JSONB(), nullable=False),
        _flag("is_retired"),
        _number("epoch"),
        _number("sequence"),
    )
