"""What other services announced, as far as it is needed here; of each key the newest wins."""

from collections.abc import Iterable, Sequence

from keyturn_contracts.credential_vault import AccountChanged
from keyturn_contracts.installation import InstallationChanged
from sqlalchemy import and_, func, not_, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.access.tables import AccountRow, ClearanceRow, InstallationRow
from shared.database.rows import Rows
from shared.messaging.envelope import News, newest_of_each_key

_ACCOUNTS = Rows(
    AccountRow.brand_id,
    AccountRow.id,
    AccountRow.extension,
    AccountRow.name,
    AccountRow.creator,
    AccountRow.is_deleted,
    AccountRow.epoch,
    AccountRow.sequence,
    AccountRow.is_created,
    AccountRow.is_to_own,
    AccountRow.is_to_end,
)
_ACCOUNT = insert(AccountRow).excluded
_SAVE_ACCOUNTS = _ACCOUNTS.upsert_into(
    AccountRow,
    newest_by=[AccountRow.epoch, AccountRow.sequence],
    also={
        AccountRow.is_created: AccountRow.is_created.expression,
        # One that was deleted and is there again, because the vault was restored, has no owner.
        AccountRow.is_to_own: and_(
            not_(_ACCOUNT.is_deleted), or_(AccountRow.is_to_own, AccountRow.is_deleted)
        ),
        AccountRow.is_to_end: or_(
            AccountRow.is_to_end, and_(_ACCOUNT.is_deleted, not_(AccountRow.is_deleted))
        ),
    },
)

_INSTALLATIONS = Rows(
    InstallationRow.brand_id,
    InstallationRow.extension,
    InstallationRow.party,
    InstallationRow.state,
    InstallationRow.uninstall_id,
    InstallationRow.epoch,
    InstallationRow.sequence,
    InstallationRow.is_to_end,
)
_INSTALLATION = insert(InstallationRow).excluded
_SAVE_INSTALLATIONS = _INSTALLATIONS.upsert_into(
    InstallationRow,
    newest_by=[InstallationRow.epoch, InstallationRow.sequence],
    also={
        InstallationRow.uninstall_id: func.coalesce(
            _INSTALLATION.uninstall_id, InstallationRow.uninstall_id
        ),
        # What is to be ended stays so, even if it is installed again: that was of the last time.
        InstallationRow.is_to_end: or_(InstallationRow.is_to_end, _INSTALLATION.is_to_end),
    },
)
_UNINSTALLATIONS = Rows(ClearanceRow.brand_id, ClearanceRow.extension, ClearanceRow.uninstall_id)
_FIND_DONE = select(ClearanceRow.brand_id, ClearanceRow.extension, ClearanceRow.uninstall_id).where(
    ClearanceRow.brand_id == _UNINSTALLATIONS.c.brand_id,
    ClearanceRow.extension == _UNINSTALLATIONS.c.extension,
    ClearanceRow.uninstall_id == _UNINSTALLATIONS.c.uninstall_id,
    ClearanceRow.is_done,
)

_Uninstallation = tuple[str, str, str]
"""A brand, the slug of an extension, and the id of the command that began it."""


async def save_accounts(connection: AsyncConnection, news: Sequence[News[AccountChanged]]) -> None:
    """Remember each account; jobs give a new one its owner, and end the grants on a deleted one.

    On one that was deleted before it was heard of, nobody was ever given anything.
    """
    rows = (
        (
            one.brand,
            one.event.account_id,
            one.event.extension,
            one.event.name,
            one.event.creator,
            one.event.state == "deleted",
            one.epoch,
            one.sequence,
            False,
            one.event.state != "deleted",
            False,
        )
        for one in newest_of_each_key(news)
    )
    await connection.execute(_SAVE_ACCOUNTS, _ACCOUNTS.of(rows))


async def save_installations(
    connection: AsyncConnection, news: Sequence[News[InstallationChanged]]
) -> None:
    """Remember each installation; a job ends what is left of one that is being uninstalled.

    So it does of one that is uninstalled already, unless this service has done its part of exactly
    that: it may hear of both at once.
    """
    newest = newest_of_each_key(news)
    done = await _find_done(connection, (one for one in map(_ending, newest) if one is not None))
    rows = (
        (
            one.brand,
            one.event.extension,
            one.event.party,
            one.event.state,
            one.event.uninstallation.uninstall_id if one.event.uninstallation else None,
            one.epoch,
            one.sequence,
            (ending := _ending(one)) is not None and ending not in done,
        )
        for one in newest
    )
    await connection.execute(_SAVE_INSTALLATIONS, _INSTALLATIONS.of(rows))


def _ending(news: News[InstallationChanged]) -> _Uninstallation | None:
    """Return which uninstallation is under way or over, where it is not installed any more."""
    event = news.event
    if event.state not in {"uninstalling", "uninstalled"} or event.uninstallation is None:
        return None
    return news.brand, event.extension, event.uninstallation.uninstall_id


async def _find_done(
    connection: AsyncConnection, wanted: Iterable[_Uninstallation]
) -> set[_Uninstallation]:
    asked = sorted(set(wanted))
    if not asked:
        return set()
    rows = await connection.execute(_FIND_DONE, _UNINSTALLATIONS.of(asked))
    return {(brand, extension, uninstall_id) for brand, extension, uninstall_id in rows}
