"""Who may use what, as access announces it, and how much each owner's workflows use."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=False)


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=False)


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
    _create_usage()
    _extend_holdings()
    _tell_parties_apart()
    op.add_column("installation", sa.Column("deleted_for_it", sa.BigInteger(), nullable=True))
    # Nobody has been given anything yet: what is used comes back with the news of access.
    op.drop_column("account", "creator")
    op.execute("UPDATE account SET is_to_judge = true WHERE state <> 'unknown'")


def _create_copies() -> None:
    _create("policy", (), _text("on_loss"), _number("epoch"), _number("sequence"))
    _create(
        "access_grant",
        ("account_id", "member"),
        _text("level"),
        _text("state"),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("is_over", sa.Boolean(), nullable=False, server_default="false"),
        _number("epoch"),
        _number("sequence"),
    )
    op.create_index("access_grant_member_idx", "access_grant", ["brand_id", "member", "account_id"])
    op.create_index(
        "access_grant_until_idx",
        "access_grant",
        ["until"],
        postgresql_where=sa.text("state = 'granted' AND until IS NOT NULL AND NOT is_over"),
    )
    _create(
        "enablement",
        ("extension", "member"),
        _text("state"),
        _number("epoch"),
        _number("sequence"),
    )
    _create(
        "concern",
        ("account_id", "member", "extension"),
        _number("times"),
        postgresql_with={"fillfactor": 50},
    )


def _create_usage() -> None:
    _create(
        "usage",
        ("account_id", "engine_id", "owner"),
        _number("count"),
        _number("changes"),
        sa.CheckConstraint("count >= 0", name=op.f("usage_count_check")),
        postgresql_with={"fillfactor": 50},
    )
    op.execute(
        "INSERT INTO usage (brand_id, account_id, engine_id, owner, count, changes) "
        "SELECT b.brand_id, b.account_id, b.engine_id, w.owner, count(*), 0 FROM binding b "
        "JOIN workflow w ON w.brand_id = b.brand_id AND w.engine_id = b.engine_id "
        "AND w.id = b.workflow_id WHERE NOT b.is_vanished "
        "GROUP BY b.brand_id, b.account_id, b.engine_id, w.owner"
    )
    op.create_index("usage_owner_idx", "usage", ["brand_id", "owner", "account_id"])
    op.create_index("workflow_owner_idx", "workflow", ["brand_id", "owner", "engine_id", "id"])


def _extend_holdings() -> None:
    nothing = sa.text(r"'\x" + "00" * 32 + "'")
    for name in ("suspended", "announced_suspended"):
        op.add_column(
            "holding", sa.Column(name, sa.LargeBinary(), nullable=False, server_default=nothing)
        )
        op.alter_column("holding", name, server_default=None)
    op.create_check_constraint(
        op.f("holding_suspended_check"),
        "holding",
        "octet_length(suspended) = 32 AND octet_length(announced_suspended) = 32",
    )
    op.add_column(
        "holding", sa.Column("suspensions", sa.BigInteger(), nullable=False, server_default="0")
    )
    op.alter_column("holding", "suspensions", server_default=None)


def _tell_parties_apart() -> None:
    op.add_column("account", sa.Column("party", sa.Text(), nullable=False, server_default="third"))
    op.alter_column("account", "party", server_default=None)
    op.add_column("installation", sa.Column("party", sa.Text(), nullable=True))
    # What comes with a licence is a first party's, and nothing else is.
    op.execute(
        "UPDATE installation SET party = CASE WHEN is_implicit THEN 'first' ELSE 'third' END"
    )
    op.alter_column("installation", "party", nullable=False)
    # The job for that has accounts follow.
    op.execute("UPDATE licence SET is_to_follow = true")
