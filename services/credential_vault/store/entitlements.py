"""What brands may use, as the catalog and the installation service announced it."""

from collections.abc import Iterable, Sequence

from keyturn_contracts.catalog import DomainRule, LicenceChanged
from keyturn_contracts.installation import DeclaredDomain, InstallationChanged
from sqlalchemy import Boolean, false, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.credential_vault.rules.entitlement import NOTHING, Entitlement
from services.credential_vault.rules.filling import filling_of
from services.credential_vault.tables import ExtensionRow, InstallationRow, LicenceRow
from shared.database.rows import Rows
from shared.messaging.envelope import News, newest_of_each_key

BrandExtension = tuple[str, str]
"""A brand and the slug of an extension."""
_ACCEPTED = "It was accepted with the installation."

_LICENCES = Rows(LicenceRow.brand_id, LicenceRow.extensions, LicenceRow.epoch, LicenceRow.sequence)
_SAVE_LICENCES = _LICENCES.upsert_into(
    LicenceRow, newest_by=[LicenceRow.epoch, LicenceRow.sequence]
)
_INSTALLATIONS = Rows(
    InstallationRow.brand_id,
    InstallationRow.extension,
    InstallationRow.state,
    InstallationRow.version,
    InstallationRow.declared,
    InstallationRow.added,
    InstallationRow.uninstall_id,
    InstallationRow.epoch,
    InstallationRow.sequence,
)
_SAVE_INSTALLATIONS = _INSTALLATIONS.upsert_into(
    InstallationRow, newest_by=[InstallationRow.epoch, InstallationRow.sequence]
)
_WANTED = Rows(InstallationRow.brand_id, InstallationRow.extension)
_LOAD = (
    select(
        _WANTED.c.brand_id,
        _WANTED.c.extension,
        ExtensionRow.party,
        func.coalesce(
            LicenceRow.extensions.op("?", return_type=Boolean)(_WANTED.c.extension), false()
        ),
        InstallationRow.state,
        InstallationRow.version,
        InstallationRow.declared,
        InstallationRow.added,
    )
    .join_from(_WANTED.table, ExtensionRow, ExtensionRow.slug == _WANTED.c.extension, isouter=True)
    .join(LicenceRow, LicenceRow.brand_id == _WANTED.c.brand_id, isouter=True)
    .join(
        InstallationRow,
        (InstallationRow.brand_id == _WANTED.c.brand_id)
        & (InstallationRow.extension == _WANTED.c.extension),
        isouter=True,
    )
)


async def save_licences(connection: AsyncConnection, news: Sequence[News[LicenceChanged]]) -> None:
    rows = (
        (one.brand, dict.fromkeys(one.event.extensions), one.epoch, one.sequence)
        for one in newest_of_each_key(news)
    )
    await connection.execute(_SAVE_LICENCES, _LICENCES.of(rows))


async def save_installations(
    connection: AsyncConnection, news: Sequence[News[InstallationChanged]]
) -> None:
    rows = (
        (
            one.brand,
            one.event.extension,
            one.event.state,
            one.event.version,
            {domain.rule: domain.model_dump(mode="json") for domain in one.event.declared},
            {added.rule: added.by for added in one.event.added if one.event.may_add_domains},
            one.event.uninstallation.uninstall_id if one.event.uninstallation else None,
            one.epoch,
            one.sequence,
        )
        for one in newest_of_each_key(news)
    )
    await connection.execute(_SAVE_INSTALLATIONS, _INSTALLATIONS.of(rows))


async def load_entitlements(
    connection: AsyncConnection, wanted: Iterable[BrandExtension]
) -> dict[BrandExtension, Entitlement]:
    """Return how each extension stands with its brand, as far as anything has been said."""
    asked = sorted(set(wanted))
    if not asked:
        return {}
    found = dict.fromkeys(asked, NOTHING)
    rows = await connection.execute(_LOAD, _WANTED.of(asked))
    for brand, extension, party, is_licensed, state, version, declared, added in rows:
        is_installed = state == "installed"
        in_force = (
            [DeclaredDomain.model_validate(one) for one in declared.values()]
            if is_installed
            else []
        )
        found[brand, extension] = Entitlement(
            party=party,
            is_licensed=is_licensed,
            state=state,
            version=version,
            declared=tuple(map(_rule_of, in_force)),
            added=tuple(sorted(added)) if is_installed else (),
            filling=filling_of(in_force),
        )
    return found


def _rule_of(domain: DeclaredDomain) -> DomainRule:
    # It was accepted, and is not judged again: an event may hold more than a manifest may by now.
    return DomainRule.model_construct(
        rule=domain.rule,
        purpose=_ACCEPTED,
        slots=domain.slots,
        wide_because=_ACCEPTED if domain.is_wide else None,
    )
