"""What news of access concerns: noted with the news, and then the accounts that it may change."""

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from keyturn_contracts.message import Key
from sqlalchemy import Integer, bindparam, delete, exists, func, literal, or_, select, union, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.workflow.store.account import key_of as account_key
from services.workflow.tables import UNKNOWN, AccountRow, ConcernRow, UsageRow
from shared.database.rows import Rows


class Concern(NamedTuple):
    """An account; or what a member's workflows use, of one extension or all; or a brand's all."""

    brand: str
    account_id: str = ""
    member: str = ""
    extension: str = ""


_KEY = (ConcernRow.brand_id, ConcernRow.account_id, ConcernRow.member, ConcernRow.extension)
_GIVEN = Rows(*_KEY)
_NOTE = (
    insert(ConcernRow)
    .from_select(
        [*_KEY, ConcernRow.times],
        select(*(_GIVEN.c[one.key] for one in _KEY), literal(1)).order_by(
            *(_GIVEN.c[one.key] for one in _KEY)
        ),
    )
    # Not `DO NOTHING`: that would lose what comes while the row that it meets is being deleted.
    .on_conflict_do_update(index_elements=_KEY, set_={ConcernRow.times: ConcernRow.times + 1})
)
_DUE = (
    select(*_KEY, ConcernRow.times)
    # One of each brand first: none waits behind the thousands of another.
    .order_by(
        func.row_number().over(partition_by=ConcernRow.brand_id, order_by=_KEY[1:]),
        ConcernRow.brand_id,
    )
    .limit(bindparam("most", type_=Integer))
)
_SEEN = Rows(*_KEY, ConcernRow.times)
_TO_FORGET = (
    select(*_KEY)
    .where(
        *(one == _SEEN.c[one.key] for one in _KEY),
        ConcernRow.times == _SEEN.c.times,
    )
    .order_by(*_KEY)
    .with_for_update(of=ConcernRow)
    .cte("to_forget")
)
_FORGET = delete(ConcernRow).where(*(one == _TO_FORGET.c[one.key] for one in _KEY))

# What nobody uses any more too: who let go of it after the news was judged by it, and what is on
# record of the holding was not.
_WAS_USED = exists().where(
    UsageRow.brand_id == AccountRow.brand_id, UsageRow.account_id == AccountRow.id
)
_IS_OF_EXTENSION = or_(_GIVEN.c.extension == "", AccountRow.extension == _GIVEN.c.extension)
_CONCERNED = union(
    select(_GIVEN.c.brand_id, _GIVEN.c.account_id).where(_GIVEN.c.account_id != ""),
    select(UsageRow.brand_id, UsageRow.account_id)
    .join(
        AccountRow,
        (AccountRow.brand_id == UsageRow.brand_id) & (AccountRow.id == UsageRow.account_id),
    )
    .where(
        _GIVEN.c.member != "",
        UsageRow.brand_id == _GIVEN.c.brand_id,
        UsageRow.owner == _GIVEN.c.member,
        _IS_OF_EXTENSION,
    ),
    select(AccountRow.brand_id, AccountRow.id).where(
        _GIVEN.c.account_id == "",
        _GIVEN.c.member == "",
        AccountRow.brand_id == _GIVEN.c.brand_id,
        _IS_OF_EXTENSION,
        _WAS_USED,
    ),
)
_ACCOUNTS = Rows(AccountRow.brand_id, AccountRow.id)
_TO_MARK = (
    select(AccountRow.brand_id, AccountRow.id)
    .where(
        AccountRow.brand_id == _ACCOUNTS.c.brand_id,
        AccountRow.id == _ACCOUNTS.c.id,
        # One that is marked already too: who judges it now may have read the old facts.
        AccountRow.state != UNKNOWN,
    )
    .order_by(AccountRow.brand_id, AccountRow.id)
    .with_for_update(key_share=True, of=AccountRow)
    .cte("to_mark")
)
_MARK = (
    update(AccountRow)
    .where(AccountRow.brand_id == _TO_MARK.c.brand_id, AccountRow.id == _TO_MARK.c.id)
    .values(is_to_judge=True)
)


async def note_concerns(connection: AsyncConnection, concerns: Collection[Concern]) -> None:
    """Have the accounts that news concerns judged again once this transaction has committed."""
    if concerns:
        await connection.execute(_NOTE, _GIVEN.of(sorted(concerns)))


async def load_concerns(connection: AsyncConnection, most: int) -> dict[Concern, int]:
    """Return what was noted and not marked yet, each with how often."""
    rows = await connection.execute(_DUE, {"most": most})
    return {Concern(*concern): times for *concern, times in rows}


async def forget_concerns(connection: AsyncConnection, seen: Mapping[Concern, int]) -> None:
    """Forget what has not been noted once more since it was seen."""
    await connection.execute(
        _FORGET, _SEEN.of((*one, times) for one, times in sorted(seen.items()))
    )


async def load_concerned(connection: AsyncConnection, concerns: Iterable[Concern]) -> list[Key]:
    """Return the accounts that workflows use, or have used, whose answer these may change."""
    rows = await connection.execute(_CONCERNED, _GIVEN.of(sorted(concerns)))
    return sorted(account_key(*row) for row in rows)


async def mark_to_judge(connection: AsyncConnection, accounts: Iterable[Key]) -> None:
    """Have accounts judged again; waits for whoever judges or binds them now."""
    await connection.execute(_MARK, _ACCOUNTS.of((one.brand, one.id) for one in accounts))
