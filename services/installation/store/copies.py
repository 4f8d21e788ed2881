"""What other services announced, as far as it is needed here; of each key the newest wins."""

from collections.abc import Sequence
from typing import Any, Literal

from keyturn_contracts import access, credential_vault, workflow
from keyturn_contracts.catalog import ExtensionChanged, LicenceChanged
from keyturn_contracts.credential_vault import AccountChanged
from keyturn_contracts.workflow import EngineChanged
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.installation.rules.policy import Policy
from services.installation.rules.review import offer_of
from services.installation.store import due
from services.installation.store.keys import key_of
from services.installation.tables import (
    AccountRow,
    ClearanceRow,
    EngineRow,
    ExtensionRow,
    LicenceRow,
    ReviewRow,
)
from shared.database.rows import Rows
from shared.messaging.envelope import News, newest_of_each_key

_EXTENSIONS = Rows(
    ExtensionRow.slug,
    ExtensionRow.is_offered,
    ExtensionRow.event,
    ExtensionRow.epoch,
    ExtensionRow.sequence,
)
_SAVE_EXTENSIONS = _EXTENSIONS.upsert_into(
    ExtensionRow, newest_by=[ExtensionRow.epoch, ExtensionRow.sequence]
)
_REVIEWS = Rows(ReviewRow.extension, ReviewRow.digest, ReviewRow.review)
_SAVE_REVIEWS = _REVIEWS.insert_into(ReviewRow).on_conflict_do_nothing()

_LICENCES = Rows(LicenceRow.brand_id, LicenceRow.extensions, LicenceRow.epoch, LicenceRow.sequence)
_SAVE_LICENCES = _LICENCES.upsert_into(
    LicenceRow, newest_by=[LicenceRow.epoch, LicenceRow.sequence]
)

_ACCOUNTS = Rows(
    AccountRow.brand_id,
    AccountRow.id,
    AccountRow.extension,
    AccountRow.name,
    AccountRow.creator,
    AccountRow.is_deleted,
    AccountRow.settings,
    AccountRow.epoch,
    AccountRow.sequence,
)
_ACCOUNT_KEYS = Rows(AccountRow.brand_id, AccountRow.id)
_LOAD_ACCOUNTS = select(
    AccountRow.brand_id,
    AccountRow.id,
    AccountRow.extension,
    AccountRow.is_deleted,
    AccountRow.settings,
).where(
    AccountRow.brand_id == _ACCOUNT_KEYS.c.brand_id,
    AccountRow.id == _ACCOUNT_KEYS.c.id,
)
_SAVE_ACCOUNTS = _ACCOUNTS.upsert_into(
    AccountRow, newest_by=[AccountRow.epoch, AccountRow.sequence]
)

_ENGINES = Rows(
    EngineRow.brand_id,
    EngineRow.id,
    EngineRow.name,
    EngineRow.is_retired,
    EngineRow.uses,
    EngineRow.epoch,
    EngineRow.sequence,
)
_SAVE_ENGINES = _ENGINES.upsert_into(EngineRow, newest_by=[EngineRow.epoch, EngineRow.sequence])

_CLEARANCES = Rows(
    ClearanceRow.brand_id,
    ClearanceRow.extension,
    ClearanceRow.service,
    ClearanceRow.uninstall_id,
    ClearanceRow.is_done,
    ClearanceRow.count,
    ClearanceRow.epoch,
    ClearanceRow.sequence,
)
_SAVE_CLEARANCES = _CLEARANCES.upsert_into(
    ClearanceRow, newest_by=[ClearanceRow.epoch, ClearanceRow.sequence]
)


async def save_extensions(
    policy: Policy, connection: AsyncConnection, news: Sequence[News[ExtensionChanged]]
) -> None:
    """Remember what each extension is now, and every review that may be shown of it."""
    newest = newest_of_each_key(news)
    offers = {one.event.subject_id: offer_of(one.event, policy) for one in newest}
    rows: list[tuple[Any, ...]] = []
    for one in newest:
        offer = offers[one.event.subject_id]
        rows.append(
            (
                one.event.subject_id,
                offer.is_first_party and not offer.is_retired,
                one.event.model_dump(mode="json", exclude_none=True),
                one.epoch,
                one.sequence,
            )
        )
    await connection.execute(_SAVE_EXTENSIONS, _EXTENSIONS.of(rows))
    reviews = (
        (slug, offer.digest, offer.review.model_dump(mode="json", exclude_none=True))
        for slug, offer in sorted(offers.items())
    )
    await connection.execute(_SAVE_REVIEWS, _REVIEWS.of(reviews))
    await due.note_extensions(connection, offers)


async def save_licences(connection: AsyncConnection, news: Sequence[News[LicenceChanged]]) -> None:
    newest = newest_of_each_key(news)
    rows = (
        (one.brand, sorted(set(one.event.extensions)), one.epoch, one.sequence) for one in newest
    )
    await connection.execute(_SAVE_LICENCES, _LICENCES.of(rows))
    await due.note_licences(connection, (one.brand for one in newest))


async def save_accounts(connection: AsyncConnection, news: Sequence[News[AccountChanged]]) -> None:
    """Remember them; an installation follows where the hosts may be others than they were.

    Most news of an account is of its credentials, and nothing follows from that here.
    """
    newest = newest_of_each_key(news)
    keys = _ACCOUNT_KEYS.of(sorted((one.brand, one.event.account_id) for one in newest))
    known = {
        (brand, id_): state for brand, id_, *state in await connection.execute(_LOAD_ACCOUNTS, keys)
    }
    rows = (
        (
            one.brand,
            one.event.account_id,
            one.event.extension,
            one.event.name,
            one.event.creator,
            one.event.state == "deleted",
            one.event.settings,
            one.epoch,
            one.sequence,
        )
        for one in newest
    )
    await connection.execute(_SAVE_ACCOUNTS, _ACCOUNTS.of(rows))
    await due.note(
        connection,
        (
            key_of(one.brand, one.event.extension)
            for one in newest
            if known.get((one.brand, one.event.account_id)) != _counting(one.event)
        ),
        "account",
    )


def _counting(event: AccountChanged) -> list[object]:
    """Return as much of an account as an installation depends on."""
    return [event.extension, event.state == "deleted", event.settings]


async def save_engines(connection: AsyncConnection, news: Sequence[News[EngineChanged]]) -> None:
    """Remember how much engines use; nothing follows from it but what an impact shows."""
    rows = (
        (
            one.brand,
            one.event.engine_id,
            one.event.name,
            one.event.state == "retired",
            {use.extension: [use.workflows, use.tasks, use.fingerprint] for use in one.event.uses},
            one.epoch,
            one.sequence,
        )
        for one in newest_of_each_key(news)
    )
    await connection.execute(_SAVE_ENGINES, _ENGINES.of(rows))


async def save_vault_clearances(
    connection: AsyncConnection, news: Sequence[News[credential_vault.ExtensionCleared]]
) -> None:
    newest = newest_of_each_key(news)
    await _save_clearances(
        connection, [(one, one.event.accounts) for one in newest], "credential-vault"
    )


async def save_workflow_clearances(
    connection: AsyncConnection, news: Sequence[News[workflow.ExtensionCleared]]
) -> None:
    newest = newest_of_each_key(news)
    await _save_clearances(connection, [(one, one.event.tasks) for one in newest], "workflow")


async def save_access_clearances(
    connection: AsyncConnection, news: Sequence[News[access.ExtensionCleared]]
) -> None:
    newest = newest_of_each_key(news)
    await _save_clearances(connection, [(one, one.event.grants) for one in newest], "access")


Participant = Literal["credential-vault", "workflow", "access"]
_Cleared = (
    News[credential_vault.ExtensionCleared]
    | News[workflow.ExtensionCleared]
    | News[access.ExtensionCleared]
)


async def _save_clearances(
    connection: AsyncConnection, counted: Sequence[tuple[_Cleared, int]], service: Participant
) -> None:
    rows = (
        (
            one.brand,
            one.event.extension,
            service,
            one.event.uninstall_id,
            one.event.done,
            count,
            one.epoch,
            one.sequence,
        )
        for one, count in counted
    )
    await connection.execute(_SAVE_CLEARANCES, _CLEARANCES.of(rows))
    keys = (key_of(one.brand, one.event.extension) for one, _ in counted)
    await due.note(connection, keys, service)
