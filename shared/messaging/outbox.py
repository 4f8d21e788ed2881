"""What is to be published once the transaction has committed: events and replies."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from keyturn_contracts.envelope import Envelope
from keyturn_contracts.ids import new_id
from keyturn_contracts.message import (
    MAX_MESSAGE_BYTES,
    AnnouncedEvent,
    CommandApplied,
    CommandRefused,
    Event,
    Key,
)
from keyturn_contracts.topics import events_topic, replies_topic
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.database.rows import Rows
from shared.decisions import Unprocessable
from shared.messaging import latest
from shared.messaging.envelope import CommandId
from shared.messaging.latest import Written
from shared.messaging.tables import OutboxRow

_MESSAGES = Rows(OutboxRow.topic, OutboxRow.key, OutboxRow.headers, OutboxRow.value)
_WRITE = _MESSAGES.insert_into(OutboxRow, in_order=True).returning(OutboxRow.id)
REVISION = "(SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM outbox_id_seq)"
"""The last number that the outbox has given, read while a statement runs."""
_LOAD_REVISION = text(f"SELECT {REVISION} AS revision")


@dataclass(frozen=True, slots=True)
class Announcement:
    """An event of our own, to be told to everyone."""

    event: Event
    brand: str
    cause: CommandId | None = None
    """The command that caused it; None where nobody asked."""
    correlation: str | None = None
    """The id of the command that began it all; the cause's, unless given."""
    trace_parent: str | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """The outcome of a command, for its sender."""

    command: CommandId
    key: Key
    service: str
    outcome: CommandApplied | CommandRefused
    is_wanted: bool
    """Whether the sender asked for a record and its configuration declares the topic for it."""
    trace_parent: str | None = None


class TooLarge(Unprocessable):
    """An event that no topic takes: queued, it would hold up everything behind it, for ever."""


@dataclass(frozen=True, slots=True)
class Announced:
    """An event as it was queued: what an outcome says of it, and the outbox's number."""

    event: AnnouncedEvent
    revision: int


async def announce(
    connection: AsyncConnection, announcements: Sequence[Announcement]
) -> list[AnnouncedEvent]:
    """Give events their sequences and queue them, in this order, in the caller's transaction.

    Call it under the lock of the aggregates that they are about. Each event takes the next
    sequence of its aggregate, so sequences are gapless within an epoch.
    `latest.SequenceTaken` where another transaction announced of the same aggregate meanwhile.
    """
    return [one.event for one in await announce_all(connection, announcements, ())]


async def announce_all(
    connection: AsyncConnection, announcements: Sequence[Announcement], replies: Sequence[Reply]
) -> list[Announced]:
    """Announce events and queue replies behind them; say where each event stands.

    Give only replies that are wanted. `TooLarge` where an event is beyond what a message may be.
    """
    written: list[Written] = []
    if announcements:
        keys = [one.event.key(one.brand) for one in announcements]
        places = await latest.next_places(connection, keys)
        now = datetime.now(UTC)
        written = [
            Written(key, place, _headers_of(one, key, place, now), one.event.to_json())
            for one, key, place in zip(announcements, keys, places, strict=True)
        ]
        if any(len(one.value) > MAX_MESSAGE_BYTES for one in written):
            raise TooLarge
        await latest.save(connection, written)
    rows = [
        (events_topic(one.event.service), str(event.key), event.headers, event.value)
        for one, event in zip(announcements, written, strict=True)
    ]
    rows += [_row_of(reply) for reply in replies]
    if not rows:
        return []
    # The ids rise in the order of the rows; the order in which they come back is not promised.
    ids = sorted((await connection.scalars(_WRITE, _MESSAGES.of(rows))).all())
    return [
        Announced(
            AnnouncedEvent(
                type=one.event.type_name(),
                subject=event.key.subject,
                sequence=event.place.sequence,
                epoch=event.place.epoch,
            ),
            revision,
        )
        for one, event, revision in zip(announcements, written, ids, strict=False)
    ]


async def revision_after(connection: AsyncConnection, announced: Sequence[Announced]) -> int:
    """Return a revision that nothing which this transaction has decided by is newer than.

    Call it when all is decided, with all that the transaction has announced. Whatever it has seen
    of others was committed before, and had drawn its numbers before that: a number that is drawn
    now, and the last one that was drawn by now, are at least as high.
    """
    newest = max((one.revision for one in announced), default=None)
    if newest is not None:
        return newest
    return await load_revision(connection)


async def load_revision(connection: AsyncConnection) -> int:
    """Return the last number that the outbox has given to a message; 0 before the first."""
    return int(await connection.scalar(_LOAD_REVISION) or 0)


def _headers_of(one: Announcement, key: Key, place: latest.Place, now: datetime) -> str:
    cause = one.cause.id if one.cause else None
    return _as_json(
        Envelope(
            id=new_id(now),
            type=one.event.type_name(),
            source=f"/keyturn/{one.event.service}",
            subject=key.subject,
            brand=key.brand,
            time=now,
            epoch=place.epoch,
            sequence=place.sequence,
            correlation_id=one.correlation or cause,
            causation_id=cause,
            trace_parent=one.trace_parent,
        )
    )


def _row_of(reply: Reply) -> tuple[str, str, str, bytes]:
    now = datetime.now(UTC)
    envelope = Envelope(
        id=new_id(now),
        type=f"keyturn.{reply.service}.{type(reply.outcome).__name__}.v1",
        source=f"/keyturn/{reply.service}",
        subject=reply.key.subject,
        brand=reply.key.brand,
        time=now,
        correlation_id=reply.command.id,
        causation_id=reply.command.id,
        trace_parent=reply.trace_parent,
    )
    topic = replies_topic(reply.command.issuer)
    return topic, reply.command.id, _as_json(envelope), reply.outcome.to_json()


def _as_json(envelope: Envelope) -> str:
    texts = {name: value.decode() for name, value in envelope.to_headers()}
    return json.dumps(texts, ensure_ascii=False, separators=(",", ":"))


def read_headers(text: str) -> list[tuple[str, bytes]]:
    """Return the headers of a row as a producer takes them."""
    return [(name, value.encode()) for name, value in json.loads(text).items()]
