"""An engine's whole record in memory, kept by the rules alone: what the store does, without one."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from keyturn_contracts.digest import binding_digest, sum_of
from keyturn_contracts.message import Event
from keyturn_contracts.rights import Facts, Grant
from keyturn_contracts.workflow import (
    EVERYTHING,
    BeginEpoch,
    ConfirmRotation,
    DeleteWorkflows,
    SaveWorkflows,
)

from services.workflow.rules.access import Access, know, may_use
from services.workflow.rules.account import Account
from services.workflow.rules.confirmation import decide_confirmation
from services.workflow.rules.engine import EngineLog, Place, decide_epoch, decide_registration
from services.workflow.rules.holding import NOTHING, Holding
from services.workflow.rules.list import Admitted, admit_deletion, admit_save
from services.workflow.rules.record import (
    LeftOut,
    Record,
    Task,
    apply_deletion,
    apply_save,
    finish_list,
)
from shared.decisions import Applied, AppliedToMany, Decision, Refused
from shared.messaging.envelope import Asked
from tests.workflow.given import ADA, NOON, GivenEngine

MAIL = Account(
    id="mail",
    extension="smtp-relay",
    state="connected",
    version=1,
    epoch=1,
    party="first",
)


def given_access(*accounts: Account, at: datetime = NOON, **grants: tuple[str, ...]) -> Access:
    """Return what is known where each account, by name, was given to these; else to `ada`."""
    facts = Facts()
    for one in accounts:
        know(facts, one)
        given = grants.get(one.id, (ADA,))
        facts.grants[one.id] = {
            member: Grant("owner" if member == ADA else "user") for member in given
        }
    return Access(at=at, facts=facts)


class Books:
    """Applies what an engine sends, in the order it is told."""

    def __init__(
        self,
        engine: GivenEngine,
        accounts: Mapping[str, Account] | None = None,
        access: Access | None = None,
    ) -> None:
        registered = decide_registration(None, engine.registered())
        assert isinstance(registered, Applied)
        self.engine = engine
        self.record = Record(
            engine=registered.state.engine,
            accounts={"mail": MAIL} if accounts is None else accounts,
            access=access
            or given_access(*({"mail": MAIL} if accounts is None else accounts).values()),
            workflows={},
            holdings={},
            usage={},
        )
        self.receipts: dict[tuple[str, int], str] = {}
        self.events: list[Event] = []
        self.begin()

    def begin(self) -> Decision[EngineLog, str]:
        """Have the engine's process start anew, with the list that is on record."""
        on_record = self.record.engine
        return self.tell(self.engine.begin(on_record.count, f"{on_record.digest:064x}"))

    def tell(self, asked: Asked[BeginEpoch] | Asked[ConfirmRotation]) -> Decision[EngineLog, str]:
        log = EngineLog(
            engine=self.record.engine,
            holdings=self.record.holdings,
            known_accounts=frozenset(self.record.accounts),
            receipts=self.receipts,
        )
        if isinstance(asked.command, BeginEpoch):
            decision: Decision[EngineLog, str] = decide_epoch(log, asked)  # pyright: ignore[reportArgumentType]  it was just told apart
        else:
            decision = decide_confirmation(log, asked)  # pyright: ignore[reportArgumentType]  likewise
        if decision.state is not None:
            self.record.engine = decision.state.engine
            self.record.holdings = dict(decision.state.holdings)
        return decision

    def save(self, asked: Asked[SaveWorkflows]) -> AppliedToMany | Refused[object, str]:
        engine, admitted = admit_save(self.record.engine, asked)
        assert engine is not None
        self.record.engine = engine
        if isinstance(admitted, Refused):
            return admitted
        outcome = apply_save(self.record, admitted)
        if asked.command.list is not None and asked.command.list.last:
            vanished = self._vanish(admitted)
            outcome = finish_list(
                self.record, outcome, vanished, self._left_out(asked.command.list.scope)
            )
        self.events += outcome.events
        return outcome

    def delete(self, asked: Asked[DeleteWorkflows]) -> AppliedToMany | Refused[object, str]:
        engine, admitted = admit_deletion(self.record.engine, asked)
        assert engine is not None
        self.record.engine = engine
        if isinstance(admitted, Refused):
            return admitted
        outcome = apply_deletion(self.record, admitted)
        self.events += outcome.events
        return outcome

    def _vanish(self, admitted: Admitted[SaveWorkflows]) -> list[tuple[Task, str]]:
        part = admitted.command.list
        assert part is not None
        assert admitted.list_began is not None
        began = Place(admitted.place.epoch, admitted.list_began)
        found: list[tuple[Task, str]] = []
        for workflow in self.record.workflows.values():
            for task, binding in workflow.bindings.items():
                in_scope = part.scope in {EVERYTHING, task.account_id}
                if in_scope and not binding.is_vanished and binding.named < began:
                    binding.is_vanished = True
                    found.append((task, workflow.owner))
        return found

    def _left_out(self, scope: str) -> LeftOut:
        found = sorted(
            task
            for workflow in self.record.workflows.values()
            for task, binding in workflow.bindings.items()
            if binding.is_vanished and scope in {EVERYTHING, task.account_id}
        )
        return LeftOut(tuple(found[:100]), len(found))

    def holding(self, account_id: str = "mail") -> Holding:
        return self.record.holdings.get(account_id, NOTHING)

    def recount(self) -> dict[str, Holding]:
        """Return the holdings as a count of the bindings gives them, and nothing else of them."""
        found: dict[str, Holding] = {}
        for workflow in self.record.workflows.values():
            for task, binding in workflow.bindings.items():
                before = found.get(task.account_id, NOTHING)
                account = self.record.accounts.get(task.account_id)
                allowed = may_use(account, workflow.owner, self.record.access) is None
                found[task.account_id] = (
                    replace(before, vanished_count=before.vanished_count + 1)
                    if binding.is_vanished
                    else replace(
                        before,
                        count=before.count + 1,
                        digest=sum_of(
                            [
                                before.digest,
                                binding_digest(task.account_id, task.workflow_id, task.task_id),
                            ]
                        ),
                        allowed_count=before.allowed_count + allowed,
                    )
                )
        return found
