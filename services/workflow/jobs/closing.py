"""The one closer: opens a rollout for a new version, looks at it, and completes it with a proof."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from hashlib import sha256

import structlog
from keyturn_contracts.keys import SigningKey
from keyturn_contracts.message import Key
from keyturn_contracts.workflow import RolloutChanged
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.workflow.rules.account import Account
from services.workflow.rules.proof import prove
from services.workflow.rules.rollout import (
    Count,
    Leg,
    Rhythm,
    Rollout,
    complete,
    count_legs,
    look,
    open_rollout,
    supersede,
)
from services.workflow.store.holding import HoldingKey
from services.workflow.store.leg import load_evidence, load_legs, load_registrations
from services.workflow.store.rollout import (
    Due,
    RolloutKey,
    load_due,
    lock_due,
    postpone,
    save_opened,
    save_proofs,
    save_rollouts,
)
from shared.messaging.crash import crash_point
from shared.messaging.failures import do_all_or_each
from shared.messaging.outbox import Announcement, announce

_log = structlog.stdlib.get_logger()


@dataclass(frozen=True, slots=True)
class _Complete:
    """A rollout that waits for nobody any more; its proof is still to be made."""

    rollout: Rollout
    account: Account
    legs: Sequence[Leg]
    count: Count


@dataclass(slots=True)
class _Closing:
    """What a pass has come to, in the order in which it is announced."""

    now: datetime
    rhythm: Rhythm
    saved: dict[RolloutKey, tuple[Rollout, datetime]] = field(
        default_factory=dict[RolloutKey, tuple[Rollout, datetime]]
    )
    complete: dict[RolloutKey, _Complete] = field(default_factory=dict[RolloutKey, _Complete])
    opened: dict[Key, int] = field(default_factory=dict[Key, int])
    proofs: dict[RolloutKey, bytes] = field(default_factory=dict[RolloutKey, bytes])
    announcements: list[Announcement] = field(default_factory=list[Announcement])

    def see(self, key: Key, due: Due, legs: Sequence[Leg]) -> None:
        """Look at what is open of one account, and open what is new."""
        account = due.account
        for rollout in due.rollouts:
            if rollout.version < account.version:
                ended, event = supersede(rollout)
                self._keep(key, ended, (event,), self.now)
            else:
                self._look(key, account, legs, rollout)
        if account.version > due.opened_version:
            self.opened[key] = account.version
            seen = open_rollout(account, legs, self.now, self.rhythm)
            self._keep(key, seen.rollout, seen.events, seen.look_at)
            self._look(key, account, legs, seen.rollout)

    def conclude(self, key: RolloutKey, bundle: bytes, moment: datetime) -> None:
        one = self.complete[key]
        self.proofs[key] = bundle
        proof_sha256 = sha256(bundle).hexdigest()
        completed, event = complete(one.rollout, one.count, proof_sha256, moment)
        self._keep(key.account, completed, (event,), moment)

    def _look(self, key: Key, account: Account, legs: Sequence[Leg], rollout: Rollout) -> None:
        count = count_legs(rollout, account, legs, self.now)
        if count.is_complete:
            rollout_key = RolloutKey(key.brand, key.id, rollout.version)
            self.complete[rollout_key] = _Complete(rollout, account, legs, count)
        else:
            seen = look(rollout, count, self.now, self.rhythm)
            self._keep(key, seen.rollout, seen.events, seen.look_at)

    def _keep(
        self, key: Key, rollout: Rollout, events: Sequence[RolloutChanged], look_at: datetime
    ) -> None:
        self.saved[RolloutKey(key.brand, key.id, rollout.version)] = (rollout, look_at)
        self.announcements += [Announcement(event, key.brand) for event in events]


async def close_rollouts(engine: AsyncEngine, key: SigningKey, rhythm: Rhythm, most: int) -> int:
    """Look at what is due, and return how many accounts that were.

    Any number of processes may do it: who comes second finds nothing due any more.
    """
    async with engine.begin() as connection:
        looked_at = await close(connection, key, rhythm, most)
        if looked_at:
            crash_point("workflow.before_close")
    if looked_at:
        crash_point("workflow.after_close")
    return looked_at


async def close(connection: AsyncConnection, key: SigningKey, rhythm: Rhythm, most: int) -> int:
    """Do so in the caller's transaction: under the accounts' locks no leg changes meanwhile.

    An account that fails is left for later, and no other one's rollouts wait for it.
    """
    wanted = sorted(await load_due(connection, most))
    if not wanted:
        return 0
    parted = await do_all_or_each(connection, wanted, partial(_close, connection, key, rhythm))
    for account, cause in parted.failed:
        _log.error("a rollout could not be looked at", account=str(account), exc_info=cause)
    if parted.failed:
        await postpone(connection, [one for one, _ in parted.failed], rhythm.look_again)
    return sum(looked_at for _, looked_at in parted.done)


async def _close(
    connection: AsyncConnection, key: SigningKey, rhythm: Rhythm, wanted: Sequence[Key]
) -> int:
    due = await lock_due(connection, wanted)
    legs = await load_legs(connection, {one: found.account for one, found in due.items()})
    closing = _Closing(await _now(connection), rhythm)
    for account, found in sorted(due.items()):
        closing.see(account, found, legs.get(account, ()))
    if closing.complete:
        await _prove(connection, closing, key)
    await _save(connection, closing)
    return len(due)


async def _now(connection: AsyncConnection) -> datetime:
    """Return the database's time: the closer's one clock, whichever process it runs in."""
    return (await connection.execute(select(func.clock_timestamp()))).scalar_one()


async def _prove(connection: AsyncConnection, closing: _Closing, key: SigningKey) -> None:
    done = {
        HoldingKey(one.brand, leg.engine_id, one.account_id): leg
        for one, found in closing.complete.items()
        for leg in found.count.done
    }
    evidence = await load_evidence(connection, done)
    registrations = await load_registrations(
        connection, sorted({(one.brand, one.engine_id) for one in done})
    )
    for one, found in closing.complete.items():
        engines = [leg.engine_id for leg in found.count.done]
        said = {
            engine_id: evidence[holding]
            for engine_id in engines
            if (holding := HoldingKey(one.brand, engine_id, one.account_id)) in evidence
        }
        # The broker's clock may be ahead of the database's: a proof's end is after all it proves.
        moment = max(
            closing.now,
            found.rollout.opened_at,
            *(known.confirmation.appended_at for known in said.values()),
            *(known.settlement.appended_at for known in said.values() if known.settlement),
        )
        bundle = prove(
            found.rollout,
            found.account,
            found.legs,
            found.count,
            brand=one.brand,
            evidence=said,
            registrations={
                engine_id: registrations[one.brand, engine_id]
                for engine_id in engines
                if (one.brand, engine_id) in registrations
            },
            key=key,
            now=moment,
        )
        closing.conclude(one, bundle, moment)


async def _save(connection: AsyncConnection, closing: _Closing) -> None:
    if closing.saved:
        await save_rollouts(connection, closing.saved)
    if closing.proofs:
        await save_proofs(connection, closing.proofs)
    if closing.opened:
        await save_opened(connection, closing.opened)
    if closing.announcements:
        await announce(connection, closing.announcements)
