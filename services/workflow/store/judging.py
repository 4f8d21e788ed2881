"""Accounts whose news may have changed who may use them, and what is to be judged of them."""

from collections.abc import Iterable

from keyturn_contracts.message import Key
from sqlalchemy import Integer, bindparam, exists, func, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.workflow.rules.account import Account
from services.workflow.rules.holding import Holding
from services.workflow.store.account import COPIED, read_account
from services.workflow.store.account import key_of as account_key
from services.workflow.store.holding import STATE, HoldingKey, read_holding
from services.workflow.tables import AccountRow, EngineRow, HoldingRow, UsageRow
from shared.database.rows import Rows

PAIRS = 20_000
"""How many owners of workflows, each with one account in one engine, are judged in one transaction.

An account is begun while there are fewer, and done whole; what it needs is read as many at a time.
"""

_APART = Rows(AccountRow.brand_id, AccountRow.id, name="apart")
# One of each brand first: none waits behind the thousands of another.
_TURN = func.row_number().over(partition_by=AccountRow.brand_id, order_by=AccountRow.id)
_DUE = (
    select(AccountRow.brand_id, AccountRow.id, _TURN.label("turn"))
    .where(
        AccountRow.is_to_judge,
        ~exists().where(_APART.c.brand_id == AccountRow.brand_id, _APART.c.id == AccountRow.id),
    )
    .order_by(_TURN, AccountRow.brand_id)
    .limit(bindparam("most", type_=Integer))
    .cte("due")
)
_MOST_PAIRS = bindparam("pairs", type_=Integer)
_USED = (
    select(UsageRow.owner)
    .where(UsageRow.brand_id == _DUE.c.brand_id, UsageRow.account_id == _DUE.c.id)
    # Where there are more it is full anyway, and counting goes no further.
    .limit(_MOST_PAIRS)
    .lateral("used")
)
_PAIRS_OF_IT = func.count(_USED.c.owner)
_COUNTED = (
    select(
        _DUE.c.brand_id,
        _DUE.c.id,
        (func.sum(_PAIRS_OF_IT).over(order_by=(_DUE.c.turn, _DUE.c.brand_id)) - _PAIRS_OF_IT).label(
            "before"
        ),
    )
    .join_from(_DUE, _USED, true(), isouter=True)
    .group_by(_DUE.c.brand_id, _DUE.c.id, _DUE.c.turn)
    .subquery("counted")
)
_TO_JUDGE = select(_COUNTED.c.brand_id, _COUNTED.c.id).where(_COUNTED.c.before < _MOST_PAIRS)
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


async def lock_to_judge(
    connection: AsyncConnection, most: int, pairs: int = PAIRS, *, but: Iterable[Key] = ()
) -> dict[Key, Account]:
    """Hold accounts alone that are to be judged: nobody binds or unbinds them meanwhile.

    At most `most`; one more is added while those before have fewer than `pairs` owners of workflows
    together. Those of `but` are left out.
    """
    apart = _APART.of((key.brand, key.id) for key in but)
    due = await connection.execute(_TO_JUDGE, {**apart, "most": most, "pairs": pairs})
    keys = sorted(account_key(*row) for row in due)
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
