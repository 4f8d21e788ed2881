"""Holdings, and the evidence of what was confirmed of them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from keyturn_contracts.proof import SignedCommand
from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.workflow.rules.engine import Confirmed
from services.workflow.rules.holding import Holding, Standing
from services.workflow.tables import ConfirmationRow, FailureRow, HoldingRow, ReceiptRow
from shared.database.rows import Rows


class HoldingKey(NamedTuple):
    brand: str
    engine_id: str
    account_id: str


STATE = (
    HoldingRow.brand_id,
    HoldingRow.engine_id,
    HoldingRow.account_id,
    HoldingRow.count,
    HoldingRow.digest,
    HoldingRow.allowed_count,
    HoldingRow.vanished_count,
    HoldingRow.is_named_since,
    HoldingRow.confirmed_version,
    HoldingRow.confirmed_holds,
    HoldingRow.failed_count,
    HoldingRow.announced_bound,
    HoldingRow.announced_allowed,
    HoldingRow.announced_reason,
    HoldingRow.suspended,
    HoldingRow.announced_suspended,
    HoldingRow.suspensions,
)
_KEYS = Rows(HoldingRow.brand_id, HoldingRow.engine_id, HoldingRow.account_id)
_LOAD = select(*STATE).where(
    HoldingRow.brand_id == _KEYS.c.brand_id,
    HoldingRow.engine_id == _KEYS.c.engine_id,
    HoldingRow.account_id == _KEYS.c.account_id,
)
_ENGINES = Rows(HoldingRow.brand_id, HoldingRow.engine_id)
_LOAD_ALL = select(*STATE).where(
    HoldingRow.brand_id == _ENGINES.c.brand_id, HoldingRow.engine_id == _ENGINES.c.engine_id
)
_ROWS = Rows(*STATE)
_SAVE = _ROWS.upsert_into(HoldingRow)

_WANTED = Rows(ReceiptRow.brand_id, ReceiptRow.engine_id, ReceiptRow.account_id, ReceiptRow.version)
_LOAD_RECEIPTS = select(
    ReceiptRow.brand_id,
    ReceiptRow.engine_id,
    ReceiptRow.account_id,
    ReceiptRow.version,
    ReceiptRow.receipt_sha256,
).where(
    ReceiptRow.brand_id == _WANTED.c.brand_id,
    ReceiptRow.engine_id == _WANTED.c.engine_id,
    ReceiptRow.account_id == _WANTED.c.account_id,
    ReceiptRow.version == _WANTED.c.version,
)
_CONFIRMATIONS = Rows(
    ConfirmationRow.brand_id,
    ConfirmationRow.engine_id,
    ConfirmationRow.account_id,
    ConfirmationRow.confirmation,
    ConfirmationRow.settlement,
)
_SAVE_CONFIRMATIONS = _CONFIRMATIONS.upsert_into(
    ConfirmationRow,
    also={
        ConfirmationRow.confirmation: func.coalesce(
            insert(ConfirmationRow).excluded.confirmation, ConfirmationRow.confirmation
        )
    },
)
_FORGET_FAILURES = delete(FailureRow).where(
    FailureRow.brand_id == _KEYS.c.brand_id,
    FailureRow.engine_id == _KEYS.c.engine_id,
    FailureRow.account_id == _KEYS.c.account_id,
)
_FAILURES = Rows(
    FailureRow.brand_id,
    FailureRow.engine_id,
    FailureRow.account_id,
    FailureRow.workflow_id,
    FailureRow.reason,
)
_SAVE_FAILURES = _FAILURES.insert_into(FailureRow)


async def load_holdings(
    connection: AsyncConnection, keys: Iterable[HoldingKey]
) -> dict[HoldingKey, Holding]:
    """Return those that exist. They change under the lock of their account alone, or of both."""
    rows = await connection.execute(_LOAD, _KEYS.of(sorted(keys)))
    return dict(map(read_holding, rows))


async def load_holdings_of(
    connection: AsyncConnection, engines: Iterable[tuple[str, str]]
) -> dict[HoldingKey, Holding]:
    """Return every holding of these engines."""
    rows = await connection.execute(_LOAD_ALL, _ENGINES.of(sorted(engines)))
    return dict(map(read_holding, rows))


async def save_holdings(connection: AsyncConnection, changed: Mapping[HoldingKey, Holding]) -> None:
    rows = (
        (
            *key,
            one.count,
            to_bytes(one.digest),
            one.allowed_count,
            one.vanished_count,
            one.is_named_since,
            one.confirmed_version,
            one.confirmed_holds,
            one.failed_count,
            one.announced.is_bound,
            one.announced.is_allowed,
            one.announced.reason,
            to_bytes(one.suspended),
            to_bytes(one.announced_suspended),
            one.suspensions,
        )
        for key, one in sorted(changed.items())
    )
    await connection.execute(_SAVE, _ROWS.of(rows))


async def load_receipts(
    connection: AsyncConnection, wanted: Iterable[tuple[HoldingKey, int]]
) -> dict[tuple[HoldingKey, int], str]:
    """Return what the vault announced of these versions' receipts."""
    rows = await connection.execute(
        _LOAD_RECEIPTS, _WANTED.of((*key, version) for key, version in wanted)
    )
    return {(HoldingKey(*key), version): receipt for *key, version, receipt in rows}


async def save_confirmations(
    connection: AsyncConnection, confirmed: Mapping[HoldingKey, Confirmed]
) -> None:
    """Save what engines said last."""
    ordered = sorted(confirmed.items(), key=lambda one: one[0])
    evidence = ((*key, _json(one.confirmation), _json(one.settlement)) for key, one in ordered)
    await connection.execute(_SAVE_CONFIRMATIONS, _CONFIRMATIONS.of(evidence))
    await connection.execute(_FORGET_FAILURES, _KEYS.of(key for key, _ in ordered))
    failures = [
        (*key, workflow_id, reason)
        for key, one in ordered
        for workflow_id, reason in dict(one.failed).items()
    ]
    if failures:
        await connection.execute(_SAVE_FAILURES, _FAILURES.of(failures))


def read_holding(row: Sequence[Any]) -> tuple[HoldingKey, Holding]:
    """Read what `STATE` selects."""
    brand, engine_id, account_id, count, digest, allowed, vanished, is_named_since, *rest = row
    version, holds, failed, *announced, suspended, announced_suspended, suspensions = rest
    return HoldingKey(brand, engine_id, account_id), Holding(
        count=count,
        digest=from_bytes(digest),
        allowed_count=allowed,
        vanished_count=vanished,
        is_named_since=is_named_since,
        confirmed_version=version,
        confirmed_holds=holds,
        failed_count=failed,
        announced=Standing(*announced),
        suspended=from_bytes(suspended),
        announced_suspended=from_bytes(announced_suspended),
        suspensions=suspensions,
    )


def to_bytes(digest: int) -> bytes:
    return digest.to_bytes(32, "big")


def from_bytes(digest: bytes) -> int:
    return int.from_bytes(digest, "big")


def _json(command: SignedCommand | None) -> str | None:
    return None if command is None else command.to_json().decode()
