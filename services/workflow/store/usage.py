"""How much of each account the workflows of each owner use, engine by engine."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from keyturn_contracts.message import Key
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.workflow.rules.usage import Usage
from services.workflow.store.holding import HoldingKey
from services.workflow.tables import EngineRow, UsageRow
from shared.database.rows import Rows

UsageKey = tuple[HoldingKey, str]
"""A holding, and the owner of workflows."""

_WHOLE = (
    UsageRow.brand_id,
    UsageRow.account_id,
    UsageRow.engine_id,
    UsageRow.owner,
    UsageRow.count,
    UsageRow.changes,
)
_KEYS = Rows(*_WHOLE[:4])
_LOAD = select(*_WHOLE).where(*(one == _KEYS.c[one.key] for one in _WHOLE[:4]))
_ACCOUNTS = Rows(UsageRow.brand_id, UsageRow.account_id)
_LOAD_ALL = (
    select(*_WHOLE)
    .join(
        EngineRow,
        (EngineRow.brand_id == UsageRow.brand_id) & (EngineRow.id == UsageRow.engine_id),
    )
    .where(
        UsageRow.brand_id == _ACCOUNTS.c.brand_id,
        UsageRow.account_id == _ACCOUNTS.c.account_id,
        UsageRow.count > 0,
        EngineRow.state == "registered",
    )
)
_ROWS = Rows(*_WHOLE)
_SAVE = _ROWS.upsert_into(UsageRow)


async def load_usage(
    connection: AsyncConnection, keys: Iterable[UsageKey]
) -> dict[UsageKey, Usage]:
    """Return what there is of these. It changes under the lock of its engine alone."""
    rows = await connection.execute(_LOAD, _KEYS.of(map(_key_of, keys)))
    return {
        (HoldingKey(brand, engine_id, account_id), owner): Usage(count, changes)
        for brand, account_id, engine_id, owner, count, changes in rows
    }


async def load_usage_of(
    connection: AsyncConnection, accounts: Iterable[Key]
) -> defaultdict[HoldingKey, dict[str, Usage]]:
    """Return all that engines which are not retired use of these accounts, by owner.

    Under the accounts' locks, alone, that is certain.
    """
    found: defaultdict[HoldingKey, dict[str, Usage]] = defaultdict(dict)
    rows = await connection.execute(
        _LOAD_ALL, _ACCOUNTS.of((one.brand, one.id) for one in accounts)
    )
    for brand, account_id, engine_id, owner, count, changes in rows:
        found[HoldingKey(brand, engine_id, account_id)][owner] = Usage(count, changes)
    return found


async def save_usage(connection: AsyncConnection, changed: Mapping[UsageKey, Usage]) -> None:
    rows = ((*_key_of(key), one.count, one.changes) for key, one in changed.items())
    await connection.execute(_SAVE, _ROWS.of(sorted(rows)))


def _key_of(key: UsageKey) -> tuple[str, str, str, str]:
    holding, owner = key
    return holding.brand, holding.account_id, holding.engine_id, owner
