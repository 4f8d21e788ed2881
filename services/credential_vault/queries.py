"""Reads for people: accounts and their history, never a secret."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from keyturn_contracts.credential_vault import AccountState
from sqlalchemy import ARRAY, Select, Text, exists, func, select, type_coerce
from sqlalchemy.ext.asyncio import AsyncConnection

from services.credential_vault.tables import (
    OWNS_NOW,
    AccountRow,
    HolderRow,
    OwnershipRow,
    VersionRow,
)

MOST_OWNERS = 100
MOST_VERSIONS = 100
_OWNERS = (
    select(OwnershipRow.member)
    .where(
        OwnershipRow.brand_id == AccountRow.brand_id,
        OwnershipRow.account_id == AccountRow.id,
        OWNS_NOW,
    )
    .order_by(OwnershipRow.member)
    .limit(MOST_OWNERS)
    .correlate(AccountRow)
    .scalar_subquery()
)

_ACCOUNTS = select(
    AccountRow.id,
    AccountRow.extension,
    AccountRow.name,
    AccountRow.creator,
    AccountRow.retire,
    AccountRow.state,
    AccountRow.reason,
    AccountRow.version,
    AccountRow.scheme,
    AccountRow.settings,
    type_coerce(func.array(_OWNERS), ARRAY(Text)).label("owners"),
).where(AccountRow.state != "adding")
_HISTORY = select(
    VersionRow.number,
    VersionRow.status,
    VersionRow.scheme,
    VersionRow.settings,
    VersionRow.created_at,
    VersionRow.created_by,
    VersionRow.promoted_at,
    VersionRow.retire_at,
    VersionRow.ended_at,
    VersionRow.ended_by,
    VersionRow.refusal,
).order_by(VersionRow.number.desc())
_HOLDERS = select(HolderRow.engine_id, HolderRow.version, HolderRow.lease_until).order_by(
    HolderRow.engine_id, HolderRow.version
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which accounts; what is None does not matter."""

    owner: str | None = None
    extension: str | None = None
    state: AccountState | None = None
    name: str | None = None
    """A part of the name, whatever its case."""


def _filtered(brand: str, wanted: Filter) -> Select[*tuple[Any, ...]]:
    # Row-level security lets nothing else through either; two locks are better than one.
    query = _ACCOUNTS.where(AccountRow.brand_id == brand)
    if wanted.owner is not None:
        owns = exists().where(
            OwnershipRow.brand_id == brand,
            OwnershipRow.account_id == AccountRow.id,
            OwnershipRow.member == wanted.owner,
            OWNS_NOW,
        )
        query = query.where(owns)
    if wanted.extension is not None:
        query = query.where(AccountRow.extension == wanted.extension)
    if wanted.state is not None:
        query = query.where(AccountRow.state == wanted.state)
    if wanted.name is not None:
        query = query.where(AccountRow.name.icontains(wanted.name, autoescape=True))
    return query


async def load_page(
    connection: AsyncConnection, brand: str, wanted: Filter, *, after: str | None, limit: int
) -> Sequence[Any]:
    """Return accounts in the order of their ids, from behind `after`."""
    query = _filtered(brand, wanted).order_by(AccountRow.id).limit(limit)
    if after is not None:
        query = query.where(AccountRow.id > after)
    return (await connection.execute(query)).all()


async def load_account(
    connection: AsyncConnection, brand: str, account_id: str, wanted: Filter
) -> Any | None:
    query = _filtered(brand, wanted).where(AccountRow.id == account_id)
    return (await connection.execute(query)).one_or_none()


async def load_history(connection: AsyncConnection, brand: str, account_id: str) -> Sequence[Any]:
    """Return an account's versions, the newest first, the last `MOST_VERSIONS`."""
    query = _HISTORY.where(VersionRow.brand_id == brand, VersionRow.account_id == account_id)
    return (await connection.execute(query.limit(MOST_VERSIONS))).all()


async def load_holders(connection: AsyncConnection, brand: str, account_id: str) -> Sequence[Any]:
    query = _HOLDERS.where(HolderRow.brand_id == brand, HolderRow.account_id == account_id)
    return (await connection.execute(query)).all()
