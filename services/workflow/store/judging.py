"""Accounts whose news may have changed who may use them, and what is to be judged of them."""

from collections.abc import Iterable

from keyturn_contracts.message import Key
from sqlalchemy import Integer, bindparam, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.workflow.rules.account import Account
from services.workflow.rules.holding import Holding
from services.workflow.store.account import COPIED, read_account
from services.workflow.store.account import key_of as account_key
from services.workflow.store.holding import STATE, HoldingKey, read_holding
from services.workflow.tables import AccountRow, EngineRow, HoldingRow
from shared.database.rows import Rows

_TO_JUDGE = (
    select(AccountRow.brand_id, AccountRow.id)
    .where(AccountRow.is_to_judge)
    # One of each brand first: none waits behind the thousands of another.
    .order_by(
        func.row_number().over(partition_by=AccountRow.brand_id, order_by=AccountRow.id),
        AccountRow.brand_id,
    )
    .limit(bindparam("most", type_=Integer))
)
_KEYS = Rows(AccountRow.brand_id, AccountRow.id)
_LOCK = (
    select(*COPIED)
    .where(
        AccountRow.brand_id == _KEYS.c.brand_id,
        AccountRow.id == _KEYS.c.id,
        AccountRow.is_to_judge,
    )
    .order_by(AccountRow.brand_id, AccountRow.id)
    .with_for_update(key_share=True, of=AccountRow)
)
_LOAD = (
    select(*STATE)
    .join(
        EngineRow,
        (EngineRow.brand_id == HoldingRow.brand_id) & (EngineRow.id == HoldingRow.engine_id),
    )
    .where(
        HoldingRow.brand_id == _KEYS.c.brand_id,
        HoldingRow.account_id == _KEYS.c.id,
        EngineRow.state == "registered",
    )
)
_JUDGED = (
    update(AccountRow)
    .where(AccountRow.brand_id == _KEYS.c.brand_id, AccountRow.id == _KEYS.c.id)
    .values(is_to_judge=False)
)


async def lock_to_judge(connection: AsyncConnection, most: int) -> dict[Key, Account]:
    """Hold accounts alone that are to be judged: nobody binds or unbinds them meanwhile."""
    keys = sorted(account_key(*row) for row in await connection.execute(_TO_JUDGE, {"most": most}))
    if not keys:
        return {}
    rows = (await connection.execute(_LOCK, _rows_of(keys))).all()
    return {key: one for key, one in map(read_account, rows) if one is not None}


async def load_holdings_to_judge(
    connection: AsyncConnection, accounts: Iterable[Key]
) -> dict[HoldingKey, Holding]:
    """Return every holding of these accounts, of engines that are not retired."""
    rows = (await connection.execute(_LOAD, _rows_of(accounts))).all()
    return dict(map(read_holding, rows))


async def save_judged(connection: AsyncConnection, accounts: Iterable[Key]) -> None:
    await connection.execute(_JUDGED, _rows_of(accounts))


def _rows_of(keys: Iterable[Key]) -> dict[str, list[object]]:
    return _KEYS.of((key.brand, key.id) for key in keys)
