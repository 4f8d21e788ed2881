"""The access service's tables. The brand leads every key."""

from datetime import datetime
from typing import Any

from keyturn_contracts.access import (
    EnablementState,
    GrantState,
    HowGranted,
    Level,
    MemberRole,
    MemberState,
    OnLoss,
    WhyEnded,
)
from keyturn_contracts.catalog import Party
from keyturn_contracts.installation import InstallationState
from sqlalchemy import CheckConstraint, Index, MetaData, Text, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from shared.database.tables import NAMING_CONVENTION, TYPES

IS_GRANTED = text("access_grant.state = 'granted'")
IS_OWNED = text("access_grant.state = 'granted' AND access_grant.level = 'owner'")
RUNS_OUT = text("access_grant.state = 'granted' AND access_grant.until IS NOT NULL")
IS_ENABLED = text("enablement.state = 'enabled'")
IS_GATHERING = text("brand.gathers_until IS NOT NULL")
IS_ADMINISTRATOR = text("member.role = 'administrator' AND member.state = 'registered'")
"""The conditions of partial indexes, and of the queries that use them: in the same words, because
PostgreSQL proves nothing about a value that is a parameter."""


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING_CONVENTION)
    type_annotation_map = TYPES


def _has_a_brand() -> CheckConstraint:
    return CheckConstraint("brand_id <> ''", name="brand")


class BrandRow(Base):
    """What is true of a brand as a whole; the first lock that is taken. No row: nothing was said.

    Held alone by who changes its list of members or hands ownership over, shared by all others.
    """

    __tablename__ = "brand"
    __table_args__ = (
        _has_a_brand(),
        Index("brand_gathering_idx", "gathers_until", postgresql_where=IS_GATHERING),
    )

    brand_id: Mapped[str] = mapped_column(primary_key=True)
    has_list: Mapped[bool]
    """Whether somebody was ever registered."""
    gathers_until: Mapped[datetime | None]
    """From then on a job ends what was given before the list began to who was never on it. NULL:
    there is no list, or nothing of that is left."""
    on_loss: Mapped[OnLoss] = mapped_column(Text)


class MemberRow(Base):
    """Somebody who is, or was, on a brand's list."""

    __tablename__ = "member"
    __table_args__ = (
        _has_a_brand(),
        CheckConstraint("role IN ('administrator', 'member')", name="role"),
        CheckConstraint("state IN ('registered', 'removed')", name="state"),
        Index("member_to_end_idx", "brand_id", "id", postgresql_where=text("is_to_end")),
        Index("member_administrator_idx", "brand_id", "id", postgresql_where=IS_ADMINISTRATOR),
    )

    brand_id: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    role: Mapped[MemberRole] = mapped_column(Text)
    state: Mapped[MemberState] = mapped_column(Text)
    is_to_end: Mapped[bool]
    """They were removed, and what they were given is to be ended behind them."""


class GrantRow(Base):
    """What one member, or everyone (`*`), has of one account, or had. Its state is what is told."""

    __tablename__ = "access_grant"
    __table_args__ = (
        _has_a_brand(),
        CheckConstraint("level IN ('user', 'owner')", name="level"),
        CheckConstraint("state IN ('granted', 'ended')", name="state"),
        CheckConstraint("member <> '*' OR level = 'user'", name="everyone"),
        CheckConstraint("(state = 'ended') = (why_ended IS NOT NULL)", name="why_ended"),
        Index("access_grant_member_idx", "brand_id", "member", "account_id"),
        Index(
            "access_grant_alive_idx",
            "brand_id",
            "account_id",
            "member",
            postgresql_where=IS_GRANTED,
        ),
        Index(
            "access_grant_owner_idx",
            "brand_id",
            "account_id",
            "member",
            postgresql_where=IS_OWNED,
        ),
        Index("access_grant_until_idx", "until", postgresql_where=RUNS_OUT),
    )

    brand_id: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(primary_key=True)
    member: Mapped[str] = mapped_column(primary_key=True)
    level: Mapped[Level] = mapped_column(Text)
    state: Mapped[GrantState] = mapped_column(Text)
    how: Mapped[HowGranted] = mapped_column(Text)
    by: Mapped[str]
    since: Mapped[datetime]
    until: Mapped[datetime | None]
    why_ended: Mapped[WhyEnded | None] = mapped_column(Text)


class EnablementRow(Base):
    """Whether one member, or everyone (`*`), may use one extension of a third party."""

    __tablename__ = "enablement"
    __table_args__ = (
        _has_a_brand(),
        CheckConstraint("state IN ('enabled', 'disabled')", name="state"),
        Index("enablement_member_idx", "brand_id", "member", "extension"),
        Index(
            "enablement_alive_idx", "brand_id", "extension", "member", postgresql_where=IS_ENABLED
        ),
    )

    brand_id: Mapped[str] = mapped_column(primary_key=True)
    extension: Mapped[str] = mapped_column(primary_key=True)
    member: Mapped[str] = mapped_column(primary_key=True)
    state: Mapped[EnablementState] = mapped_column(Text)
    by: Mapped[str]
    since: Mapped[datetime]
    why_ended: Mapped[WhyEnded | None] = mapped_column(Text)


class AccountRow(Base):
    """A copy of what the vault announced of an account, and what is still to follow from it."""

    __tablename__ = "account"
    __table_args__ = (
        _has_a_brand(),
        Index("account_extension_idx", "brand_id", "extension", "id"),
        Index("account_to_own_idx", "brand_id", "id", postgresql_where=text("is_to_own")),
        Index("account_to_end_idx", "brand_id", "id", postgresql_where=text("is_to_end")),
    )

    brand_id: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    extension: Mapped[str]
    name: Mapped[str]
    creator: Mapped[str]
    is_deleted: Mapped[bool]
    epoch: Mapped[int]
    sequence: Mapped[int]
    is_created: Mapped[bool]
    """Its creator was made an owner: that happens once."""
    is_to_own: Mapped[bool]
    """It may have no owner: its creator is to become one, or the administrators are."""
    is_to_end: Mapped[bool]
    """It was deleted, and the grants on it are to be ended."""


class InstallationRow(Base):
    """A copy of what was announced of one extension of a brand."""

    __tablename__ = "installation"
    __table_args__ = (
        _has_a_brand(),
        Index(
            "installation_to_end_idx", "brand_id", "extension", postgresql_where=text("is_to_end")
        ),
    )

    brand_id: Mapped[str] = mapped_column(primary_key=True)
    extension: Mapped[str] = mapped_column(primary_key=True)
    party: Mapped[Party] = mapped_column(Text)
    state: Mapped[InstallationState] = mapped_column(Text)
    uninstall_id: Mapped[str | None]
    """Of the uninstallation that is under way, or was the last."""
    epoch: Mapped[int]
    sequence: Mapped[int]
    is_to_end: Mapped[bool]
    """It is being uninstalled, and this service's part of that is not done."""


class ClearanceRow(Base):
    """How far this service has got with an extension's uninstallation, the newest one."""

    __tablename__ = "clearance"
    __table_args__ = (
        _has_a_brand(),
        CheckConstraint("grants >= 0 AND enablements >= 0", name="counts"),
    )

    brand_id: Mapped[str] = mapped_column(primary_key=True)
    extension: Mapped[str] = mapped_column(primary_key=True)
    uninstall_id: Mapped[str]
    grants: Mapped[int]
    enablements: Mapped[int]
    is_done: Mapped[bool]


class EngineRow(Base):
    """A copy of what was announced of an engine: the key that it signs with."""

    __tablename__ = "engine"
    __table_args__ = (_has_a_brand(),)

    brand_id: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    sig: Mapped[dict[str, Any]]
    """A public JWK."""
    is_retired: Mapped[bool]
    epoch: Mapped[int]
    sequence: Mapped[int]


class ChangeRow(Base):
    """That a transaction changed something of a brand that decisions rest on.

    Triggers add it, so that nothing that changes such a row can forget it; with the changes it is
    committed. It is looked at by who remembers decisions, and goes when all of them have seen it.
    """

    __tablename__ = "change"
    __table_args__ = (_has_a_brand(), Index("change_xid_idx", "xid"))

    brand_id: Mapped[str] = mapped_column(primary_key=True)
    xid: Mapped[int] = mapped_column(primary_key=True)
    """The transaction's, all 64 bits of it: what a snapshot shows is told by it."""
    at: Mapped[datetime] = mapped_column(index=True)


class AuditRow(Base):
    """Who did what, to whom, with which account or extension. Rows are only ever added."""

    __tablename__ = "audit"
    __table_args__ = (_has_a_brand(), Index("audit_subject_idx", "brand_id", "subject", "id"))

    brand_id: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    issuer: Mapped[str]
    """Who vouched for the actor; empty where the service acted by itself."""
    actor: Mapped[str]
    action: Mapped[str]
    """The command's name, or what the service did by itself."""
    subject: Mapped[str]
    """As in events: `grants/mail`, `enablements/loud-mail`, `members`."""
    members: Mapped[dict[str, Any]]
    """By member, or `*`, what they became: `owner`, `user`, `ended`, `administrator`, …"""
    why: Mapped[str | None]
