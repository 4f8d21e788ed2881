"""Who owns which account, as the access service announced it; of each member the newest wins."""

from collections.abc import Collection, Iterable, Sequence

from keyturn_contracts.access import EVERYONE, GrantChanged
from keyturn_contracts.credential_vault import AddAccount
from keyturn_contracts.message import Key
from keyturn_contracts.rights import Facts, Grant
from sqlalchemy import select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from services.credential_vault.store.keys import key_of_account
from services.credential_vault.tables import OWNS_NOW, AccountRow, OwnershipRow
from shared.database.rows import Rows
from shared.messaging.envelope import AskedByKey, News, newest_of_each_key
from shared.messaging.members import load_listed

_GRANTS = Rows(
    OwnershipRow.brand_id,
    OwnershipRow.account_id,
    OwnershipRow.member,
    OwnershipRow.is_owner,
    OwnershipRow.until,
    OwnershipRow.epoch,
    OwnershipRow.sequence,
)
_SAVE_GRANTS = _GRANTS.upsert_into(
    OwnershipRow, newest_by=[OwnershipRow.epoch, OwnershipRow.sequence]
)
_WHO_ASKS = Rows(OwnershipRow.brand_id, OwnershipRow.account_id, OwnershipRow.member)
_LOAD_GRANTS = select(
    OwnershipRow.brand_id, OwnershipRow.account_id, OwnershipRow.member, OwnershipRow.until
).where(
    OwnershipRow.brand_id == _WHO_ASKS.c.brand_id,
    OwnershipRow.account_id == _WHO_ASKS.c.account_id,
    OwnershipRow.member == _WHO_ASKS.c.member,
    OwnershipRow.is_owner,
)

MOST_NAMED = 3
"""How many owners a refusal names."""
_KEYS = Rows(AccountRow.brand_id, AccountRow.id)
_SOME = (
    select(OwnershipRow.member)
    .where(
        OwnershipRow.brand_id == _KEYS.c.brand_id, OwnershipRow.account_id == _KEYS.c.id, OWNS_NOW
    )
    .order_by(OwnershipRow.member)
    .limit(MOST_NAMED)
    .lateral("some")
)
_LOAD_SOME_OWNERS = (
    select(_KEYS.c.brand_id, _KEYS.c.id, _SOME.c.member)
    .join_from(_KEYS.table, _SOME, true())
    .order_by(_SOME.c.member)
)


async def save_grants(connection: AsyncConnection, news: Sequence[News[GrantChanged]]) -> None:
    """Remember who owns what. What everyone was given is left out: it is never ownership."""
    rows = (
        (
            one.brand,
            one.event.account_id,
            one.event.member,
            one.event.level == "owner" and one.event.state == "granted",
            one.event.until,
            one.epoch,
            one.sequence,
        )
        for one in newest_of_each_key(news)
        if one.event.member != EVERYONE
    )
    await connection.execute(_SAVE_GRANTS, _GRANTS.of(rows))


async def load_facts(
    connection: AsyncConnection, asked: AskedByKey, known: Collection[Key]
) -> dict[Key, Facts]:
    """Return, of each `known` account, what says whether those who ask about it own it.

    That is their places on the brand's list, and those of their grants that make them owners. Of an
    account about which nobody asks what only an owner may, nothing is loaded.
    """
    who_asks = {
        (key, one.actor.subject)
        for key, some in asked.items()
        if key in known
        for one in some
        if not isinstance(one.command, AddAccount)
    }
    if not who_asks:
        return {}
    facts = {key: Facts() for key, _ in who_asks}
    listed = await load_listed(connection, {(key.brand, subject) for key, subject in who_asks})
    for key, subject in who_asks:
        said = listed.get((key.brand, subject))
        facts[key].has_list = said is not None
        if said is not None and said != "absent":
            facts[key].members[subject] = said
    wanted = sorted((key.brand, key.id, subject) for key, subject in who_asks)
    for brand, account_id, member, until in await connection.execute(
        _LOAD_GRANTS, _WHO_ASKS.of(wanted)
    ):
        grants = facts[key_of_account(brand, account_id)].grants
        grants.setdefault(account_id, {})[member] = Grant("owner", until)
    return facts


async def load_some_owners(
    connection: AsyncConnection, accounts: Iterable[Key]
) -> dict[Key, tuple[str, ...]]:
    """Return some who own these now, of each at most `MOST_NAMED`; who has none is left out."""
    wanted = sorted((key.brand, key.id) for key in accounts)
    if not wanted:
        return {}
    owners: dict[Key, tuple[str, ...]] = {}
    for brand, account_id, member in await connection.execute(_LOAD_SOME_OWNERS, _KEYS.of(wanted)):
        key = key_of_account(brand, account_id)
        owners[key] = (*owners.get(key, ()), member)
    return owners
