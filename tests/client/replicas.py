"""What the tests of the replica begin with: news of installations, as records sent and read."""

from datetime import UTC, datetime
from typing import Any

from keyturn_client.wire import Read, Record
from keyturn_contracts.envelope import Envelope
from keyturn_contracts.ids import new_id
from keyturn_contracts.installation import ExtensionInstalled, InstallationChanged
from keyturn_contracts.topics import events_topic

EVENTS = events_topic("installation")
BRAND = "acme"
LOUD = "loud-mail"


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


def announced(
    event: InstallationChanged,
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
        source="/keyturn/installation",
        subject=key.subject,
        brand=brand,
        time=datetime.now(UTC),
        epoch=epoch,
        sequence=sequence,
    )
    return Record(
        topic=EVENTS,
        key=str(key).encode(),
        value=event.to_json() if value is None else value,
        headers=envelope.to_headers(),
    )


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
