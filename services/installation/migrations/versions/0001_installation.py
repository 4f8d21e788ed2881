"""Installations, consents and domain changes, what is due, and copies of what others announced."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=False)


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=False)


def _flag(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean(), nullable=False)


def _time(name: str) -> sa.Column:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False)


def _json(name: str, *, nullable: bool = False) -> sa.Column:
    return sa.Column(name, JSONB(none_as_null=nullable), nullable=nullable)


def _place() -> tuple[sa.Column[int], ...]:
    return _number("epoch"), _number("sequence")


def _create(
    table: str, key: tuple[str, ...], *parts: sa.schema.SchemaItem, comment: str | None = None
) -> None:
    of_a_brand = (
        (sa.CheckConstraint("brand_id <> ''", name=op.f(f"{table}_brand_check")),)
        if "brand_id" in key
        else ()
    )
    op.create_table(
        table,
        *map(_text, key),
        *parts,
        *of_a_brand,
        sa.PrimaryKeyConstraint(*key, name=op.f(f"{table}_pkey")),
        comment=comment,
    )


def upgrade() -> None:
    _create(
        "installation",
        ("brand_id", "extension"),
        _text("state"),
        _flag("is_implicit"),
        _json("in_force"),
        _json("added"),
        _json("hosts"),
        _number("hosts_left_out"),
        _json("domains"),
        _number("domains_revision"),
        _json("consent", nullable=True),
        _json("proposed", nullable=True),
        _json("uninstallation", nullable=True),
        sa.CheckConstraint(
            "state IN ('installed', 'suspended', 'uninstalling', 'uninstalled')",
            name=op.f("installation_state_check"),
        ),
        sa.CheckConstraint(
            "state NOT IN ('uninstalling', 'uninstalled') OR uninstallation IS NOT NULL",
            name=op.f("installation_uninstallation_check"),
        ),
        sa.CheckConstraint(
            "is_implicit OR consent IS NOT NULL", name=op.f("installation_consent_check")
        ),
        sa.CheckConstraint(
            "domains_revision > 0", name=op.f("installation_domains_revision_check")
        ),
    )
    op.create_index("installation_extension_idx", "installation", ["extension"])
    _create(
        "consent",
        ("brand_id", "extension", "issuer", "id"),
        _time("at"),
        _text("by"),
        _text("digest"),
        _json("review"),
    )
    _create(
        "domain_change",
        ("brand_id", "extension", "id"),
        _text("rule"),
        _text("what"),
        _time("at"),
        _text("issuer"),
        _text("by"),
        _text("reason"),
        _number("revision"),
        sa.CheckConstraint("what IN ('added', 'removed')", name=op.f("domain_change_what_check")),
    )
    _create("due", ("brand_id", "extension", "cause"), _time("due_at"))
    op.create_index("due_due_at_idx", "due", ["due_at"])
    _create_copies()


def _create_copies() -> None:
    _create(
        "extension",
        ("slug",),
        _flag("is_offered"),
        _json("event"),
        *_place(),
        comment="Readable for every brand.",
    )
    _create("review", ("extension", "digest"), _json("review"))
    _create("licence", ("brand_id",), _json("extensions"), *_place())
    op.create_index("licence_extensions_idx", "licence", ["extensions"], postgresql_using="gin")
    _create(
        "account",
        ("brand_id", "id"),
        _text("extension"),
        _text("name"),
        _text("creator"),
        _flag("is_deleted"),
        _json("settings"),
        *_place(),
    )
    op.create_index("account_extension_idx", "account", ["brand_id", "extension", "id"])
    _create(
        "engine", ("brand_id", "id"), _text("name"), _flag("is_retired"), _json("uses"), *_place()
    )
    _create(
        "clearance",
        ("brand_id", "extension", "service"),
        _text("uninstall_id"),
        _flag("is_done"),
        _number("count"),
        *_place(),
    )
