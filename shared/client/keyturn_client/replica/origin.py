"""Which topics of which cluster are read: one that was made anew has the same name, and another id.

Kafka tells both in its answer about metadata (KIP-516, since Kafka 2.8). aiokafka speaks an older
version of that request, so the newer one stands here, as `MetadataRequest.json` and
`MetadataResponse.json` of Kafka define version 11.
"""

import contextlib
from collections.abc import AsyncGenerator, Sequence
from io import BytesIO
from typing import Any, Protocol, cast

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError, for_code
from aiokafka.protocol.abstract import AbstractType
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)

from keyturn_client.problems import UnreachableError
from keyturn_client.replica.freshness import Origin
from keyturn_client.settings import Kafka
from keyturn_client.wire import connection, start_client, stop_client

_ID_BYTES = 16
_NO_ID = bytes(_ID_BYTES)
"""What stands where no topic is meant, or where the cluster gives topics no ids."""
_METADATA = 3
_VERSION = 11
_TEXT = CompactString("utf-8")
_NO_TAGS: dict[int, bytes] = {}


class Origins:
    """Asks on a connection of its own: on that of a reader it would wait for records."""

    def __init__(self, client: "_Client", topics: Sequence[str]) -> None:
        self._client = client
        self._topics = topics

    async def now(self) -> Origin:
        """Return what is there now, or raise `UnreachableError` where a topic is not."""
        try:
            node = self._client.get_random_node()
            answer = await self._client.send(node, _WhatIsThere(self._topics))
            found = {
                topic: bytes(id_)
                for code, topic, id_, *_ in answer.topics
                if not _raised(code) and id_ != _NO_ID
            }
        except NotImplementedError as error:
            raise _untold() from error
        except (KafkaError, TimeoutError) as error:
            raise UnreachableError(
                f"Kafka does not say which topics it has ({type(error).__name__})."
            ) from error
        if found.keys() != set(self._topics):
            raise _untold()
        return Origin(str(answer.cluster_id), found)


@contextlib.asynccontextmanager
async def origins(kafka: Kafka, topics: Sequence[str]) -> AsyncGenerator[Origins]:
    client = cast("_Client", AIOKafkaClient(**connection(kafka)))
    started = _Started(client)
    await start_client(started, kafka)
    try:
        yield Origins(client, topics)
    finally:
        await stop_client(started)


def _raised(code: int) -> bool:
    """Raise the error that a code stands for, if it does."""
    if code:
        raise for_code(code)
    return False


def _untold() -> UnreachableError:
    return UnreachableError(
        "Kafka does not say by an id which topics it has, so nobody would notice a topic that was "
        "made anew: it has to be Kafka 2.8 or newer."
    )


class _Answer(Protocol):
    cluster_id: str
    topics: Sequence[tuple[Any, ...]]


class _Client(Protocol):
    """What is used of aiokafka's client, which carries no types of its own."""

    async def bootstrap(self) -> None: ...
    async def close(self) -> None: ...
    def get_random_node(self) -> int | None: ...
    async def send(self, node_id: int | None, request: object) -> _Answer: ...


class _Started:
    """The client, started and stopped as a consumer is."""

    def __init__(self, client: _Client) -> None:
        self.start = client.bootstrap
        self.stop = client.close


class _Id(AbstractType[bytes]):
    @classmethod
    def encode(cls, value: bytes) -> bytes:
        return value

    @classmethod
    def decode(cls, data: BytesIO) -> bytes:
        return data.read(_ID_BYTES)


class _MetadataResponse(Response):
    # aiokafka declares properties, and has attributes in each of its own.
    API_KEY = _METADATA  # pyright: ignore[reportIncompatibleMethodOverride, reportAssignmentType]
    API_VERSION = _VERSION  # pyright: ignore[reportIncompatibleMethodOverride, reportAssignmentType]
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            CompactArray(
                ("node_id", Int32),
                ("host", _TEXT),
                ("port", Int32),
                ("rack", _TEXT),
                ("tags", TaggedFields),
            ),
        ),
        ("cluster_id", _TEXT),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("name", _TEXT),
                ("topic_id", _Id),
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition_index", Int32),
                        ("leader_id", Int32),
                        ("leader_epoch", Int32),
                        ("replica_nodes", CompactArray(Int32)),
                        ("isr_nodes", CompactArray(Int32)),
                        ("offline_replicas", CompactArray(Int32)),
                        ("tags", TaggedFields),
                    ),
                ),
                ("topic_authorized_operations", Int32),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class _MetadataRequest(RequestStruct):
    FLEXIBLE_VERSION = True
    API_KEY = _METADATA
    API_VERSION = _VERSION
    RESPONSE_TYPE = _MetadataResponse
    SCHEMA = Schema(
        (
            "topics",
            CompactArray(("topic_id", _Id), ("name", _TEXT), ("tags", TaggedFields)),
        ),
        ("allow_auto_topic_creation", Boolean),
        ("include_topic_authorized_operations", Boolean),
        ("tags", TaggedFields),
    )


class _WhatIsThere(Request[_MetadataRequest]):
    API_KEY = _METADATA

    def __init__(self, topics: Sequence[str]) -> None:
        self._topics = topics

    def build(self, request_struct_class: type[_MetadataRequest]) -> _MetadataRequest:
        topics = [(_NO_ID, name, _NO_TAGS) for name in self._topics]
        return request_struct_class(topics, False, False, _NO_TAGS)  # noqa: FBT003  they have no names
