"""The notes service, given a database and an issuer of its own."""

import sys
import tempfile
from collections.abc import AsyncGenerator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import pytest
import structlog
from aiokafka import AIOKafkaProducer
from sqlalchemy.ext.asyncio import AsyncConnection

from deploy.local.stack import Stack
from shared.messaging.context import Context
from shared.messaging.declared import Service
from shared.messaging.issuers import Issuers
from shared.messaging.kafka import check_cluster, client_options
from shared.settings import HttpSettings
from tests.batches import service_database
from tests.running_stack import RunningKafka, RunningStack
from tests.transport import notes
from tests.transport.given import GivenIssuer
from tests.transport.running import Breakable, Given, free_port, stand_at_the_end


async def fill(connection: AsyncConnection, brand: str) -> None:
    await notes.save_notes(
        connection, {notes.AddLine(note_id="n1", line="").key(brand): notes.NoteState(("twin",))}
    )


@asynccontextmanager
async def given_service(
    stack: RunningStack, folder: Path, service: Service
) -> AsyncGenerator[Given]:
    brand = f"b{uuid4().hex[:12]}"
    issuer = GivenIssuer(brands=(brand, "twin"), roles=("administrator", "operator"))
    issuer.write_to(folder)
    named = stack.settings_of(service.name)
    topics = [f"keyturn.{service.name}.commands"]
    topics += [f"keyturn.{one}.events" for one in service.listens_to]
    cluster_id = await check_cluster(named.kafka, topics)
    async with service_database(stack, service.name, notes.Base.metadata, fill) as database:
        settings = named.model_copy(
            update={
                "database": database.settings,
                "issuers": folder,
                "http": HttpSettings(port=free_port()),
            }
        )
        context = Context(
            settings=settings,
            writer=database.writer,
            reader=database.reader,
            redis=None,
            issuers=Issuers(folder),
        )
        await stand_at_the_end(context, topics, cluster_id)
        producer = AIOKafkaProducer(
            **client_options(stack.kafka.settings_of("backend")),
            enable_idempotence=True,
            max_request_size=2 * 1024 * 1024,
        )
        await producer.start()
        try:
            yield Given(stack, service, context, issuer, producer, cluster_id, brand)
        finally:
            await producer.stop()


def _say(sentence: str) -> None:
    sys.stderr.write(f"{sentence}\n")


@pytest.fixture(scope="session")
def breakable() -> Iterator[Breakable]:
    """Return a stack of one's own, whose parts may be killed."""
    with (
        tempfile.TemporaryDirectory(prefix="keyturn-test-") as root,
        ThreadPoolExecutor(1) as thread,
    ):
        stack = thread.submit(Stack, Path(root), say=_say).result()
        try:
            running = RunningStack(stack.plan, RunningKafka(stack.plan))
            yield Breakable(stack, running, thread)
        finally:
            stack.stop()


@pytest.fixture
async def given_breakable(breakable: Breakable, tmp_path: Path) -> AsyncGenerator[Given]:
    folder = tmp_path / "issuers"
    folder.mkdir()
    async with given_service(breakable.running, folder, notes.service) as given:
        yield given


@pytest.fixture
async def given(stack: RunningStack, tmp_path: Path) -> AsyncGenerator[Given]:
    folder = tmp_path / "issuers"
    folder.mkdir()
    async with given_service(stack, folder, notes.service) as given:
        yield given


@pytest.fixture(autouse=True)
def plain_logs() -> None:
    """Without the values of every frame: forty of them take seconds to render."""
    structlog.configure(
        processors=[
            structlog.stdlib.add_log_level,
            structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
        ]
    )
