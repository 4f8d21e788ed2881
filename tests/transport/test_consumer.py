"""The consumer on real Kafka and PostgreSQL: nothing lost, nothing twice, neighbours unharmed."""

from datetime import timedelta
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from confluent_kafka import Producer
from keyturn_contracts.ids import new_id
from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import DBAPIError

from deploy.local.sql import connected
from shared.messaging import position
from shared.messaging.consumer import group_of
from shared.messaging.held import Limits
from shared.messaging.kafka import client_options
from shared.messaging.record import Partition
from shared.messaging.tables import HeldRow, InboxRow, OutboxRow, PositionRow, UnreadableRow
from shared.messaging.topics import group_of as granted_group
from tests.transport import notes
from tests.transport.given import GivenIssuer
from tests.transport.running import Given
from tests.transport.undecodable import send_undecodable
from tests.waiting import eventually


async def test_commands_of_a_key_are_applied_in_their_order(given: Given) -> None:
    records = [given.line(f"n{n % 3}", f"line {n}") for n in range(60)]
    async with given.consuming():
        await given.send(*records)

        await eventually(lambda: has(given, "n0", [f"line {n}" for n in range(0, 60, 3)]))
        await eventually(lambda: has(given, "n1", [f"line {n}" for n in range(1, 60, 3)]))
        await eventually(lambda: has(given, "n2", [f"line {n}" for n in range(2, 60, 3)]))


async def test_a_command_sent_three_times_takes_effect_once(given: Given) -> None:
    command_id = new_id()
    records = [given.line("n1", "once", command_id=command_id) for _ in range(3)]
    async with given.consuming() as consuming:
        await given.send(*records)
        await eventually(lambda: has_read_all(given))

        assert await given.lines("n1") == ["once"]
        [(number,)] = await given.fetch(
            select(func.count()).select_from(InboxRow).where(InboxRow.id == command_id)
        )
        assert number == 1
        assert consuming.woken
        assert not consuming.problems


async def test_what_was_published_while_nobody_read_is_applied(given: Given) -> None:
    async with given.consuming():
        await given.send(given.line("n1", "before"))
        await eventually(lambda: has(given, "n1", ["before"]))
    await given.send(given.line("n1", "meanwhile"))
    async with given.consuming():
        await given.send(given.line("n1", "after"))
        await eventually(lambda: has(given, "n1", ["before", "meanwhile", "after"]))


async def test_forged_and_broken_records_hurt_no_neighbour(given: Given) -> None:
    stranger = GivenIssuer(name="local", brands=(given.brand,))
    good = [given.line("n1", f"line {n}") for n in range(4)]
    bad = [
        given.line("n1", "forged", by=stranger),
        given.line("n1", "no header", headers={"ce_id": None}),
        given.line("n1", "bytes", headers={"ce_type": b"\xff\xfe"}),
        given.line("n1", "key", key=b"twin/notes/n1"),
        given.line("n1", "other", brand="other"),
    ]
    async with given.consuming():
        await given.send(good[0], *bad[:2], good[1], *bad[2:], good[2], good[3])
        await eventually(lambda: has(given, "n1", [f"line {n}" for n in range(4)]))

        expected = ["header_not_utf8", "header_null", "key_wrong", "not_vouched", "unknown_key"]
        await eventually(lambda: has_unreadable(given, expected))


async def test_a_record_that_the_client_cannot_decode_is_set_apart(given: Given) -> None:
    """A header whose name is not UTF-8 makes aiokafka raise, and go on behind it the next time."""
    async with given.consuming() as consuming:
        await given.send(given.line("n1", "before"))
        partition = await send_undecodable(given, key=given.line("n1", "x").key or b"")
        await given.send(given.line("n1", "after"), given.line("n1", "and after"))

        await eventually(lambda: has(given, "n1", ["before", "after", "and after"]))

        [(reason, where)] = await given.fetch(select(UnreadableRow.reason, UnreadableRow.partition))
        assert (reason, where) == ("header_not_utf8", partition)
        assert not consuming.problems


async def test_a_compression_that_is_not_installed_is_set_apart(given: Given) -> None:
    kafka = given.stack.kafka.settings_of("backend")
    squeezing = Producer(
        {
            "bootstrap.servers": kafka.bootstrap,
            "security.protocol": kafka.security_protocol,
            "sasl.mechanism": kafka.mechanism,
            "sasl.username": kafka.principal,
            "sasl.password": kafka.password.get_secret_value(),
            "compression.type": "zstd",
        }
    )
    record = given.line("n1", "squeezed" * 100)
    async with given.consuming():
        await given.send(given.line("n1", "before"))
        squeezing.produce(
            record.topic, record.value, record.key, headers=[(k, v) for k, v in record.headers]
        )
        assert squeezing.flush(10) == 0
        await given.send(given.line("n1", "after"))

        # Where it is installed it is simply applied; lost and stuck it is never.
        await eventually(lambda: has_line(given, "n1", "after"))
        unreadable = await given.fetch(select(UnreadableRow.reason))
        lines = await given.lines("n1")
        assert lines == ["before", "after"] if unreadable else ["before", "squeezed" * 100, "after"]


async def test_an_owner_that_was_fenced_applies_nothing_more(given: Given) -> None:
    async with given.consuming() as consuming:
        await given.send(given.line("n1", "mine"))
        await eventually(lambda: has(given, "n1", ["mine"]))
        partitions = [Partition(given.commands, number) for number in range(12)]
        async with given.context.writer.begin() as connection:
            await position.assign(connection, partitions, given.cluster_id)

        await given.send(given.line("n1", "not mine any more"))

        await eventually(lambda: not consuming.consumer.is_assigned)
        assert await given.lines("n1") == ["mine"]
        assert consuming.health.missing == ["The consumer has lost partitions to another process."]


async def test_what_kafka_committed_is_not_believed(given: Given) -> None:
    """A database that was restored stands behind it: what it lacks would never be read."""
    before = await given.fetch(select(PositionRow.partition, PositionRow.next_offset))
    async with given.consuming():
        await given.send(given.line("n1", "applied, and lost with the database"))
        await eventually(lambda: has_line(given, "n1", "applied, and lost with the database"))
        await eventually(lambda: has_committed_beyond(given, dict(map(tuple, before))))
    async with given.context.writer.begin() as connection:
        for partition, next_offset in before:
            await connection.execute(
                update(PositionRow)
                .where(PositionRow.partition == partition)
                .values(next_offset=next_offset)
            )
        await connection.execute(delete(InboxRow).where(InboxRow.brand_id == given.brand))
        await connection.execute(delete(notes.NoteRow).where(notes.NoteRow.brand_id == given.brand))

    async with given.consuming():
        await eventually(lambda: has_line(given, "n1", "applied, and lost with the database"))


async def test_a_position_beyond_the_logs_end_stops_the_service(given: Given) -> None:
    async with given.context.writer.begin() as connection:
        await connection.execute(
            update(PositionRow).values(next_offset=PositionRow.next_offset + 1000)
        )
    async with given.consuming() as consuming:
        await eventually(lambda: consuming.problems)

        assert "its log was cut or made anew" in consuming.problems[0]
        assert not consuming.consumer.is_assigned


async def test_another_cluster_stops_the_service(given: Given) -> None:
    async with given.consuming(cluster_id="another-one") as consuming:
        await eventually(lambda: consuming.problems)

        assert "in another Kafka cluster than this one" in consuming.problems[0]


async def test_a_rule_that_lets_out_a_cancellation_holds_its_own_command_alone(
    given: Given,
) -> None:
    async with given.consuming() as consuming:
        await given.send(
            given.line("n1", notes.CANCELLING), given.line("n2", "a"), given.line("n1", "behind")
        )
        await eventually(lambda: has(given, "n2", ["a"]))
        await given.send(given.line("n2", "b"))
        await eventually(lambda: has(given, "n2", ["a", "b"]))

        held = await given.fetch(
            select(HeldRow.command, HeldRow.state, HeldRow.cause).order_by(HeldRow.offset)
        )
        assert [tuple(one) for one in held] == [
            ("AddLine", "retried", "CancelledInside"),
            ("AddLine", "queued", ""),
        ]
        assert consuming.consumer.is_running


async def test_what_waits_becomes_a_refusal_when_its_time_is_over(given: Given) -> None:
    limits = Limits(wait=timedelta(milliseconds=200))
    async with given.consuming(limits=limits):
        await given.send(given.line("n1", notes.WAITING, command_id=(waiting := new_id())))

        await eventually(lambda: is_refused(given, waiting, "not_there"))
        assert not await given.fetch(select(HeldRow.offset))


async def test_a_held_command_is_parked_and_its_key_alone_stands_still(given: Given) -> None:
    limits = Limits(attempts=3, first_pause=timedelta(milliseconds=5))
    async with given.consuming(limits=limits):
        await given.send(given.line("n1", notes.FAILING), given.line("n1", "behind"))
        await given.send(given.line("n2", "beside"))

        await eventually(lambda: is_parked(given))
        assert await given.lines("n1") == []
        assert await given.lines("n2") == ["beside"]


async def test_the_brake_stops_where_most_of_what_arrives_fails_here(given: Given) -> None:
    async with given.consuming() as consuming:
        await given.send(*(given.line(f"n{n}", notes.FAILING) for n in range(40)))

        why = "The brake is on: most of what arrives fails in our own code."
        await eventually(lambda: why in consuming.health.missing)
        assert consuming.consumer.is_busy


async def test_forgeries_and_refusals_never_brake(given: Given) -> None:
    stranger = GivenIssuer(name="local", brands=(given.brand,))
    async with given.consuming() as consuming:
        await given.send(*(given.line(f"n{n}", "x", by=stranger) for n in range(300)))
        await given.send(given.line("n1", "after"))

        await eventually(lambda: has(given, "n1", ["after"]))
        assert consuming.health.missing == []


async def test_connections_that_are_cut_lose_nothing(given: Given) -> None:
    async with given.consuming():
        for number in range(5):
            await given.send(given.line("n1", f"line {number}"))
            await cut_connections(given)
        await eventually(lambda: has(given, "n1", [f"line {n}" for n in range(5)]))


async def test_a_database_that_lets_nobody_in_is_waited_for(given: Given) -> None:
    async with given.consuming() as consuming:
        await given.send(given.line("n1", "before"))
        await eventually(lambda: has(given, "n1", ["before"]))
        await let_in(given, allowed=False)
        try:
            await cut_connections(given)
            await given.send(given.line("n1", "meanwhile"))
            await eventually(lambda: consuming.consumer.is_busy)
        finally:
            await let_in(given, allowed=True)

        await eventually(lambda: has(given, "n1", ["before", "meanwhile"]))
        assert not consuming.problems


async def test_the_outbox_gets_one_event_for_each_change(given: Given) -> None:
    async with given.consuming():
        await given.send(given.line("n1", "a"), given.line("n1", "a"), given.line("n1", "b"))
        await eventually(lambda: has(given, "n1", ["a", "b"]))

        rows = await given.fetch(select(OutboxRow.key).order_by(OutboxRow.id))
        assert [key for (key,) in rows] == [f"{given.brand}/notes/n1"] * 2


def test_the_group_is_the_one_that_access_lists_name() -> None:
    """Else the broker would refuse it, at the first start on a cluster with access lists."""
    assert group_of("credential-vault") == granted_group("credential-vault")


async def has(given: Given, note_id: str, lines: list[str]) -> bool:
    try:
        found = await given.lines(note_id)
    except (DBAPIError, OSError) as error:
        # Whoever cuts connections cuts those of this question too.
        raise AssertionError("The database cannot be asked now.") from error
    assert found == lines
    return True


async def has_line(given: Given, note_id: str, line: str) -> bool:
    return line in await given.lines(note_id)


async def has_unreadable(given: Given, reasons: list[str]) -> bool:
    rows = await given.fetch(select(UnreadableRow.reason).order_by(UnreadableRow.reason))
    return [reason for (reason,) in rows] == reasons


async def has_read_all(given: Given) -> bool:
    client: Any = AIOKafkaConsumer(**client_options(given.settings.kafka))
    await client.start()
    try:
        ends: dict[TopicPartition, int] = await client.end_offsets(
            [TopicPartition(given.commands, number) for number in range(12)]
        )
    finally:
        await client.stop()
    rows = await given.fetch(select(PositionRow.partition, PositionRow.next_offset))
    return {one.partition: end for one, end in ends.items()} == dict(map(tuple, rows))


async def has_committed_beyond(given: Given, offsets: dict[int, int]) -> bool:
    admin = AIOKafkaAdminClient(**client_options(given.settings.kafka))
    await admin.start()
    try:
        committed = await admin.list_consumer_group_offsets(group_of(given.service.name))
    finally:
        await admin.close()
    return any(one.offset > offsets[source.partition] for source, one in committed.items())


async def is_refused(given: Given, command_id: str, reason: str) -> bool:
    rows = await given.fetch(select(InboxRow.outcome).where(InboxRow.id == command_id))
    return bool(rows) and f'"reason":"{reason}"' in (rows[0][0] or "")


async def is_parked(given: Given) -> bool:
    rows = await given.fetch(select(HeldRow.state).order_by(HeldRow.offset))
    return [state for (state,) in rows] == ["parked", "queued"]


async def cut_connections(given: Given) -> None:
    name = given.settings.database.name
    async with connected(given.stack.plan.postgres) as admin:
        await admin.execute(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"  # noqa: S608  our name
        )


async def let_in(given: Given, *, allowed: bool) -> None:
    name = given.settings.database.name
    async with connected(given.stack.plan.postgres) as admin:
        await admin.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS {allowed}")
