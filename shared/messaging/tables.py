"""The tables that every service has for its messages."""

from datetime import date, datetime

from keyturn_contracts.access import MemberRole
from sqlalchemy import CheckConstraint, Identity, Index, MetaData, Text, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from shared.database.tables import HIDDEN, NAMING_CONVENTION, TYPES


class Base(DeclarativeBase):
    """Of these tables alone: a service's own are on a base of its own."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)
    type_annotation_map = TYPES


def _has_a_brand() -> CheckConstraint:
    return CheckConstraint("brand_id <> ''", name="brand")


class EpochRow(Base):
    """The service's epoch, in one row. A restore from a backup raises it, so that its news wins."""

    __tablename__ = "epoch"
    __table_args__ = (CheckConstraint("is_the_only_one", name="only"),)

    is_the_only_one: Mapped[bool] = mapped_column(primary_key=True, server_default=text("true"))
    number: Mapped[int]


class PositionRow(Base):
    """How far a partition has been read, and by whom: an owner with a lower epoch is fenced."""

    __tablename__ = "position"

    topic: Mapped[str] = mapped_column(primary_key=True)
    partition: Mapped[int] = mapped_column(primary_key=True)
    owner_epoch: Mapped[int]
    next_offset: Mapped[int]
    cluster_id: Mapped[str]


class InboxRow(Base):
    """A command that is known. Without an outcome, a job still works on it.

    Partitioned by the day that stands in the id itself, which is a UUIDv7: what is too old to be
    sent again goes a whole day at a time, and an id is unique across all days.
    """

    __tablename__ = "inbox"
    __table_args__ = (
        Index(
            "inbox_open_idx",
            "brand_id",
            "kind",
            "subject_id",
            "command",
            postgresql_where=text("outcome IS NULL"),
        ),
        _has_a_brand(),
        {"postgresql_partition_by": "RANGE (id)"},
    )

    brand_id: Mapped[str] = mapped_column(primary_key=True)
    issuer: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    digest: Mapped[bytes]
    command: Mapped[str]
    kind: Mapped[str]
    subject_id: Mapped[str]
    gives_way: Mapped[bool]
    """Whether a later record of the same id is taken as new: it was only expired."""
    wants_reply: Mapped[bool]
    trace_parent: Mapped[str | None]
    outcome: Mapped[str | None]
    """JSON of `keyturn_contracts.message.Outcome`."""


class HeldRow(Base):
    """A command that cannot be applied now. The first of a key says why; others queue behind it."""

    __tablename__ = "held"
    __table_args__ = (
        Index("held_key_idx", "brand_id", "kind", "subject_id", "offset"),
        Index("held_due_idx", "due", postgresql_where=text("due IS NOT NULL")),
        Index("held_command_id_idx", "command_id"),
        CheckConstraint("state IN ('waits', 'retried', 'parked', 'queued')", name="state"),
        CheckConstraint("(due IS NOT NULL) = (state IN ('waits', 'retried'))", name="due"),
        _has_a_brand(),
        {"comment": HIDDEN},
    )

    topic: Mapped[str] = mapped_column(primary_key=True)
    partition: Mapped[int] = mapped_column(primary_key=True)
    offset: Mapped[int] = mapped_column(primary_key=True)
    brand_id: Mapped[str]
    kind: Mapped[str]
    subject_id: Mapped[str]
    issuer: Mapped[str]
    command_id: Mapped[str]
    command: Mapped[str]
    state: Mapped[str]
    due: Mapped[datetime | None]
    attempts: Mapped[int]
    first_at: Mapped[datetime]
    cause: Mapped[str]
    """A word of a closed set or the name of an error; never what a message says."""
    is_alone: Mapped[bool]
    """Whether it is tried in a transaction of its own: it has failed in the database before."""
    is_dropped: Mapped[bool]
    record_key: Mapped[bytes | None]
    record_value: Mapped[bytes | None]
    record_headers: Mapped[str]
    """JSON: pairs of a name and its value in base64."""
    record_timestamp_ms: Mapped[int]
    record_timestamp_type: Mapped[int]


class UnreadableRow(Base):
    """A record that could not be read or verified, or news that could not be applied."""

    __tablename__ = "unreadable"

    topic: Mapped[str] = mapped_column(primary_key=True)
    partition: Mapped[int] = mapped_column(primary_key=True)
    offset: Mapped[int] = mapped_column(primary_key=True)
    noticed_at: Mapped[datetime] = mapped_column(index=True)
    reason: Mapped[str]
    detail: Mapped[str]
    record_key: Mapped[bytes | None]
    record_value: Mapped[bytes | None]
    record_headers: Mapped[str]
    record_timestamp_ms: Mapped[int]
    record_timestamp_type: Mapped[int]
    is_whole: Mapped[bool]
    """False where the record was too large to be kept; its topic has it for a while."""


class UnreadableCountRow(Base):
    """How many records of a day were unreadable, those that were not kept included."""

    __tablename__ = "unreadable_count"

    day: Mapped[date] = mapped_column(primary_key=True)
    reason: Mapped[str] = mapped_column(primary_key=True)
    noticed: Mapped[int]


class ListedRow(Base):
    """A copy of what the access service announced of a member. One row: the brand has a list."""

    __tablename__ = "listed"
    __table_args__ = (_has_a_brand(),)

    brand_id: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    role: Mapped[MemberRole | None] = mapped_column(Text)
    """None of one who was removed."""
    epoch: Mapped[int]
    sequence: Mapped[int]


class LatestRow(Base):
    """The newest event of each of our own aggregates: the source of a feed or a rebuilt topic."""

    __tablename__ = "latest"
    __table_args__ = (_has_a_brand(),)

    brand_id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    subject_id: Mapped[str] = mapped_column(primary_key=True)
    epoch: Mapped[int]
    sequence: Mapped[int]
    headers: Mapped[str]
    """JSON: an object of the headers as they go on the wire."""
    value: Mapped[bytes]


class OutboxRow(Base):
    """A message to be published. The relay sends it after the commit and deletes it."""

    __tablename__ = "outbox"

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    topic: Mapped[str]
    key: Mapped[str]
    headers: Mapped[str]
    """JSON: an object of the headers as they go on the wire."""
    value: Mapped[bytes]
