"""Rollouts and accounts, for who may see them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, exists, func, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from services.workflow.tables import IS_OPEN, AccountRow, GrantRow, ProofRow, RolloutRow

AnyRow = Row[*tuple[Any, ...]]

_WITH_ACCOUNT = (AccountRow.brand_id == RolloutRow.brand_id) & (
    AccountRow.id == RolloutRow.account_id
)


@dataclass(frozen=True, kw_only=True)
class Filter:
    owner: str | None
    """Only what concerns the accounts that this member owns."""
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
    if wanted.owner is not None:
        query = query.where(_is_owned_by(wanted.owner))
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
    if wanted.owner is not None:
        query = query.where(_is_owned_by(wanted.owner))
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
    owner: str | None,
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
    if owner is not None:
        query = query.where(_is_owned_by(owner))
    return (await connection.execute(query)).first()


async def load_account(
    connection: AsyncConnection,
    brand: str,
    columns: Sequence[Any],
    account_id: str,
    *,
    owner: str | None,
) -> AnyRow | None:
    query = select(*columns).where(AccountRow.brand_id == brand, AccountRow.id == account_id)
    if owner is not None:
        query = query.where(_is_owned_by(owner))
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


def _is_owned_by(member: str) -> ColumnElement[bool]:
    """As `keyturn_contracts.rights.owners` says of a member; that they are one was asked before."""
    return exists().where(
        GrantRow.brand_id == AccountRow.brand_id,
        GrantRow.account_id == AccountRow.id,
        GrantRow.member == member,
        GrantRow.level == "owner",
        GrantRow.state == "granted",
        or_(GrantRow.until.is_(None), GrantRow.until > func.clock_timestamp()),
    )
