"""Takes records from Kafka's client, and loses none, whatever the client makes of them."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from time import monotonic

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import ConsumerStoppedError, KafkaError, UnsupportedCodecError

from shared.messaging.assignment import Assignment
from shared.messaging.client import Client, ClientRecord
from shared.messaging.record import Partition, RawRecord
from shared.messaging.watchdog import Patience

_log = structlog.stdlib.get_logger()

BATCH_RECORDS = 500
BATCH_BYTES = 1024 * 1024
BATCH_VALUES = 25_000
"""How many values of JSON, about, what is applied in one transaction may have: a command that names
thousands takes its time for each of them, however short their names are."""

_PAUSE = 0.5
_CAREFUL_MS = 500

# What the client cannot decode comes out as whatever its parser happened to raise: a header's name
# that is not UTF-8, a compression that is not installed. It would raise again for ever.
_UNDECODABLE_HEADERS = (("ce_\N{REPLACEMENT CHARACTER}", b"\xff"),)


class Polling:
    """One long poll after another."""

    def __init__(
        self,
        assignment: Assignment,
        *,
        gapless: str,
        patience: Patience,
        fail: Callable[[str], None],
    ) -> None:
        self._assignment = assignment
        self._gapless = gapless
        self._patience = patience.refused
        self._fail = fail
        self._known_gaps: dict[Partition, int] = {}
        self._is_careful = False
        self._refused_since: float | None = None

    async def poll(self, client: Client, seconds: float) -> list[RawRecord]:
        """Return what there is, as soon as there is any; nothing after so many seconds."""
        try:
            if self._is_careful:
                records = await self._poll_carefully(client)
            else:
                found = await client.getmany(
                    timeout_ms=int(seconds * 1000), max_records=BATCH_RECORDS
                )
                records = [_raw(one) for of_one in found.values() for one in of_one]
            self._refused_since = None
        except ConsumerStoppedError:
            raise
        except Exception as error:  # noqa: BLE001  a decoder raises whatever it happens to
            if not _is_of_the_record(error):
                await self._be_refused(error)
                return []
            _log.error("a record cannot be decoded: looking for it", exc_info=error)
            self._is_careful = True
            self._assignment.seek_again()
            return []
        return self._ours(records)

    def _ours(self, records: Iterable[RawRecord]) -> list[RawRecord]:
        """Leave out what was fetched before its position was sought to.

        Nothing is awaited between the client's answer and this: what is ours now was when it came.
        """
        owned = self._assignment.owned
        ours = [one for one in records if one.source in owned]
        firsts: dict[Partition, int] = {}
        for one in ours:
            first = firsts.setdefault(one.source, one.offset)
            if first < owned[one.source].next_offset:
                self._fail(
                    f"{one.topic} goes on at {first} in partition {one.partition}, and "
                    f"{owned[one.source].next_offset} was next: its log was cut. What it lost "
                    "cannot be known here; see the operator's guide before going on."
                )
                return []
        return [] if self._has_new_gap(firsts) else ours

    def _has_new_gap(self, firsts: Mapping[Partition, int]) -> bool:
        """Tell whether something seems left out that was not looked for yet, and look for it.

        A log that is not compacted has gaps where its oldest records are gone, or where a producer
        used transactions. Any other gap is a record that the client or we have lost on the way.
        """
        owned = self._assignment.owned
        gaps = {
            partition: first
            for partition, first in firsts.items()
            if partition.topic == self._gapless and first > owned[partition].next_offset
        }
        is_new = any(self._known_gaps.get(partition) != first for partition, first in gaps.items())
        # Those of other partitions stay known: the next poll may bring some of each, in any order.
        self._known_gaps |= gaps
        if is_new:
            _log.warning("records are missing: read again from where the database stands")
            self._assignment.seek_again()
        return is_new

    async def _be_refused(self, error: Exception) -> None:
        now = monotonic()
        self._refused_since = self._refused_since or now
        if now - self._refused_since > self._patience:
            self._fail(
                f"Kafka has refused every poll for {self._patience:.0f} s, with "
                f"{type(error).__name__}: is this principal allowed to read its topics?"
            )
        _log.error("Kafka refuses to be read", exc_info=error)
        # The client has gone on behind what it could not return.
        self._assignment.seek_again()
        await asyncio.sleep(_PAUSE)

    async def _poll_carefully(self, client: Client) -> list[RawRecord]:
        """Poll partition by partition, one record at a time, until one cannot be decoded."""
        records: list[RawRecord] = []
        for partition, owned in self._assignment.owned.items():
            if (client.highwater(TopicPartition(*partition)) or 0) > owned.next_offset:
                records += await self._poll_one_by_one(client, partition, owned.next_offset)
        self._is_careful = self._is_careful and bool(records)
        return records

    async def _poll_one_by_one(
        self, client: Client, partition: Partition, next_offset: int
    ) -> list[RawRecord]:
        source = TopicPartition(*partition)
        records: list[RawRecord] = []
        wait = _CAREFUL_MS
        while len(records) < BATCH_RECORDS:
            try:
                found = await client.getmany(source, timeout_ms=wait, max_records=1)
            except Exception as error:
                if not _is_of_the_record(error):
                    raise
                offset = records[-1].offset + 1 if records else next_offset
                _log.error(
                    "a record that cannot be decoded is set apart",
                    topic=partition.topic,
                    partition=partition.number,
                    offset=offset,
                    exc_info=error,
                )
                client.seek(source, offset + 1)
                self._is_careful = False
                return [*records, _undecodable(partition, offset)]
            if not found:
                break
            records += [_raw(one) for of_one in found.values() for one in of_one]
            wait = 0
        return records


def _is_of_the_record(error: Exception) -> bool:
    """Tell whether the client met something that it cannot decode, and not Kafka's refusal."""
    if isinstance(error, KafkaError | ConsumerStoppedError):
        return isinstance(error, UnsupportedCodecError)
    return True


def cut(records: list[RawRecord]) -> Iterable[list[RawRecord]]:
    """Yield batches of at most 500 records, 1 MiB and 25,000 values, or of one record."""
    batch: list[RawRecord] = []
    size = values = 0
    for one in records:
        value = one.value or b""
        added = len(value) + sum(len(name) + len(text or b"") for name, text in one.headers)
        # Between two values there is a comma; one in a text only ends a batch earlier.
        more = value.count(b",")
        is_full = size + added > BATCH_BYTES or values + more > BATCH_VALUES
        if batch and (is_full or len(batch) == BATCH_RECORDS):
            yield batch
            batch, size, values = [], 0, 0
        batch.append(one)
        size += added
        values += more
    if batch:
        yield batch


def _raw(one: ClientRecord) -> RawRecord:
    return RawRecord(
        topic=one.topic,
        partition=one.partition,
        offset=one.offset,
        key=one.key,
        value=one.value,
        headers=tuple(one.headers),
        timestamp_ms=one.timestamp,
        timestamp_type=one.timestamp_type,
    )


def _undecodable(partition: Partition, offset: int) -> RawRecord:
    return RawRecord(
        topic=partition.topic,
        partition=partition.number,
        offset=offset,
        key=None,
        value=None,
        headers=_UNDECODABLE_HEADERS,
        timestamp_ms=0,
        timestamp_type=1,
    )
