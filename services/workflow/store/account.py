"""The copy of the vault's accounts and receipts, and the lock that legs change under."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from keyturn_contracts.credential_vault import AboutAccount, AccountChanged, CredentialFetched
from keyturn_contracts.message import Key
from sqlalchemy import delete, false, func, literal, null, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.workflow.rules.account import Account
from services.workflow.rules.entitlement import why_barred
from services.workflow.store.entitlement import load_entitlements, share_brands
from services.workflow.tables import IS_OPEN, UNKNOWN, AccountRow, ReceiptRow, RolloutRow
from shared.database.rows import Rows
from shared.messaging.envelope import News, newest_of_each_key

COPIED = (
    AccountRow.brand_id,
    AccountRow.id,
    AccountRow.extension,
    AccountRow.state,
    AccountRow.version,
    AccountRow.epoch,
    AccountRow.barred,
    AccountRow.party,
    AccountRow.holders,
)
_NEWS = Rows(*COPIED, AccountRow.sequence, AccountRow.is_to_open)
_GIVEN = insert(AccountRow).excluded
_SAVE_NEWS = _NEWS.upsert_into(
    AccountRow,
    newest_by=[AccountRow.epoch, AccountRow.sequence],
    also={
        # What `rules.access.may_use` goes by; a row that is new has no holding yet.
        AccountRow.is_to_judge: or_(
            AccountRow.is_to_judge,
            AccountRow.state == UNKNOWN,
            AccountRow.barred.is_distinct_from(_GIVEN.barred),
            AccountRow.party != _GIVEN.party,
            (AccountRow.state == "deleted") != (_GIVEN.state == "deleted"),
        ),
        AccountRow.is_to_open: _GIVEN.version > AccountRow.opened_version,
    },
)

_KEYS = Rows(AccountRow.brand_id, AccountRow.id)
_STAND_IN = (
    insert(AccountRow)
    .from_select(
        [one.key for one in (*COPIED, AccountRow.sequence, AccountRow.is_to_open)],
        select(
            _KEYS.c.brand_id,
            _KEYS.c.id,
            literal(""),
            literal(UNKNOWN),
            literal(0),
            literal(-1),
            null(),
            literal("third"),
            literal({}, AccountRow.holders.expression.type),
            literal(-1),
            false(),
        ),
    )
    .on_conflict_do_nothing()
)
_LOCK = (
    select(*COPIED)
    .where(AccountRow.brand_id == _KEYS.c.brand_id, AccountRow.id == _KEYS.c.id)
    .order_by(AccountRow.brand_id, AccountRow.id)
)
_LOCK_SHARED = _LOCK.with_for_update(read=True, of=AccountRow)
_LOCK_ALONE = _LOCK.with_for_update(key_share=True, of=AccountRow)

_TO_WAKE = (
    select(RolloutRow.brand_id, RolloutRow.account_id, RolloutRow.version)
    .where(
        RolloutRow.brand_id == _KEYS.c.brand_id,
        RolloutRow.account_id == _KEYS.c.id,
        IS_OPEN,
        RolloutRow.look_at > func.now(),
    )
    .order_by(RolloutRow.brand_id, RolloutRow.account_id, RolloutRow.version)
    .with_for_update(key_share=True, of=RolloutRow)
    .cte("to_wake")
)
_WAKE = (
    update(RolloutRow)
    .where(
        RolloutRow.brand_id == _TO_WAKE.c.brand_id,
        RolloutRow.account_id == _TO_WAKE.c.account_id,
        RolloutRow.version == _TO_WAKE.c.version,
    )
    .values(look_at=func.now())
)

_RECEIPTS = Rows(
    ReceiptRow.brand_id,
    ReceiptRow.engine_id,
    ReceiptRow.account_id,
    ReceiptRow.version,
    ReceiptRow.epoch,
    ReceiptRow.sequence,
    ReceiptRow.receipt_sha256,
)
_SAVE_RECEIPTS = _RECEIPTS.upsert_into(
    ReceiptRow, newest_by=[ReceiptRow.epoch, ReceiptRow.sequence]
)
_USABLE = Rows(ReceiptRow.brand_id, ReceiptRow.account_id, ReceiptRow.version)
_FORGET_RECEIPTS = delete(ReceiptRow).where(
    ReceiptRow.brand_id == _USABLE.c.brand_id,
    ReceiptRow.account_id == _USABLE.c.account_id,
    ReceiptRow.version < _USABLE.c.version,
)


def key_of(brand: str, account_id: str) -> Key:
    return Key(brand, AboutAccount.kind, account_id)


async def save_accounts(connection: AsyncConnection, news: Sequence[News[AccountChanged]]) -> None:
    """Remember the newest state of each account, and have the closer look at its rollout.

    It is barred by what is known by now of its brand's licence and its extension's installation.
    Receipts of versions that are retired are of no more use.
    """
    newest = newest_of_each_key(news)
    await share_brands(connection, (one.brand for one in newest))
    entitlements = await load_entitlements(
        connection, ((one.brand, one.event.extension) for one in newest)
    )
    rows = (
        (
            one.brand,
            one.event.account_id,
            one.event.extension,
            one.event.state,
            one.event.version,
            one.epoch,
            why_barred(entitlements[one.brand, one.event.extension]),
            entitlements[one.brand, one.event.extension].party,
            {holder.engine_id: _json(holder.lease_until) for holder in one.event.holders},
            one.sequence,
            # Of a row that is new, with version 1 as the one that needs no rollout.
            one.event.version > 1,
        )
        for one in newest
    )
    await connection.execute(_SAVE_NEWS, _NEWS.of(rows))
    usable = (
        (one.brand, one.event.account_id, min((one.event.version, *one.event.unretired)))
        for one in newest
    )
    await connection.execute(_FORGET_RECEIPTS, _USABLE.of(usable))
    await wake_rollouts(connection, (one.key for one in newest))


async def save_receipts(
    connection: AsyncConnection, news: Sequence[News[CredentialFetched]]
) -> None:
    """Remember the digest of each receipt: of each version, as news of it comes in any order."""
    newest = {
        (one.brand, one.event.engine_id, one.event.account_id, one.event.version): one
        for one in sorted(news, key=lambda one: (one.epoch, one.sequence))
    }
    rows = (
        (*key, one.epoch, one.sequence, one.event.receipt_sha256)
        for key, one in sorted(newest.items())
    )
    await connection.execute(_SAVE_RECEIPTS, _RECEIPTS.of(rows))


async def share_accounts(
    connection: AsyncConnection, keys: Iterable[Key], *, named: Iterable[Key] = ()
) -> dict[Key, Account]:
    """Hold accounts against being closed meanwhile; return those that are known.

    `named` by an engine: where news has not come yet, a row stands in, so that there is always one
    to lock, and the news that comes later finds who named it.
    """
    if stand_ins := sorted(set(named)):
        await connection.execute(_STAND_IN, _rows_of(stand_ins))
    return await _read(connection, _LOCK_SHARED, {*keys, *stand_ins})


async def lock_accounts(connection: AsyncConnection, keys: Iterable[Key]) -> dict[Key, Account]:
    """Hold accounts alone; return those that are known."""
    return await _read(connection, _LOCK_ALONE, set(keys))


async def wake_rollouts(connection: AsyncConnection, keys: Iterable[Key]) -> None:
    """Have the closer look at these accounts' open rollouts once this transaction has committed."""
    await connection.execute(_WAKE, _rows_of(sorted(set(keys))))


def read_account(row: Sequence[Any]) -> tuple[Key, Account | None]:
    """Read what `COPIED` selects; None of a row that only stands in."""
    brand, account_id, extension, state, version, epoch, barred, party, holders = row
    if state == UNKNOWN:
        return key_of(brand, account_id), None
    return key_of(brand, account_id), Account(
        id=account_id,
        extension=extension,
        state=state,
        version=version,
        epoch=epoch,
        barred=barred,
        party=party,
        holders={
            engine_id: None if until is None else datetime.fromisoformat(until)
            for engine_id, until in holders.items()
        },
    )


def _json(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


async def _read(connection: AsyncConnection, statement: Any, keys: set[Key]) -> dict[Key, Account]:
    if not keys:
        return {}
    rows = await connection.execute(statement, _rows_of(sorted(keys)))
    return {key: one for key, one in map(read_account, rows) if one is not None}


def _rows_of(keys: Iterable[Key]) -> dict[str, list[object]]:
    return _KEYS.of((key.brand, key.id) for key in keys)
