"""What a broker that dies, or an access list that changes, does to the clients."""

import asyncio

from shared.messaging.relay import Relay
from shared.messaging.watchdog import Patience, Watchdog
from tests.transport.running import Breakable, Given
from tests.transport.test_consumer import has
from tests.transport.test_relay import announce_lines, is_sent, lines_up_to
from tests.waiting import eventually


async def test_a_partition_is_writable_again_after_a_batch_that_failed(
    given_breakable: Given, breakable: Breakable
) -> None:
    """An idempotent producer left a gap in its sequence, and the partition took nothing more."""
    given = given_breakable
    async with given.relaying() as relay:
        await announce_lines(given, "n1", range(10))
        await eventually(lambda: is_sent(given))
        await breakable.kill("kafka")
        await announce_lines(given, "n1", range(10, 20))
        relay.wake()
        await eventually(lambda: has_failed(relay), within=90)
        await breakable.start_again("kafka")
        await announce_lines(given, "n1", range(20, 30))

        await eventually(lambda: is_sent(given), within=90)
        states = await given.announced("n1")
        assert list(dict.fromkeys(states)) == [lines_up_to(n) for n in range(30)]
        assert states[-1] == lines_up_to(29)


async def test_a_consumer_that_can_never_read_again_ends_its_process(given: Given) -> None:
    """A permanent error was logged every five seconds for ever, while the process looked well."""
    patience = Patience(refused=1.0, every=0.1, unassigned=1.0)
    async with given.consuming(patience=patience) as consuming:
        await given.send(given.line("n1", "before"))
        await eventually(lambda: has(given, "n1", ["before"]))
        watching = asyncio.create_task(
            Watchdog(consuming.consumer, consuming.problems.append, patience).run()
        )
        # What `AssertionError`s of its own have done to it: the task that keeps its place is gone.
        coordinator = consuming.consumer._subscription.client._coordinator  # pyright: ignore[reportPrivateUsage, reportOptionalMemberAccess, reportUnknownMemberType, reportAttributeAccessIssue, reportUnknownVariableType]  what the trap is about
        coordinator._coordination_task.cancel()  # pyright: ignore[reportUnknownMemberType]  as above

        await eventually(lambda: consuming.problems)

        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


def has_failed(relay: Relay) -> bool:
    return relay.failures > 0
