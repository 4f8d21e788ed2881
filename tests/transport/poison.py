"""Records that no honest client publishes, each with what it comes to."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from keyturn_contracts.catalog import ExtensionPublished, Manifest, RotationFacts
from keyturn_contracts.credential_vault import EditCredentials
from keyturn_contracts.ids import new_id
from keyturn_contracts.message import MAX_MESSAGE_BYTES
from keyturn_contracts.workflow import AccountBound

from shared.messaging.record import RawRecord
from tests.transport.given import (
    NOW,
    GivenEngine,
    GivenIssuer,
    command_record,
    edit,
    news_record,
)

LOCAL = GivenIssuer()
STRANGER = GivenIssuer(name="stranger")
ENGINE = GivenEngine()


def published(slug: str = "smtp-relay") -> ExtensionPublished:
    return ExtensionPublished(
        manifest=Manifest(
            slug=slug,
            name="SMTP Relay",
            publisher="keyturn",
            party="first",
            category="mail",
            description="Sends mail.",
            settings=(),
            schemes=(),
            domains=(),
            rotation=RotationFacts(rotation_class="operator_defined", note=""),
        ),
        version=1,
    )


def _altered(record: RawRecord, old: bytes, new: bytes) -> RawRecord:
    return replace(record, value=(record.value or b"").replace(old, new))


UNREADABLE: dict[str, tuple[Callable[[], RawRecord], str]] = {
    "a header that is not UTF-8": (
        lambda: command_record(edit(), by=LOCAL, headers={"ce_id": b"\xff\xfe"}),
        "header_not_utf8",
    ),
    "a header that is null": (
        lambda: command_record(edit(), by=LOCAL, headers={"ce_time": None}),
        "header_null",
    ),
    "no header at all": (
        lambda: replace(command_record(edit(), by=LOCAL), headers=()),
        "header_missing",
    ),
    "no type": (lambda: command_record(edit(), by=LOCAL, without=["ce_type"]), "header_missing"),
    "a header twice": (
        lambda: replace(
            record := command_record(edit(), by=LOCAL),
            headers=(*record.headers, ("ce_brand", b"other")),
        ),
        "header_repeated",
    ),
    "another envelope's version": (
        lambda: command_record(edit(), by=LOCAL, headers={"ce_specversion": b"0.3"}),
        "header_invalid",
    ),
    "a time without its zone": (
        lambda: command_record(edit(), by=LOCAL, headers={"ce_time": b"2026-03-01T12:00:00"}),
        "header_invalid",
    ),
    "an epoch without a sequence": (
        lambda: command_record(edit(), by=LOCAL, headers={"ce_epoch": b"1"}),
        "header_missing",
    ),
    "a sequence that no database keeps": (
        lambda: command_record(
            edit(), by=LOCAL, headers={"ce_epoch": b"1", "ce_sequence": b"9" * 30}
        ),
        "header_invalid",
    ),
    "a brand that would be two": (
        lambda: command_record(edit(), by=LOCAL, headers={"ce_brand": b"acme/accounts"}),
        "header_invalid",
    ),
    "a brand with a NUL": (
        lambda: command_record(edit(), by=LOCAL, headers={"ce_brand": b"ac\x00me"}),
        "header_invalid",
    ),
    "a subject longer than an index takes": (
        lambda: command_record(
            edit(), by=LOCAL, headers={"ce_subject": b"accounts/" + b"x" * 3000}
        ),
        "header_invalid",
    ),
    "an id longer than an index takes": (
        lambda: command_record(edit(), by=LOCAL, headers={"ce_id": b"x" * 3000}),
        "header_invalid",
    ),
    "an id beyond the year 9999": (
        lambda: command_record(edit(), by=LOCAL, command_id="ffffffff-ffff-7fff-bfff-ffffffffffff"),
        "header_invalid",
    ),
    "a key that is not UTF-8": (
        lambda: command_record(edit(), by=LOCAL, key=b"\xff"),
        "key_not_utf8",
    ),
    "no key": (lambda: command_record(edit(), by=LOCAL, key=None), "key_wrong"),
    "the key of another account": (
        lambda: command_record(edit(), by=LOCAL, key=b"acme/accounts/chat"),
        "key_wrong",
    ),
    "the key of another brand": (
        lambda: command_record(edit(), by=LOCAL, key=b"twin/accounts/mail"),
        "key_wrong",
    ),
    "a subject that its content does not name": (
        lambda: command_record(
            edit(),
            by=LOCAL,
            headers={"ce_subject": b"accounts/chat"},
            key=b"acme/accounts/chat",
            claims={"message_subject": "accounts/chat"},
        ),
        "key_wrong",
    ),
    "a subject of another kind": (
        lambda: command_record(
            edit(),
            by=LOCAL,
            headers={"ce_subject": b"engines/mail"},
            key=b"acme/engines/mail",
            claims={"message_subject": "engines/mail"},
        ),
        "key_wrong",
    ),
    "no value": (lambda: replace(command_record(edit(), by=LOCAL), value=None), "value_missing"),
    "a huge value": (
        lambda: command_record(edit(), by=LOCAL, value=b" " * (MAX_MESSAGE_BYTES + 1)),
        "value_too_large",
    ),
    "a time that the producer chose": (
        lambda: command_record(edit(), by=LOCAL, timestamp_type=0),
        "timestamp_not_append_time",
    ),
    "a time that is none": (
        lambda: replace(command_record(edit(), by=LOCAL), timestamp_ms=2**62),
        "timestamp_not_append_time",
    ),
    "an unknown type": (
        lambda: command_record(edit(), by=LOCAL, headers={"ce_type": b"keyturn.x.Sing.v1"}),
        "type_unknown",
    ),
    "an event among the commands": (
        lambda: news_record(published(), topic="keyturn.credential-vault.commands"),
        "topic_wrong",
    ),
    "another service's command": (
        lambda: command_record(
            edit(), by=LOCAL, headers={"ce_type": b"keyturn.workflow.RetireEngine.v1"}
        ),
        "topic_wrong",
    ),
    "another service's event in a topic that is not its own": (
        lambda: news_record(
            AccountBound(engine_id="e1", account_id="mail", bound=True, allowed=True),
            topic="keyturn.catalog.events",
        ),
        "topic_wrong",
    ),
    "a command among the events": (
        lambda: command_record(edit(), by=LOCAL, topic="keyturn.catalog.events"),
        "topic_wrong",
    ),
    "news without its place": (
        lambda: news_record(published(), epoch=None, sequence=None),
        "sequence_missing",
    ),
    "news with the key of another extension": (
        lambda: news_record(
            published(), headers={"ce_subject": b"extensions/other"}, key=b"acme/extensions/other"
        ),
        "key_wrong",
    ),
    "news that is no JSON": (lambda: news_record(published(), value=b"\xff{"), "value_invalid"),
    "nobody's command": (
        lambda: command_record(edit(), by=LOCAL, without=["ce_actor"]),
        "actor_missing",
    ),
    "a signature that is none": (
        lambda: command_record(edit(), by=LOCAL, headers={"ce_actor": b"not.a.jws"}),
        "malformed",
    ),
    "a stranger's command": (lambda: command_record(edit(), by=STRANGER), "unknown_issuer"),
    "a forged command": (
        lambda: command_record(edit(), by=GivenIssuer(name="local")),
        "unknown_key",
    ),
    "an engine that nobody registered": (
        lambda: command_record(edit(), by=GivenEngine(engine_id="e2")),
        "unknown_issuer",
    ),
    "an engine's name with a NUL": (
        lambda: command_record(edit(), by=GivenEngine(engine_id="e\x002")),
        "unknown_issuer",
    ),
    "a command replayed under another id": (
        lambda: command_record(edit(), by=LOCAL, claims={"command_id": new_id(NOW)}),
        "mismatch",
    ),
    "a command replayed in another topic": (
        lambda: command_record(edit(), by=LOCAL, claims={"topic": "keyturn.workflow.commands"}),
        "mismatch",
    ),
    "a value that was altered": (
        lambda: _altered(command_record(edit(), by=LOCAL), b"Mail", b"Fail"),
        "mismatch",
    ),
    "a brand that the signature does not name": (
        lambda: command_record(edit(), by=LOCAL, claims={"brand": "twin"}),
        "mismatch",
    ),
    "an engine's number that it did not sign": (
        lambda: command_record(edit(), by=ENGINE, headers={"ce_epoch": b"1", "ce_sequence": b"2"}),
        "mismatch",
    ),
    "a brand that its issuer may not vouch for": (
        lambda: command_record(edit(), by=LOCAL, brand="twin"),
        "not_vouched",
    ),
    "a role that its issuer may not vouch for": (
        lambda: command_record(edit(), by=LOCAL, roles=["operator"]),
        "not_vouched",
    ),
    "an engine that gives itself a role": (
        lambda: command_record(edit(), by=ENGINE, claims={"roles": ["administrator"]}),
        "not_vouched",
    ),
    "a signature from the future": (
        lambda: command_record(edit(), by=LOCAL, signed_at=NOW + timedelta(minutes=2)),
        "not_yet_valid",
    ),
    "a signature that lasts too long": (
        lambda: command_record(edit(), by=LOCAL, lifetime=timedelta(hours=2)),
        "malformed",
    ),
    "a person's name with a NUL": (
        lambda: command_record(edit(), by=LOCAL, subject="ad\x00a"),
        "malformed",
    ),
    "a stranger's command that has expired": (
        lambda: command_record(edit(), by=STRANGER, signed_at=NOW - timedelta(hours=1)),
        "unknown_issuer",
    ),
}
"""Kept, and counted; nobody is told, for nobody is known to have sent it."""

REFUSED: dict[str, tuple[Callable[[], RawRecord], str]] = {
    "no JSON": (lambda: command_record(edit(), by=LOCAL, value=b"\xff{"), "invalid"),
    "no object": (lambda: command_record(edit(), by=LOCAL, value=b"[1,2]"), "invalid"),
    "an empty value": (lambda: command_record(edit(), by=LOCAL, value=b""), "invalid"),
    "JSON without an end": (
        lambda: command_record(edit(), by=LOCAL, value=b"[" * 100_000),
        "invalid",
    ),
    "a field that is missing": (lambda: command_record(edit(), by=LOCAL, value=b"{}"), "invalid"),
    "a field of another type": (
        lambda: command_record(edit(), by=LOCAL, value=b'{"account_id":"mail","name":{}}'),
        "invalid",
    ),
    "a NUL, which no database keeps": (
        lambda: command_record(edit(), by=LOCAL, value=b'{"account_id":"mail","name":"a\\u0000b"}'),
        "invalid",
    ),
    "half a surrogate": (
        lambda: command_record(edit(), by=LOCAL, value=b'{"account_id":"mail","name":"\\ud800"}'),
        "invalid",
    ),
    "a number that no database keeps": (
        lambda: command_record(
            EditCredentials(account_id="mail", sealed="x", replaces_version=1),
            by=LOCAL,
            value=b'{"account_id":"mail","sealed":"x","replaces_version":%d}' % 10**30,
        ),
        "invalid",
    ),
    "an id that is no UUIDv7": (
        lambda: command_record(edit(), by=LOCAL, command_id="2f1e7a3c-0000-4000-8000-000000000000"),
        "invalid",
    ),
    "an id from two hours ahead": (
        lambda: command_record(edit(), by=LOCAL, command_id=new_id(NOW + timedelta(hours=2))),
        "invalid",
    ),
    "an id from last week": (
        lambda: command_record(edit(), by=LOCAL, command_id=new_id(NOW - timedelta(days=8))),
        "id_too_old",
    ),
    "a signature that came too late": (
        lambda: command_record(edit(), by=LOCAL, signed_at=NOW - timedelta(minutes=11)),
        "expired",
    ),
    "an engine's signature that came too late": (
        lambda: command_record(edit(), by=ENGINE, signed_at=NOW - timedelta(minutes=11)),
        "expired",
    ),
}
"""Answered: who sent it is known, and its key is its own."""
