"""What is read of a record, and every way in which one proves nothing or is refused on arrival."""

import json
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from keyturn_contracts.catalog import ExtensionPublished, SetLicence
from keyturn_contracts.credential_vault import EditAccount, EditCredentials
from keyturn_contracts.ids import new_id
from keyturn_contracts.message import Command
from keyturn_contracts.workflow import AccountBound, BeginEpoch
from structlog.testing import capture_logs

from shared.decisions import Unchanged
from shared.messaging.context import KeysByIssuer
from shared.messaging.envelope import Asked, AskedByKey, News
from shared.messaging.handlers import Aggregate, Handlers, Listener
from shared.messaging.issuers import Issuers
from shared.messaging.reading import Reading
from shared.messaging.record import (
    Content,
    Ignored,
    RawRecord,
    RefusedOnArrival,
    Unreadable,
)
from tests.transport.given import (
    NOW,
    GivenEngine,
    GivenIssuer,
    command_record,
    edit,
    news_record,
)
from tests.transport.poison import ENGINE, LOCAL, REFUSED, UNREADABLE, published

SECRET = "s3cr3t-canary"


async def _lock(_connection: object, _asked: AskedByKey) -> dict[Any, str]:
    return {}


async def _save(_connection: object, _changed: object) -> None: ...


def _decide(_state: str | None, _asked: Asked[Any]) -> Unchanged[str]:
    return Unchanged("It is so.")


async def _hear(_connection: object, _news: Sequence[News[Any]]) -> None: ...


_THINGS = Aggregate(lock=_lock, save=_save)
HANDLERS = Handlers(
    _THINGS.command(EditAccount, _decide),
    _THINGS.command(EditCredentials, _decide),
    _THINGS.command(BeginEpoch, _decide),
    _THINGS.command(SetLicence, _decide),
    Listener(ExtensionPublished, _hear),
)


async def _engine_keys(asked: Sequence[tuple[str, str]]) -> KeysByIssuer:
    known = {(ENGINE.brand, ENGINE.engine_id): ENGINE}
    return {
        known[one].issuer: {known[one].key.thumbprint(): known[one].key}
        for one in asked
        if one in known
    }


@pytest.fixture(scope="module")
def issuers(tmp_path_factory: pytest.TempPathFactory) -> Issuers:
    folder = tmp_path_factory.mktemp("issuers")
    LOCAL.write_to(folder)
    return Issuers(folder)


@pytest.fixture
def reading(issuers: Issuers) -> Reading:
    return reading_of("credential-vault", issuers)


def reading_of(service: str, issuers: Issuers) -> Reading:
    return Reading(
        service=service,
        handlers=HANDLERS,
        listens_to=("catalog",),
        issuers=issuers,
        engine_keys=_engine_keys,
    )


async def read(reading: Reading, record: RawRecord) -> Content:
    [content] = await reading.parse([record])
    return content


async def test_an_honest_command_is_asked_by_its_signer(reading: Reading) -> None:
    record = command_record(edit(), by=LOCAL, reply_to="keyturn.anything.at.all")

    asked = await read(reading, record)

    assert isinstance(asked, Asked)
    assert asked.command == edit()
    assert asked.id == ("acme", "local", dict(record.headers)["ce_id"].decode())  # pyright: ignore[reportOptionalMemberAccess]  it was just written
    assert asked.actor.subject == "ada"
    assert asked.actor.roles == {"administrator"}
    assert asked.at == NOW
    assert asked.key == ("acme", "accounts", "mail")
    assert asked.evidence.value == record.value
    assert asked.wants_reply


async def test_what_a_brand_has_one_of_is_named_by_its_kind_alone(issuers: Issuers) -> None:
    record = command_record(SetLicence(plans=("small",)), by=LOCAL)
    invalid = command_record(SetLicence(), by=LOCAL, value=b'{"plans":7}')

    asked = await read(reading_of("catalog", issuers), record)
    refused = await read(reading_of("catalog", issuers), invalid)

    assert record.key == b"acme/licence"
    assert isinstance(asked, Asked)
    assert asked.key == ("acme", "licence", "")
    assert isinstance(refused, RefusedOnArrival)
    assert (refused.key, refused.reason) == (("acme", "licence", ""), "invalid")


@pytest.mark.parametrize("subject", ["licence/x", "licences", "accounts/mail"])
async def test_a_licence_under_any_other_subject_is_none(issuers: Issuers, subject: str) -> None:
    record = command_record(
        SetLicence(),
        by=LOCAL,
        claims={"message_subject": subject},
        headers={"ce_subject": subject.encode()},
        key=f"acme/{subject}".encode(),
    )

    assert await read(reading_of("catalog", issuers), record) == Unreadable(
        "key_wrong", "" if subject == "licence/x" else "ce_subject"
    )


async def test_the_digest_covers_type_key_and_value(reading: Reading) -> None:
    command_id = new_id(NOW)
    one, again, other = [
        cast(
            "Asked[Command]",
            await read(reading, command_record(it, by=LOCAL, command_id=command_id)),
        )
        for it in (edit(), edit(), edit("chat"))
    ]

    assert one.digest == again.digest
    assert one.digest != other.digest


async def test_a_reply_goes_nowhere_for_an_issuer_without_a_topic(tmp_path: Path) -> None:
    quiet = GivenIssuer(name="quiet", replies=False)
    quiet.write_to(tmp_path)

    record = command_record(edit(), by=quiet, reply_to="keyturn.replies.local")
    asked = await read(reading_of("credential-vault", Issuers(tmp_path)), record)

    assert isinstance(asked, Asked)
    assert not asked.wants_reply


async def test_an_engine_signs_for_itself(issuers: Issuers) -> None:
    command = BeginEpoch(engine_id="e1", count=0, digest="0" * 64)

    asked = await read(
        reading_of("workflow", issuers), command_record(command, by=ENGINE, epoch=3, number=1)
    )

    assert isinstance(asked, Asked)
    assert asked.actor.engine_id == "e1"
    assert (asked.epoch, asked.number) == (3, 1)


async def test_news_is_believed_from_its_owners_topic(reading: Reading) -> None:
    news = await read(reading, news_record(published(), brand="platform", epoch=2, sequence=7))

    assert isinstance(news, News)
    assert news.event == published()
    assert (news.epoch, news.sequence) == (2, 7)


async def test_news_that_no_listener_takes_is_ignored(issuers: Issuers) -> None:
    reading = Reading(
        service="catalog",
        handlers=HANDLERS,
        listens_to=("workflow",),
        issuers=issuers,
        engine_keys=None,
    )
    bound = AccountBound(engine_id="e1", account_id="mail", bound=True, allowed=True)

    assert await read(reading, news_record(bound)) == Ignored()


async def test_news_of_a_type_from_the_future_is_ignored(reading: Reading) -> None:
    record = news_record(
        published(),
        brand="platform",
        headers={"ce_type": b"keyturn.catalog.ExtensionSung.v1"},
    )

    assert await read(reading, record) == Ignored()


async def test_a_field_from_the_future_is_ignored(reading: Reading) -> None:
    value = b'{"account_id":"mail","name":"Mail","from_the_future":{"a":1}}'

    asked = await read(reading, command_record(edit(), by=LOCAL, value=value))

    assert isinstance(asked, Asked)
    assert asked.command == edit()


@pytest.mark.parametrize(("make", "reason"), UNREADABLE.values(), ids=list(UNREADABLE))
async def test_it_proves_nothing(
    reading: Reading, make: Callable[[], RawRecord], reason: str
) -> None:
    content = await read(reading, make())

    assert isinstance(content, Unreadable)
    assert content.reason == reason


@pytest.mark.parametrize(("make", "reason"), REFUSED.values(), ids=list(REFUSED))
async def test_its_sender_is_refused(
    reading: Reading, make: Callable[[], RawRecord], reason: str
) -> None:
    content = await read(reading, make())

    assert isinstance(content, RefusedOnArrival)
    assert content.reason == reason
    assert content.key == ("acme", "accounts", "mail")


async def test_a_command_that_expires_a_moment_later_is_valid_however_late_it_is_read(
    reading: Reading,
) -> None:
    record = command_record(edit(), by=LOCAL, signed_at=NOW - timedelta(minutes=9, seconds=59))

    assert isinstance(await read(reading, record), Asked)


async def test_what_is_refused_names_fields_and_never_values(reading: Reading) -> None:
    value = b'{"account_id":"mail","sealed":{"%(x)s":1},"settings":{"%(x)s":["%(x)s"]}}' % {
        b"x": SECRET.encode()
    }
    command = EditCredentials(account_id="mail", sealed="x")

    refused = await read(reading, command_record(command, by=LOCAL, value=value))

    assert isinstance(refused, RefusedOnArrival)
    assert "sealed (string_type)" in refused.message
    assert "settings.* (string_type)" in refused.message
    assert SECRET not in repr(refused)


async def test_a_key_taken_out_of_an_issuers_set_is_refused_from_then_on(tmp_path: Path) -> None:
    issuer = GivenIssuer()
    issuer.write_to(tmp_path)
    reading = reading_of("credential-vault", Issuers(tmp_path))
    record = command_record(edit(), by=issuer)
    assert isinstance(await read(reading, record), Asked)

    GivenIssuer().write_to(tmp_path)

    assert await read(reading, record) == Unreadable("unknown_key")


async def test_each_record_of_a_batch_is_read_for_itself(reading: Reading) -> None:
    bad = [make() for make, _ in UNREADABLE.values()]
    good = command_record(edit(), by=LOCAL)

    contents = await reading.parse([one for pair in bad for one in (pair, good)])

    assert all(isinstance(one, Unreadable) for one in contents[0::2])
    assert all(isinstance(one, Asked) for one in contents[1::2])


async def test_engines_are_looked_up_once_for_a_batch(issuers: Issuers) -> None:
    asked: list[Sequence[tuple[str, str]]] = []

    async def counted(engines: Sequence[tuple[str, str]]) -> KeysByIssuer:
        asked.append(engines)
        return await _engine_keys(engines)

    reading = Reading(
        service="workflow",
        handlers=HANDLERS,
        listens_to=(),
        issuers=issuers,
        engine_keys=counted,
    )
    command = BeginEpoch(engine_id="e1", count=0, digest="0" * 64)
    records = [
        command_record(command, by=by, epoch=1, number=1)
        for by in (ENGINE, ENGINE, GivenEngine(engine_id="e2"))
    ]

    await reading.parse(records)

    assert asked == [[("acme", "e1"), ("acme", "e2")]]


_HEADERS = st.lists(
    st.tuples(
        st.one_of(
            st.sampled_from(
                [name for name, _ in command_record(edit(), by=LOCAL).headers] + ["reply-to"]
            ),
            st.text(max_size=20),
        ),
        st.one_of(st.none(), st.binary(max_size=60)),
    ),
    max_size=20,
)
_ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner),
    max_leaves=12,
)


def _run(coroutine: Callable[[], Awaitable[Any]]) -> Any:
    return anyio.run(coroutine)


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    headers=_HEADERS,
    key=st.none() | st.binary(max_size=40),
    value=st.none() | st.binary(max_size=200),
    topic=st.sampled_from(["keyturn.credential-vault.commands", "keyturn.catalog.events", "else"]),
    timestamp_ms=st.integers(-(2**63), 2**63 - 1),
    timestamp_type=st.sampled_from([0, 1, 7]),
    keeps=st.booleans(),
)
def test_no_record_raises(
    issuers: Issuers,
    *,
    headers: list[tuple[str, bytes | None]],
    key: bytes | None,
    value: bytes | None,
    topic: str,
    timestamp_ms: int,
    timestamp_type: int,
    keeps: bool,
) -> None:
    honest = command_record(edit(), by=LOCAL)
    told = tuple((dict(honest.headers) | dict(headers)).items()) if keeps else tuple(headers)
    record = RawRecord(
        topic=topic,
        partition=0,
        offset=0,
        key=honest.key if keeps else key,
        value=value,
        headers=told,
        timestamp_ms=timestamp_ms,
        timestamp_type=timestamp_type,
    )

    with capture_logs() as logs:
        content = _run(lambda: read(reading_of("credential-vault", issuers), record))

    assert not logs, "a reason of our own: it has no name in the closed set"

    assert isinstance(content, Unreadable | RefusedOnArrival | Asked | Ignored)


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(content=_ANY_JSON, raw=st.binary(max_size=100), is_raw=st.booleans())
def test_whatever_an_actor_signs_is_applied_or_refused(
    issuers: Issuers, *, content: Any, raw: bytes, is_raw: bool
) -> None:
    value = raw if is_raw else json.dumps(content).encode()
    record = command_record(edit(), by=LOCAL, value=value)

    with capture_logs() as logs:
        found = _run(lambda: read(reading_of("credential-vault", issuers), record))

    assert not logs

    assert isinstance(found, RefusedOnArrival)
    assert found.reason == "invalid"
