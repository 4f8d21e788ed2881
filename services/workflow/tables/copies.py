"""Copies of what other services announced."""

from datetime import datetime
from typing import Any

from keyturn_contracts.access import EnablementState, GrantState, Level, OnLoss
from keyturn_contracts.catalog import Party
from keyturn_contracts.installation import InstallationState
from sqlalchemy import Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from services.workflow.tables.schema import IS_ENDING, IS_UNINSTALLING, Base, has_a_brand


class AccountRow(Base):
    """A copy of what the vault announced of an account, and what follows from it.

    Its lock is what a rollout is closed under. An account that an engine names before its news has
    come has a row as well, so that there is something to lock.
    """

    __tablename__ = "account"
    __table_args__ = (
        has_a_brand(),
        Index("account_to_open_idx", "brand_id", "id", postgresql_where=text("is_to_open")),
        Index("account_to_judge_idx", "brand_id", "id", postgresql_where=text("is_to_judge")),
        Index("account_extension_idx", "brand_id", "extension", "id"),
        {"postgresql_with": {"fillfactor": 70}},
    )

    brand_id: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    epoch: Mapped[int]
    sequence: Mapped[int]
    extension: Mapped[str]
    state: Mapped[str]
    version: Mapped[int]
    barred: Mapped[str | None]
    """Why nobody of the brand may use its extension: what is known of licence and installation."""
    party: Mapped[Party] = mapped_column(Text)
    """By whom its extension is, as its installation says: a third party's is enabled for members.
    Until that is known, it is taken for one."""
    holders: Mapped[dict[str, Any]]
    """By engine, the end of its last lease or null."""
    opened_version: Mapped[int] = mapped_column(server_default=text("1"))
    """The newest version that a rollout was opened for. Version 1 needs none: there is no older."""
    is_to_open: Mapped[bool]
    """Its version is newer than that. A column, because PostgreSQL knows how many are true, and
    would take a third for a comparison."""
    is_to_judge: Mapped[bool] = mapped_column(server_default=text("false"))
    """News may have changed who may use it: its holdings are to be judged again."""


class LicenceRow(Base):
    """A copy of a brand's licence. No row: nothing has been said of it."""

    __tablename__ = "licence"
    __table_args__ = (
        has_a_brand(),
        Index("licence_to_follow_idx", "brand_id", postgresql_where=text("is_to_follow")),
    )

    brand_id: Mapped[str] = mapped_column(primary_key=True)
    extensions: Mapped[dict[str, Any]]
    """Its keys are the slugs that it covers."""
    epoch: Mapped[int]
    sequence: Mapped[int]
    is_to_follow: Mapped[bool]
    """The brand's accounts have not been barred or let in by it yet."""


class InstallationRow(Base):
    """A copy of what was announced of one extension of a brand."""

    __tablename__ = "installation"
    __table_args__ = (
        has_a_brand(),
        Index(
            "installation_to_follow_idx",
            "brand_id",
            "extension",
            postgresql_where=text("is_to_follow"),
        ),
        Index(
            "installation_uninstalling_idx",
            "brand_id",
            "extension",
            postgresql_where=IS_UNINSTALLING,
        ),
    )

    brand_id: Mapped[str] = mapped_column(primary_key=True)
    extension: Mapped[str] = mapped_column(primary_key=True)
    state: Mapped[InstallationState] = mapped_column(Text)
    party: Mapped[Party] = mapped_column(Text)
    is_implicit: Mapped[bool]
    is_preview: Mapped[bool]
    uninstall_id: Mapped[str | None]
    """Of the uninstallation that is under way, or was the last."""
    uninstalled_at: Mapped[datetime | None]
    """When that one was begun."""
    deleted_for_it: Mapped[int | None]
    """How many accounts the vault has deleted for that one; None until these are all of them."""
    epoch: Mapped[int]
    sequence: Mapped[int]
    is_to_follow: Mapped[bool]
    """As of a licence."""


class PolicyRow(Base):
    """A copy of what a brand chose for tasks without access. No row: they are suspended."""

    __tablename__ = "policy"
    __table_args__ = (has_a_brand(),)

    brand_id: Mapped[str] = mapped_column(primary_key=True)
    on_loss: Mapped[OnLoss] = mapped_column(Text)
    epoch: Mapped[int]
    sequence: Mapped[int]


class GrantRow(Base):
    """A copy of what was announced of one member, or everyone (`*`), and one account."""

    __tablename__ = "access_grant"
    __table_args__ = (
        has_a_brand(),
        Index("access_grant_member_idx", "brand_id", "member", "account_id"),
        Index("access_grant_until_idx", "until", postgresql_where=IS_ENDING),
    )

    brand_id: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(primary_key=True)
    member: Mapped[str] = mapped_column(primary_key=True)
    level: Mapped[Level] = mapped_column(Text)
    state: Mapped[GrantState] = mapped_column(Text)
    until: Mapped[datetime | None]
    is_over: Mapped[bool] = mapped_column(server_default=text("false"))
    """That moment has passed, and the account is judged again for it, announced or not."""
    epoch: Mapped[int]
    sequence: Mapped[int]


class EnablementRow(Base):
    """A copy of what was announced of one member, or everyone (`*`), and one extension."""

    __tablename__ = "enablement"
    __table_args__ = (has_a_brand(),)

    brand_id: Mapped[str] = mapped_column(primary_key=True)
    extension: Mapped[str] = mapped_column(primary_key=True)
    member: Mapped[str] = mapped_column(primary_key=True)
    state: Mapped[EnablementState] = mapped_column(Text)
    epoch: Mapped[int]
    sequence: Mapped[int]


class ReceiptRow(Base):
    """A copy: what the vault announced of the receipt of a version that an engine fetched."""

    __tablename__ = "receipt"
    __table_args__ = (has_a_brand(),)

    brand_id: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(primary_key=True)
    engine_id: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    epoch: Mapped[int]
    sequence: Mapped[int]
    receipt_sha256: Mapped[str]
