"""The envelope: CloudEvents 1.0 in Kafka's binary mode, as headers and back."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

Headers = Sequence[tuple[str, bytes]]

ACTOR = "ce_actor"
BRAND = "ce_brand"
CAUSATION_ID = "ce_causationid"
CONTENT_TYPE = "content-type"
CORRELATION_ID = "ce_correlationid"
EPOCH = "ce_epoch"
ID = "ce_id"
REPLY_TO = "reply-to"
SEQUENCE = "ce_sequence"
SOURCE = "ce_source"
SPEC_VERSION = "ce_specversion"
SUBJECT = "ce_subject"
TIME = "ce_time"
TRACE_PARENT = "traceparent"
TYPE = "ce_type"

JSON = "application/json"

UnreadableReason = Literal[
    "header_not_utf8",
    "header_null",
    "header_missing",
    "header_repeated",
    "header_invalid",
    "key_not_utf8",
    "value_missing",
    "value_too_large",
    "timestamp_not_append_time",
]


class UnreadableEnvelopeError(ValueError):
    """The headers or the key cannot be read. Its text names the header, never a value."""

    def __init__(self, reason: UnreadableReason, header: str = "") -> None:
        super().__init__(f"{reason}: {header}" if header else reason)
        self.reason: UnreadableReason = reason
        self.header = header


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """The attributes of one record. Times are aware; `epoch` and `sequence` are absent together."""

    id: str
    type: str
    source: str
    subject: str
    brand: str
    time: datetime
    epoch: int | None = None
    sequence: int | None = None
    correlation_id: str | None = None
    causation_id: str | None = None
    actor: str | None = None
    reply_to: str | None = None
    trace_parent: str | None = None

    def to_headers(self) -> list[tuple[str, bytes]]:
        texts: dict[str, str | None] = {
            SPEC_VERSION: "1.0",
            ID: self.id,
            TYPE: self.type,
            SOURCE: self.source,
            SUBJECT: self.subject,
            TIME: to_rfc3339(self.time),
            BRAND: self.brand,
            EPOCH: None if self.epoch is None else str(self.epoch),
            SEQUENCE: None if self.sequence is None else str(self.sequence),
            CORRELATION_ID: self.correlation_id,
            CAUSATION_ID: self.causation_id,
            ACTOR: self.actor,
            CONTENT_TYPE: JSON,
            TRACE_PARENT: self.trace_parent,
            REPLY_TO: self.reply_to,
        }
        return [(name, text.encode()) for name, text in texts.items() if text is not None]


def to_rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def read_headers(headers: Iterable[tuple[str, bytes | None]]) -> Envelope:
    """Read an envelope, or raise `UnreadableEnvelopeError`; unknown headers are ignored."""
    texts = _texts(headers)
    if texts[SPEC_VERSION] != "1.0":
        raise UnreadableEnvelopeError("header_invalid", SPEC_VERSION)
    if texts[CONTENT_TYPE] != JSON:
        raise UnreadableEnvelopeError("header_invalid", CONTENT_TYPE)
    if (EPOCH in texts) != (SEQUENCE in texts):
        raise UnreadableEnvelopeError("header_missing", SEQUENCE if EPOCH in texts else EPOCH)
    return Envelope(
        id=texts[ID],
        type=texts[TYPE],
        source=texts[SOURCE],
        subject=texts[SUBJECT],
        brand=texts[BRAND],
        time=_time(texts[TIME]),
        epoch=_number(texts, EPOCH),
        sequence=_number(texts, SEQUENCE),
        correlation_id=texts.get(CORRELATION_ID),
        causation_id=texts.get(CAUSATION_ID),
        actor=texts.get(ACTOR),
        reply_to=texts.get(REPLY_TO),
        trace_parent=texts.get(TRACE_PARENT),
    )


def _texts(headers: Iterable[tuple[str, bytes | None]]) -> dict[str, str]:
    texts: dict[str, str] = {}
    for name, value in headers:
        if not (name.startswith("ce_") or name in {CONTENT_TYPE, TRACE_PARENT, REPLY_TO}):
            continue
        if value is None:
            raise UnreadableEnvelopeError("header_null", name[:40])
        if name in texts:
            raise UnreadableEnvelopeError("header_repeated", name[:40])
        try:
            texts[name] = value.decode()
        except UnicodeDecodeError:
            raise UnreadableEnvelopeError("header_not_utf8", name[:40]) from None
    for name in (SPEC_VERSION, ID, TYPE, SOURCE, SUBJECT, BRAND, TIME, CONTENT_TYPE):
        if name not in texts:
            raise UnreadableEnvelopeError("header_missing", name)
    return texts


def _time(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UnreadableEnvelopeError("header_invalid", TIME) from None
    if moment.tzinfo is None:
        raise UnreadableEnvelopeError("header_invalid", TIME)
    return moment


def _number(texts: Mapping[str, str], name: str) -> int | None:
    text = texts.get(name)
    if text is None:
        return None
    # As a 64-bit database keeps it; a sign, a blank or an underscore would pass `int`.
    if not (text.isascii() and text.isdigit() and len(text) <= 18):  # noqa: PLR2004
        raise UnreadableEnvelopeError("header_invalid", name)
    return int(text)
