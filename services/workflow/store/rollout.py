"""Rollouts: which are due, and what became of them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from keyturn_contracts.message import Key
from keyturn_contracts.workflow import OverrideRollout
from pydantic import TypeAdapter
from sqlalchemy import Integer, Interval, bindparam, func, select, union, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.workflow.rules.access import owners_of
from services.workflow.rules.account import Account
from services.workflow.rules.rollout import Excuse, Overridable, Rollout, View
from services.workflow.store.access import load_access
from services.workflow.store.account import COPIED, lock_accounts, read_account
from services.workflow.store.account import key_of as account_key
from services.workflow.store.engine import key_of as engine_key
from services.workflow.store.engine import load_engines
from services.workflow.tables import IS_OPEN, AccountRow, ProofRow, RolloutRow
from shared.database.rows import Rows
from shared.messaging.envelope import AskedByKey


class RolloutKey(NamedTuple):
    brand: str
    account_id: str
    version: int

    @property
    def account(self) -> Key:
        return account_key(self.brand, self.account_id)


_LEASES = TypeAdapter(dict[str, datetime])
_EXCUSED = TypeAdapter(dict[str, Excuse])
_VIEW = TypeAdapter(View)

_MOST = bindparam("most", type_=Integer)
_TO_OPEN = (
    select(AccountRow.brand_id, AccountRow.id)
    .where(
        AccountRow.is_to_open,
        AccountRow.is_to_judge.is_(False),
    )
    .limit(_MOST)
)
_TO_LOOK_AT = (
    select(RolloutRow.brand_id, RolloutRow.account_id)
    .join(
        AccountRow,
        (AccountRow.brand_id == RolloutRow.brand_id) & (AccountRow.id == RolloutRow.account_id),
    )
    .where(
        IS_OPEN,
        RolloutRow.look_at <= func.now(),
        AccountRow.is_to_judge.is_(False),
    )
    .order_by(RolloutRow.look_at)
    .limit(_MOST)
)
_DUE = union(select(*_TO_OPEN.subquery().c), select(*_TO_LOOK_AT.subquery().c))

_ACCOUNTS = Rows(AccountRow.brand_id, AccountRow.id)
_LOCK_DUE = (
    select(*COPIED, AccountRow.opened_version)
    .where(
        AccountRow.brand_id == _ACCOUNTS.c.brand_id,
        AccountRow.id == _ACCOUNTS.c.id,
        # Whose news came meanwhile is judged again first: until then who is a leg is not certain.
        AccountRow.is_to_judge.is_(False),
    )
    .order_by(AccountRow.brand_id, AccountRow.id)
    .with_for_update(key_share=True, of=AccountRow)
)
_OPENED = Rows(AccountRow.brand_id, AccountRow.id, AccountRow.opened_version)
_SAVE_OPENED = (
    update(AccountRow)
    .where(AccountRow.brand_id == _OPENED.c.brand_id, AccountRow.id == _OPENED.c.id)
    .values(opened_version=_OPENED.c.opened_version, is_to_open=False)
)

STATE = (
    RolloutRow.brand_id,
    RolloutRow.account_id,
    RolloutRow.version,
    RolloutRow.account_epoch,
    RolloutRow.state,
    RolloutRow.opened_at,
    RolloutRow.deadline,
    RolloutRow.leases,
    RolloutRow.excused,
    RolloutRow.asked,
    RolloutRow.asked_at,
    RolloutRow.announced_at,
    RolloutRow.view,
    RolloutRow.completed_at,
    RolloutRow.proof_sha256,
)
_LOAD_OPEN = select(*STATE).where(
    RolloutRow.brand_id == _ACCOUNTS.c.brand_id,
    RolloutRow.account_id == _ACCOUNTS.c.id,
    IS_OPEN,
)
_KEYS = Rows(RolloutRow.brand_id, RolloutRow.account_id, RolloutRow.version)
_LOAD = select(*STATE).where(
    RolloutRow.brand_id == _KEYS.c.brand_id,
    RolloutRow.account_id == _KEYS.c.account_id,
    RolloutRow.version == _KEYS.c.version,
)
_ROWS = Rows(*STATE, RolloutRow.look_at)
_SAVE = _ROWS.upsert_into(RolloutRow)
_OVERRIDDEN = Rows(
    RolloutRow.brand_id,
    RolloutRow.account_id,
    RolloutRow.version,
    RolloutRow.excused,
    RolloutRow.view,
)
_SAVE_OVERRIDDEN = (
    update(RolloutRow)
    .where(
        RolloutRow.brand_id == _OVERRIDDEN.c.brand_id,
        RolloutRow.account_id == _OVERRIDDEN.c.account_id,
        RolloutRow.version == _OVERRIDDEN.c.version,
    )
    .values(excused=_OVERRIDDEN.c.excused, view=_OVERRIDDEN.c.view, look_at=func.now())
)
_POSTPONE = (
    update(RolloutRow)
    .where(
        RolloutRow.brand_id == _ACCOUNTS.c.brand_id,
        RolloutRow.account_id == _ACCOUNTS.c.id,
        IS_OPEN,
    )
    .values(look_at=func.now() + bindparam("pause", type_=Interval()))
)
_PROOFS = Rows(ProofRow.brand_id, ProofRow.account_id, ProofRow.version, ProofRow.bundle)
_SAVE_PROOFS = _PROOFS.insert_into(ProofRow)


@dataclass(frozen=True, slots=True)
class Due:
    """An account whose rollouts the closer looks at, held alone."""

    account: Account
    opened_version: int
    rollouts: tuple[Rollout, ...]
    """Those that are open; more than one only until the closer has seen them."""


async def load_due(connection: AsyncConnection, most: int) -> set[Key]:
    """Return accounts with a version to open a rollout for, or a rollout to look at."""
    rows = await connection.execute(_DUE, {"most": most})
    return {account_key(*row) for row in rows}


async def lock_due(connection: AsyncConnection, keys: Iterable[Key]) -> dict[Key, Due]:
    """Hold accounts alone and return what is open of each: nobody changes a leg meanwhile."""
    given = _ACCOUNTS.of((key.brand, key.id) for key in sorted(keys))
    locked = (await connection.execute(_LOCK_DUE, given)).all()
    # A statement of its own: its snapshot is younger than whatever the lock waited for.
    rollouts: defaultdict[Key, list[Rollout]] = defaultdict(list)
    for row in (await connection.execute(_LOAD_OPEN, given)).all():
        key, rollout = read_rollout(row)
        rollouts[key.account].append(rollout)
    due: dict[Key, Due] = {}
    for *copied, opened_version in locked:
        key, account = read_account(copied)
        if account is not None:
            open_ones = sorted(rollouts[key], key=lambda one: one.version)
            due[key] = Due(account, opened_version, tuple(open_ones))
    return due


async def save_rollouts(
    connection: AsyncConnection, changed: Mapping[RolloutKey, tuple[Rollout, datetime]]
) -> None:
    """Save rollouts under the lock of their accounts, each with when it is looked at next."""
    rows = (
        (*_row_of(key, rollout), look_at)
        for key, (rollout, look_at) in sorted(changed.items(), key=lambda one: one[0])
    )
    await connection.execute(_SAVE, _ROWS.of(rows))


async def save_opened(connection: AsyncConnection, versions: Mapping[Key, int]) -> None:
    rows = ((key.brand, key.id, version) for key, version in sorted(versions.items()))
    await connection.execute(_SAVE_OPENED, _OPENED.of(rows))


async def postpone(connection: AsyncConnection, accounts: Iterable[Key], pause: timedelta) -> None:
    """Look at the open rollouts of these accounts not before a pause is over."""
    given = _ACCOUNTS.of((key.brand, key.id) for key in sorted(accounts))
    await connection.execute(_POSTPONE, {**given, "pause": pause})


async def save_proofs(connection: AsyncConnection, proofs: Mapping[RolloutKey, bytes]) -> None:
    rows = ((*key, bundle) for key, bundle in sorted(proofs.items()))
    await connection.execute(_SAVE_PROOFS, _PROOFS.of(rows))


async def lock_overridable(
    connection: AsyncConnection, asked: AskedByKey
) -> dict[Key, Overridable]:
    """Return the rollouts that commands name, under their accounts' locks."""
    named_by = {key: rollout_key(key.brand, key.id) for key in asked}
    # A version beyond 64 bits is no account's, and no parameter either.
    wanted = {key: one for key, one in named_by.items() if one.version < 2**63}
    accounts = await lock_accounts(connection, (one.account for one in wanted.values()))
    rows = (await connection.execute(_LOAD, _KEYS.of(sorted(wanted.values())))).all()
    rollouts = dict(map(read_rollout, rows))
    named = {
        engine_key(key.brand, engine_id)
        for key, commands in asked.items()
        for one in commands
        if isinstance(one.command, OverrideRollout)
        for engine_id in one.command.engines
    }
    engines = await load_engines(connection, named)
    access = await load_access(
        connection,
        {key.brand for key in wanted},
        accounts,
        {
            (one.account, command.actor.subject)
            for key, one in wanted.items()
            for command in asked[key]
        },
    )
    found: dict[Key, Overridable] = {}
    for key, one in wanted.items():
        account, rollout = accounts.get(one.account), rollouts.get(one)
        if account is not None and rollout is not None:
            registered = {engine.id for engine in engines if engine.brand == key.brand}
            found[key] = Overridable(
                rollout=rollout,
                owners=owners_of(account.id, access[key.brand]),
                engines=frozenset({*registered, *account.holders}),
            )
    return found


async def save_overridden(connection: AsyncConnection, changed: Mapping[Key, Overridable]) -> None:
    """Save who is excused, and have the closer look."""
    rows = (
        (
            *rollout_key(key.brand, key.id),
            _EXCUSED.dump_python(dict(one.rollout.excused), mode="json", exclude_none=True),
            _VIEW.dump_python(one.rollout.view, mode="json"),
        )
        for key, one in sorted(changed.items(), key=lambda one: one[0])
    )
    await connection.execute(_SAVE_OVERRIDDEN, _OVERRIDDEN.of(rows))


def rollout_key(brand: str, rollout_id: str) -> RolloutKey:
    account_id, _, version = rollout_id.rpartition(".")
    return RolloutKey(brand, account_id, int(version))


def read_rollout(row: Sequence[Any]) -> tuple[RolloutKey, Rollout]:
    """Read what `STATE` selects."""
    brand, account_id, version, epoch, state, opened_at, deadline, leases, excused, *rest = row
    asked, asked_at, announced_at, view, completed_at, proof_sha256 = rest
    return RolloutKey(brand, account_id, version), Rollout(
        account_id=account_id,
        version=version,
        account_epoch=epoch,
        state=state,
        opened_at=opened_at,
        deadline=deadline,
        leases=_LEASES.validate_python(leases),
        excused=_EXCUSED.validate_python(excused),
        asked=asked,
        asked_at=asked_at,
        announced_at=announced_at,
        view=_VIEW.validate_python(view),
        completed_at=completed_at,
        proof_sha256=proof_sha256,
    )


def _row_of(key: RolloutKey, rollout: Rollout) -> tuple[object, ...]:
    return (
        *key,
        rollout.account_epoch,
        rollout.state,
        rollout.opened_at,
        rollout.deadline,
        _LEASES.dump_python(dict(rollout.leases), mode="json"),
        _EXCUSED.dump_python(dict(rollout.excused), mode="json", exclude_none=True),
        rollout.asked,
        rollout.asked_at,
        rollout.announced_at,
        _VIEW.dump_python(rollout.view, mode="json"),
        rollout.completed_at,
        rollout.proof_sha256,
    )
