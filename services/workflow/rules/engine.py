"""An engine: its registration, and the place of every command in its log."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Never, TypeVar

from keyturn_contracts.digest import to_hex
from keyturn_contracts.keys import InvalidKeyError
from keyturn_contracts.message import Event
from keyturn_contracts.proof import SignedCommand, read_value
from keyturn_contracts.registration import proves_possession
from keyturn_contracts.workflow import (
    BeginEpoch,
    BeginEpochReason,
    BindingName,
    ConfirmRotation,
    DeleteWorkflows,
    EngineKind,
    EngineRegistered,
    EngineRetired,
    EngineState,
    EpochBegun,
    ExtensionUse,
    OutOfPlace,
    RegisterEngine,
    RegisterEngineReason,
    RetireEngine,
    RetireEngineReason,
    SaveWorkflows,
    WorkflowsChanged,
)

from services.workflow.rules.evidence import verbatim
from services.workflow.rules.holding import Holding, Standing, announce
from shared.decisions import Applied, Decision, Refused, Unchanged
from shared.messaging.envelope import Asked

ADMINISTRATOR = "administrator"
DROPPED = "An operator gave it up. Send again what it said, as a new command."

EngineCommand = BeginEpoch | SaveWorkflows | DeleteWorkflows | ConfirmRotation
"""What only the engine itself sends, each with its place in the engine's log."""


class Place(NamedTuple):
    """Where a command stands in its engine's log: a later one is greater."""

    epoch: int
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ListInProgress:
    """A whole list of which some parts have come, and not the last."""

    id: str
    scope: str
    next_part: int
    first_number: int
    """The number of its part 1: what was named before it and not since is vanished in the end."""
    missing: tuple[BindingName, ...] = ()
    missing_count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Retirement:
    """On the record: who retired an engine, and why."""

    by: str
    reason: str
    command: SignedCommand


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    id: str
    kind: EngineKind
    state: EngineState = "registered"
    epoch: int = 0
    number: int = 0
    """Of the last command that had its place. 0 before the first epoch."""
    list: ListInProgress | None = None
    count: int = 0
    """Of its whole list: the sum of its holdings'."""
    digest: int = 0
    uses: tuple[ExtensionUse, ...] = ()
    """As last announced, in the order of slugs."""
    registration: SignedCommand
    retirement: Retirement | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmed:
    """The evidence of what an engine said last of an account."""

    confirmation: SignedCommand | None
    """None: what is on record for the confirmed version stays."""
    settlement: SignedCommand | None
    """A later confirmation of an earlier version."""
    failed: tuple[tuple[str, str], ...]
    """Workflow and reason, the first 100."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineLog:
    """An engine with what the commands at hand name: the aggregate that they are decided on."""

    engine: Engine
    is_new: bool = False
    holdings: Mapping[str, Holding] = field(default_factory=dict[str, Holding])
    """By account. To retire an engine, all of them."""
    known_accounts: frozenset[str] = frozenset()
    """Those that the vault has told of. A copy: read here, never saved from here."""
    receipts: Mapping[tuple[str, int], str] = field(default_factory=dict[tuple[str, int], str])
    """By account and version, what the vault announced. A copy too."""
    changed: frozenset[str] = frozenset()
    """The accounts whose holding is to be saved."""
    confirmed: Mapping[str, Confirmed] = field(default_factory=dict[str, Confirmed])
    """What is to be saved of confirmations."""


C = TypeVar("C", bound=EngineCommand)
E = TypeVar("E", EngineRegistered, EngineRetired, WorkflowsChanged)


def admit(engine: Engine | None, asked: Asked[C]) -> Engine | Refused[Never, BeginEpochReason]:
    """Return the engine with this command's number taken, or why it may not take it.

    The one judge of an engine's commands, decided and bulk alike. What is admitted has taken its
    number, whatever then becomes of it; what is refused here takes none.
    """
    if engine is None or asked.actor.engine_id != engine.id:
        return _refuse_stranger(asked)
    if engine.state == "retired":
        return Refused("engine_retired", "The engine was retired: nothing is accepted from it.")
    taken = take_number(engine, asked)
    if taken is None:
        return Refused(
            "out_of_place",
            f"The log stands at epoch {engine.epoch}, number {engine.number}. Begin a new epoch.",
            details=OutOfPlace(epoch=engine.epoch, number=engine.number),
        )
    return taken


def enter(log: EngineLog | None, asked: Asked[C]) -> EngineLog | Refused[Never, BeginEpochReason]:
    """Admit a command to the log of its engine: `admit`, for what is decided."""
    if log is None:
        return _refuse_stranger(asked)
    admitted = admit(log.engine, asked)
    return admitted if isinstance(admitted, Refused) else replace(log, engine=admitted)


def take_number(engine: Engine, asked: Asked[C]) -> Engine | None:
    """Return the engine after this number, or None where the command is out of place.

    A new epoch begins with `BeginEpoch` as number 1; within one, numbers have no gap.
    """
    if asked.epoch is None or asked.number is None:
        return None
    if isinstance(asked.command, BeginEpoch):
        if asked.epoch <= engine.epoch or asked.number != 1:
            return None
        return replace(engine, epoch=asked.epoch, number=1, list=None)
    # Number 1 is always a BeginEpoch's: in an epoch that nothing has begun, none is in place.
    begun = engine.number > 0
    if not begun or (asked.epoch, asked.number) != (engine.epoch, engine.number + 1):
        return None
    return replace(engine, number=asked.number)


def decide_registration(
    log: EngineLog | None, asked: Asked[RegisterEngine]
) -> Decision[EngineLog, RegisterEngineReason]:
    """Let an administrator bring an engine in, with keys that it has shown to have."""
    command = asked.command
    if ADMINISTRATOR not in asked.actor.roles:
        return Refused("not_an_administrator", "Only an administrator registers engines.")
    if log is not None:
        registered = registered_as(log.engine)
        if log.engine.state == "registered" and _same(registered, command):
            return Unchanged("The engine is registered like this already.")
        return Refused(
            "engine_exists", "There is, or was, an engine with this id. Choose another id."
        )
    if (refused := _refuse_registration(command, asked.id.brand)) is not None:
        return refused
    engine = Engine(id=command.engine_id, kind=command.engine_kind, registration=verbatim(asked))
    event = _event(EngineRegistered, engine, command)
    return Applied(EngineLog(engine=engine, is_new=True), (event,))


def decide_retirement(
    log: EngineLog | None, asked: Asked[RetireEngine]
) -> Decision[EngineLog, RetireEngineReason]:
    """Excuse an engine from everything, for ever: its bindings count no more."""
    if ADMINISTRATOR not in asked.actor.roles:
        return Refused("not_an_administrator", "Only an administrator retires engines.")
    if log is None:
        return Refused("engine_unknown", "There is no such engine.")
    if log.engine.state == "retired":
        return Unchanged("The engine is retired already.")
    retirement = Retirement(
        by=asked.actor.subject, reason=asked.command.reason, command=verbatim(asked)
    )
    engine = replace(log.engine, state="retired", list=None, uses=(), retirement=retirement)
    holdings: dict[str, Holding] = {}
    unbound: list[Event] = []
    for account_id, holding in log.holdings.items():
        idle = replace(holding, allowed_count=0, suspended=0)
        holdings[account_id], events = announce(
            idle, Standing(), engine_id=engine.id, account_id=account_id
        )
        unbound += events
    event = _event(EngineRetired, engine, registered_as(engine))
    retired = replace(log, engine=engine, holdings=holdings, changed=frozenset(holdings))
    return Applied(retired, (event, *unbound))


def decide_epoch(
    log: EngineLog | None, asked: Asked[BeginEpoch]
) -> Decision[EngineLog, BeginEpochReason]:
    """Begin a new epoch: older ones are fenced from here on. Say whether the list is wanted."""
    entered = enter(log, asked)
    if isinstance(entered, Refused):
        return entered
    engine = entered.engine
    is_wanted = (asked.command.count, asked.command.digest) != (engine.count, to_hex(engine.digest))
    return Applied(entered, details=EpochBegun(list_wanted=is_wanted))


def count_uses(
    engine: Engine, uses: tuple[ExtensionUse, ...]
) -> tuple[Engine, WorkflowsChanged] | None:
    """Return the engine with how much of which extensions it uses now, if that is any news."""
    if engine.state == "retired" or uses == engine.uses:
        return None
    counted = replace(engine, uses=uses)
    return counted, _event(WorkflowsChanged, counted, registered_as(counted))


def decide_drop(log: EngineLog | None, asked: Asked[C]) -> Decision[EngineLog, str]:
    """Give up a command that was held: it has taken its number all the same."""
    entered = enter(log, asked)
    return entered if isinstance(entered, Refused) else Refused("dropped", DROPPED, state=entered)


def registered_as(engine: Engine) -> RegisterEngine:
    """Return what the engine was registered with."""
    registered = read_value(engine.registration, RegisterEngine)
    if registered is None:
        raise ValueError(f"The registration of engine {engine.id} on record cannot be read.")
    return registered


def _refuse_stranger(asked: Asked[C]) -> Refused[Never, BeginEpochReason]:
    if asked.actor.engine_id != asked.command.engine_id:
        return Refused("not_this_engine", "Only the engine itself sends this, with its own key.")
    return Refused("engine_unknown", "There is no such engine. An administrator registers it.")


def _refuse_registration(
    command: RegisterEngine, brand: str
) -> Refused[Never, RegisterEngineReason] | None:
    if command.engine_kind == "leasing" and command.lease_seconds is None:
        return Refused(
            "lease_missing", "Say for how long a leasing engine may use what it fetched."
        )
    if (problem := _problem_of_keys(command)) is not None:
        return Refused("key_invalid", problem)
    if not proves_possession(
        command.proof,
        brand=brand,
        engine_id=command.engine_id,
        sig=command.sig,
        enc=command.enc,
    ):
        return Refused("proof_wrong", "The proof is not by this key, for this engine and brand.")
    return None


def _same(one: RegisterEngine, other: RegisterEngine) -> bool:
    """Tell whether two registrations say the same; a proof of possession may be made anew."""
    return one.model_copy(update={"proof": ""}) == other.model_copy(update={"proof": ""})


def _problem_of_keys(command: RegisterEngine) -> str | None:
    for key, use, curve in ((command.sig, "sig", "Ed25519"), (command.enc, "enc", "P-256")):
        if (key.use, key.crv) != (use, curve):
            return f"`{use}` is a JWK with `use` {use} and `crv` {curve}."
        try:
            thumbprint = key.thumbprint()
        except InvalidKeyError:
            return f"`{use}` is no valid key."
        if key.kid not in {None, thumbprint}:
            return f"The `kid` of `{use}` is not its RFC 7638 thumbprint. Leave it out."
    return None


def _event(kind: type[E], engine: Engine, registered: RegisterEngine) -> E:
    return kind(
        engine_id=engine.id,
        name=registered.name,
        engine_kind=engine.kind,
        lease_seconds=registered.lease_seconds,
        reach=registered.reach,
        sig=registered.sig,
        enc=registered.enc,
        state=engine.state,
        epoch=engine.epoch,
        number=engine.number,
        uses=engine.uses,
    )
