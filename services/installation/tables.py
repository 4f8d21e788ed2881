"""The installation service's tables. The brand leads every key of what belongs to one."""

from datetime import datetime
from typing import Any

from keyturn_contracts.installation import InstallationState
from sqlalchemy import CheckConstraint, Index, MetaData, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from shared.database.tables import NAMING_CONVENTION, SHARED, TYPES


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING_CONVENTION)
    type_annotation_map = TYPES | {list[Any]: JSONB()}


def _has_a_brand() -> CheckConstraint:
    return CheckConstraint("brand_id <> ''", name="brand")


class InstallationRow(Base):
    """One extension of one brand. It stays when it was uninstalled: its revision goes on."""

    __tablename__ = "installation"
    __table_args__ = (
        CheckConstraint(
            "state IN ('installed', 'suspended', 'uninstalling', 'uninstalled')", name="state"
        ),
        CheckConstraint(
            "state NOT IN ('uninstalling', 'uninstalled') OR uninstallation IS NOT NULL",
            name="uninstallation",
        ),
        CheckConstraint("is_implicit OR consent IS NOT NULL", name="consent"),
        CheckConstraint("domains_revision > 0", name="domains_revision"),
        Index("installation_extension_idx", "extension"),
        _has_a_brand(),
    )

    brand_id: Mapped[str] = mapped_column(primary_key=True)
    extension: Mapped[str] = mapped_column(primary_key=True)
    state: Mapped[InstallationState] = mapped_column(Text)
    is_implicit: Mapped[bool]
    in_force: Mapped[dict[str, Any]]
    """A `rules.review.Review`: kept here, so that no news can change what was accepted."""
    added: Mapped[list[Any]]
    hosts: Mapped[list[Any]]
    hosts_left_out: Mapped[int]
    domains: Mapped[list[Any]]
    domains_revision: Mapped[int]
    consent: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    """The newest one."""
    proposed: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    uninstallation: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))


class ConsentRow(Base):
    """Who accepted what, and when. Rows are only ever added, and kept for ever."""

    __tablename__ = "consent"
    __table_args__ = (_has_a_brand(),)

    brand_id: Mapped[str] = mapped_column(primary_key=True)
    extension: Mapped[str] = mapped_column(primary_key=True)
    issuer: Mapped[str] = mapped_column(primary_key=True)
    """Who vouched for the one that accepted; with it the command's id is unique."""
    id: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    by: Mapped[str]
    digest: Mapped[str]
    review: Mapped[dict[str, Any]]
    """All that was accepted: version, domains, permissions, terms."""
    suffix_list: Mapped[str | None]
    """By what its domains were judged; null where that was not recorded yet."""


class DomainChangeRow(Base):
    """A domain that the brand added or removed: who, why, and what it led to. Only ever added."""

    __tablename__ = "domain_change"
    __table_args__ = (
        CheckConstraint("what IN ('added', 'removed')", name="what"),
        _has_a_brand(),
    )

    brand_id: Mapped[str] = mapped_column(primary_key=True)
    extension: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    """Made when it is written: later ones sort behind."""
    rule: Mapped[str]
    what: Mapped[str]
    at: Mapped[datetime]
    issuer: Mapped[str]
    by: Mapped[str]
    reason: Mapped[str]
    revision: Mapped[int]
    suffix_list: Mapped[str | None]
    """By what it was judged; null where that was not recorded yet."""


class DueRow(Base):
    """An installation that something may concern: it is to be looked at, and then the row goes.

    News about an extension (`platform` and its slug) or about a licence (a brand and no slug) is
    spread over the installations that it concerns first.
    """

    __tablename__ = "due"
    __table_args__ = (Index("due_due_at_idx", "due_at"), _has_a_brand())

    brand_id: Mapped[str] = mapped_column(primary_key=True)
    extension: Mapped[str] = mapped_column(primary_key=True)
    cause: Mapped[str] = mapped_column(primary_key=True)
    """Who writes it: two writers of the same row would wait for each other in two orders."""
    due_at: Mapped[datetime]


class ExtensionRow(Base):
    """A copy: what the catalog announced of an extension."""

    __tablename__ = "extension"
    __table_args__ = ({"comment": SHARED},)

    slug: Mapped[str] = mapped_column(primary_key=True)
    is_offered: Mapped[bool]
    """It is the platform's own and was not retired: whoever is licensed has it."""
    event: Mapped[dict[str, Any]]
    epoch: Mapped[int]
    sequence: Mapped[int]


class ReviewRow(Base):
    """A review that may have been shown: what a stale digest was of. Only ever added."""

    __tablename__ = "review"

    extension: Mapped[str] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(primary_key=True)
    review: Mapped[dict[str, Any]]


class LicenceRow(Base):
    """A copy: what a brand may have, as the catalog announced it."""

    __tablename__ = "licence"
    __table_args__ = (
        Index("licence_extensions_idx", "extensions", postgresql_using="gin"),
        _has_a_brand(),
    )

    brand_id: Mapped[str] = mapped_column(primary_key=True)
    extensions: Mapped[list[Any]]
    epoch: Mapped[int]
    sequence: Mapped[int]


class AccountRow(Base):
    """A copy: what the vault announced of an account. A deleted one stays: its news still wins."""

    __tablename__ = "account"
    __table_args__ = (
        Index("account_extension_idx", "brand_id", "extension", "id"),
        _has_a_brand(),
    )

    brand_id: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    extension: Mapped[str]
    name: Mapped[str]
    creator: Mapped[str]
    is_deleted: Mapped[bool]
    settings: Mapped[dict[str, Any]]
    epoch: Mapped[int]
    sequence: Mapped[int]


class EngineRow(Base):
    """A copy: how much an engine uses of which extension, as the workflow service announced it."""

    __tablename__ = "engine"
    __table_args__ = (_has_a_brand(),)

    brand_id: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    is_retired: Mapped[bool]
    uses: Mapped[dict[str, Any]]
    """By extension, how many workflows and tasks, and the fingerprint of which they are."""
    epoch: Mapped[int]
    sequence: Mapped[int]


class ClearanceRow(Base):
    """A copy: what a participant announced of its part of an uninstallation."""

    __tablename__ = "clearance"
    __table_args__ = (_has_a_brand(),)

    brand_id: Mapped[str] = mapped_column(primary_key=True)
    extension: Mapped[str] = mapped_column(primary_key=True)
    service: Mapped[str] = mapped_column(primary_key=True)
    uninstall_id: Mapped[str]
    is_done: Mapped[bool]
    count: Mapped[int]
    epoch: Mapped[int]
    sequence: Mapped[int]
