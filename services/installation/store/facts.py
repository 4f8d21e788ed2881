"""Reads the copies of what other services announced, for any number of installations at once."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from keyturn_contracts.catalog import ExtensionChanged
from keyturn_contracts.message import Key
from sqlalchemy import Boolean, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.installation.rules.following import Facts
from services.installation.rules.policy import Policy
from services.installation.rules.reach import Settings
from services.installation.rules.review import Offer, Review, offer_of
from services.installation.rules.uninstalling import Clearance
from services.installation.store.keys import key_of
from services.installation.tables import (
    AccountRow,
    ClearanceRow,
    ExtensionRow,
    InstallationRow,
    LicenceRow,
    ReviewRow,
)
from shared.database.rows import Rows

_SLUGS = Rows(ExtensionRow.slug)
_LOAD_EXTENSIONS = select(ExtensionRow.slug, ExtensionRow.event).where(
    ExtensionRow.slug == _SLUGS.c.slug
)
_KEYS = Rows(InstallationRow.brand_id, InstallationRow.extension)
_LOAD_LICENSED = select(_KEYS.c.brand_id, _KEYS.c.extension).where(
    LicenceRow.brand_id == _KEYS.c.brand_id,
    LicenceRow.extensions.expression.op("?", return_type=Boolean())(_KEYS.c.extension),
)
_LOAD_ACCOUNTS = (
    select(AccountRow.brand_id, AccountRow.extension, AccountRow.settings, func.count())
    .where(
        AccountRow.brand_id == _KEYS.c.brand_id,
        AccountRow.extension == _KEYS.c.extension,
        ~AccountRow.is_deleted,
    )
    .group_by(AccountRow.brand_id, AccountRow.extension, AccountRow.settings)
)
_LOAD_CLEARANCES = select(
    ClearanceRow.brand_id,
    ClearanceRow.extension,
    ClearanceRow.service,
    ClearanceRow.uninstall_id,
    ClearanceRow.is_done,
    ClearanceRow.count,
).where(ClearanceRow.brand_id == _KEYS.c.brand_id, ClearanceRow.extension == _KEYS.c.extension)
_DIGESTS = Rows(ReviewRow.extension, ReviewRow.digest)
_LOAD_REVIEWS = select(ReviewRow.extension, ReviewRow.digest, ReviewRow.review).where(
    ReviewRow.extension == _DIGESTS.c.extension, ReviewRow.digest == _DIGESTS.c.digest
)


async def load_facts(
    connection: AsyncConnection, keys: Iterable[Key], policy: Policy
) -> dict[Key, Facts]:
    """Return all that is known by now of each of these."""
    wanted = sorted(set(keys))
    offers = await load_offers(connection, (key.id for key in wanted), policy)
    licensed = await load_licensed(connection, wanted)
    accounts = await load_accounts(connection, wanted)
    clearances = await _load_clearances(connection, wanted)
    return {
        key: Facts(
            offer=offers.get(key.id),
            is_licensed=key in licensed,
            accounts=accounts.get(key, ()),
            clearances=clearances.get(key, {}),
        )
        for key in wanted
    }


async def load_offers(
    connection: AsyncConnection, slugs: Iterable[str], policy: Policy
) -> dict[str, Offer]:
    """Return what is known of these extensions; of the others nothing has been announced yet."""
    rows = await connection.execute(_LOAD_EXTENSIONS, _SLUGS.of((one,) for one in set(slugs)))
    return {slug: offer_of(ExtensionChanged.model_validate(event), policy) for slug, event in rows}


async def load_licensed(connection: AsyncConnection, keys: Iterable[Key]) -> set[Key]:
    """Return those that their brands' licences cover, as far as the news of them has come."""
    return {key_of(*row) for row in await connection.execute(_LOAD_LICENSED, _rows_of(keys))}


async def load_accounts(
    connection: AsyncConnection, keys: Iterable[Key]
) -> dict[Key, tuple[Settings, ...]]:
    """Return the settings of the accounts of each, without those that are deleted."""
    found: defaultdict[Key, list[Settings]] = defaultdict(list)
    for brand, extension, settings, count in await connection.execute(
        _LOAD_ACCOUNTS, _rows_of(keys)
    ):
        found[key_of(brand, extension)].append(Settings(settings, count))
    return {key: tuple(some) for key, some in found.items()}


async def load_reviews(
    connection: AsyncConnection, digests: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], Review]:
    """Return reviews by extension and digest, as far as they may ever have been shown."""
    rows = await connection.execute(_LOAD_REVIEWS, _DIGESTS.of(sorted(set(digests))))
    return {(slug, digest): Review.model_validate(review) for slug, digest, review in rows}


async def _load_clearances(
    connection: AsyncConnection, keys: Iterable[Key]
) -> dict[Key, dict[str, Clearance]]:
    found: defaultdict[Key, dict[str, Clearance]] = defaultdict(dict)
    for brand, extension, service, uninstall_id, is_done, count in await connection.execute(
        _LOAD_CLEARANCES, _rows_of(keys)
    ):
        found[key_of(brand, extension)][service] = Clearance(
            uninstall_id=uninstall_id, is_done=is_done, count=count
        )
    return found


def _rows_of(keys: Iterable[Key]) -> dict[str, Any]:
    return _KEYS.of((key.brand, key.id) for key in keys)
