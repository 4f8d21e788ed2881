"""Records, issuers and engines as the tests of the transport need them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from keyturn_contracts.actor import Role, engine_issuer, sign_command
from keyturn_contracts.credential_vault import EditAccount
from keyturn_contracts.envelope import Envelope
from keyturn_contracts.ids import new_id
from keyturn_contracts.keys import SigningKey, jwks_of, new_signing_key
from keyturn_contracts.message import Command, Event, Message
from keyturn_contracts.topics import commands_topic, events_topic

from shared.messaging.record import RawRecord

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LOG_APPEND_TIME = 1


@dataclass
class GivenIssuer:
    """Somebody who may sign, and their private key."""

    name: str = "local"
    brands: Sequence[str] = ("acme",)
    roles: Sequence[Role] = ("administrator", "member")
    replies: bool = True
    key: SigningKey = field(default_factory=new_signing_key)

    def write_to(self, folder: Path) -> Path:
        path = folder / f"{self.name}.json"
        described = {
            "name": self.name,
            "jwks": jwks_of([self.key], "sig").model_dump(mode="json", exclude_none=True),
            "brands": list(self.brands),
            "roles": list(self.roles),
            "replies": self.replies,
        }
        path.write_text(json.dumps(described))
        return path


@dataclass
class GivenEngine:
    """A registered engine, which signs for itself."""

    brand: str = "acme"
    engine_id: str = "e1"
    key: SigningKey = field(default_factory=new_signing_key)

    @property
    def issuer(self) -> str:
        return engine_issuer(self.brand, self.engine_id)


def edit(account_id: str = "mail") -> EditAccount:
    return EditAccount(account_id=account_id, name="Mail")


def command_record(
    command: Command,
    *,
    by: GivenIssuer | GivenEngine,
    brand: str = "acme",
    subject: str = "ada",
    roles: Sequence[Role] = ("administrator",),
    command_id: str | None = None,
    signed_at: datetime = NOW,
    appended_at: datetime = NOW,
    epoch: int | None = None,
    number: int | None = None,
    value: bytes | None = None,
    topic: str | None = None,
    reply_to: str | None = None,
    lifetime: timedelta = timedelta(minutes=10),
    claims: Mapping[str, Any] | None = None,
    headers: Mapping[str, bytes | None] | None = None,
    without: Sequence[str] = (),
    key: bytes | None = b"its own",
    offset: int = 0,
    timestamp_type: int = LOG_APPEND_TIME,
) -> RawRecord:
    """Return a record as an honest client publishes it, but for what is asked otherwise."""
    chosen_id = command_id or new_id(appended_at)
    content = command.to_json() if value is None else value
    chosen_topic = topic or commands_topic(command.service)
    is_engine = isinstance(by, GivenEngine)
    signed: dict[str, Any] = {
        "issuer": by.issuer if isinstance(by, GivenEngine) else by.name,
        "subject": by.issuer if isinstance(by, GivenEngine) else subject,
        "brand": brand,
        "roles": () if is_engine else roles,
        "topic": chosen_topic,
        "command_id": chosen_id,
        "message_type": command.type_name(),
        "message_subject": command.key(brand).subject,
        "value": content,
        "now": signed_at,
        "epoch": epoch,
        "number": number,
        "lifetime": lifetime,
    }
    actor = sign_command(by.key, **(signed | dict(claims or {})))
    envelope = Envelope(
        id=chosen_id,
        type=command.type_name(),
        source="/tests",
        subject=command.key(brand).subject,
        brand=brand,
        time=signed_at,
        epoch=epoch,
        sequence=number,
        actor=actor,
        reply_to=reply_to,
    )
    return raw(
        command,
        brand,
        envelope,
        content,
        topic=chosen_topic,
        appended_at=appended_at,
        headers=headers,
        without=without,
        key=key,
        offset=offset,
        timestamp_type=timestamp_type,
    )


def news_record(
    event: Event,
    *,
    brand: str = "acme",
    epoch: int | None = 1,
    sequence: int | None = 1,
    topic: str | None = None,
    value: bytes | None = None,
    appended_at: datetime = NOW,
    headers: Mapping[str, bytes | None] | None = None,
    without: Sequence[str] = (),
    key: bytes | None = b"its own",
    offset: int = 0,
) -> RawRecord:
    envelope = Envelope(
        id=new_id(appended_at),
        type=event.type_name(),
        source=f"/keyturn/{event.service}",
        subject=event.key(brand).subject,
        brand=brand,
        time=appended_at,
        epoch=epoch,
        sequence=sequence,
    )
    return raw(
        event,
        brand,
        envelope,
        event.to_json() if value is None else value,
        topic=topic or events_topic(event.service),
        appended_at=appended_at,
        headers=headers,
        without=without,
        key=key,
        offset=offset,
    )


def raw(
    message: Message,
    brand: str,
    envelope: Envelope,
    value: bytes,
    *,
    topic: str,
    appended_at: datetime,
    headers: Mapping[str, bytes | None] | None,
    without: Sequence[str],
    key: bytes | None,
    offset: int,
    timestamp_type: int = LOG_APPEND_TIME,
) -> RawRecord:
    told: dict[str, bytes | None] = dict(envelope.to_headers())
    told |= dict(headers or {})
    for name in without:
        told.pop(name, None)
    return RawRecord(
        topic=topic,
        partition=0,
        offset=offset,
        key=str(message.key(brand)).encode() if key == b"its own" else key,
        value=value,
        headers=tuple(told.items()),
        timestamp_ms=int(appended_at.timestamp() * 1000),
        timestamp_type=timestamp_type,
    )
