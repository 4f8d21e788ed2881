"""What the tests of a service do: tell it something, and read what came of it."""

from dataclasses import dataclass
from typing import ClassVar

from keyturn_contracts.message import CommandApplied, CommandRefused, Event
from keyturn_contracts.registry import EVENT_BY_TYPE

from shared.messaging.batch import Batch, Message
from shared.messaging.handlers import Handlers
from tests.batches import Database, clear_outbox, deliver, published


@dataclass
class ServiceWorld:
    """A service, in a database with a twin brand in it. Each service's own says its handlers."""

    handlers: ClassVar[Handlers]

    database: Database

    async def tell(self, *messages: Message) -> Batch:
        return await deliver(self.database.writer, self.handlers, *messages)

    async def answers(self, *messages: Message) -> list[CommandApplied | CommandRefused]:
        """Tell, and return the outcomes in the order of the commands."""
        batch = await self.tell(*messages)
        assert batch.held == []
        return [outcome for _, outcome in batch.answers]

    async def answer(self, message: Message) -> CommandApplied | CommandRefused:
        [outcome] = await self.answers(message)
        return outcome

    async def applied(self, message: Message) -> CommandApplied:
        outcome = await self.answer(message)
        assert isinstance(outcome, CommandApplied), outcome
        return outcome

    async def refused(self, message: Message) -> CommandRefused:
        outcome = await self.answer(message)
        assert isinstance(outcome, CommandRefused), outcome
        return outcome

    async def announced(self) -> list[tuple[str, Event]]:
        """Return the events since this was last asked, each with its record key."""
        found = [
            (one.key, EVENT_BY_TYPE[one.headers["ce_type"]].model_validate_json(one.value))
            for one in await published(self.database.writer)
            if one.headers["ce_type"] in EVENT_BY_TYPE
        ]
        await clear_outbox(self.database.writer)
        return found
