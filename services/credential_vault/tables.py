"""The vault's tables. The brand leads every key of what belongs to one."""

from datetime import datetime
from typing import Any

from keyturn_contracts.catalog import Party
from keyturn_contracts.installation import InstallationState
from sqlalchemy import (
    CheckConstraint,
    ColumnElement,
    Index,
    MetaData,
    Text,
    and_,
    exists,
    func,
    or_,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from shared.database.tables import HIDDEN, NAMING_CONVENTION, TYPES
from shared.messaging.tables import ListedRow

IS_LEFT = text("account.state <> 'deleted'")
IS_ENDING = text("installation.state IN ('uninstalling', 'uninstalled')")
"""The conditions of partial indexes, and of the queries that use them: in the same words, because
PostgreSQL proves nothing about a value that is a parameter."""


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING_CONVENTION)
    type_annotation_map = TYPES


def _has_a_brand() -> CheckConstraint:
    return CheckConstraint("brand_id <> ''", name="brand")


class AccountRow(Base):
    """An account. While its state is `adding`, no provider has accepted it yet."""

    __tablename__ = "account"
    __table_args__ = (
        CheckConstraint(
            "state IN ('adding', 'connected', 'needs_attention', 'deleted')", name="state"
        ),
        CheckConstraint("(version = 0) = (state = 'adding')", name="version"),
        CheckConstraint("version <= last_number", name="last_number"),
        Index("account_extension_idx", "brand_id", "extension", "id", postgresql_where=IS_LEFT),
        _has_a_brand(),
    )

    brand_id: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    extension: Mapped[str]
    name: Mapped[str]
    creator: Mapped[str]
    retire: Mapped[str]
    state: Mapped[str]
    reason: Mapped[str | None]
    version: Mapped[int]
    last_number: Mapped[int]
    scheme: Mapped[str]
    settings: Mapped[dict[str, Any]]


class VersionRow(Base):
    """A version without its secrets. It is its own durable job: to be tried, to be retired."""

    __tablename__ = "version"
    __table_args__ = (
        CheckConstraint(
            "status IN ('pending', 'current', 'previous', 'retired', 'refused')", name="status"
        ),
        # One edit at a time, also if a rule were wrong.
        Index(
            "version_pending_key",
            "brand_id",
            "account_id",
            unique=True,
            postgresql_where=text("status = 'pending'"),
        ),
        Index("version_to_try_idx", "try_since", postgresql_where=text("try_since IS NOT NULL")),
        Index("version_to_retire_idx", "retire_at", postgresql_where=text("retire_at IS NOT NULL")),
        _has_a_brand(),
    )

    brand_id: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    status: Mapped[str]
    scheme: Mapped[str]
    settings: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    created_by: Mapped[str]
    created_by_issuer: Mapped[str]
    retires: Mapped[str | None]
    retire: Mapped[str | None]
    promoted_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[str | None]
    ended_by_issuer: Mapped[str | None]
    refusal: Mapped[str | None]
    try_since: Mapped[datetime | None]
    retire_at: Mapped[datetime | None]
    try_due_at: Mapped[datetime | None]
    """When a provider that did not answer is tried again; without it, at once. Jobs alone."""
    claim: Mapped[str | None]
    """Whose work on it counts. Taken by jobs; whatever changes the version takes it away."""
    leased_until: Mapped[datetime | None]
    """Until when nobody else may claim it. Jobs alone."""


class SecretRow(Base):
    """A version's credential fields, encrypted. The row goes when the version is retired."""

    __tablename__ = "secret"
    __table_args__ = (
        _has_a_brand(),
        {
            "comment": HIDDEN,
            # A single dead row is reason enough: what was deleted is to be gone from the table.
            "postgresql_with": {
                "autovacuum_vacuum_threshold": 0,
                "autovacuum_vacuum_scale_factor": 0,
            },
        },
    )

    brand_id: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    key_id: Mapped[str]
    wrapped_key: Mapped[bytes]
    content: Mapped[bytes]


class TransportKeyRow(Base):
    """A key that credentials are sealed to on their way in; its private half encrypted."""

    __tablename__ = "transport_key"
    __table_args__ = (
        {
            "postgresql_with": {
                "autovacuum_vacuum_threshold": 0,
                "autovacuum_vacuum_scale_factor": 0,
            }
        },
    )

    kid: Mapped[str] = mapped_column(primary_key=True)
    public: Mapped[dict[str, Any]]
    key_id: Mapped[str]
    wrapped_key: Mapped[bytes]
    content: Mapped[bytes]
    published_at: Mapped[datetime]
    published_until: Mapped[datetime]
    accepted_until: Mapped[datetime]


class HolderRow(Base):
    """An engine fetched a version that is not retired yet."""

    __tablename__ = "holder"
    __table_args__ = (_has_a_brand(),)

    brand_id: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(primary_key=True)
    engine_id: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    lease_until: Mapped[datetime | None]


class AuditRow(Base):
    """Who did what to which account, and what came of it. Rows are only ever added."""

    __tablename__ = "audit"
    __table_args__ = (_has_a_brand(),)

    brand_id: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    issuer: Mapped[str]
    actor: Mapped[str]
    action: Mapped[str]
    account_id: Mapped[str]
    version: Mapped[int | None]
    engine_id: Mapped[str | None]
    result: Mapped[str]
    reason: Mapped[str | None]


class ExtensionRow(Base):
    """What the catalog announced: how an extension is connected to and tried."""

    __tablename__ = "extension"

    slug: Mapped[str] = mapped_column(primary_key=True)
    party: Mapped[Party] = mapped_column(Text)
    event: Mapped[dict[str, Any]]
    epoch: Mapped[int]
    sequence: Mapped[int]


class LicenceRow(Base):
    """What the catalog announced of a brand's licence. No row: nothing has been said of it."""

    __tablename__ = "licence"
    __table_args__ = (_has_a_brand(),)

    brand_id: Mapped[str] = mapped_column(primary_key=True)
    extensions: Mapped[dict[str, Any]]
    """Its keys are the slugs that it covers."""
    epoch: Mapped[int]
    sequence: Mapped[int]


class InstallationRow(Base):
    """What the installation service announced of one extension of a brand."""

    __tablename__ = "installation"
    __table_args__ = (
        Index(
            "installation_ending_idx",
            "brand_id",
            "extension",
            postgresql_where=IS_ENDING,
        ),
        _has_a_brand(),
    )

    brand_id: Mapped[str] = mapped_column(primary_key=True)
    extension: Mapped[str] = mapped_column(primary_key=True)
    state: Mapped[InstallationState] = mapped_column(Text)
    version: Mapped[int]
    declared: Mapped[dict[str, Any]]
    """By rule, the domains of its manifest that are in force, as they were announced."""
    added: Mapped[dict[str, Any]]
    """The domain rules that the brand added, where it may, each with who did."""
    uninstall_id: Mapped[str | None]
    """Of the uninstallation that is under way, or was the last."""
    epoch: Mapped[int]
    sequence: Mapped[int]


class ClearanceRow(Base):
    """How far the vault has got with an extension's uninstallation, the newest one."""

    __tablename__ = "clearance"
    __table_args__ = (CheckConstraint("accounts >= 0", name="accounts"), _has_a_brand())

    brand_id: Mapped[str] = mapped_column(primary_key=True)
    extension: Mapped[str] = mapped_column(primary_key=True)
    uninstall_id: Mapped[str]
    accounts: Mapped[int]
    """How many accounts were deleted for it."""
    is_done: Mapped[bool]


class EngineRow(Base):
    """What workflow announced of an engine: its keys, its reach, and whether it is retired."""

    __tablename__ = "engine"
    __table_args__ = (_has_a_brand(),)

    brand_id: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    event: Mapped[dict[str, Any]]
    epoch: Mapped[int]
    sequence: Mapped[int]


class HoldingRow(Base):
    """What workflow announced of an engine and an account: whether it may fetch."""

    __tablename__ = "holding"
    __table_args__ = (_has_a_brand(),)

    brand_id: Mapped[str] = mapped_column(primary_key=True)
    engine_id: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(primary_key=True)
    is_allowed: Mapped[bool]
    epoch: Mapped[int]
    sequence: Mapped[int]


class CompletionRow(Base):
    """The newest rollout of an account that workflow announced as completed."""

    __tablename__ = "completion"
    __table_args__ = (
        Index(
            "completion_to_plan_idx",
            "brand_id",
            "account_id",
            postgresql_where=text("NOT is_planned"),
        ),
        _has_a_brand(),
    )

    brand_id: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(primary_key=True)
    account_epoch: Mapped[int]
    version: Mapped[int]
    read_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    is_planned: Mapped[bool]
    """Whether the versions below it have been given the time at which they are retired."""


class OwnershipRow(Base):
    """What access announced of one member and one account: do they own it, and until when."""

    __tablename__ = "ownership"
    __table_args__ = (
        Index(
            "ownership_owner_idx",
            "brand_id",
            "account_id",
            "member",
            postgresql_where=text("is_owner"),
        ),
        Index(
            "ownership_member_idx",
            "brand_id",
            "member",
            "account_id",
            postgresql_where=text("is_owner"),
        ),
        _has_a_brand(),
    )

    brand_id: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(primary_key=True)
    member: Mapped[str] = mapped_column(primary_key=True)
    is_owner: Mapped[bool]
    """Not where they are a user, or where it ended: the row stays, so that no older news wins."""
    until: Mapped[datetime | None]
    epoch: Mapped[int]
    sequence: Mapped[int]


OWNS_NOW: ColumnElement[bool] = and_(
    OwnershipRow.is_owner,
    or_(OwnershipRow.until.is_(None), OwnershipRow.until > func.now()),
    or_(
        ~exists().where(ListedRow.brand_id == OwnershipRow.brand_id).correlate(OwnershipRow),
        exists()
        .where(
            ListedRow.brand_id == OwnershipRow.brand_id,
            ListedRow.id == OwnershipRow.member,
            ListedRow.role.is_not(None),
        )
        .correlate(OwnershipRow),
    ),
)
"""As `keyturn_contracts.rights.owners` has it, for people to see: a member who owns it still."""
