"""Reads and verifies records: who asks for what, what is new elsewhere, and what proves nothing."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

import structlog
from keyturn_contracts.actor import (
    Actor,
    ActorError,
    actor_of_expired,
    read_claimed,
    verify_command,
)
from keyturn_contracts.envelope import (
    ACTOR,
    BRAND,
    EPOCH,
    ID,
    SUBJECT,
    Envelope,
    UnreadableEnvelopeError,
    read_headers,
)
from keyturn_contracts.keys import SigningKey
from keyturn_contracts.message import MAX_MESSAGE_BYTES, Command, Event, Key
from keyturn_contracts.registry import COMMAND_BY_TYPE, EVENT_BY_TYPE
from keyturn_contracts.topics import commands_topic, events_topic

from shared.messaging.content import InvalidContent, read_content
from shared.messaging.context import KeysByIssuer
from shared.messaging.envelope import Asked, CommandId, Evidence, News
from shared.messaging.handlers import Handlers
from shared.messaging.inbox import judge_id
from shared.messaging.issuers import Issuers, claimed_engine
from shared.messaging.record import (
    Content,
    Ignored,
    RawRecord,
    RefusalOnArrival,
    RefusedOnArrival,
    Unreadable,
    UnreadableCause,
)

_log = structlog.stdlib.get_logger()

LOG_APPEND_TIME = 1
_NO_KEYS: Mapping[str, SigningKey] = {}
# A key is part of an index: what is longer than any id of ours is no key.
_BRAND = re.compile(r"[A-Za-z0-9_\-:@]{1,128}")
_SUBJECT = re.compile(r"[a-z]{1,40}(?:/[A-Za-z0-9_\-:@.*]{1,256}){0,2}")
_TRACE = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_ID = re.compile(r"[!-~]{1,128}")
_LONGEST_SUBJECT = 500
_READ_AT_ONCE = 20
_LATEST_MS = 2**47
"""In the year 6429: what lies beyond would be no time for `datetime`."""

EngineKeysOf = Callable[[Sequence[tuple[str, str]]], Awaitable[KeysByIssuer]]
"""Look up the keys of engines, given as (brand, engine id)."""


class _CannotReadError(Exception):
    """Carries what the record comes to out of whatever looked at it."""

    def __init__(self, reason: UnreadableCause, detail: str = "") -> None:
        super().__init__(reason)
        self.unreadable = Unreadable(reason, detail)


@dataclass(frozen=True, slots=True)
class _Unverified:
    """A command of which all is known but whether its signature is right."""

    record: RawRecord
    envelope: Envelope
    kind: type[Command]
    key: str
    actor: str
    issuer: str


class Reading:
    """What a service makes of the records it is given; it never raises for one of them."""

    def __init__(
        self,
        *,
        service: str,
        handlers: Handlers,
        listens_to: Iterable[str],
        issuers: Issuers,
        engine_keys: EngineKeysOf | None,
    ) -> None:
        self._commands_topic = commands_topic(service)
        self._commands = {one.type_name(): one for one in handlers.commands}
        self._heard = tuple(one.event for one in handlers.listeners)
        self._service_of_topic = {events_topic(one): one for one in listens_to}
        self._issuers = issuers
        self._engine_keys = engine_keys

    @property
    def topics(self) -> list[str]:
        """The topics whose records it understands."""
        return [self._commands_topic, *self._service_of_topic]

    async def parse(self, records: Sequence[RawRecord]) -> list[Content]:
        """Return what each record says, in their order.

        Raises only where the keys of engines cannot be looked up: then nothing was read.
        """
        self._issuers.refresh()
        looked = [self._look(record) for record in records]
        engines = {
            engine
            for one in looked
            if isinstance(one, _Unverified) and (engine := claimed_engine(one.issuer))
        }
        keys: KeysByIssuer = {}
        if engines and self._engine_keys is not None:
            keys = await self._engine_keys(sorted(engines))
        read: list[Content] = []
        for number, one in enumerate(looked):
            read.append(self._verify(one, keys) if isinstance(one, _Unverified) else one)
            if number % _READ_AT_ONCE == 0:
                # A signature takes long enough that HTTP would wait for all of a batch.
                await asyncio.sleep(0)
        return read

    def _look(self, record: RawRecord) -> Content | _Unverified:
        try:
            envelope = read_headers(record.headers)
            key = _check_envelope(record, envelope)
            if record.topic == self._commands_topic:
                return self._look_at_command(record, envelope, key)
            return self._read_news(record, envelope, key)
        except Exception as error:  # noqa: BLE001  no record holds the others up
            return _unreadable(error)

    def _look_at_command(self, record: RawRecord, envelope: Envelope, key: str) -> _Unverified:
        kind = self._commands.get(envelope.type)
        if kind is None:
            known = envelope.type in COMMAND_BY_TYPE or envelope.type in EVENT_BY_TYPE
            raise _CannotReadError("topic_wrong" if known else "type_unknown")
        # Where a brand has one thing of a kind, the subject is the kind alone.
        if envelope.subject.partition("/")[0] != kind.kind:
            raise _CannotReadError("key_wrong", SUBJECT)
        if envelope.actor is None:
            raise _CannotReadError("actor_missing", ACTOR)
        issuer = read_claimed(envelope.actor).issuer
        return _Unverified(record, envelope, kind, key, envelope.actor, issuer)

    def _read_news(self, record: RawRecord, envelope: Envelope, key: str) -> Content:
        owner = self._service_of_topic.get(record.topic)
        kind = EVENT_BY_TYPE.get(envelope.type)
        if kind is None and owner and envelope.type.startswith(f"keyturn.{owner}."):
            return Ignored()
        if kind is None or kind.service != owner:
            known = kind is not None or envelope.type in COMMAND_BY_TYPE
            raise _CannotReadError("topic_wrong" if known else "type_unknown")
        if not issubclass(kind, self._heard):
            return Ignored()
        if envelope.epoch is None or envelope.sequence is None:
            raise _CannotReadError("sequence_missing", EPOCH)
        try:
            event: Event = read_content(kind, record.value or b"")
        except InvalidContent as error:
            raise _CannotReadError("value_invalid", str(error)) from None
        if str(event.key(envelope.brand)) != key:
            raise _CannotReadError("key_wrong")
        return News(
            event=event,
            brand=envelope.brand,
            epoch=envelope.epoch,
            sequence=envelope.sequence,
            at=record.appended_at,
        )

    def _verify(self, one: _Unverified, keys: KeysByIssuer) -> Content:
        try:
            return self._read_command(one, keys)
        except Exception as error:  # noqa: BLE001  no record holds the others up
            return _unreadable(error)

    def _read_command(self, one: _Unverified, keys: KeysByIssuer) -> Content:
        actor, is_expired = self._actor_of(one, keys)
        try:
            command: Command | InvalidContent = read_content(one.kind, one.record.value or b"")
        except InvalidContent as error:
            command = error
        key = Key.of(one.key)
        if isinstance(command, Command) and command.key(actor.brand) != key:
            raise _CannotReadError("key_wrong")
        if refusal := _judge_id(one):
            return self._refused(one, actor, *refusal)
        if is_expired:
            return self._refused(
                one,
                actor,
                "expired",
                "The command was published after its signature had expired: sign it again.",
            )
        if isinstance(command, InvalidContent):
            return self._refused(one, actor, "invalid", f"It breaks its contract: {command}.")
        return Asked(
            command=command,
            id=CommandId(actor.brand, actor.issuer, one.envelope.id),
            actor=actor,
            digest=_digest(one),
            at=one.record.appended_at,
            epoch=one.envelope.epoch,
            number=one.envelope.sequence,
            evidence=Evidence(
                type=one.envelope.type,
                topic=one.record.topic,
                value=one.record.value or b"",
                actor=one.actor,
            ),
            trace_parent=_trace_of(one.envelope),
            wants_reply=self._wants_reply(one),
        )

    def _actor_of(self, one: _Unverified, keys: KeysByIssuer) -> tuple[Actor, bool]:
        """Return who asks, and whether the signature is right and came too late."""
        envelope = one.envelope
        issuer = self._issuers.find(one.issuer)
        known = issuer.keys if issuer else keys.get(one.issuer, _NO_KEYS)
        if not known:
            raise ActorError("unknown_issuer")
        try:
            actor = verify_command(
                one.actor,
                known,
                brand=envelope.brand,
                topic=one.record.topic,
                command_id=envelope.id,
                message_type=envelope.type,
                message_subject=envelope.subject,
                value=one.record.value or b"",
                appended_at=one.record.appended_at,
                epoch=envelope.epoch,
                number=envelope.sequence,
            )
            is_expired = False
        except ActorError as error:
            if error.problem != "expired":
                raise
            actor, is_expired = actor_of_expired(one.actor, known), True
        if len(actor.subject) > _LONGEST_SUBJECT:
            raise ActorError("malformed", "sub")
        self._issuers.check_vouched(actor)
        return actor, is_expired

    def _refused(
        self, one: _Unverified, actor: Actor, reason: RefusalOnArrival, message: str
    ) -> RefusedOnArrival:
        return RefusedOnArrival(
            id=CommandId(actor.brand, actor.issuer, one.envelope.id),
            key=Key.of(one.key),
            type=one.envelope.type,
            digest=_digest(one),
            reason=reason,
            message=message,
            at=one.record.appended_at,
            trace_parent=_trace_of(one.envelope),
            wants_reply=self._wants_reply(one),
        )

    def _wants_reply(self, one: _Unverified) -> bool:
        # What the header names is never looked at: the issuer's configuration says where to.
        issuer = self._issuers.find(one.issuer)
        return one.envelope.reply_to is not None and issuer is not None and issuer.replies


def _check_envelope(record: RawRecord, envelope: Envelope) -> str:
    """Return the record's key, or raise: what comes after can rely on each part of it."""
    if record.timestamp_type != LOG_APPEND_TIME or not 0 <= record.timestamp_ms < _LATEST_MS:
        raise UnreadableEnvelopeError("timestamp_not_append_time")
    if record.value is None:
        raise UnreadableEnvelopeError("value_missing")
    if len(record.value) > MAX_MESSAGE_BYTES:
        raise UnreadableEnvelopeError("value_too_large")
    if not _BRAND.fullmatch(envelope.brand):
        raise UnreadableEnvelopeError("header_invalid", BRAND)
    if not _SUBJECT.fullmatch(envelope.subject):
        raise UnreadableEnvelopeError("header_invalid", SUBJECT)
    if not _ID.fullmatch(envelope.id):
        raise UnreadableEnvelopeError("header_invalid", ID)
    try:
        key = (record.key or b"").decode()
    except UnicodeDecodeError:
        raise UnreadableEnvelopeError("key_not_utf8") from None
    if key != f"{envelope.brand}/{envelope.subject}":
        raise _CannotReadError("key_wrong")
    return key


def _judge_id(one: _Unverified) -> tuple[RefusalOnArrival, str] | None:
    try:
        reason = judge_id(one.envelope.id, one.record.appended_at)
    except (ValueError, OverflowError):
        # A time beyond the year 9999: no answer could be kept under it, nor asked for.
        raise UnreadableEnvelopeError("header_invalid", ID) from None
    if reason == "invalid":
        return reason, "Its id is no UUIDv7 of about now: let the client library make it."
    if reason == "id_too_old":
        return reason, "Its id was made longer ago than outcomes are kept: send it with a new one."
    return None


def _digest(one: _Unverified) -> bytes:
    hashed = sha256()
    for part in (one.envelope.type.encode(), one.key.encode(), one.record.value or b""):
        hashed.update(len(part).to_bytes(4, "big") + part)
    return hashed.digest()


def _trace_of(envelope: Envelope) -> str | None:
    found = envelope.trace_parent
    return found if found and _TRACE.fullmatch(found) else None


def _unreadable(error: Exception) -> Unreadable:
    match error:
        case _CannotReadError():
            return error.unreadable
        case UnreadableEnvelopeError():
            return Unreadable(error.reason, error.header)
        case ActorError():
            return Unreadable(error.problem, error.claim)
        case _:
            _log.error("a record could not be read for a reason of our own", exc_info=error)
            return Unreadable("value_invalid", type(error).__name__)
