"""Loads and locks accounts with what commands need of their grants, and saves what changed."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from keyturn_contracts.access import EVERYONE, GrantAccess, RevokeAccess
from keyturn_contracts.message import Command, Key
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.access.rules.grant import Grant, GrantKey
from services.access.rules.sharing import GrantsDesk
from services.access.store.accounts import AccountKey, lock_accounts, note_owners_lost
from services.access.store.audit import save_records
from services.access.store.brands import share_brands
from services.access.store.people import load_people
from services.access.tables import IS_OWNED, GrantRow
from shared.database.rows import Rows
from shared.messaging.envelope import AskedByKey

GRANT = (
    GrantRow.brand_id,
    GrantRow.account_id,
    GrantRow.member,
    GrantRow.level,
    GrantRow.state,
    GrantRow.how,
    GrantRow.by,
    GrantRow.since,
    GrantRow.until,
    GrantRow.why_ended,
)
_KEYS = Rows(GrantRow.brand_id, GrantRow.account_id, GrantRow.member)
_LOAD = select(*GRANT).where(
    GrantRow.brand_id == _KEYS.c.brand_id,
    GrantRow.account_id == _KEYS.c.account_id,
    GrantRow.member == _KEYS.c.member,
)
_ACCOUNTS = Rows(GrantRow.brand_id, GrantRow.account_id)
_LOAD_OWNERS = select(*GRANT).where(
    GrantRow.brand_id == _ACCOUNTS.c.brand_id,
    GrantRow.account_id == _ACCOUNTS.c.account_id,
    IS_OWNED,
)
_GRANTS = Rows(*GRANT)
_SAVE = _GRANTS.upsert_into(GrantRow)


async def lock_grants(connection: AsyncConnection, asked: AskedByKey) -> dict[Key, GrantsDesk]:
    """Return a desk for each key, with its account held and its brand shared.

    Of an account with very many grants only the owners' are loaded, and those of who is named.
    """
    brands = await share_brands(connection, {key.brand for key in asked})
    accounts = await lock_accounts(connection, map(_account_of, asked))
    # Statements of their own: their snapshots are younger than whatever the locks had to wait for.
    named = {
        (key.brand, key.id, member)
        for key, some in asked.items()
        for one in some
        for member in (EVERYONE, *_named(one.command))
    }
    grants = await _load(connection, _LOAD, _KEYS.of(sorted(named)))
    owned = _ACCOUNTS.of(sorted(map(_account_of, asked)))
    for account, owners in (await _load(connection, _LOAD_OWNERS, owned)).items():
        grants[account] |= owners
    actors = {(key.brand, one.actor.subject) for key, some in asked.items() for one in some}
    people = {(brand, member) for brand, _, member in named}
    owners = {(account[0], member) for account, some in grants.items() for member in some}
    lists = await load_people(connection, brands, actors | people | owners)
    return {
        key: GrantsDesk.of(
            accounts.get(_account_of(key)), grants.get(_account_of(key), {}), lists[key.brand]
        )
        for key in asked
    }


async def save_grants_of(connection: AsyncConnection, changed: Mapping[Key, GrantsDesk]) -> None:
    """Save what differs from what was locked, and put on record what happened.

    Where an owner's grant is one no more, a job sees whether an owner is left: it may have been of
    somebody who was no member any more, or have run out, and its end was still to follow.
    """
    differing = {
        (key.brand, key.id, member): one
        for key, desk in changed.items()
        for member, one in desk.changed.items()
        if desk.loaded.get(member) != one
    }
    await save_grants(connection, differing)
    lost = {
        _account_of(key)
        for key, desk in changed.items()
        if any(
            member in desk.loaded and desk.loaded[member].is_owning and not one.is_owning
            for member, one in desk.changed.items()
        )
    }
    if lost:
        await note_owners_lost(connection, lost)
    await save_records(
        connection, ((key.brand, one) for key, desk in changed.items() for one in desk.records)
    )


async def save_grants(connection: AsyncConnection, grants: Mapping[GrantKey, Grant]) -> None:
    """Save these; whoever calls it holds their accounts, or their brands alone."""
    rows = (
        (
            *key,
            one.level,
            one.state,
            one.how,
            one.by,
            one.since,
            one.until,
            one.why_ended,
        )
        for key, one in sorted(grants.items(), key=lambda item: item[0])
    )
    await connection.execute(_SAVE, _GRANTS.of(rows))


def read_grant(row: Iterable[Any]) -> tuple[GrantKey, Grant]:
    """Read what `GRANT` selects."""
    brand, account_id, member, level, state, how, by, since, until, why_ended = row
    return (brand, account_id, member), Grant(
        level=level,
        state=state,
        how=how,
        by=by,
        since=since,
        until=until,
        why_ended=why_ended,
    )


async def _load(
    connection: AsyncConnection, statement: Any, parameters: dict[str, list[object]]
) -> defaultdict[AccountKey, dict[str, Grant]]:
    found: defaultdict[AccountKey, dict[str, Grant]] = defaultdict(dict)
    for row in await connection.execute(statement, parameters):
        (brand, account_id, member), grant = read_grant(row)
        found[brand, account_id][member] = grant
    return found


def _named(command: Command) -> tuple[str, ...]:
    return command.members if isinstance(command, (GrantAccess, RevokeAccess)) else ()


def _account_of(key: Key) -> AccountKey:
    return key.brand, key.id
