"""How much of each account the workflows of each owner use, engine by engine."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from keyturn_contracts.message import Key
from sqlalchemy import Integer, Row, bindparam, select, true, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from services.workflow.rules.usage import Usage
from services.workflow.store.account import key_of as account_key
from services.workflow.store.holding import HoldingKey
from services.workflow.tables import EngineRow, UsageRow
from shared.database.rows import Rows

AnyRow = Row[*tuple[Any, ...]]
UsageKey = tuple[HoldingKey, str]
"""A holding, and the owner of workflows."""

_WHOLE = (
    UsageRow.brand_id,
    UsageRow.account_id,
    UsageRow.engine_id,
    UsageRow.owner,
    UsageRow.count,
    UsageRow.changes,
    UsageRow.reason,
)
_KEYS = Rows(*_WHOLE[:4])
_LOAD = select(*_WHOLE).where(*(one == _KEYS.c[one.key] for one in _WHOLE[:4]))
_OF_ACCOUNT = Rows(UsageRow.brand_id, UsageRow.account_id, UsageRow.engine_id, UsageRow.owner)
_IN_USE = (
    select(*_WHOLE)
    .join(
        EngineRow,
        (EngineRow.brand_id == UsageRow.brand_id) & (EngineRow.id == UsageRow.engine_id),
    )
    .where(
        UsageRow.brand_id == _OF_ACCOUNT.c.brand_id,
        UsageRow.account_id == _OF_ACCOUNT.c.account_id,
        UsageRow.count > 0,
        EngineRow.state == "registered",
    )
)
_PLACE = (UsageRow.engine_id, UsageRow.owner)
_OF_PAGE = (
    _IN_USE.where(tuple_(*_PLACE) > tuple_(*(_OF_ACCOUNT.c[one.key] for one in _PLACE)))
    .order_by(*_PLACE)
    .limit(bindparam("page", type_=Integer))
    .lateral("of_page")
)
_LOAD_PAGE = (
    select(*_OF_PAGE.c)
    .join_from(_OF_ACCOUNT.table, _OF_PAGE, true())
    .order_by(*(_OF_PAGE.c[one.key] for one in _WHOLE[:4]))
)
_ROWS = Rows(*_WHOLE)
_SAVE = _ROWS.upsert_into(UsageRow)


async def load_usage(
    connection: AsyncConnection, keys: Iterable[UsageKey]
) -> dict[UsageKey, Usage]:
    """Return what there is of these. It changes under the locks of its engine and its account."""
    rows = await connection.execute(_LOAD, _KEYS.of(map(_key_of, keys)))
    return {
        (HoldingKey(brand, engine_id, account_id), owner): Usage(count, changes, reason)
        for brand, account_id, engine_id, owner, count, changes, reason in rows
    }


async def load_usage_of(
    connection: AsyncConnection, accounts: Iterable[Key]
) -> defaultdict[HoldingKey, dict[str, Usage]]:
    """Return all that engines which are not retired use of these accounts, by owner.

    Under the accounts' locks, alone, that is certain.
    """
    rows = await connection.execute(_IN_USE, _OF_ACCOUNT.of(_from(begin_pages(accounts))))
    return _by_owner(rows)


Places = Mapping[Key, tuple[str, str]]
"""By account, behind which engine and owner its next page begins."""


def begin_pages(accounts: Iterable[Key]) -> Places:
    return dict.fromkeys(accounts, ("", ""))


async def load_usage_page(
    connection: AsyncConnection, places: Places, most: int
) -> tuple[defaultdict[HoldingKey, dict[str, Usage]], Places]:
    """Return what `load_usage_of` does, of each account at most so many, and what is left to read.

    Nothing is left where no account is named.
    """
    given = {**_OF_ACCOUNT.of(_from(places)), "page": most}
    rows = (await connection.execute(_LOAD_PAGE, given)).all()
    read = Counter[Key]()
    last: dict[Key, tuple[str, str]] = {}
    for row in rows:
        key = account_key(row.brand_id, row.account_id)
        read[key] += 1
        last[key] = row.engine_id, row.owner
    return _by_owner(rows), {key: last[key] for key, count in read.items() if count == most}


async def save_usage(connection: AsyncConnection, changed: Mapping[UsageKey, Usage]) -> None:
    rows = ((*_key_of(key), one.count, one.changes, one.reason) for key, one in changed.items())
    await connection.execute(_SAVE, _ROWS.of(sorted(rows, key=lambda row: row[:4])))


def _key_of(key: UsageKey) -> tuple[str, str, str, str]:
    holding, owner = key
    return holding.brand, holding.account_id, holding.engine_id, owner


def _from(places: Places) -> Iterator[tuple[str, str, str, str]]:
    return ((key.brand, key.id, *place) for key, place in sorted(places.items()))


def _by_owner(rows: Iterable[AnyRow]) -> defaultdict[HoldingKey, dict[str, Usage]]:
    found: defaultdict[HoldingKey, dict[str, Usage]] = defaultdict(dict)
    for brand, account_id, engine_id, owner, count, changes, reason in rows:
        found[HoldingKey(brand, engine_id, account_id)][owner] = Usage(count, changes, reason)
    return found
