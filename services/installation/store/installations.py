"""Loads and locks installations with all that rules need of them, and saves what they decided."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from keyturn_contracts.ids import new_id
from keyturn_contracts.installation import (
    AcceptChange,
    AccountHost,
    AddedDomain,
    Consent,
    InstallExtension,
    ProposedChange,
    Uninstallation,
    UninstallExtension,
)
from keyturn_contracts.message import Command, Key, Part
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.installation.rules.installation import Desk, Installation
from services.installation.rules.policy import Policy
from services.installation.rules.review import Review
from services.installation.store import due
from services.installation.store.facts import (
    load_accounts,
    load_licensed,
    load_offers,
    load_reviews,
)
from services.installation.store.impact import load_impacts
from services.installation.store.keys import key_of
from services.installation.tables import ConsentRow, DomainChangeRow, InstallationRow
from shared.database.rows import Rows
from shared.messaging.envelope import AskedByKey

STATE = (
    InstallationRow.brand_id,
    InstallationRow.extension,
    InstallationRow.state,
    InstallationRow.is_implicit,
    InstallationRow.in_force,
    InstallationRow.added,
    InstallationRow.hosts,
    InstallationRow.hosts_left_out,
    InstallationRow.domains,
    InstallationRow.domains_revision,
    InstallationRow.consent,
    InstallationRow.proposed,
    InstallationRow.uninstallation,
)
_KEYS = Rows(InstallationRow.brand_id, InstallationRow.extension)
_LOCK = (
    select(*STATE)
    .where(
        InstallationRow.brand_id == _KEYS.c.brand_id,
        InstallationRow.extension == _KEYS.c.extension,
    )
    .order_by(InstallationRow.brand_id, InstallationRow.extension)
    .with_for_update(key_share=True, of=InstallationRow)
)
_INSTALLATIONS = Rows(*STATE)
_SAVE = _INSTALLATIONS.upsert_into(InstallationRow)

_CONSENTS = Rows(
    ConsentRow.brand_id,
    ConsentRow.extension,
    ConsentRow.issuer,
    ConsentRow.id,
    ConsentRow.at,
    ConsentRow.by,
    ConsentRow.digest,
    ConsentRow.review,
    ConsentRow.suffix_list,
)
_SAVE_CONSENTS = _CONSENTS.insert_into(ConsentRow)
_CHANGES = Rows(
    DomainChangeRow.brand_id,
    DomainChangeRow.extension,
    DomainChangeRow.id,
    DomainChangeRow.rule,
    DomainChangeRow.what,
    DomainChangeRow.at,
    DomainChangeRow.issuer,
    DomainChangeRow.by,
    DomainChangeRow.reason,
    DomainChangeRow.revision,
    DomainChangeRow.suffix_list,
)
_SAVE_CHANGES = _CHANGES.insert_into(DomainChangeRow)


async def lock_desks(
    policy: Policy, connection: AsyncConnection, asked: AskedByKey
) -> dict[Key, Desk]:
    """Return a desk for each key, with its installation held until the transaction ends.

    What is not installed has a desk too. What only some commands are judged by is loaded for them
    alone.
    """
    installations = await lock_installations(connection, asked)
    # Statements of their own: their snapshots are younger than whatever the lock had to wait for.
    offers = await load_offers(connection, (key.id for key in asked), policy)
    licensed = await load_licensed(connection, asked)
    accepting = _named_in(asked, InstallExtension, AcceptChange)
    accounts = await load_accounts(connection, accepting) if accepting else {}
    digests = [
        (one.command.extension, one.command.accepts)
        for some in asked.values()
        for one in some
        if isinstance(one.command, (InstallExtension, AcceptChange))
    ]
    reviews = await load_reviews(connection, digests) if digests else {}
    ending = _named_in(asked, UninstallExtension)
    impacts = await load_impacts(connection, ending) if ending else {}
    return {
        key: Desk(
            installation=installations.get(key),
            loaded=installations.get(key),
            offer=offers.get(key.id),
            is_licensed=key in licensed,
            reviews={digest: one for (slug, digest), one in reviews.items() if slug == key.id},
            accounts=accounts.get(key, ()),
            impact=impacts.get(key),
            policy=policy,
        )
        for key in asked
    }


async def save_desks(connection: AsyncConnection, changed: Mapping[Key, Desk]) -> None:
    """Save what differs from what was locked, put on record what happened, and have it followed.

    It is looked at once more when this has committed: news may have come meanwhile.
    """
    installations = {
        key: desk.installation
        for key, desk in sorted(changed.items())
        if desk.installation is not None and desk.installation != desk.loaded
    }
    if not installations:
        return
    await save_installations(connection, installations)
    await _save_records(connection, changed)
    await due.note(connection, installations, "change")
    deadlines = [
        (key, one.uninstallation.deadline)
        for key, one in installations.items()
        if one.state == "uninstalling" and one.uninstallation is not None
    ]
    if deadlines:
        await due.note_times(connection, deadlines, "deadline")


async def lock_installations(
    connection: AsyncConnection, keys: Iterable[Key]
) -> dict[Key, Installation]:
    """Hold installations until the transaction ends; return those that there are."""
    rows = await connection.execute(_LOCK, _KEYS.of((key.brand, key.id) for key in sorted(keys)))
    return dict(map(read_installation, rows))


async def save_installations(
    connection: AsyncConnection, changed: Mapping[Key, Installation]
) -> None:
    rows = (_row_of(key, one) for key, one in sorted(changed.items()))
    await connection.execute(_SAVE, _INSTALLATIONS.of(rows))


def read_installation(row: Sequence[Any]) -> tuple[Key, Installation]:
    """Read what `STATE` selects."""
    (
        brand,
        extension,
        state,
        is_implicit,
        in_force,
        added,
        hosts,
        hosts_left_out,
        domains,
        domains_revision,
        consent,
        proposed,
        uninstallation,
    ) = row
    return key_of(brand, extension), Installation(
        extension=extension,
        state=state,
        is_implicit=is_implicit,
        in_force=Review.model_validate(in_force),
        added=tuple(map(AddedDomain.model_validate, added)),
        hosts=tuple(map(AccountHost.model_validate, hosts)),
        hosts_left_out=hosts_left_out,
        domains=tuple(domains),
        domains_revision=domains_revision,
        consent=None if consent is None else Consent.model_validate(consent),
        proposed=None if proposed is None else ProposedChange.model_validate(proposed),
        uninstallation=(
            None if uninstallation is None else Uninstallation.model_validate(uninstallation)
        ),
    )


def _row_of(key: Key, one: Installation) -> tuple[object, ...]:
    return (
        key.brand,
        key.id,
        one.state,
        one.is_implicit,
        _json(one.in_force),
        [_json(added) for added in one.added],
        [_json(host) for host in one.hosts],
        one.hosts_left_out,
        [*one.domains],
        one.domains_revision,
        _json(one.consent),
        _json(one.proposed),
        _json(one.uninstallation),
    )


async def _save_records(connection: AsyncConnection, changed: Mapping[Key, Desk]) -> None:
    consents = [
        (
            key.brand,
            key.id,
            one.issuer,
            one.consent.id,
            one.consent.at,
            one.consent.by,
            one.consent.digest,
            _json(one.review),
            one.consent.suffix_list,
        )
        for key, desk in changed.items()
        for one in desk.accepted
    ]
    if consents:
        await connection.execute(_SAVE_CONSENTS, _CONSENTS.of(consents))
    changes = [
        (
            key.brand,
            key.id,
            new_id(),
            one.rule,
            one.what,
            one.at,
            one.issuer,
            one.by,
            one.reason,
            one.revision,
            one.suffix_list,
        )
        for key, desk in changed.items()
        for one in desk.changes
    ]
    if changes:
        await connection.execute(_SAVE_CHANGES, _CHANGES.of(changes))


def _named_in(asked: AskedByKey, *kinds: type[Command]) -> list[Key]:
    return [
        key for key, some in asked.items() if any(isinstance(one.command, kinds) for one in some)
    ]


def _json(part: Part | None) -> dict[str, Any] | None:
    return None if part is None else part.model_dump(mode="json", exclude_none=True)
