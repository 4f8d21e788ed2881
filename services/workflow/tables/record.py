"""What engines have told: themselves, their workflows, and what they hold."""

from typing import Any

from keyturn_contracts.workflow import EngineKind, EngineState, NotAllowed
from sqlalchemy import CheckConstraint, Index, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from services.workflow.tables.schema import IS_SUSPENDED, Base, has_a_brand


class EngineRow(Base):
    """An engine and its log. Locked first by everything that its commands change."""

    __tablename__ = "engine"
    __table_args__ = (
        has_a_brand(),
        CheckConstraint("octet_length(digest) = 32", name="digest"),
        CheckConstraint("(state = 'retired') = (retirement IS NOT NULL)", name="retirement"),
        # The log moves with every command: room on the page keeps that out of the index.
        {"postgresql_with": {"fillfactor": 50}},
    )

    brand_id: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[EngineKind] = mapped_column(Text)
    state: Mapped[EngineState] = mapped_column(Text)
    epoch: Mapped[int]
    number: Mapped[int]
    list: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    """The whole list that is being told."""
    count: Mapped[int]
    digest: Mapped[bytes]
    uses: Mapped[dict[str, Any]]
    """By extension, as last announced: how many workflows and tasks use accounts of it."""
    registration: Mapped[str]
    """JSON of `keyturn_contracts.proof.SignedCommand`: kept as it was signed."""
    retirement: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))


class WorkflowRow(Base):
    """A workflow that has a binding on record."""

    __tablename__ = "workflow"
    __table_args__ = (
        has_a_brand(),
        Index("workflow_owner_idx", "brand_id", "owner", "engine_id", "id"),
    )

    brand_id: Mapped[str] = mapped_column(primary_key=True)
    engine_id: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    owner: Mapped[str]


class BindingRow(Base):
    """One task of one workflow that uses one account. Whether it is suspended is never stored."""

    __tablename__ = "binding"
    __table_args__ = (
        has_a_brand(),
        Index("binding_account_idx", "brand_id", "account_id", "engine_id", "workflow_id"),
        Index(
            "binding_vanished_idx",
            "brand_id",
            "account_id",
            "engine_id",
            postgresql_where=text("is_vanished"),
        ),
        # A whole list updates what it names: room on the page keeps that out of the indexes.
        {"postgresql_with": {"fillfactor": 85}},
    )

    brand_id: Mapped[str] = mapped_column(primary_key=True)
    engine_id: Mapped[str] = mapped_column(primary_key=True)
    workflow_id: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(primary_key=True)
    task_id: Mapped[str] = mapped_column(primary_key=True)
    named_epoch: Mapped[int]
    named_number: Mapped[int]
    is_vanished: Mapped[bool]


class UsageRow(Base):
    """How many tasks of one owner's workflows use an account in one engine. It is never deleted.

    It is what access is judged by: as many rows as owners, however many bindings there are. It
    changes under the lock of its engine and, shared, of its account, or of the account's alone.
    """

    __tablename__ = "usage"
    __table_args__ = (
        has_a_brand(),
        CheckConstraint("count >= 0", name="count"),
        Index("usage_owner_idx", "brand_id", "owner", "account_id"),
        Index(
            "usage_suspended_idx",
            "brand_id",
            "engine_id",
            "account_id",
            "owner",
            postgresql_where=IS_SUSPENDED,
        ),
        {"postgresql_with": {"fillfactor": 50}},
    )

    brand_id: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(primary_key=True)
    engine_id: Mapped[str] = mapped_column(primary_key=True)
    owner: Mapped[str] = mapped_column(primary_key=True)
    count: Mapped[int]
    changes: Mapped[int]
    reason: Mapped[NotAllowed | None] = mapped_column(Text)
    """Why they are suspended, as they were judged last: what the holding's `suspended` sums up."""


class HoldingRow(Base):
    """What an engine has told of one account and last confirmed. It is never deleted."""

    __tablename__ = "holding"
    __table_args__ = (
        has_a_brand(),
        CheckConstraint("octet_length(digest) = 32", name="digest"),
        CheckConstraint(
            "octet_length(suspended) = 32 AND octet_length(announced_suspended) = 32",
            name="suspended",
        ),
        CheckConstraint("count >= 0 AND vanished_count >= 0", name="counts"),
        Index("holding_account_idx", "brand_id", "account_id"),
        {"postgresql_with": {"fillfactor": 50}},
    )

    brand_id: Mapped[str] = mapped_column(primary_key=True)
    engine_id: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(primary_key=True)
    count: Mapped[int]
    digest: Mapped[bytes]
    allowed_count: Mapped[int]
    vanished_count: Mapped[int]
    is_named_since: Mapped[bool]
    confirmed_version: Mapped[int]
    confirmed_holds: Mapped[bool]
    failed_count: Mapped[int]
    announced_bound: Mapped[bool]
    announced_allowed: Mapped[bool]
    announced_reason: Mapped[str | None]
    suspended: Mapped[bytes]
    """A digest of which of its tasks are suspended, and why; zero where none is."""
    announced_suspended: Mapped[bytes]
    suspensions: Mapped[int]


class ConfirmationRow(Base):
    """The evidence of a holding's confirmation, apart from it: saves do not carry it along."""

    __tablename__ = "confirmation"
    __table_args__ = (has_a_brand(),)

    brand_id: Mapped[str] = mapped_column(primary_key=True)
    engine_id: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(primary_key=True)
    confirmation: Mapped[str | None]
    """JSON of `keyturn_contracts.proof.SignedCommand`: of the confirmed version."""
    settlement: Mapped[str | None]
    """Likewise, of a later confirmation of an earlier version."""


class FailureRow(Base):
    """A workflow that the last confirmation of its holding names as failed; the first 100."""

    __tablename__ = "failure"
    __table_args__ = (has_a_brand(), Index("failure_account_idx", "brand_id", "account_id"))

    brand_id: Mapped[str] = mapped_column(primary_key=True)
    engine_id: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(primary_key=True)
    workflow_id: Mapped[str] = mapped_column(primary_key=True)
    reason: Mapped[str]
