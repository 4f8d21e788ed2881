"""What brands may use, as the catalog and the installation service announced it."""

from collections.abc import Iterable, Sequence

from keyturn_contracts.catalog import LicenceChanged
from keyturn_contracts.installation import InstallationChanged, Uninstallation
from sqlalchemy import Boolean, Integer, false, func, literal, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.workflow.rules.entitlement import NOTHING, Entitlement
from services.workflow.tables import InstallationRow, LicenceRow
from shared.database.rows import Rows
from shared.messaging.envelope import News, newest_of_each_key

BrandExtension = tuple[str, str]
"""A brand and the slug of an extension."""

_LICENCES = Rows(
    LicenceRow.brand_id,
    LicenceRow.extensions,
    LicenceRow.epoch,
    LicenceRow.sequence,
    LicenceRow.is_to_follow,
)
_SAVE_LICENCES = _LICENCES.upsert_into(
    LicenceRow, newest_by=[LicenceRow.epoch, LicenceRow.sequence]
)
_INSTALLATIONS = Rows(
    InstallationRow.brand_id,
    InstallationRow.extension,
    InstallationRow.state,
    InstallationRow.party,
    InstallationRow.is_implicit,
    InstallationRow.is_preview,
    InstallationRow.uninstall_id,
    InstallationRow.uninstalled_at,
    InstallationRow.deleted_for_it,
    InstallationRow.epoch,
    InstallationRow.sequence,
    InstallationRow.is_to_follow,
)
_GIVEN = insert(InstallationRow).excluded
_SAVE_INSTALLATIONS = _INSTALLATIONS.upsert_into(
    InstallationRow,
    newest_by=[InstallationRow.epoch, InstallationRow.sequence],
    also={
        # What accounts are barred by, and what enables them: other domains change nothing here.
        InstallationRow.is_to_follow: or_(
            InstallationRow.is_to_follow,
            InstallationRow.state != _GIVEN.state,
            InstallationRow.party != _GIVEN.party,
            InstallationRow.is_implicit != _GIVEN.is_implicit,
        ),
    },
)

_ADVISORY = 0x6B65
"""The class of the advisory locks that stand for brands; the key is a hash of the brand."""
_BRANDS = Rows(LicenceRow.brand_id)
_BRAND = (literal(_ADVISORY, Integer), func.hashtext(_BRANDS.c.brand_id))
_SHARE = select(func.pg_advisory_xact_lock_shared(*_BRAND)).order_by(_BRANDS.c.brand_id)
_LOCK = select(func.pg_advisory_xact_lock(*_BRAND)).order_by(_BRANDS.c.brand_id)

_WANTED = Rows(InstallationRow.brand_id, InstallationRow.extension)
_LOAD = (
    select(
        _WANTED.c.brand_id,
        _WANTED.c.extension,
        func.coalesce(
            LicenceRow.extensions.op("?", return_type=Boolean)(_WANTED.c.extension), false()
        ),
        InstallationRow.state,
        func.coalesce(InstallationRow.is_implicit, false()),
        func.coalesce(InstallationRow.party, "third"),
    )
    .join_from(_WANTED.table, LicenceRow, LicenceRow.brand_id == _WANTED.c.brand_id, isouter=True)
    .join(
        InstallationRow,
        (InstallationRow.brand_id == _WANTED.c.brand_id)
        & (InstallationRow.extension == _WANTED.c.extension),
        isouter=True,
    )
)


async def save_licences(connection: AsyncConnection, news: Sequence[News[LicenceChanged]]) -> None:
    """Remember each brand's licence; a job has its accounts follow."""
    rows = (
        (one.brand, dict.fromkeys(one.event.extensions), one.epoch, one.sequence, True)
        for one in newest_of_each_key(news)
    )
    await connection.execute(_SAVE_LICENCES, _LICENCES.of(rows))


async def save_installations(
    connection: AsyncConnection, news: Sequence[News[InstallationChanged]]
) -> None:
    """Remember each installation; a job has the accounts of its extension follow."""
    rows: list[tuple[object, ...]] = []
    for one in newest_of_each_key(news):
        event, ending = one.event, one.event.uninstallation
        rows.append(
            (
                one.brand,
                event.extension,
                event.state,
                event.party,
                event.implicit,
                event.preview,
                ending.uninstall_id if ending else None,
                ending.started_at if ending else None,
                _deleted_for(ending) if ending else None,
                one.epoch,
                one.sequence,
                True,
            )
        )
    await connection.execute(_SAVE_INSTALLATIONS, _INSTALLATIONS.of(rows))


def _deleted_for(ending: Uninstallation) -> int | None:
    return None if "credential-vault" in ending.waiting else ending.accounts


async def share_brands(connection: AsyncConnection, brands: Iterable[str]) -> None:
    """Have nobody follow news of these brands until the transaction ends.

    Whoever writes an account by what its brand may use, or a binding by what its owner may, holds
    this first: else what is not visible yet to the one who follows would be left as it was.
    """
    await connection.execute(_SHARE, _BRANDS.of((one,) for one in sorted(set(brands))))


async def lock_brands(connection: AsyncConnection, brands: Iterable[str]) -> None:
    """Wait for everybody who writes accounts and bindings of these brands, and hold them off."""
    await connection.execute(_LOCK, _BRANDS.of((one,) for one in sorted(set(brands))))


async def load_entitlements(
    connection: AsyncConnection, wanted: Iterable[BrandExtension]
) -> dict[BrandExtension, Entitlement]:
    """Return how each extension stands with its brand, as far as anything has been said."""
    asked = sorted(set(wanted))
    found = dict.fromkeys(asked, NOTHING)
    for brand, extension, is_licensed, state, is_implicit, party in await connection.execute(
        _LOAD, _WANTED.of(asked)
    ):
        found[brand, extension] = Entitlement(
            is_licensed=is_licensed, state=state, is_implicit=is_implicit, party=party
        )
    return found
