"""Records out and events in, on a real broker with its access lists."""

import asyncio
import contextlib
import tempfile
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from keyturn_client.keys import write_private
from keyturn_client.problems import UnreachableError
from keyturn_client.watching import events
from keyturn_client.wire import Heard, Publisher, Reader, Record, read_event, reading
from keyturn_contracts.envelope import Envelope
from keyturn_contracts.ids import new_id
from keyturn_contracts.message import Event
from keyturn_contracts.topics import commands_topic, events_topic
from keyturn_contracts.workflow import AccountBound, AccountUnbound

from deploy.local.stack import Stack
from tests.client.kafka import kafka_of, next_records, standing_at_the_end, write_as
from tests.running_stack import RunningKafka, RunningStack

COMMANDS = commands_topic("workflow")
EVENTS = events_topic("workflow")


def record_of(key: str, value: str) -> Record:
    return Record(
        topic=COMMANDS,
        key=key.encode(),
        value=value.encode(),
        headers=[("ce_id", value[:40].encode())],
    )


def event_of(event: Event, brand: str, sequence: int) -> Record:
    key = event.key(brand)
    envelope = Envelope(
        id=new_id(),
        type=event.type_name(),
        source="/keyturn/workflow",
        subject=key.subject,
        brand=brand,
        time=datetime.now(UTC),
        epoch=1,
        sequence=sequence,
    )
    return Record(
        topic=EVENTS, key=str(key).encode(), value=event.to_json(), headers=envelope.to_headers()
    )


def bound(account_id: str) -> AccountBound:
    return AccountBound(engine_id="e1", account_id=account_id, bound=True, allowed=True)


async def read_events(reader: Reader, brand: str, count: int) -> list[Heard]:
    """Return so many events of a brand, however long they take."""
    found: list[Heard] = []
    while len(found) < count:
        events = [read_event(one) for one in await reader.poll(1)]
        found += [one for one in events if one is not None and one.brand == brand]
    return found


async def test_records_of_one_key_arrive_in_their_order_with_their_headers(
    stack: RunningStack, tmp_path: Path
) -> None:
    publisher = Publisher(kafka_of(stack.kafka, "engine", tmp_path))
    key = f"acme/engines/{uuid4()}"
    sent = [record_of(key, f"{key} {n}") for n in range(300)]
    async with standing_at_the_end(stack.kafka, COMMANDS) as consumer:
        await publisher.send(sent[:200])
        await publisher.send(sent[200:])
        found = await next_records(consumer, 300)
    await publisher.close()
    assert [one.value for one in found] == [one.value for one in sent]
    assert {one.key for one in found} == {key.encode()}
    assert found[0].headers == (("ce_id", sent[0].value[:40]),)


async def test_a_message_of_the_largest_size_is_taken(stack: RunningStack, tmp_path: Path) -> None:
    publisher = Publisher(kafka_of(stack.kafka, "engine", tmp_path))
    async with standing_at_the_end(stack.kafka, COMMANDS) as consumer:
        await publisher.send([record_of("acme/engines/large", "v" * 900 * 1024)])
        (found,) = await next_records(consumer, 1)
    await publisher.close()
    assert len(found.value) == 900 * 1024


async def test_what_a_principal_may_not_write_is_told_and_nothing_waits_for_ever(
    stack: RunningStack, tmp_path: Path
) -> None:
    publisher = Publisher(kafka_of(stack.kafka, "engine", tmp_path))
    foreign = Record(topic=commands_topic("credential-vault"), key=b"k", value=b"v", headers=[])
    with pytest.raises(UnreachableError, match="TopicAuthorizationFailed"):
        await publisher.send([foreign])
    # The next one begins with a new producer.
    await publisher.send([record_of("acme/engines/e1", "after")])
    await publisher.close()


async def test_a_wrong_password_is_told_in_a_sentence(stack: RunningStack, tmp_path: Path) -> None:
    kafka = kafka_of(stack.kafka, "engine", tmp_path)
    wrong = tmp_path / "wrong"
    write_private(wrong, "not this one")
    publisher = Publisher(kafka.model_copy(update={"password_file": wrong}))
    with pytest.raises(UnreachableError, match=r"is the password in .*wrong the right one"):
        await publisher.send([record_of("acme/engines/e1", "v")])


async def test_a_missing_topic_is_told_instead_of_waited_for(
    stack: RunningStack, tmp_path: Path
) -> None:
    kafka = kafka_of(stack.kafka, "engine", tmp_path)
    with pytest.raises(UnreachableError, match=r"no topic keyturn\.nobody\.events"):
        async with reading(kafka, [events_topic("nobody")]):
            pass


async def test_events_are_read_from_where_the_reader_left_off(
    stack: RunningStack, tmp_path: Path
) -> None:
    kafka = kafka_of(stack.kafka, "engine", tmp_path)
    brand = f"b{uuid4().hex}"
    async with reading(kafka, [EVENTS]) as reader:
        offsets = await reader.ends()
    # Written while nobody reads.
    await write_as(
        stack.kafka, "workflow", [event_of(bound(one), brand, 1) for one in ("a1", "a2", "a3")]
    )
    async with reading(kafka, [EVENTS], offsets) as reader:
        found = await read_events(reader, brand, 3)
    assert {one.event.subject_id for one in found} == {"e1/a1", "e1/a2", "e1/a3"}
    assert {(one.epoch, one.sequence) for one in found} == {(1, 1)}


async def test_watching_begins_now_and_sees_one_brand(stack: RunningStack, tmp_path: Path) -> None:
    kafka = kafka_of(stack.kafka, "backend", tmp_path)
    brand = f"b{uuid4().hex}"
    await write_as(stack.kafka, "workflow", [event_of(bound("before"), brand, 1)])
    async with aclosing(events(kafka, ["workflow"], brand, from_start=False)) as watched:
        first = asyncio.ensure_future(anext(watched))
        gone = AccountUnbound(engine_id="e1", account_id="mail", bound=False, allowed=False)
        writing = [
            event_of(bound("mail"), f"{brand}-twin", 1),
            event_of(gone, brand, 2),
        ]
        while not first.done():
            # Again until it has begun to read: an event may be repeated at any time.
            await write_as(stack.kafka, "workflow", writing)
            await asyncio.wait([first], timeout=0.5)
        assert first.result().event == gone


async def test_a_broker_that_dies_loses_nothing_and_both_sides_go_on(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="keyturn-wire-") as folder:
        stack = Stack(Path(folder), say=lambda _: None)
        try:
            running = RunningKafka(stack.plan)
            kafka = kafka_of(running, "workflow", tmp_path)
            publisher = Publisher(kafka)
            async with reading(kafka_of(running, "engine", tmp_path), [EVENTS]) as reader:
                await publisher.send([event_of(bound("a1"), "acme", 1)])
                assert [one.event for one in await read_events(reader, "acme", 1)] == [bound("a1")]
                stack.child("kafka").kill()
                sending = asyncio.ensure_future(publisher.send([event_of(bound("a2"), "acme", 1)]))
                # Let the send begin; the broker would end with another thread than this one.
                await asyncio.sleep(0)
                stack.start_again("kafka")
                with contextlib.suppress(UnreachableError):
                    await sending
                await publisher.send([event_of(bound("a2"), "acme", 1)])
                found = await read_events(reader, "acme", 1)
                assert [one.event for one in found[:1]] == [bound("a2")]
            await publisher.close()
        finally:
            stack.stop()
