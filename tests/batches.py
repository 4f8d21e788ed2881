"""What every service's tests begin with: messages, a database with a twin brand, and deliveries."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TypeVar

from keyturn_contracts.actor import Actor, Role, engine_issuer
from keyturn_contracts.ids import new_id
from keyturn_contracts.message import Command, Event
from keyturn_contracts.topics import commands_topic
from sqlalchemy import MetaData, Table, Text, literal_column, select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.database.engines import connect_alone, create_engine
from shared.database.migrate import MESSAGING, Migrations, migrate, migrations_of
from shared.messaging.batch import Batch, Message, apply_batch
from shared.messaging.envelope import Asked, CommandId, Evidence, News
from shared.messaging.handlers import Handlers
from shared.messaging.outbox import read_headers
from shared.messaging.tables import Base as MessagingBase
from shared.messaging.tables import OutboxRow
from shared.settings import DatabaseSettings
from tests.running_stack import RunningStack

C = TypeVar("C", bound=Command)
E = TypeVar("E", bound=Event)

TWIN = "twin"
"""The brand that has the same ids as the one that a test is about, and that no test may touch."""

Fill = Callable[[AsyncConnection, str], Awaitable[None]]
"""Put into a brand what a service's tests are about."""


class _Moments:
    """Now, a millisecond apart at least: the ids of commands then sort as they were made.

    They begin anew with each test. One that ran ahead of the clock for good would date commands
    after what came of them.
    """

    def __init__(self) -> None:
        self.begin_anew()

    def next(self) -> datetime:
        now = datetime.now(UTC)
        whole = now.replace(microsecond=now.microsecond // 1000 * 1000)
        self._last = max(whole, self._last + timedelta(milliseconds=1))
        return self._last

    def begin_anew(self) -> None:
        self._last = datetime.min.replace(tzinfo=UTC)


_moments = _Moments()


def asked(
    command: C,
    *,
    by: str = "ada",
    brand: str = "acme",
    issuer: str = "local",
    roles: Iterable[Role] = ("member",),
    engine: str | None = None,
    epoch: int | None = None,
    number: int | None = None,
    command_id: str | None = None,
    at: datetime | None = None,
    wants_reply: bool = False,
    trace_parent: str | None = None,
) -> Asked[C]:
    """Return a verified command. With `engine` it is that engine's own; each is a little later."""
    moment = at or _moments.next()
    if engine is not None:
        by = issuer = engine_issuer(brand, engine)
        roles = ()
    value = command.to_json()
    content = (type(command).type_name().encode(), str(command.key(brand)).encode(), value)
    return Asked(
        command=command,
        id=CommandId(brand, issuer, command_id or new_id(moment)),
        actor=Actor(
            issuer=issuer,
            subject=by,
            brand=brand,
            roles=frozenset(roles),
            expires_at=moment + timedelta(minutes=10),
        ),
        digest=sha256(b"\n".join(content)).digest(),
        at=moment,
        epoch=epoch,
        number=number,
        evidence=Evidence(
            type=type(command).type_name(),
            topic=commands_topic(command.service),
            value=value,
            actor="header.claims.signature",
        ),
        trace_parent=trace_parent,
        wants_reply=wants_reply,
    )


def news(
    event: E, sequence: int, *, brand: str = "acme", epoch: int = 1, at: datetime | None = None
) -> News[E]:
    return News(event, brand=brand, epoch=epoch, sequence=sequence, at=at or datetime.now(UTC))


async def deliver(engine: AsyncEngine, handlers: Handlers, *messages: Message) -> Batch:
    """Deliver as a broker does, and return what came of it.

    First to a process that dies before its commit, then for real, then once more: then nothing is
    announced, and every command is answered as before. What is held has left no trace.
    """
    async with engine.connect() as connection:
        await apply_batch(connection, handlers, messages)
    async with engine.begin() as connection:
        batch = await apply_batch(connection, handlers, messages)
    held = {id(one.turn.asked) for one in batch.held}
    async with engine.begin() as connection:
        repeated = await apply_batch(
            connection, handlers, [one for one in messages if id(one) not in held]
        )
    assert repeated.announced == []
    assert (repeated.later, repeated.held) == ([], [])
    assert sorted(repeated.answers, key=str) == sorted(batch.answers, key=str)
    return batch


@dataclass(frozen=True, slots=True)
class Database:
    """A service's own database, migrated, with the twin's rows in it."""

    settings: DatabaseSettings
    writer: AsyncEngine
    reader: AsyncEngine


@asynccontextmanager
async def service_database(
    stack: RunningStack,
    service: str,
    metadata: MetaData,
    fill: Fill,
    *,
    migrations: Sequence[Migrations] | None = None,
) -> AsyncGenerator[Database]:
    """Give a test a database to itself, and compare every row of the twin when it has ended.

    `fill` puts into the twin what the tests put into other brands. Its tables come from the
    service's migrations, or, while it has none, from `metadata`.
    """
    _moments.begin_anew()
    free = _free.setdefault((id(stack), service, id(metadata)), [])
    settings = free.pop() if free else await _new_database(stack, service, metadata, migrations)
    writer = create_engine(settings, "writer")
    reader = create_engine(settings, "reader")
    try:
        async with writer.begin() as connection:
            await fill(connection, TWIN)
        before = await rows_of_the_twin(writer, metadata)
        assert before, "Nothing was put into the twin: its comparison would prove nothing."
        yield Database(settings, writer, reader)
        assert await rows_of_the_twin(writer, metadata) == before
    except BaseException:
        await writer.dispose()
        await reader.dispose()
        stack.drop_database(settings)
        raise
    await writer.dispose()
    await reader.dispose()
    await _wipe(settings, metadata)
    free.append(settings)


_free: dict[tuple[int, str, int], list[DatabaseSettings]] = {}
"""Migrated databases without rows: wiping one is ten times as quick as making one."""


# A vacuum that freezes a page takes the marks of old locks off its rows: the twin's would differ.
_NO_VACUUM = """
DO $$ DECLARE one regclass; BEGIN
  FOR one IN SELECT oid FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
  LOOP EXECUTE format('ALTER TABLE %s SET (autovacuum_enabled = false)', one); END LOOP;
END $$
"""


async def _new_database(
    stack: RunningStack,
    service: str,
    metadata: MetaData,
    migrations: Sequence[Migrations] | None,
) -> DatabaseSettings:
    settings = stack.new_database(service)
    if migrations is None:
        try:
            migrations = [MESSAGING, migrations_of(service)]
        except FileNotFoundError:
            migrations = [MESSAGING]
    await migrate(settings, migrations, metadata)
    copies = [
        f"CREATE TABLE seed.{one.name} AS TABLE public.{one.name}" for one in _tables(metadata)
    ]
    await _execute(settings, ["CREATE SCHEMA seed", *copies, _NO_VACUUM])
    return settings


async def _wipe(settings: DatabaseSettings, metadata: MetaData) -> None:
    """Leave the rows that the migrations put in, and no other."""
    tables = _tables(metadata)
    statements = [f"DELETE FROM {one.name}" for one in reversed(tables)]  # noqa: S608  our names
    statements += [
        f"INSERT INTO {one.name} OVERRIDING SYSTEM VALUE SELECT * FROM seed.{one.name}"  # noqa: S608  our names
        for one in tables
    ]
    await _execute(settings, statements)


async def _execute(settings: DatabaseSettings, statements: Sequence[str]) -> None:
    session = await connect_alone(settings, "owner", name="tests")
    try:
        await session.execute("; ".join(statements))
    finally:
        await session.close()


def _tables(metadata: MetaData) -> list[Table]:
    return [*MessagingBase.metadata.sorted_tables, *metadata.sorted_tables]


async def rows_of_the_twin(engine: AsyncEngine, metadata: MetaData) -> list[str]:
    """Return every row of the twin with who wrote and who locked it: equal means untouched."""
    rows: list[str] = []
    async with engine.connect() as connection:
        for table in _tables(metadata):
            if "brand_id" not in table.c:
                continue
            name = table.name
            row = literal_column(f"concat_ws(' ', {name}.xmin, {name}.xmax, {name}::text)", Text())
            query = select(row).select_from(table).where(table.c.brand_id == TWIN)
            rows += [f"{name} {found}" for found in await connection.scalars(query)]
    return sorted(rows)


@dataclass(frozen=True, slots=True)
class Published:
    """A message in the outbox, as the relay would send it."""

    topic: str
    key: str
    headers: dict[str, str]
    value: bytes

    @property
    def type(self) -> str:
        """The class's name, without service and version."""
        return self.headers["ce_type"].split(".")[2]

    @property
    def sequence(self) -> int:
        return int(self.headers["ce_sequence"])


async def published(engine: AsyncEngine) -> list[Published]:
    """Return what the outbox holds, in its order, without what is the twin's."""
    query = select(OutboxRow.topic, OutboxRow.key, OutboxRow.headers, OutboxRow.value)
    async with engine.connect() as connection:
        rows = (await connection.execute(query.order_by(OutboxRow.id))).all()
    found = [
        Published(topic, key, {name: text.decode() for name, text in read_headers(headers)}, value)
        for topic, key, headers, value in rows
    ]
    return [one for one in found if one.headers["ce_brand"] != TWIN]


async def clear_outbox(engine: AsyncEngine) -> None:
    """Empty it, as the relay does once all is sent."""
    async with engine.begin() as connection:
        await connection.execute(text("DELETE FROM outbox"))
