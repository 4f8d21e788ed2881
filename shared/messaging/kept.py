"""A record as columns of a table, and back: what is kept can be read again."""

import json
from base64 import b64decode, b64encode
from typing import NamedTuple

from shared.messaging.record import RawRecord


class KeptRecord(NamedTuple):
    """The columns `record_…`, in their order."""

    key: bytes | None
    value: bytes | None
    headers: str
    timestamp_ms: int
    timestamp_type: int


def to_columns(record: RawRecord) -> KeptRecord:
    return KeptRecord(
        record.key,
        record.value,
        _headers_to_json(record.headers),
        record.timestamp_ms,
        record.timestamp_type,
    )


def from_columns(topic: str, partition: int, offset: int, kept: KeptRecord) -> RawRecord:
    return RawRecord(
        topic=topic,
        partition=partition,
        offset=offset,
        key=kept.key,
        value=kept.value,
        headers=_headers_from_json(kept.headers),
        timestamp_ms=kept.timestamp_ms,
        timestamp_type=kept.timestamp_type,
    )


def _headers_to_json(headers: tuple[tuple[str, bytes | None], ...]) -> str:
    pairs = [
        (name, None if value is None else b64encode(value).decode()) for name, value in headers
    ]
    return json.dumps(pairs, separators=(",", ":"))


def _headers_from_json(text: str) -> tuple[tuple[str, bytes | None], ...]:
    pairs: list[tuple[str, str | None]] = json.loads(text)
    return tuple((name, None if value is None else b64decode(value)) for name, value in pairs)
