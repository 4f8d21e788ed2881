"""What the tests of the replica begin with: news that it follows, as records sent and read."""

from datetime import UTC, datetime
from typing import Any

from keyturn_client.wire import Read, Record
from keyturn_contracts.access import (
    EVERYONE,
    AccessGranted,
    AccessRevoked,
    EnablementChanged,
    ExtensionDisabled,
    ExtensionEnabled,
    GrantChanged,
    Level,
    MemberChanged,
    MemberRegistered,
    MemberRemoved,
    MemberRole,
)
from keyturn_contracts.credential_vault import AccountAdded, AccountChanged, AccountDeleted
from keyturn_contracts.envelope import Envelope
from keyturn_contracts.ids import new_id
from keyturn_contracts.installation import ExtensionInstalled, InstallationChanged
from keyturn_contracts.message import AnnouncedEvent, CommandApplied, Event
from keyturn_contracts.topics import events_topic

EVENTS = events_topic("installation")
BRAND = "acme"
LOUD = "loud-mail"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def installed(
    extension: str = LOUD,
    *domains: str,
    kind: type[InstallationChanged] = ExtensionInstalled,
    **changes: Any,
) -> InstallationChanged:
    """Return an event about an installation that may reach these domains."""
    state = {
        "extension": extension,
        "state": "installed",
        "implicit": False,
        "party": "third",
        "preview": True,
        "version": 1,
        "may_add_domains": True,
        "domains": domains,
        "domains_revision": 1,
    }
    return kind.model_validate(state | changes)


def account(account_id: str = "mail", extension: str = LOUD) -> AccountChanged:
    return _account(AccountAdded, account_id, extension)


def deleted(account_id: str = "mail", extension: str = LOUD) -> AccountChanged:
    return _account(AccountDeleted, account_id, extension)


def _account(kind: type[AccountChanged], account_id: str, extension: str) -> AccountChanged:
    return kind(
        account_id=account_id,
        extension=extension,
        scheme="secret",
        name="Mail",
        settings={},
        creator="ada",
        state="deleted" if kind is AccountDeleted else "connected",
        version=1,
        retire="when-complete",
    )


def registered(member_id: str, role: MemberRole = "member") -> MemberChanged:
    return MemberRegistered(member_id=member_id, role=role, state="registered")


def removed(member_id: str) -> MemberChanged:
    return MemberRemoved(member_id=member_id, role="member", state="removed")


def granted(
    member: str = EVERYONE,
    account_id: str = "mail",
    *,
    level: Level = "user",
    until: datetime | None = None,
) -> GrantChanged:
    return _grant(AccessGranted, account_id, member, level=level, state="granted", until=until)


def revoked(
    member: str = EVERYONE, account_id: str = "mail", *, level: Level = "user"
) -> GrantChanged:
    return _grant(
        AccessRevoked, account_id, member, level=level, state="ended", why_ended="revoked"
    )


def _grant(kind: type[GrantChanged], account_id: str, member: str, **changes: Any) -> GrantChanged:
    about = {"account_id": account_id, "member": member}
    return kind.model_validate(about | {"how": "granted", "by": "ada", "since": NOON} | changes)


def enabled(member: str = EVERYONE, extension: str = LOUD) -> EnablementChanged:
    return ExtensionEnabled(
        extension=extension, member=member, state="enabled", by="ada", since=NOON
    )


def disabled(member: str = EVERYONE, extension: str = LOUD) -> EnablementChanged:
    return ExtensionDisabled(
        extension=extension, member=member, state="disabled", by="ada", since=NOON
    )


def announced(
    event: Event,
    brand: str = BRAND,
    *,
    epoch: int = 1,
    sequence: int = 1,
    type_name: str | None = None,
    value: bytes | None = None,
) -> Record:
    """Return the event as the service publishes it, or with another type or value."""
    key = event.key(brand)
    envelope = Envelope(
        id=new_id(),
        type=type_name or event.type_name(),
        source=f"/keyturn/{event.service}",
        subject=key.subject,
        brand=brand,
        time=datetime.now(UTC),
        epoch=epoch,
        sequence=sequence,
    )
    return Record(
        topic=events_topic(event.service),
        key=str(key).encode(),
        value=event.to_json() if value is None else value,
        headers=envelope.to_headers(),
    )


def outcome(
    *events: Event, epoch: int | None = 1, sequence: int = 1, **changes: Any
) -> CommandApplied:
    """Return what the sender is told of a command that announced these."""
    told = {
        "command": "GrantAccess",
        "changed": True,
        "revision": sequence,
        "events": [
            AnnouncedEvent(
                type=one.type_name(),
                subject=f"{one.kind}/{one.subject_id}",
                sequence=sequence,
                epoch=epoch,
            )
            for one in events
        ],
        "announced": len(events),
    }
    return CommandApplied.model_validate(told | changes)


def read(record: Record, offset: int = 0) -> Read:
    """Return a record as it comes back from Kafka."""
    return Read(
        place=(record.topic, 0),
        offset=offset,
        appended_at=datetime.now(UTC),
        key=record.key,
        value=record.value,
        headers=record.headers,
    )
