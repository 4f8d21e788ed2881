"""Messages owned by the workflow service: engines, their lists, and how far a rotation has got."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal, get_args

from pydantic import Field, StringConstraints, model_validator

from keyturn_contracts.ids import Hex256, Id, RolloutId, Slug
from keyturn_contracts.installation import Clearance
from keyturn_contracts.keys import PublicJwk
from keyturn_contracts.message import MAY_GROW, Command, Event, Message, Part

EngineKind = Literal["confirming", "leasing"]
EngineState = Literal["registered", "retired"]
RolloutState = Literal["open", "overdue", "completed", "superseded"]
WhyWaiting = Annotated[Literal["unconfirmed", "failed", "vanished", "lease"], MAY_GROW]
NotAllowed = Annotated[
    Literal[
        "no_access",
        "account_unknown",
        "account_deleted",
        "not_licensed",
        "not_installed",
        "not_enabled",
        "not_a_member",
    ],
    MAY_GROW,
]
Reason = Annotated[str, StringConstraints(max_length=500)]
WorkflowId = Annotated[str, StringConstraints(min_length=1, max_length=256)]
EVERYTHING = "everything"
"""The scope of a whole list of an engine; any other scope is an account's id."""
MAX_TASKS = 5000
"""How many tasks a message may carry."""
NAMED = 100
"""How many things are named in an answer; the rest is counted."""

RegisterEngineReason = Literal[
    "not_an_administrator", "engine_exists", "proof_wrong", "key_invalid", "lease_missing"
]
RetireEngineReason = Literal["not_an_administrator", "engine_unknown"]
_OfAnEngine = Literal["out_of_place", "not_this_engine", "engine_unknown", "engine_retired"]
BeginEpochReason = _OfAnEngine
SaveWorkflowsReason = Literal["list_broken_off", "too_many_tasks", "out_of_scope", _OfAnEngine]
DeleteWorkflowsReason = _OfAnEngine
ConfirmRotationReason = Literal[
    "list_differs",
    "receipt_wrong",
    "receipt_unknown",
    "account_unknown",
    _OfAnEngine,
]
OverrideRolloutReason = Literal["not_allowed", "rollout_unknown", "rollout_ended", "engine_unknown"]


class Reach(Part):
    """Which accounts an engine may ever fetch, whatever it binds."""

    all: bool = False
    accounts: tuple[Id, ...] = ()
    extensions: tuple[Slug, ...] = ()

    def covers(self, account_id: str, extension: str) -> bool:
        return self.all or account_id in self.accounts or extension in self.extensions


class AboutEngine(Message):
    """Base of the messages about one engine; all its commands are one log with one key."""

    service: ClassVar = "workflow"
    kind: ClassVar = "engines"

    engine_id: Id

    @property
    def subject_id(self) -> str:
        return self.engine_id


class RegisterEngine(AboutEngine, Command):
    """Let an engine in: its two public keys, with a proof that it has the private ones."""

    reasons: ClassVar = get_args(RegisterEngineReason)

    name: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    engine_kind: EngineKind
    lease_seconds: int | None = Field(default=None, ge=1, le=86_400)
    """Of a leasing engine: how long it may use what it fetched."""
    reach: Reach
    sig: PublicJwk
    enc: PublicJwk
    proof: Annotated[str, StringConstraints(max_length=4096)]
    """`keyturn_contracts.registration.prove_possession` makes it."""


class RetireEngine(AboutEngine, Command):
    """Excuse an engine from everything, for ever: its id is never registered again."""

    reasons: ClassVar = get_args(RetireEngineReason)

    reason: Reason = ""


class EpochBegun(Part):
    """The details of a `BeginEpoch`'s outcome."""

    list_wanted: bool


class OutOfPlace(Part):
    """The details of a refusal as `out_of_place`: where the engine's log stands."""

    epoch: int
    number: int


class BeginEpoch(AboutEngine, Command):
    """The first command of a process that has started; its number is 1. Fences older epochs."""

    reasons: ClassVar = get_args(BeginEpochReason)
    details: ClassVar = EpochBegun

    count: int = Field(ge=0)
    digest: Hex256


class SavedTask(Part):
    task_id: WorkflowId
    account_id: Id


class SavedWorkflow(Part):
    """A workflow with all its tasks that use an account; in a list of one account, with those."""

    workflow_id: WorkflowId
    name: Annotated[str, StringConstraints(max_length=200)] = ""
    owner: Annotated[str, StringConstraints(min_length=1, max_length=128)]
    tasks: tuple[SavedTask, ...] = ()


class ListPart(Part):
    """Which part of which whole list this is; parts are numbered from 1."""

    id: Id
    scope: Id
    """`everything`, or the id of the one account that the list is about."""
    part: int = Field(ge=1)
    last: bool


class BindingName(Part):
    """One task of one workflow that uses one account."""

    account_id: Id
    workflow_id: WorkflowId
    task_id: WorkflowId


class ListCompared(Part):
    """The details of the outcome of a whole list's last part; the first 100 of each are named."""

    missing: tuple[BindingName, ...] = ()
    """Sent now and not on record before."""
    vanished: tuple[BindingName, ...] = ()
    """On record and not in the list."""
    missing_count: int = 0
    vanished_count: int = 0


class SaveWorkflows(AboutEngine, Command):
    """Tell of workflows; or, in parts, of all of them."""

    reasons: ClassVar = get_args(SaveWorkflowsReason)
    details: ClassVar = ListCompared

    workflows: tuple[SavedWorkflow, ...] = ()
    list: ListPart | None = None


class DeleteWorkflows(AboutEngine, Command):
    """Tell that workflows are gone, and that no run of them is left."""

    reasons: ClassVar = get_args(DeleteWorkflowsReason)

    workflow_ids: tuple[WorkflowId, ...] = Field(min_length=1, max_length=MAX_TASKS)


class FailedWorkflow(Part):
    workflow_id: WorkflowId
    reason: Reason


class ConfirmRotation(AboutEngine, Command):
    """New runs use this version (`holds`), or the engine has let go; and no run holds an older one.

    Except the runs of the workflows that it names as failed. `count` and `digest` are over all
    bindings of the account that the engine holds, computed by the engine itself.
    """

    reasons: ClassVar = get_args(ConfirmRotationReason)

    account_id: Id
    version: int = Field(ge=1)
    holds: bool
    receipt: Hex256 | None = None
    """Of the version, where it holds it: what was sealed beside the credential."""
    count: int = Field(ge=0)
    digest: Hex256
    failed: tuple[FailedWorkflow, ...] = Field(default=(), max_length=NAMED)
    failed_count: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _counts_what_it_names(self) -> "ConfirmRotation":
        if self.failed_count < len(self.failed):
            raise ValueError("`failed_count` counts at least those that `failed` names.")
        return self


class OverrideRollout(Command):
    """Excuse engines from a rollout by name, on the record."""

    service: ClassVar = "workflow"
    kind: ClassVar = "rollouts"
    reasons: ClassVar = get_args(OverrideRolloutReason)

    rollout_id: RolloutId
    engines: tuple[Id, ...] = Field(min_length=1, max_length=NAMED)
    reason: Annotated[str, StringConstraints(min_length=1, max_length=500)]

    @property
    def subject_id(self) -> str:
        return self.rollout_id


class ExtensionUse(Part):
    """How much of what an engine told uses accounts of one extension."""

    extension: Slug
    workflows: int = Field(ge=1)
    tasks: int = Field(ge=1)
    fingerprint: Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{16})?$")] = ""
    """Another one where they are other workflows, tasks or accounts, however many; else the same.
    It says nothing to anybody outside Keyturn."""


class EngineChanged(AboutEngine, Event):
    """Base of the events about an engine: its registration, and where its log stands."""

    name: str
    engine_kind: EngineKind
    lease_seconds: int | None = None
    reach: Reach
    sig: PublicJwk
    enc: PublicJwk
    state: EngineState
    epoch: int = 0
    number: int = 0
    uses: tuple[ExtensionUse, ...] = ()
    """Of each extension that its workflows use, in the order of slugs; counted now and then."""


class EngineRegistered(EngineChanged):
    """An engine may fetch and tell."""


class EngineRetired(EngineChanged):
    """Nothing is accepted from it any more."""


class WorkflowsChanged(EngineChanged):
    """How much of which extensions it uses is different."""


class ExtensionCleared(Clearance):
    """Its part of an uninstallation: no task of it may run, and no engine holds an account of it.

    Each deletion of an account has its rollout, with its proof; `done` waits for all of them.
    """

    service: ClassVar = "workflow"

    tasks: int = Field(ge=0)
    """How many were suspended."""


class HoldingChanged(Event):
    """Base of the events about a holding. It never tells a count or a digest."""

    service: ClassVar = "workflow"
    kind: ClassVar = "holdings"

    engine_id: Id
    account_id: Id
    bound: bool
    allowed: bool
    """Whether at least one binding is allowed, so that the engine may fetch."""
    reason: NotAllowed | None = None
    suspensions: int = Field(default=0, ge=0)
    """Rises when other tasks than before may not use the account; `GET
    /v1/engines/{id}/suspended` names them, and the engine starts no run of these."""

    @property
    def subject_id(self) -> str:
        return f"{self.engine_id}/{self.account_id}"


class AccountBound(HoldingChanged):
    """The engine has at least one allowed binding of the account."""


class AccountUnbound(HoldingChanged):
    """It has none any more, or none that is allowed."""


class SuspendedTask(Part):
    """A task that may not use its account now, and why."""

    workflow_id: WorkflowId
    task_id: WorkflowId
    account_id: Id
    reason: NotAllowed


class SuspendedTasks(Part):
    """A page of the answer of `GET /v1/engines/{id}/suspended`, in the order of workflows."""

    tasks: tuple[SuspendedTask, ...]
    suspensions: dict[str, int]
    """By account, the number that the holding's newest event had when this was read."""
    next: str | None = None
    """The cursor of the next page; absent on the last."""


class WaitingLeg(Part):
    engine_id: Id
    why: WhyWaiting


class ExcusedLeg(Part):
    engine_id: Id
    by: str
    reason: str


class RolloutChanged(Event):
    """Base of the events about a rollout: one account's way to one version."""

    service: ClassVar = "workflow"
    kind: ClassVar = "rollouts"

    rollout_id: RolloutId
    account_id: Id
    version: int = Field(ge=1)
    account_epoch: int
    """The epoch of the account's event that opened it: after a restore older ones count no more."""
    state: RolloutState
    opened_at: datetime
    deadline: datetime
    legs: int
    done: int
    waiting: tuple[WaitingLeg, ...] = ()
    """The first 100."""
    excused: tuple[ExcusedLeg, ...] = ()
    asked: int = 1
    """How often late legs were asked: one named in `waiting` confirms again when it rises."""
    proof_sha256: Hex256 | None = None
    """Of the proof bundle's bytes, once completed."""

    @property
    def subject_id(self) -> str:
        return self.rollout_id


class RolloutStarted(RolloutChanged):
    """A new version is current; these engines have to switch."""


class RolloutProgressed(RolloutChanged):
    """Legs finished, or late ones are asked again."""


class RolloutOverdue(RolloutChanged):
    """The deadline has passed; the previous credential stays valid."""


class RolloutCompleted(RolloutChanged):
    """Every leg is done or excused, and there is a proof of it."""


class RolloutEnded(RolloutChanged):
    """A later rotation superseded it; it retires nothing."""
