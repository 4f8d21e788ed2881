"""An engine's commands on a real broker: in order, each until it has its outcome."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from keyturn_client.commands import Signer
from keyturn_client.engine import journal
from keyturn_client.engine.book import Book
from keyturn_client.engine.courier import Courier
from keyturn_client.engine.journal import Entry
from keyturn_client.http import Http
from keyturn_client.settings import Services
from keyturn_client.wire import Publisher
from keyturn_contracts.envelope import Envelope, read_headers
from keyturn_contracts.keys import new_engine_sealing_key, new_signing_key
from keyturn_contracts.message import CommandApplied, CommandRefused
from keyturn_contracts.topics import commands_topic

from tests.client.given import BRAND, ENGINE, WHO, given_store, given_workflow
from tests.client.kafka import kafka_of, next_records, standing_at_the_end
from tests.client.stand_in import StandIn, standing_in
from tests.running_stack import RunningStack
from tests.waiting import eventually


@dataclass
class Given:
    book: Book
    service: StandIn
    consumer: Any
    took: list[int] = field(default_factory=list[int])

    async def take(self, entry: Entry, outcome: CommandApplied | CommandRefused) -> bool:
        await self.book.read(journal.settle, entry, applied=True)
        self.took.append(entry.number)
        return True

    async def sent(self, count: int) -> list[tuple[Envelope, bytes]]:
        """Return so many records of the commands topic, as they arrived."""
        found = await next_records(self.consumer, count)
        assert {one.key for one in found} == {f"{BRAND}/engines/{ENGINE}".encode()}
        return [(read_headers(one.headers), one.value) for one in found]

    def answer(self, *envelopes: Envelope) -> None:
        for one in envelopes:
            self.service.outcomes[one.id] = CommandApplied(command="It", changed=True)


@asynccontextmanager
async def given_courier(
    stack: RunningStack, folder: Path, *, patience: float
) -> AsyncGenerator[Given]:
    book = Book(given_store(folder), WHO)
    signer = Signer.of_engine(new_signing_key(), brand=BRAND, engine_id=ENGINE)
    publisher = Publisher(kafka_of(stack.kafka, "engine", folder))
    async with (
        standing_in(new_engine_sealing_key()) as service,
        standing_at_the_end(stack.kafka, commands_topic("workflow")) as consumer,
    ):
        http = Http(Services(credential_vault=service.url, workflow=service.url), signer)
        courier = Courier(book, publisher, http, signer, patience=patience)
        given = Given(book, service, consumer)
        try:
            await book.begin_epoch(0)
            async with asyncio.TaskGroup() as tasks:
                working = [
                    tasks.create_task(courier.send()),
                    tasks.create_task(courier.hear(given.take)),
                ]
                yield given
                for one in working:
                    one.cancel()
        finally:
            await publisher.close()
            await http.close()
            book.close()


async def test_commands_arrive_in_the_order_of_their_numbers_and_outcomes_are_taken_in_it(
    stack: RunningStack, tmp_path: Path
) -> None:
    async with given_courier(stack, tmp_path, patience=60) as given:
        for n in range(40):
            await given.book.write(journal.save, [given_workflow(f"w{n}", "mail")])
        sent = [envelope for envelope, _ in await given.sent(41)]
        assert [(one.epoch, one.sequence) for one in sent] == [(1, n) for n in range(1, 42)]
        # None waited for the outcome of the one before; the last one's comes first.
        given.answer(*reversed(sent))
        await eventually(lambda: given.took == list(range(1, 42)))
        assert await given.book.read(journal.is_settled)


async def test_what_has_no_outcome_for_long_is_sent_again_with_the_same_ids_and_bytes(
    stack: RunningStack, tmp_path: Path
) -> None:
    async with given_courier(stack, tmp_path, patience=0.5) as given:
        await given.book.write(journal.save, [given_workflow("w1", "mail")])
        first = await given.sent(2)
        again = await given.sent(2)
        assert [(one.id, one.sequence, value) for one, value in again] == [
            (one.id, one.sequence, value) for one, value in first
        ]
        given.answer(*(one for one, _ in first))
        await eventually(lambda: given.took == [1, 2])


async def test_a_service_that_does_not_answer_is_asked_again(
    stack: RunningStack, tmp_path: Path
) -> None:
    async with given_courier(stack, tmp_path, patience=60) as given:
        ((begin, _),) = await given.sent(1)
        given.service.let_through.clear()
        await eventually(lambda: given.service.asked)
        given.answer(begin)
        given.service.let_through.set()
        await eventually(lambda: given.took == [1])
