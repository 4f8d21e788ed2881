"""The workflow service's tables. The brand leads every key."""

from datetime import datetime
from typing import Any

from keyturn_contracts.access import EnablementState, GrantState, Level, OnLoss
from keyturn_contracts.catalog import Party
from keyturn_contracts.installation import InstallationState
from keyturn_contracts.workflow import EngineKind, EngineState, RolloutState
from sqlalchemy import CheckConstraint, Index, MetaData, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from shared.database.tables import NAMING_CONVENTION, TYPES

UNKNOWN = "unknown"
"""The state of an account whose news has not come: a row to lock, and nothing else."""


IS_OPEN = text("rollout.state IN ('open', 'overdue')")
IS_UNINSTALLING = text("installation.state = 'uninstalling'")
IS_TO_COUNT = text("recount.changes > recount.counted")
"""The conditions of partial indexes, and of the queries that use them: in the same words, because
PostgreSQL proves nothing about a value that is a parameter."""


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING_CONVENTION)
    type_annotation_map = TYPES


def _has_a_brand() -> CheckConstraint:
    return CheckConstraint("brand_id <> ''", name="brand")


class EngineRow(Base):
    """An engine and its log. Locked first by everything that its commands change."""

    __tablename__ = "engine"
    __table_args__ = (
        _has_a_brand(),
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


class AccountRow(Base):
    """A copy of what the vault announced of an account, and what follows from it.

    Its lock is what a rollout is closed under. An account that an engine names before its news has
    come has a row as well, so that there is something to lock.
    """

    __tablename__ = "account"
    __table_args__ = (
        _has_a_brand(),
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
        _has_a_brand(),
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
        _has_a_brand(),
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
    epoch: Mapped[int]
    sequence: Mapped[int]
    is_to_follow: Mapped[bool]
    """As of a licence."""


class PolicyRow(Base):
    """A copy of what a brand chose for tasks without access. No row: they are suspended."""

    __tablename__ = "policy"
    __table_args__ = (_has_a_brand(),)

    brand_id: Mapped[str] = mapped_column(primary_key=True)
    on_loss: Mapped[OnLoss] = mapped_column(Text)
    epoch: Mapped[int]
    sequence: Mapped[int]


class GrantRow(Base):
    """A copy of what was announced of one member, or everyone (`*`), and one account."""

    __tablename__ = "access_grant"
    __table_args__ = (
        _has_a_brand(),
        Index("access_grant_member_idx", "brand_id", "member", "account_id"),
    )

    brand_id: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(primary_key=True)
    member: Mapped[str] = mapped_column(primary_key=True)
    level: Mapped[Level] = mapped_column(Text)
    state: Mapped[GrantState] = mapped_column(Text)
    until: Mapped[datetime | None]
    epoch: Mapped[int]
    sequence: Mapped[int]


class EnablementRow(Base):
    """A copy of what was announced of one member, or everyone (`*`), and one extension."""

    __tablename__ = "enablement"
    __table_args__ = (_has_a_brand(),)

    brand_id: Mapped[str] = mapped_column(primary_key=True)
    extension: Mapped[str] = mapped_column(primary_key=True)
    member: Mapped[str] = mapped_column(primary_key=True)
    state: Mapped[EnablementState] = mapped_column(Text)
    epoch: Mapped[int]
    sequence: Mapped[int]


class ConcernRow(Base):
    """What news of access was about, until the accounts that it concerns are marked.

    What is empty stands for whichever: a member alone for all that their workflows use, a brand
    alone for all its accounts.
    """

    __tablename__ = "concern"
    __table_args__ = (_has_a_brand(), {"postgresql_with": {"fillfactor": 50}})

    brand_id: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(primary_key=True)
    member: Mapped[str] = mapped_column(primary_key=True)
    extension: Mapped[str] = mapped_column(primary_key=True)
    times: Mapped[int]
    """How often: news that comes while accounts are being marked has them marked once more."""


class ClearanceRow(Base):
    """How far this service has got with an extension's uninstallation, the newest one."""

    __tablename__ = "clearance"
    __table_args__ = (_has_a_brand(), CheckConstraint("tasks >= 0", name="tasks"))

    brand_id: Mapped[str] = mapped_column(primary_key=True)
    extension: Mapped[str] = mapped_column(primary_key=True)
    uninstall_id: Mapped[str]
    tasks: Mapped[int]
    is_done: Mapped[bool]


class RecountRow(Base):
    """How often an engine's bindings changed, and up to where its extensions were counted."""

    __tablename__ = "recount"
    __table_args__ = (
        _has_a_brand(),
        Index("recount_due_idx", "due_at", postgresql_where=IS_TO_COUNT),
        {"postgresql_with": {"fillfactor": 50}},
    )

    brand_id: Mapped[str] = mapped_column(primary_key=True)
    engine_id: Mapped[str] = mapped_column(primary_key=True)
    changes: Mapped[int]
    counted: Mapped[int]
    due_at: Mapped[datetime]
    """When it may be counted again, if there is anything new to count."""


class ReceiptRow(Base):
    """A copy: what the vault announced of the receipt of a version that an engine fetched."""

    __tablename__ = "receipt"
    __table_args__ = (_has_a_brand(),)

    brand_id: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(primary_key=True)
    engine_id: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    epoch: Mapped[int]
    sequence: Mapped[int]
    receipt_sha256: Mapped[str]


class WorkflowRow(Base):
    """A workflow that has a binding on record."""

    __tablename__ = "workflow"
    __table_args__ = (
        _has_a_brand(),
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
        _has_a_brand(),
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
    changes under the lock of its engine, and of its account, shared.
    """

    __tablename__ = "usage"
    __table_args__ = (
        _has_a_brand(),
        CheckConstraint("count >= 0", name="count"),
        Index("usage_owner_idx", "brand_id", "owner", "account_id"),
        {"postgresql_with": {"fillfactor": 50}},
    )

    brand_id: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(primary_key=True)
    engine_id: Mapped[str] = mapped_column(primary_key=True)
    owner: Mapped[str] = mapped_column(primary_key=True)
    count: Mapped[int]
    changes: Mapped[int]


class HoldingRow(Base):
    """What an engine has told of one account and last confirmed. It is never deleted."""

    __tablename__ = "holding"
    __table_args__ = (
        _has_a_brand(),
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
    __table_args__ = (_has_a_brand(),)

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
    __table_args__ = (_has_a_brand(), Index("failure_account_idx", "brand_id", "account_id"))

    brand_id: Mapped[str] = mapped_column(primary_key=True)
    engine_id: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(primary_key=True)
    workflow_id: Mapped[str] = mapped_column(primary_key=True)
    reason: Mapped[str]


class RolloutRow(Base):
    """One account's way to one version. Its legs are not here: they are counted anew each time."""

    __tablename__ = "rollout"
    __table_args__ = (
        _has_a_brand(),
        Index(
            "rollout_look_at_idx",
            "look_at",
            postgresql_where=IS_OPEN,
        ),
        Index(
            "rollout_open_idx",
            "brand_id",
            "account_id",
            postgresql_where=IS_OPEN,
        ),
        Index("rollout_opened_at_idx", "brand_id", "opened_at"),
        {"postgresql_with": {"fillfactor": 70}},
    )

    brand_id: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    account_epoch: Mapped[int]
    state: Mapped[RolloutState] = mapped_column(Text)
    opened_at: Mapped[datetime]
    deadline: Mapped[datetime]
    look_at: Mapped[datetime]
    """When the closer looks at it: who may have changed a leg says now."""
    leases: Mapped[dict[str, Any]]
    excused: Mapped[dict[str, Any]]
    asked: Mapped[int]
    asked_at: Mapped[datetime]
    announced_at: Mapped[datetime]
    view: Mapped[dict[str, Any]]
    """What was announced last: legs, done, waiting, excused."""
    completed_at: Mapped[datetime | None]
    proof_sha256: Mapped[str | None]


class ProofRow(Base):
    """The proof of a completed rollout, as it was signed."""

    __tablename__ = "proof"
    __table_args__ = (_has_a_brand(),)

    brand_id: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    bundle: Mapped[bytes]
