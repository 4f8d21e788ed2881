"""What a transport must do, whatever client it is built on: each test is one of its laws."""

import asyncio
from abc import abstractmethod
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from tests.waiting import eventually

Lines = tuple[str, ...]


class Transport(Protocol):
    """A running service as its senders and listeners see it; a message is a line for a note."""

    async def send(self, *messages: tuple[str, str]) -> None:
        """Publish (note, line) in their order; returns when the broker has acknowledged all."""
        ...

    async def applied(self, note: str) -> Sequence[str]:
        """Return the lines of a note as they were applied, in that order."""
        ...

    async def announced(self, note: str) -> Sequence[Lines]:
        """Return what was published of a note: all its lines after each change, with repeats."""
        ...

    def running(self) -> AbstractAsyncContextManager[None]:
        """Consume and publish until left; leaving it finishes what is in hand."""
        ...

    def running_until_killed(self, point: str) -> AbstractAsyncContextManager[asyncio.Event]:
        """Run in a process that kills itself at a point; the event says that it is dead."""
        ...

    def holding_up(self, note: str) -> AbstractAsyncContextManager[None]:
        """Have whoever applies a message to this note wait, until left."""
        ...

    async def is_held_up(self) -> bool:
        """Tell whether somebody waits for that."""
        ...

    async def kill_broker(self) -> None: ...

    async def start_broker(self) -> None: ...


class TransportSuite:
    """Inherit from it, and give the fixture `transport`."""

    @abstractmethod
    def transport(self) -> Transport: ...

    async def test_messages_of_a_key_arrive_in_their_order(self, transport: Transport) -> None:
        notes = ("a", "b", "c")
        async with transport.running():
            await transport.send(*((note, f"{n}") for n in range(40) for note in notes))

            for note in notes:
                await eventually(lambda note=note: _is_applied(transport, note, 40))
                await eventually(lambda note=note: _is_announced(transport, note, 40))

    async def test_what_died_with_its_reader_is_delivered_again(self, transport: Transport) -> None:
        async with transport.running_until_killed("consumer.before_commit:1") as dead:
            await transport.send(("a", "0"), ("a", "1"))
            await dead.wait()
        assert await transport.applied("a") == []

        async with transport.running():
            await eventually(lambda: _is_applied(transport, "a", 2))
            await eventually(lambda: _is_announced(transport, "a", 2))

    async def test_what_was_not_acknowledged_is_sent_again(self, transport: Transport) -> None:
        async with transport.running():
            await transport.send(("a", "0"))
            await eventually(lambda: _is_announced(transport, "a", 1))
            async with transport.holding_up("a"):
                await transport.send(("a", "1"))
                await eventually(transport.is_held_up)
                await transport.kill_broker()
            # What was in hand is applied, while nothing can be sent.
            await eventually(lambda: _is_applied(transport, "a", 2))
            await transport.start_broker()
            await transport.send(("b", "0"), ("a", "2"))

            await eventually(lambda: _is_announced(transport, "a", 3), within=90)
            await eventually(lambda: _is_announced(transport, "b", 1), within=90)

    async def test_a_broker_that_comes_back_is_read_and_written_again(
        self, transport: Transport
    ) -> None:
        async with transport.running():
            flight = asyncio.create_task(_send_all(transport, 60))
            await eventually(lambda: _has_begun(transport, "a"))
            await transport.kill_broker()
            await transport.start_broker()
            await flight

            await eventually(lambda: _is_applied(transport, "a", 60), within=90)
            await eventually(lambda: _is_announced(transport, "a", 60), within=90)

    async def test_leaving_while_a_message_is_handled_finishes_it_once(
        self, transport: Transport
    ) -> None:
        leave = asyncio.Event()
        left = asyncio.create_task(_run_until(transport, leave))
        async with transport.holding_up("a"):
            await transport.send(("a", "0"), ("a", "1"))
            await eventually(transport.is_held_up)
            leave.set()
            assert not left.done()
        await left
        applied = len(await transport.applied("a"))
        assert applied >= 1

        async with transport.running():
            await eventually(lambda: _is_applied(transport, "a", 2))
            await eventually(lambda: _is_announced(transport, "a", 2))


async def _run_until(transport: Transport, leave: asyncio.Event) -> None:
    async with transport.running():
        await leave.wait()


async def _send_all(transport: Transport, number: int) -> None:
    """Send one after another; while the broker is away, that one waits."""
    for n in range(number):
        await transport.send(("a", f"{n}"))


async def _has_begun(transport: Transport, note: str) -> bool:
    return len(await transport.applied(note)) > 0


async def _is_applied(transport: Transport, note: str, number: int) -> bool:
    assert list(await transport.applied(note)) == [f"{n}" for n in range(number)]
    return True


async def _is_announced(transport: Transport, note: str, number: int) -> bool:
    """Tell whether each state was published, the first time in its order, and the last is last."""
    states = await transport.announced(note)
    expected = [tuple(f"{m}" for m in range(n + 1)) for n in range(number)]
    assert list(dict.fromkeys(states)) == expected
    assert states[-1] == expected[-1]
    return True
