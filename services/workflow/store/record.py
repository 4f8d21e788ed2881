"""Applies what engines tell of their workflows: thousands of tasks as a fixed number of statements.

Everything that the commands at hand name is read under its locks, the rules change it in memory,
and what they touched is written.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, Never, TypeVar

from keyturn_contracts.message import Key
from keyturn_contracts.workflow import EVERYTHING, DeleteWorkflows, SaveWorkflows
from sqlalchemy.ext.asyncio import AsyncConnection

from services.workflow.rules.account import Account
from services.workflow.rules.engine import Engine, Place
from services.workflow.rules.holding import NOTHING, Holding
from services.workflow.rules.list import Admitted, admit_deletion, admit_save, give_up
from services.workflow.rules.record import (
    Record,
    Task,
    Workflow,
    apply_deletion,
    apply_save,
    finish_list,
)
from services.workflow.rules.usage import Usage
from services.workflow.store import binding
from services.workflow.store.account import key_of as account_key
from services.workflow.store.account import share_accounts, wake_rollouts
from services.workflow.store.counting import mark_changed
from services.workflow.store.engine import key_of as engine_key
from services.workflow.store.engine import lock_engines, save_engines
from services.workflow.store.entitlement import share_brands
from services.workflow.store.holding import HoldingKey, load_holdings, save_holdings
from services.workflow.store.owners import Owners, load_judges
from services.workflow.store.usage import UsageKey, save_usage
from shared.decisions import AppliedToMany, Refused
from shared.messaging.envelope import Asked

C = TypeVar("C", SaveWorkflows, DeleteWorkflows)
Answer = AppliedToMany | Refused[object, str]
Admit = Callable[[Engine | None, Asked[C]], tuple[Engine | None, Admitted[C] | Refused[Never, str]]]
Apply = Callable[[Record, Admitted[C]], AppliedToMany]


async def save_workflows(
    connection: AsyncConnection, asked: Sequence[Asked[SaveWorkflows]]
) -> list[Answer]:
    return await _apply_all(connection, asked, admit_save, apply_save)


async def delete_workflows(
    connection: AsyncConnection, asked: Sequence[Asked[DeleteWorkflows]]
) -> list[Answer]:
    return await _apply_all(connection, asked, admit_deletion, apply_deletion)


async def give_up_all(connection: AsyncConnection, asked: Sequence[Asked[C]]) -> list[Answer]:
    """Drop commands that were held: what is in its place takes its number, and does nothing."""
    engines = await lock_engines(connection, {one.key for one in asked})
    before = dict(engines)
    answers: list[Answer] = []
    for one in asked:
        engine, refused = give_up(engines.get(one.key), one)
        _put(engines, one.key, engine)
        answers.append(refused)
    await save_engines(connection, _changed(before, engines))
    return answers


@dataclass(slots=True)
class _Turns(Generic[C]):
    """The commands of one pass: of each engine, up to the end of a whole list."""

    admitted: dict[Key, list[tuple[int, Admitted[C]]]] = field(
        default_factory=dict[Key, list[tuple[int, Admitted[C]]]]
    )
    ended: dict[Key, Admitted[C]] = field(default_factory=dict[Key, Admitted[C]])
    """The last parts of lists among them: each is its engine's last command here."""


@dataclass(slots=True)
class _Loaded:
    records: dict[Key, Record]
    accounts: Mapping[Key, Account]
    workflows: Mapping[Key, frozenset[str]]
    bindings: Mapping[Key, frozenset[Task]]
    """What was on record of both."""
    holdings: Mapping[HoldingKey, Holding]


async def _apply_all(
    connection: AsyncConnection, asked: Sequence[Asked[C]], admit: Admit[C], apply: Apply[C]
) -> list[Answer]:
    # Before the engines, as locks are taken: who follows news of access waits for what is bound.
    await share_brands(connection, {one.key.brand for one in asked})
    engines = await lock_engines(connection, {one.key for one in asked})
    before = dict(engines)
    answers: dict[int, Answer] = {}
    left = list(enumerate(asked))
    while left:
        turns, left = _admit(engines, left, admit, answers)
        if not turns.admitted:
            continue
        loaded = await _load(connection, engines, turns)
        for key, commands in turns.admitted.items():
            for index, admitted in commands:
                answers[index] = apply(loaded.records[key], admitted)
        await _save_record(connection, loaded)
        for key, last in turns.ended.items():
            index = turns.admitted[key][-1][0]
            answers[index] = await _end_list(connection, key, loaded, last, answers[index])
        await _save_usage(connection, loaded)
        await _save_holdings(connection, loaded)
        engines |= {key: record.engine for key, record in loaded.records.items()}
    await save_engines(connection, _changed(before, engines))
    return [answers[index] for index in range(len(asked))]


def _admit(
    engines: dict[Key, Engine],
    commands: Sequence[tuple[int, Asked[C]]],
    admit: Admit[C],
    answers: dict[int, Answer],
) -> tuple[_Turns[C], list[tuple[int, Asked[C]]]]:
    """Judge commands until a list ends; return those to apply, and those of the next pass."""
    turns = _Turns[C]()
    left: list[tuple[int, Asked[C]]] = []
    for index, one in commands:
        if one.key in turns.ended:
            left.append((index, one))
            continue
        engine, admitted = admit(engines.get(one.key), one)
        _put(engines, one.key, engine)
        if isinstance(admitted, Refused):
            answers[index] = admitted
            continue
        turns.admitted.setdefault(one.key, []).append((index, admitted))
        command = admitted.command
        if isinstance(command, SaveWorkflows) and command.list is not None and command.list.last:
            turns.ended[one.key] = admitted
    return turns, left


async def _load(
    connection: AsyncConnection, engines: Mapping[Key, Engine], turns: _Turns[C]
) -> _Loaded:
    """Read what the commands name, under the lock of each account that they may touch."""
    workflow_ids: defaultdict[Key, set[str]] = defaultdict(set)
    named: defaultdict[Key, set[str]] = defaultdict(set)
    owners = Owners()
    for key, commands in turns.admitted.items():
        for _, admitted in commands:
            command = admitted.command
            if isinstance(command, DeleteWorkflows):
                workflow_ids[key].update(command.workflow_ids)
                continue
            for workflow in command.workflows:
                workflow_ids[key].add(workflow.workflow_id)
                used = {task.account_id for task in workflow.tasks}
                named[key] |= used
                owners.note(key, workflow.workflow_id, workflow.owner, used)
    workflows = await binding.load_workflows(connection, workflow_ids)
    for key, on_record in workflows.items():
        for workflow_id, workflow in on_record.items():
            owners.note(key, workflow_id, workflow.owner, _accounts_of([workflow]))
    touched: dict[Key, set[str]] = {
        key: named[key] | _accounts_of(workflows[key].values()) for key in turns.admitted
    }
    for key, last in turns.ended.items():
        touched[key] |= await _accounts_left_out(connection, key, last)
    accounts = await share_accounts(
        connection,
        (account_key(key.brand, one) for key, ids in touched.items() for one in ids),
        named=(account_key(key.brand, one) for key, ids in named.items() for one in ids),
    )
    # A statement of its own: its snapshot is younger than whatever the lock waited for.
    holdings = await load_holdings(
        connection,
        (HoldingKey(key.brand, key.id, one) for key, ids in touched.items() for one in ids),
    )
    access, usage = await load_judges(connection, accounts, owners.pairs(turns.admitted))
    by_engine: defaultdict[Key, dict[str, Holding]] = defaultdict(dict)
    for one, holding in holdings.items():
        by_engine[Key(one.brand, "engines", one.engine_id)][one.account_id] = holding
    by_brand: defaultdict[str, dict[str, Account]] = defaultdict(dict)
    for one, account in accounts.items():
        by_brand[one.brand][one.id] = account
    return _Loaded(
        records={
            key: Record(
                engine=engines[key],
                accounts=by_brand[key.brand],
                access=access[key.brand],
                workflows=workflows[key],
                holdings=by_engine[key],
                usage=usage[key],
            )
            for key in turns.admitted
        },
        accounts=accounts,
        workflows={key: frozenset(workflows[key]) for key in turns.admitted},
        bindings={
            key: frozenset(task for one in workflows[key].values() for task in one.bindings)
            for key in turns.admitted
        },
        holdings=holdings,
    )


async def _accounts_left_out(connection: AsyncConnection, key: Key, last: Admitted[C]) -> set[str]:
    scope, began = _span_of(last)
    if scope is not None:
        return {scope}
    return await binding.load_accounts_named_before(connection, key, began)


async def _end_list(
    connection: AsyncConnection, key: Key, loaded: _Loaded, last: Admitted[C], outcome: Answer
) -> Answer:
    """Flag what a whole list has left out, and say how the list compares."""
    scope, began = _span_of(last)
    vanished = await binding.flag_vanished(connection, key, began, scope)
    left_out = await binding.load_left_out(connection, key, scope)
    if isinstance(outcome, Refused):
        return outcome
    record = loaded.records[key]
    pairs = {(task.account_id, owner) for task, owner in vanished}
    access, usage = await load_judges(connection, loaded.accounts, {key: pairs})
    # What the commands before have changed is not saved yet, and is what counts.
    record.access, record.usage = access[key.brand], usage[key] | record.usage
    return finish_list(record, outcome, vanished, left_out)


def _span_of(last: Admitted[C]) -> tuple[str | None, Place]:
    """Return the one account that a list was about, if it was, and the place of its part 1."""
    command = last.command
    if isinstance(command, DeleteWorkflows) or command.list is None or last.list_began is None:
        raise ValueError("It is no part of a whole list.")
    scope = command.list.scope
    return None if scope == EVERYTHING else scope, Place(last.place.epoch, last.list_began)


async def _save_record(connection: AsyncConnection, loaded: _Loaded) -> None:
    changes = binding.Changes()
    for key, record in sorted(loaded.records.items()):
        for workflow_id in sorted(record.touched_workflows):
            workflow = record.workflows.get(workflow_id)
            was_there = workflow_id in loaded.workflows[key]
            if workflow is not None:
                saved = changes.changed_workflows if was_there else changes.new_workflows
                saved.append((key, workflow_id, workflow))
            elif was_there:
                changes.gone_workflows.append((key, workflow_id))
        for task in sorted(record.touched_bindings):
            workflow = record.workflows.get(task.workflow_id)
            now = workflow.bindings.get(task) if workflow else None
            was_there = task in loaded.bindings[key]
            if now is not None:
                (changes.changed if was_there else changes.new).append((key, task, now))
            elif was_there:
                changes.gone.append((key, task))
    await binding.save(connection, changes)


async def _save_usage(connection: AsyncConnection, loaded: _Loaded) -> None:
    changed: dict[UsageKey, Usage] = {
        (HoldingKey(key.brand, key.id, account_id), owner): record.usage[account_id, owner]
        for key, record in loaded.records.items()
        for account_id, owner in record.touched_usage
    }
    if changed:
        await save_usage(connection, changed)


async def _save_holdings(connection: AsyncConnection, loaded: _Loaded) -> None:
    """Save the holdings that were touched; the closer looks only where one of its legs changed.

    An engine that has other bindings now is counted again.
    """
    changed = {
        HoldingKey(key.brand, key.id, account_id): record.holdings[account_id]
        for key, record in loaded.records.items()
        for account_id in record.touched_holdings
    }
    if changed:
        await save_holdings(connection, changed)
    await mark_changed(
        connection,
        (
            engine_key(key.brand, key.engine_id)
            for key, holding in changed.items()
            if holding.digest != loaded.holdings.get(key, NOTHING).digest
        ),
    )
    moved = {
        account_key(key.brand, key.account_id)
        for key, holding in changed.items()
        if holding.leg != loaded.holdings.get(key, NOTHING).leg
    }
    if moved:
        await wake_rollouts(connection, moved)


def _accounts_of(workflows: Iterable[Workflow]) -> set[str]:
    return {task.account_id for one in workflows for task in one.bindings}


def _put(engines: dict[Key, Engine], key: Key, engine: Engine | None) -> None:
    if engine is not None:
        engines[key] = engine


def _changed(before: Mapping[Key, Engine], after: Mapping[Key, Engine]) -> dict[Key, Engine]:
    return {key: engine for key, engine in after.items() if engine is not before.get(key)}
