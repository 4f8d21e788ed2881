"""Loads and locks extensions with the enablements that commands name, and saves what changed."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from keyturn_contracts.access import EVERYONE, DisableExtension, EnableExtension
from keyturn_contracts.message import Command, Key
from keyturn_contracts.rights import InstallationFact
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.access.rules.enablement import Enablement, EnablementKey
from services.access.rules.enabling import EnablementsDesk
from services.access.store.audit import save_records
from services.access.store.brands import share_brands
from services.access.store.people import load_people
from services.access.tables import EnablementRow, InstallationRow
from shared.database.rows import Rows
from shared.messaging.envelope import AskedByKey

BrandExtension = tuple[str, str]
"""A brand and the slug of an extension."""

ENABLEMENT = (
    EnablementRow.brand_id,
    EnablementRow.extension,
    EnablementRow.member,
    EnablementRow.state,
    EnablementRow.by,
    EnablementRow.since,
    EnablementRow.why_ended,
)
_INSTALLATIONS = Rows(InstallationRow.brand_id, InstallationRow.extension)
_LOCK = (
    select(
        InstallationRow.brand_id,
        InstallationRow.extension,
        InstallationRow.party,
        InstallationRow.state,
    )
    .where(
        InstallationRow.brand_id == _INSTALLATIONS.c.brand_id,
        InstallationRow.extension == _INSTALLATIONS.c.extension,
    )
    .order_by(InstallationRow.brand_id, InstallationRow.extension)
    .with_for_update(key_share=True, of=InstallationRow)
)
_KEYS = Rows(EnablementRow.brand_id, EnablementRow.extension, EnablementRow.member)
_LOAD = select(*ENABLEMENT).where(
    EnablementRow.brand_id == _KEYS.c.brand_id,
    EnablementRow.extension == _KEYS.c.extension,
    EnablementRow.member == _KEYS.c.member,
)
_ENABLEMENTS = Rows(*ENABLEMENT)
_SAVE = _ENABLEMENTS.upsert_into(EnablementRow)


async def lock_enablements(
    connection: AsyncConnection, asked: AskedByKey
) -> dict[Key, EnablementsDesk]:
    """Return a desk for each key, with its installation held and its brand shared.

    Whoever ends what was enabled, because it is being uninstalled, has to wait: what is enabled
    here would not be visible to them yet.
    """
    brands = await share_brands(connection, {key.brand for key in asked})
    installations = await _lock(connection, map(_extension_of, asked))
    named = {
        (key.brand, key.id, member)
        for key, some in asked.items()
        for one in some
        for member in (EVERYONE, *_named(one.command))
    }
    enablements: defaultdict[BrandExtension, dict[str, Enablement]] = defaultdict(dict)
    for row in await connection.execute(_LOAD, _KEYS.of(sorted(named))):
        (brand, extension, member), enablement = read_enablement(row)
        enablements[brand, extension][member] = enablement
    actors = {(key.brand, one.actor.subject) for key, some in asked.items() for one in some}
    people = {(brand, member) for brand, _, member in named}
    lists = await load_people(connection, brands, actors | people)
    return {
        key: EnablementsDesk(
            installation=installations.get(_extension_of(key)),
            enablements=enablements.get(_extension_of(key), {}),
            people=lists[key.brand],
            loaded=enablements.get(_extension_of(key), {}),
        )
        for key in asked
    }


async def save_enablements_of(
    connection: AsyncConnection, changed: Mapping[Key, EnablementsDesk]
) -> None:
    """Save what differs from what was locked, and put on record what happened."""
    await save_enablements(
        connection,
        {
            (key.brand, key.id, member): one
            for key, desk in changed.items()
            for member, one in desk.enablements.items()
            if desk.loaded.get(member) != one
        },
    )
    await save_records(
        connection, ((key.brand, one) for key, desk in changed.items() for one in desk.records)
    )


async def save_enablements(
    connection: AsyncConnection, enablements: Mapping[EnablementKey, Enablement]
) -> None:
    """Save these; whoever calls it holds their installations, or their brands alone."""
    rows = (
        (*key, one.state, one.by, one.since, one.why_ended)
        for key, one in sorted(enablements.items(), key=lambda item: item[0])
    )
    await connection.execute(_SAVE, _ENABLEMENTS.of(rows))


def read_enablement(row: Iterable[Any]) -> tuple[EnablementKey, Enablement]:
    """Read what `ENABLEMENT` selects."""
    brand, extension, member, state, by, since, why_ended = row
    return (brand, extension, member), Enablement(
        state=state, by=by, since=since, why_ended=why_ended
    )


async def _lock(
    connection: AsyncConnection, keys: Iterable[BrandExtension]
) -> dict[BrandExtension, InstallationFact]:
    rows = await connection.execute(_LOCK, _INSTALLATIONS.of(sorted(keys)))
    return {
        (brand, extension): InstallationFact(party, state)
        for brand, extension, party, state in rows
    }


def _named(command: Command) -> tuple[str, ...]:
    return command.members if isinstance(command, (EnableExtension, DisableExtension)) else ()


def _extension_of(key: Key) -> BrandExtension:
    return key.brand, key.id
