"""Everything that a service keeps about its messages."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def _text(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=nullable)


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=False)


def _bytes(name: str, *, nullable: bool = False) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary(), nullable=nullable)


def _flag(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean(), nullable=False)


def _record() -> tuple[sa.Column, ...]:
    return (
        _bytes("record_key", nullable=True),
        _bytes("record_value", nullable=True),
        _text("record_headers"),
        _number("record_timestamp_ms"),
        _number("record_timestamp_type"),
    )


def _has_a_brand(table: str) -> sa.CheckConstraint:
    return sa.CheckConstraint("brand_id <> ''", name=op.f(f"{table}_brand_check"))


def upgrade() -> None:
    op.create_table(
        "epoch",
        sa.Column("is_the_only_one", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        _number("number"),
        sa.CheckConstraint("is_the_only_one", name=op.f("epoch_only_check")),
        sa.PrimaryKeyConstraint("is_the_only_one", name=op.f("epoch_pkey")),
    )
    op.execute("INSERT INTO epoch (number) VALUES (1)")
    op.create_table(
        "position",
        _text("topic"),
        _number("partition"),
        _number("owner_epoch"),
        _number("next_offset"),
        _text("cluster_id"),
        sa.PrimaryKeyConstraint("topic", "partition", name=op.f("position_pkey")),
    )
    op.create_table(
        "inbox",
        _text("brand_id"),
        _text("issuer"),
        _text("id"),
        _bytes("digest"),
        _text("command"),
        _text("kind"),
        _text("subject_id"),
        _flag("gives_way"),
        _flag("wants_reply"),
        _text("trace_parent", nullable=True),
        _text("outcome", nullable=True),
        _has_a_brand("inbox"),
        sa.PrimaryKeyConstraint("brand_id", "issuer", "id", name=op.f("inbox_pkey")),
        postgresql_partition_by="RANGE (id)",
    )
    op.create_index(
        "inbox_open_idx",
        "inbox",
        ["brand_id", "kind", "subject_id", "command"],
        postgresql_where=sa.text("outcome IS NULL"),
    )
    op.create_table(
        "held",
        _text("topic"),
        _number("partition"),
        _number("offset"),
        _text("brand_id"),
        _text("kind"),
        _text("subject_id"),
        _text("issuer"),
        _text("command_id"),
        _text("command"),
        _text("state"),
        sa.Column("due", sa.DateTime(timezone=True), nullable=True),
        _number("attempts"),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        _text("cause"),
        _flag("is_alone"),
        _flag("is_dropped"),
        *_record(),
        sa.CheckConstraint(
            "state IN ('waits', 'retried', 'parked', 'queued')", name=op.f("held_state_check")
        ),
        sa.CheckConstraint(
            "(due IS NOT NULL) = (state IN ('waits', 'retried'))", name=op.f("held_due_check")
        ),
        _has_a_brand("held"),
        sa.PrimaryKeyConstraint("topic", "partition", "offset", name=op.f("held_pkey")),
        comment="Hidden from readers.",
    )
    op.create_index("held_key_idx", "held", ["brand_id", "kind", "subject_id", "offset"])
    op.create_index("held_due_idx", "held", ["due"], postgresql_where=sa.text("due IS NOT NULL"))
    op.create_index("held_command_id_idx", "held", ["command_id"])
    op.create_table(
        "unreadable",
        _text("topic"),
        _number("partition"),
        _number("offset"),
        sa.Column("noticed_at", sa.DateTime(timezone=True), nullable=False),
        _text("reason"),
        _text("detail"),
        *_record(),
        _flag("is_whole"),
        sa.PrimaryKeyConstraint("topic", "partition", "offset", name=op.f("unreadable_pkey")),
    )
    op.create_index(op.f("unreadable_noticed_at_idx"), "unreadable", ["noticed_at"])
    op.create_table(
        "unreadable_count",
        sa.Column("day", sa.Date(), nullable=False),
        _text("reason"),
        _number("noticed"),
        sa.PrimaryKeyConstraint("day", "reason", name=op.f("unreadable_count_pkey")),
    )
    op.create_table(
        "latest",
        _text("brand_id"),
        _text("kind"),
        _text("subject_id"),
        _number("epoch"),
        _number("sequence"),
        _text("headers"),
        _bytes("value"),
        _has_a_brand("latest"),
        sa.PrimaryKeyConstraint("brand_id", "kind", "subject_id", name=op.f("latest_pkey")),
    )
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        _text("topic"),
        _text("key"),
        _text("headers"),
        _bytes("value"),
        sa.PrimaryKeyConstraint("id", name=op.f("outbox_pkey")),
    )
