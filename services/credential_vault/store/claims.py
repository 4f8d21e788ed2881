"""What waits for work outside a transaction, claimed by one worker for as long as its lease."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from keyturn_contracts.catalog import ExtensionChanged
from keyturn_contracts.credential_vault import AddAccount, EditCredentials, VerifyAccount
from keyturn_contracts.message import Command, Key
from sqlalchemy import (
    ColumnElement,
    Integer,
    Interval,
    Text,
    and_,
    bindparam,
    func,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from services.credential_vault.rules.entitlement import Entitlement
from services.credential_vault.store.copies import load_extensions
from services.credential_vault.store.entitlements import load_entitlements
from services.credential_vault.store.keys import key_of_account
from services.credential_vault.store.secrets import Place, load_secrets
from services.credential_vault.tables import AccountRow, VersionRow
from shared.database.rows import Column, Rows
from shared.security.encryption import Encrypted


def _claim(is_due: ColumnElement[bool], oldest_first: Column) -> Any:
    """Return the statement that claims what is due and nobody else's, the longest waiting first.

    Brands take turns, and what is under way counts: one that has thousands waiting, at providers
    that do not answer, has its first before others have theirs, and no more than that.
    """
    key = (VersionRow.brand_id, VersionRow.account_id, VersionRow.number)
    turns = (
        select(
            *key,
            func.row_number()
            .over(partition_by=VersionRow.brand_id, order_by=(oldest_first, *key[1:]))
            .label("turn"),
        )
        .where(is_due)
        .subquery("turns")
    )
    due = (
        select(*key)
        .join(turns, and_(*(one == turns.c[one.key] for one in key)))
        .where(is_due, or_(VersionRow.leased_until.is_(None), VersionRow.leased_until < func.now()))
        .order_by(turns.c.turn, oldest_first, *key)
        .limit(bindparam("limit", type_=Integer))
        .with_for_update(key_share=True, skip_locked=True, of=VersionRow)
        .cte("due")
    )
    return (
        update(VersionRow)
        .where(
            VersionRow.brand_id == due.c.brand_id,
            VersionRow.account_id == due.c.account_id,
            VersionRow.number == due.c.number,
        )
        .values(
            claim=bindparam("new_claim", type_=Text),
            leased_until=func.now() + bindparam("lease", type_=Interval),
        )
        .returning(
            VersionRow.brand_id,
            VersionRow.account_id,
            VersionRow.number,
            VersionRow.status,
            VersionRow.scheme,
            VersionRow.settings,
            VersionRow.try_since,
        )
    )


_CLAIM_TRIALS = _claim(
    VersionRow.try_since.is_not(None)
    & or_(VersionRow.try_due_at.is_(None), VersionRow.try_due_at <= func.now()),
    VersionRow.try_since,
)
_CLAIM_RETIREMENTS = _claim(
    (VersionRow.status == "previous") & (VersionRow.retire_at <= func.now()), VersionRow.retire_at
)
_KEYS = Rows(AccountRow.brand_id, AccountRow.id)
_LOAD_ACCOUNTS = select(
    AccountRow.brand_id, AccountRow.id, AccountRow.extension, AccountRow.state
).where(AccountRow.brand_id == _KEYS.c.brand_id, AccountRow.id == _KEYS.c.id)
_POSTPONE = (
    update(VersionRow)
    .where(
        VersionRow.brand_id == bindparam("of_brand"),
        VersionRow.account_id == bindparam("of_account"),
        VersionRow.number == bindparam("of_number"),
        VersionRow.claim == bindparam("of_claim"),
    )
    .values(
        claim=null(),
        leased_until=null(),
        try_due_at=func.now() + bindparam("pause", type_=Interval),
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToTry:
    """A version that somebody waits for to be tried, as its worker gets it."""

    at: Place
    claim: str
    since: datetime
    command: type[Command]
    """What the outcome is the outcome of."""
    is_deleted: bool
    """Of an account that is gone: nothing is tried, and whoever waits is told."""
    scheme: str
    settings: dict[str, str]
    extension: ExtensionChanged | None
    entitlement: Entitlement
    secret: Encrypted | None

    @property
    def key(self) -> Key:
        return key_of_account(self.at.brand, self.at.account_id)


async def claim_trials(connection: AsyncConnection, limit: int, lease: timedelta) -> list[ToTry]:
    """Claim versions that are to be tried; commit before the provider is asked."""
    claim = str(uuid4())
    claimed = await connection.execute(
        _CLAIM_TRIALS, {"limit": limit, "lease": lease, "new_claim": claim}
    )
    rows = sorted(claimed.all(), key=lambda row: row.try_since)
    if not rows:
        return []
    found = await connection.execute(
        _LOAD_ACCOUNTS, _KEYS.of(sorted({(row.brand_id, row.account_id) for row in rows}))
    )
    accounts = {(brand, id_): (extension, state) for brand, id_, extension, state in found}
    extensions = await load_extensions(connection, {one for one, _ in accounts.values()})
    entitlements = await load_entitlements(
        connection, ((brand, one) for (brand, _), (one, _) in accounts.items())
    )
    places = [Place(row.brand_id, row.account_id, row.number) for row in rows]
    secrets = await load_secrets(connection, places)
    due: list[ToTry] = []
    for at, row in zip(places, rows, strict=True):
        extension, state = accounts[at.brand, at.account_id]
        due.append(
            ToTry(
                at=at,
                claim=claim,
                since=row.try_since,
                command=_command_of(row.status, state),
                is_deleted=state == "deleted",
                scheme=row.scheme,
                settings=row.settings,
                extension=extensions.get(extension),
                entitlement=entitlements[at.brand, extension],
                secret=secrets.get(at),
            )
        )
    return due


async def postpone(connection: AsyncConnection, at: Place, claim: str, pause: timedelta) -> None:
    """Give up a claim, and have the version tried again after a pause by whoever comes."""
    await connection.execute(
        _POSTPONE,
        {
            "of_brand": at.brand,
            "of_account": at.account_id,
            "of_number": at.number,
            "of_claim": claim,
            "pause": pause,
        },
    )


async def claim_retirements(
    connection: AsyncConnection, limit: int, lease: timedelta
) -> tuple[str, list[Place]]:
    """Claim versions whose time has come; commit before anything is revoked at a provider."""
    claim = str(uuid4())
    rows = await connection.execute(
        _CLAIM_RETIREMENTS, {"limit": limit, "lease": lease, "new_claim": claim}
    )
    return claim, sorted(Place(row.brand_id, row.account_id, row.number) for row in rows)


def by_account(places: Iterable[Place]) -> dict[Key, list[int]]:
    found: dict[Key, list[int]] = {}
    for one in places:
        found.setdefault(key_of_account(one.brand, one.account_id), []).append(one.number)
    return found


def _command_of(status: str, state: str) -> type[Command]:
    if status != "pending":
        return VerifyAccount
    return AddAccount if state == "adding" else EditCredentials
