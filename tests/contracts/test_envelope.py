"""The envelope on the wire, and what cannot be read as one."""

from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from keyturn_contracts.envelope import Envelope, UnreadableEnvelopeError, read_headers

FULL = Envelope(
    id="0199",
    type="keyturn.workflow.SaveWorkflows.v1",
    source="/acme/n8n",
    subject="engines/e1",
    brand="acme",
    time=datetime(2026, 3, 1, 12, tzinfo=UTC),
    epoch=2,
    sequence=7,
    correlation_id="0198",
    causation_id="0197",
    actor="a.b.c",
    reply_to="keyturn.replies.console",
    trace_parent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
)
HEADERS = dict(FULL.to_headers())


def test_what_is_written_is_what_is_read() -> None:
    assert read_headers(FULL.to_headers()) == FULL


def test_it_is_a_cloud_event_in_binary_mode() -> None:
    assert HEADERS["ce_specversion"] == b"1.0"
    assert HEADERS["ce_time"] == b"2026-03-01T12:00:00.000Z"
    assert HEADERS["content-type"] == b"application/json"


def test_headers_of_others_are_ignored() -> None:
    assert read_headers([*FULL.to_headers(), ("x-proxy", b"\xff"), ("x-proxy", None)]) == FULL


@pytest.mark.parametrize("name", ["ce_id", "ce_type", "ce_actor", "traceparent"])
@pytest.mark.parametrize(
    ("value", "reason"), [(b"\xff\xfe", "header_not_utf8"), (None, "header_null")]
)
def test_a_header_that_is_no_text_is_named(name: str, value: bytes | None, reason: str) -> None:
    headers: dict[str, bytes | None] = {**HEADERS, name: value}
    with pytest.raises(UnreadableEnvelopeError) as caught:
        read_headers(headers.items())
    assert (caught.value.reason, caught.value.header) == (reason, name)


@pytest.mark.parametrize(
    "name", ["ce_specversion", "ce_id", "ce_type", "ce_source", "ce_subject", "ce_brand", "ce_time"]
)
def test_a_missing_header_is_named(name: str) -> None:
    with pytest.raises(UnreadableEnvelopeError) as caught:
        read_headers((one, value) for one, value in HEADERS.items() if one != name)
    assert (caught.value.reason, caught.value.header) == ("header_missing", name)


def test_a_header_that_stands_twice_is_refused() -> None:
    with pytest.raises(UnreadableEnvelopeError) as caught:
        read_headers([*FULL.to_headers(), ("ce_brand", b"rival")])
    assert (caught.value.reason, caught.value.header) == ("header_repeated", "ce_brand")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ce_specversion", b"2.0"),
        ("content-type", b"text/plain"),
        ("ce_time", b"yesterday"),
        ("ce_time", b"2026-03-01T12:00:00"),
        ("ce_epoch", b"-1"),
        ("ce_epoch", b"1_0"),
        ("ce_sequence", b"9" * 19),
        ("ce_sequence", "\u0663".encode()),
    ],
)
def test_a_header_that_makes_no_sense_is_named(name: str, value: bytes) -> None:
    with pytest.raises(UnreadableEnvelopeError) as caught:
        read_headers({**HEADERS, name: value}.items())
    assert (caught.value.reason, caught.value.header) == ("header_invalid", name)


def test_an_epoch_without_a_sequence_is_refused() -> None:
    with pytest.raises(UnreadableEnvelopeError):
        read_headers((one, value) for one, value in HEADERS.items() if one != "ce_epoch")


@given(
    st.lists(
        st.tuples(
            st.sampled_from([*HEADERS, "other"]), st.one_of(st.none(), st.binary(max_size=40))
        ),
        max_size=20,
    )
)
def test_whatever_arrives_is_read_or_refused(headers: list[tuple[str, bytes | None]]) -> None:
    # Anything else than these two would end the consumer's loop.
    with suppress(UnreadableEnvelopeError):
        assert read_headers(headers).id is not None
