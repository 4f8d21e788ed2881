"""Loads and locks accounts with all that rules need of them, and saves what they decided."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from keyturn_contracts.credential_vault import AddAccount, EditCredentials, VerifyAccount
from keyturn_contracts.message import Key
from keyturn_contracts.rights import Facts
from sqlalchemy import delete, null, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.credential_vault.rules.account import Account, Desk, Holder, Version
from services.credential_vault.rules.audit import Who
from services.credential_vault.rules.entitlement import Entitlement
from services.credential_vault.store.audit import write_entries
from services.credential_vault.store.copies import load_extensions
from services.credential_vault.store.entitlements import BrandExtension, load_entitlements
from services.credential_vault.store.keys import key_of_account
from services.credential_vault.store.ownership import load_facts, load_some_owners
from services.credential_vault.store.secrets import Place, delete_secrets, insert_secrets
from services.credential_vault.store.transport_keys import unseal
from services.credential_vault.tables import AccountRow, HolderRow, VersionRow
from shared.database.rows import Rows
from shared.messaging.envelope import AskedByKey
from shared.security.keys import KeyProvider

_ACCOUNT = (
    AccountRow.brand_id,
    AccountRow.id,
    AccountRow.extension,
    AccountRow.name,
    AccountRow.creator,
    AccountRow.retire,
    AccountRow.state,
    AccountRow.reason,
    AccountRow.version,
    AccountRow.last_number,
    AccountRow.scheme,
    AccountRow.settings,
)
_KEYS = Rows(AccountRow.brand_id, AccountRow.id)
_LOCK_ACCOUNTS = (
    select(*_ACCOUNT)
    .where(AccountRow.brand_id == _KEYS.c.brand_id, AccountRow.id == _KEYS.c.id)
    .order_by(AccountRow.brand_id, AccountRow.id)
    .with_for_update(key_share=True, of=AccountRow)
)
_ACCOUNTS = Rows(*_ACCOUNT)
_SAVE_ACCOUNTS = _ACCOUNTS.upsert_into(AccountRow)

_VERSION = (
    VersionRow.brand_id,
    VersionRow.account_id,
    VersionRow.number,
    VersionRow.status,
    VersionRow.scheme,
    VersionRow.settings,
    VersionRow.created_at,
    VersionRow.created_by,
    VersionRow.created_by_issuer,
    VersionRow.retires,
    VersionRow.retire,
    VersionRow.promoted_at,
    VersionRow.ended_at,
    VersionRow.ended_by,
    VersionRow.ended_by_issuer,
    VersionRow.refusal,
    VersionRow.try_since,
    VersionRow.retire_at,
)
_LOAD_VERSIONS = (
    select(*_VERSION, VersionRow.claim)
    .where(
        VersionRow.brand_id == _KEYS.c.brand_id,
        VersionRow.account_id == _KEYS.c.id,
        or_(
            VersionRow.status.in_(("pending", "current", "previous")),
            VersionRow.try_since.is_not(None),
        ),
    )
    .order_by(VersionRow.number)
)
_VERSIONS = Rows(*_VERSION)
_SAVE_VERSIONS = _VERSIONS.upsert_into(
    VersionRow,
    # Work that is under way on it was about what it has been.
    also={
        VersionRow.claim: null(),
        VersionRow.leased_until: null(),
        VersionRow.try_due_at: null(),
    },
)

_LOAD_HOLDERS = select(
    HolderRow.brand_id,
    HolderRow.account_id,
    HolderRow.engine_id,
    HolderRow.version,
    HolderRow.lease_until,
).where(HolderRow.brand_id == _KEYS.c.brand_id, HolderRow.account_id == _KEYS.c.id)
_NUMBERS = Rows(HolderRow.brand_id, HolderRow.account_id, HolderRow.version)
_DELETE_HOLDERS = delete(HolderRow).where(
    HolderRow.brand_id == _NUMBERS.c.brand_id,
    HolderRow.account_id == _NUMBERS.c.account_id,
    HolderRow.version == _NUMBERS.c.version,
)


async def lock_accounts(
    keys: KeyProvider, contact: str, connection: AsyncConnection, asked: AskedByKey
) -> dict[Key, Desk]:
    """Return a desk for each key, with its account held until the transaction ends.

    The credentials that commands carry are opened here, each by itself: what does not open is for
    the rule to refuse. An account that does not exist yet has a desk too.
    """
    wanted = _KEYS.of((key.brand, key.id) for key in sorted(asked))
    rows = (await connection.execute(_LOCK_ACCOUNTS, wanted)).all()
    # Statements of their own: their snapshots are younger than whatever the lock had to wait for.
    versions: dict[Key, list[Version]] = {}
    for row in await connection.execute(_LOAD_VERSIONS, wanted):
        key = key_of_account(row.brand_id, row.account_id)
        versions.setdefault(key, []).append(_version_of(row))
    holders: dict[Key, list[Holder]] = {}
    for brand, account_id, engine_id, version, lease in await connection.execute(
        _LOAD_HOLDERS, wanted
    ):
        key = key_of_account(brand, account_id)
        holders.setdefault(key, []).append(Holder(engine_id, version, lease))
    accounts: dict[Key, Account] = {}
    for row in rows:
        key = key_of_account(row.brand_id, row.id)
        accounts[key] = _account_of(row, versions.get(key, ()), holders.get(key, ()))

    commands = [one for some in asked.values() for one in some]
    used, described = _used_extensions(asked, accounts)
    entitlements = await load_entitlements(connection, used)
    extensions = await load_extensions(connection, described) if described else {}
    of_brand: dict[str, dict[str, Entitlement]] = {}
    for (brand, slug), entitlement in entitlements.items():
        of_brand.setdefault(brand, {})[slug] = entitlement
    unsealed = await unseal(connection, keys, commands)
    facts = await load_facts(connection, asked, accounts.keys())
    owners = await load_some_owners(connection, facts)
    return {
        key: Desk(
            account=accounts.get(key),
            loaded=accounts.get(key),
            extensions=extensions,
            entitlements=of_brand.get(key.brand, {}),
            contact=contact,
            facts=facts.get(key) or Facts(),
            owners=owners.get(key, ()),
            unsealed={one.id: unsealed[one.id] for one in some if one.id in unsealed},
        )
        for key, some in asked.items()
    }


def _used_extensions(
    asked: AskedByKey, accounts: Mapping[Key, Account]
) -> tuple[set[BrandExtension], set[str]]:
    """Return whose right to use which extension matters here, and which manifests are needed."""
    used: set[BrandExtension] = set()
    described: set[str] = set()
    for key, some in asked.items():
        account = accounts.get(key)
        if account is not None and account.state == "adding":
            # A job settles it, without a command at hand.
            used.add((key.brand, account.extension))
        for one in some:
            if isinstance(one.command, AddAccount):
                used.add((key.brand, one.command.extension))
                described.add(one.command.extension)
            elif account is not None and isinstance(one.command, EditCredentials | VerifyAccount):
                used.add((key.brand, account.extension))
                if isinstance(one.command, EditCredentials):
                    described.add(account.extension)
    return used, described


async def save_accounts(
    keys: KeyProvider, connection: AsyncConnection, changed: Mapping[Key, Desk]
) -> None:
    """Save what differs from what was locked, and put on record what happened.

    The content of a new version is encrypted; that of one that ended is deleted, with the records
    of who held it where it was retired.
    """
    desks = sorted(changed.items())
    await write_entries(
        connection, ((key.brand, entry) for key, desk in desks for entry in desk.entries)
    )
    changed_accounts = [
        (key, desk.account)
        for key, desk in desks
        if desk.account is not None
        and (desk.loaded is None or _row_of(key, desk.account) != _row_of(key, desk.loaded))
    ]
    if changed_accounts:
        rows = (_row_of(key, account) for key, account in changed_accounts)
        await connection.execute(_SAVE_ACCOUNTS, _ACCOUNTS.of(rows))
    versions = [
        (Place(key.brand, key.id, version.number), version)
        for key, desk in desks
        if desk.account is not None
        for version in desk.account.versions
        if desk.loaded is None or version not in desk.loaded.versions
    ]
    if not versions:
        return
    rows = (_row_of_version(at, version) for at, version in versions)
    await connection.execute(_SAVE_VERSIONS, _VERSIONS.of(rows))
    await insert_secrets(
        connection, keys, [(at, one.content) for at, one in versions if one.content is not None]
    )
    if ended := [at for at, one in versions if one.status in {"refused", "retired"}]:
        await delete_secrets(connection, ended)
        await connection.execute(_DELETE_HOLDERS, _NUMBERS.of(ended))


def _account_of(row: Any, versions: Sequence[Version], holders: Sequence[Holder]) -> Account:
    return Account(
        id=row.id,
        extension=row.extension,
        name=row.name,
        creator=row.creator,
        retire=row.retire,
        state=row.state,
        reason=row.reason,
        version=row.version,
        last_number=row.last_number,
        scheme=row.scheme,
        settings=row.settings,
        versions=tuple(versions),
        holders=tuple(holders),
    )


def _row_of(key: Key, account: Account) -> tuple[object, ...]:
    return (
        key.brand,
        account.id,
        account.extension,
        account.name,
        account.creator,
        account.retire,
        account.state,
        account.reason,
        account.version,
        account.last_number,
        account.scheme,
        dict(account.settings),
    )


def _version_of(row: Any) -> Version:
    return Version(
        number=row.number,
        status=row.status,
        scheme=row.scheme,
        settings=row.settings,
        created_at=row.created_at,
        created_by=Who(row.created_by_issuer, row.created_by),
        retires=row.retires,
        retire=row.retire,
        promoted_at=row.promoted_at,
        ended_at=row.ended_at,
        ended_by=Who(row.ended_by_issuer, row.ended_by) if row.ended_by else None,
        refusal=row.refusal,
        try_since=row.try_since,
        retire_at=row.retire_at,
        claim=row.claim,
    )


def _row_of_version(at: Place, version: Version) -> tuple[object, ...]:
    by = version.ended_by
    return (
        *at,
        version.status,
        version.scheme,
        dict(version.settings),
        version.created_at,
        version.created_by.subject,
        version.created_by.issuer,
        version.retires,
        version.retire,
        version.promoted_at,
        version.ended_at,
        by.subject if by else None,
        by.issuer if by else None,
        version.refusal,
        version.try_since,
        version.retire_at,
    )


def all_of(keys: Iterable[Key]) -> AskedByKey:
    """Return what `lock_accounts` takes where no command asks, but a job."""
    return dict.fromkeys(keys, ())
