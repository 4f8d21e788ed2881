"""Publishes what an honest client cannot: a record with a header whose name is not UTF-8."""

import struct
from typing import Any

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.util import calc_crc32c

from shared.messaging.kafka import client_options
from tests.transport.running import Given

_NAME = "ce_IDIDID"
_BYTES = b"ce_\xff\xfe\xfd\xff\xfe\xfd"
_CRC_AT, _CRC_FROM = 17, 21


async def send_undecodable(given: Given, *, key: bytes) -> int:
    """Publish one beside the records of this key; return its partition."""
    producer: Any = AIOKafkaProducer(
        **client_options(given.stack.kafka.settings_of("backend")), enable_idempotence=False
    )
    await producer.start()
    try:
        await producer.partitions_for(given.commands)
        number: int = producer._partition(given.commands, None, None, None, key, b"")
        client = producer.client
        node = client.cluster.leader_for_partition(TopicPartition(given.commands, number))
        request = ProduceRequest(
            transactional_id=None,
            required_acks=-1,
            timeout=10_000,
            topics=[(given.commands, [(number, _batch(key))])],
        )
        answer = await client.send(node, request)
        [(_, [(_, error, *_)])] = answer.topics
        assert error == 0
        return number
    finally:
        await producer.stop()


def _batch(key: bytes) -> bytes:
    builder: Any = DefaultRecordBatchBuilder(
        magic=2,
        compression_type=0,
        is_transactional=0,
        producer_id=-1,
        producer_epoch=-1,
        base_sequence=-1,
        batch_size=100_000,
    )
    builder.append(0, timestamp=0, key=key, value=b"{}", headers=[(_NAME, b"x")])
    batch = bytearray(builder.build())
    assert batch.count(_NAME.encode()) == 1
    at = batch.index(_NAME.encode())
    batch[at : at + len(_BYTES)] = _BYTES
    struct.pack_into(">I", batch, _CRC_AT, calc_crc32c(bytes(batch[_CRC_FROM:])))
    return bytes(batch)
