"""The lock that stands for a brand, and what is true of the brand as a whole."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from keyturn_contracts.access import OnLoss
from sqlalchemy import Select, false, func, literal, select, true, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.access.rules.members import GATHERS
from services.access.tables import BrandRow
from shared.database.rows import Rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Brand:
    has_list: bool
    on_loss: OnLoss


_BRANDS = Rows(BrandRow.brand_id)
_FIND = (
    select(BrandRow.brand_id, BrandRow.has_list, BrandRow.on_loss)
    .where(BrandRow.brand_id == _BRANDS.c.brand_id)
    .order_by(BrandRow.brand_id)
)
_SHARE = _FIND.with_for_update(read=True, of=BrandRow)
_LOCK = _FIND.with_for_update(key_share=True, of=BrandRow)
_MAKE = (
    insert(BrandRow)
    .from_select(
        [BrandRow.brand_id, BrandRow.has_list, BrandRow.on_loss],
        select(_BRANDS.c.brand_id, false(), literal("suspend")),
    )
    .on_conflict_do_nothing()
)
_BEGIN_LISTS = (
    update(BrandRow)
    .where(BrandRow.brand_id == _BRANDS.c.brand_id)
    .values(has_list=true(), gathers_until=func.now() + GATHERS)
)
_POLICIES = Rows(BrandRow.brand_id, BrandRow.on_loss)
_SAVE_POLICIES = (
    update(BrandRow)
    .where(BrandRow.brand_id == _POLICIES.c.brand_id)
    .values(on_loss=_POLICIES.c.on_loss)
)


async def share_brands(connection: AsyncConnection, brands: Iterable[str]) -> dict[str, Brand]:
    """Have nobody change these brands' lists, or hand ownership over, until the transaction ends.

    Of a brand of which nothing was said yet a row is made: without one there is no lock.
    """
    return await _hold(connection, _SHARE, brands)


async def lock_brands(connection: AsyncConnection, brands: Iterable[str]) -> dict[str, Brand]:
    """Wait for everybody who shares these brands, and hold them off until the transaction ends."""
    return await _hold(connection, _LOCK, brands)


async def begin_lists(connection: AsyncConnection, brands: Iterable[str]) -> None:
    """Have the lists of these brands hold from now on."""
    await connection.execute(_BEGIN_LISTS, _rows_of(brands))


async def save_policies(connection: AsyncConnection, policies: Mapping[str, OnLoss]) -> None:
    await connection.execute(_SAVE_POLICIES, _POLICIES.of(sorted(policies.items())))


async def _hold(
    connection: AsyncConnection, statement: Select[str, bool, OnLoss], brands: Iterable[str]
) -> dict[str, Brand]:
    wanted = set(brands)
    found = await _find(connection, statement, wanted)
    if missing := wanted - found.keys():
        await connection.execute(_MAKE, _rows_of(missing))
        found |= await _find(connection, statement, missing)
    return found


async def _find(
    connection: AsyncConnection, statement: Select[str, bool, OnLoss], brands: Iterable[str]
) -> dict[str, Brand]:
    rows = await connection.execute(statement, _rows_of(brands))
    return {brand: Brand(has_list=has_list, on_loss=on_loss) for brand, has_list, on_loss in rows}


def _rows_of(brands: Iterable[str]) -> dict[str, list[object]]:
    return _BRANDS.of((one,) for one in sorted(brands))
