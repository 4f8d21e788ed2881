"""Rollouts and accounts, for who may see them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from services.workflow.tables import IS_OPEN, AccountRow, ProofRow, RolloutRow

AnyRow = Row[*tuple[Any, ...]]

_WITH_ACCOUNT = (AccountRow.brand_id == RolloutRow.brand_id) & (
    AccountRow.id == RolloutRow.account_id
)


@dataclass(frozen=True, kw_only=True)
class Filter:
    creator: str | None
    """Only what concerns this member's accounts."""
    account_id: str | None = None
    state: str | None = None


async def load_page(
    connection: AsyncConnection,
    brand: str,
    columns: Sequence[Any],
    wanted: Filter,
    *,
    after: tuple[datetime, str, int] | None,
    limit: int,
) -> Sequence[AnyRow]:
    """Return rollouts, the newest first."""
    place = (RolloutRow.opened_at, RolloutRow.account_id, RolloutRow.version)
    query = (
        select(*columns)
        .join(AccountRow, _WITH_ACCOUNT)
        .where(RolloutRow.brand_id == brand)
        .order_by(*(one.desc() for one in place))
        .limit(limit)
    )
    if after is not None:
        query = query.where(tuple_(*place) < tuple_(*after))
    if wanted.creator is not None:
        query = query.where(AccountRow.creator == wanted.creator)
    if wanted.account_id is not None:
        query = query.where(RolloutRow.account_id == wanted.account_id)
    if wanted.state is not None:
        query = query.where(RolloutRow.state == wanted.state)
    return (await connection.execute(query)).all()


async def load_open(
    connection: AsyncConnection,
    brand: str,
    columns: Sequence[Any],
    wanted: Filter,
    *,
    from_account: str,
    limit: int,
) -> Sequence[AnyRow]:
    """Return the rollouts that wait for somebody, by account, from this one on."""
    query = (
        select(*columns)
        .join(AccountRow, _WITH_ACCOUNT)
        .where(
            RolloutRow.brand_id == brand,
            IS_OPEN,
            RolloutRow.account_id >= from_account,
        )
        .order_by(RolloutRow.account_id, RolloutRow.version)
        .limit(limit)
    )
    if wanted.creator is not None:
        query = query.where(AccountRow.creator == wanted.creator)
    if wanted.account_id is not None:
        query = query.where(RolloutRow.account_id == wanted.account_id)
    return (await connection.execute(query)).all()


async def load_one(
    connection: AsyncConnection,
    brand: str,
    columns: Sequence[Any],
    account_id: str,
    version: int,
    *,
    creator: str | None,
) -> AnyRow | None:
    query = (
        select(*columns)
        .join(AccountRow, _WITH_ACCOUNT)
        .where(
            RolloutRow.brand_id == brand,
            RolloutRow.account_id == account_id,
            RolloutRow.version == version,
        )
    )
    if creator is not None:
        query = query.where(AccountRow.creator == creator)
    return (await connection.execute(query)).first()


async def load_account(
    connection: AsyncConnection,
    brand: str,
    columns: Sequence[Any],
    account_id: str,
    *,
    creator: str | None,
) -> AnyRow | None:
    query = select(*columns).where(AccountRow.brand_id == brand, AccountRow.id == account_id)
    if creator is not None:
        query = query.where(AccountRow.creator == creator)
    return (await connection.execute(query)).first()


async def load_proof(
    connection: AsyncConnection, brand: str, account_id: str, version: int
) -> bytes | None:
    query = select(ProofRow.bundle).where(
        ProofRow.brand_id == brand,
        ProofRow.account_id == account_id,
        ProofRow.version == version,
    )
    return await connection.scalar(query)


async def load_time(connection: AsyncConnection) -> datetime:
    """Return the database's time, which the closer goes by too."""
    return (await connection.execute(select(func.now()))).scalar_one()
