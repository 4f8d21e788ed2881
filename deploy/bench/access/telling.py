"""Gives the brand its data through the doors: news of other services, and commands."""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from keyturn_client import Backend
from keyturn_client.wire import Publisher, Record
from keyturn_contracts.access import (
    EVERYONE,
    MAX_NAMED,
    MAX_REGISTERED,
    DisableExtension,
    EnableExtension,
    GrantAccess,
    GrantAccessToAll,
    MemberRole,
    NewMember,
    RegisterMembers,
)
from keyturn_contracts.credential_vault import AccountAdded
from keyturn_contracts.envelope import Envelope
from keyturn_contracts.ids import new_id
from keyturn_contracts.installation import (
    ExtensionInstalled,
    ExtensionSuspended,
    InstallationChanged,
)
from keyturn_contracts.message import Command, CommandRefused, Event
from keyturn_contracts.topics import events_topic

from deploy.bench.access.data import BRAND, OWNER, Data, Extension, Given, Moments
from deploy.bench.access.place import Place
from deploy.local.problems import StackProblem

_SOON = timedelta(seconds=5)
_MARGIN = 0.1
"""A sleep may end a little early, and goes by another clock."""
_LATE = timedelta(days=3650)
_AT_ONCE = 20


class RefusedError(StackProblem):
    """A command that the measurement needs was refused; the text says which and why."""


async def tell(place: Place, backend: Backend, data: Data) -> Moments:
    """Tell everything, and return when all of it is so and what was to run out has."""
    await send_all(backend, registrations(data.administrators, "administrator"))
    await send_all(backend, registrations([*data.members, *data.leavers, *data.crowd], "member"))
    await _announce(place, "installation", map(_installation, data.extensions))
    await _announce(place, "credential-vault", (_account(*one) for one in data.accounts.items()))
    # One after the other: what is disabled was enabled before.
    await send_all(backend, _enablements(data))
    await send_all(backend, _disablements(data))
    leaving = [Given(account_id, member, "user") for member, account_id in data.leaving()]
    lasting = [one for one in data.grants if one.ends != "soon"]
    late = datetime.now(UTC) + _LATE
    # A command waits until its account has come and has its owner.
    await send_all(backend, _grants([*leaving, *lasting], Moments(late, late)))
    moments = Moments(soon=datetime.now(UTC) + _SOON, late=late)
    await send_all(backend, _grants([one for one in data.grants if one.ends == "soon"], moments))
    left = (moments.soon - datetime.now(UTC)).total_seconds()
    await asyncio.sleep(max(0.0, left) + _MARGIN)
    return moments


async def send_all(
    backend: Backend, commands: Iterable[Command], *, at_once: int = _AT_ONCE
) -> int:
    """Send commands, so many at once, wait for their outcomes, and return the highest revision.

    Raises `RefusedError` for any that is refused.
    """
    turns = asyncio.Semaphore(at_once)

    async def send(command: Command) -> int:
        async with turns:
            outcome = await backend.ask(command)
        if isinstance(outcome, CommandRefused):
            raise RefusedError(f"{outcome.command}: {outcome.message}")
        return outcome.revision or 0

    return max(await asyncio.gather(*map(send, commands)), default=0)


def registrations(members: Sequence[str], role: MemberRole) -> list[RegisterMembers]:
    return [
        RegisterMembers(members=tuple(NewMember(member_id=one, role=role) for one in some))
        for some in parts(members, MAX_REGISTERED)
    ]


def parts(members: Sequence[str], most: int = MAX_NAMED) -> list[tuple[str, ...]]:
    """Return the members divided among commands."""
    return [tuple(members[at : at + most]) for at in range(0, len(members), most)]


def _enablements(data: Data) -> list[EnableExtension]:
    commands: list[EnableExtension] = []
    for one in data.extensions:
        if EVERYONE in one.enabled:
            commands.append(EnableExtension(extension=one.slug, all=True))
        named = [member for member in (*one.enabled, *one.disabled) if member != EVERYONE]
        commands += [EnableExtension(extension=one.slug, members=some) for some in parts(named)]
    return commands


def _disablements(data: Data) -> list[DisableExtension]:
    return [
        DisableExtension(extension=one.slug, members=some)
        for one in data.extensions
        for some in parts(one.disabled)
    ]


def _grants(given: Sequence[Given], moments: Moments) -> list[Command]:
    """Return a command for all that are alike."""
    alike: dict[Given, list[str]] = {}
    for one in given:
        alike.setdefault(Given(one.account_id, "", one.level, one.ends), []).append(one.member)
    commands: list[Command] = []
    for one, members in alike.items():
        until = moments.of(one.ends)
        if EVERYONE in members:
            commands.append(GrantAccessToAll(account_id=one.account_id, until=until))
        commands += [
            GrantAccess(account_id=one.account_id, members=some, level=one.level, until=until)
            for some in parts([member for member in members if member != EVERYONE])
        ]
    return commands


async def _announce(place: Place, service: str, events: Iterable[Event]) -> None:
    """Publish what that service would, which does not run here."""
    publisher = Publisher(place.kafka_of(service))
    try:
        await publisher.send([_record(one) for one in events])
    finally:
        await publisher.close()


def _record(event: Event) -> Record:
    key = event.key(BRAND)
    envelope = Envelope(
        id=new_id(),
        type=event.type_name(),
        source=f"/keyturn/{event.service}",
        subject=key.subject,
        brand=BRAND,
        time=datetime.now(UTC),
        epoch=1,
        sequence=1,
    )
    return Record(
        topic=events_topic(event.service),
        key=str(key).encode(),
        value=event.to_json(),
        headers=envelope.to_headers(),
    )


def _installation(extension: Extension) -> InstallationChanged:
    kind = ExtensionInstalled if extension.state == "installed" else ExtensionSuspended
    return kind(
        extension=extension.slug,
        state=extension.state,
        implicit=extension.party == "first",
        party=extension.party,
        preview=False,
        version=1,
        may_add_domains=False,
        domains_revision=1,
    )


def _account(account_id: str, extension: str) -> AccountAdded:
    return AccountAdded(
        account_id=account_id,
        extension=extension,
        scheme="secret",
        name=account_id,
        settings={},
        creator=OWNER,
        state="connected",
        version=1,
        retire="PT15M",
    )
