"""Processes that remember decisions, beside a Redis of their own that may die."""

import signal
import subprocess
import tempfile
from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

from keyturn_contracts.actor import Actor, Role
from keyturn_contracts.message import Command
from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from deploy.local.redis import binary
from services.access.remembering.deciding import Deciding
from services.access.remembering.memory import Question, Remembered
from services.access.settings import AccessSettings
from services.access.store.people import load_listed
from shared.database.engines import create_engine
from tests.access.world import World
from tests.waiting import eventually


def use(member: str, account_id: str = "mail") -> Question:
    return Question(member, "use", account_id, None)


@dataclass
class OwnRedis:
    """A server that nobody else uses."""

    process: "subprocess.Popen[bytes]"
    socket: Path

    def client(self) -> Redis:
        return Redis(
            unix_socket_path=str(self.socket), socket_timeout=1.0, socket_connect_timeout=1.0
        )

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def pause(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self.process.send_signal(signal.SIGCONT)


def _started(words: Sequence[str], folder: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(words, cwd=folder, stdout=subprocess.DEVNULL)


@asynccontextmanager
async def own_redis() -> AsyncGenerator[OwnRedis]:
    with tempfile.TemporaryDirectory(prefix="keyturn-redis-") as folder:
        socket = Path(folder, "redis.sock")
        words = [str(binary()), "--port", "0", "--unixsocket", str(socket), "--save", ""]
        own = OwnRedis(_started(words, folder), socket)
        client = own.client()

        async def answers() -> bool:
            try:
                return bool(await cast("Any", client).ping())
            except (RedisError, OSError):
                return False

        try:
            await eventually(answers)
            yield own
        finally:
            await client.aclose()
            own.go_on()
            own.kill()


@dataclass(frozen=True)
class Told:
    """An answer, by question."""

    caller: Actor
    decisions: dict[Question, Remembered]
    revision: int
    at: datetime


@dataclass
class Process:
    """What remembers, with a count of what it asks the database for answers."""

    deciding: Deciding
    redis: Redis | None
    reader: AsyncEngine
    asked: list[str]

    async def look(self) -> None:
        """Do what its job does after a commit of its own, and now and then."""
        [job, *_] = self.deciding.watch.jobs()
        await job.run()

    async def answer(
        self,
        *questions: Question,
        at_least: int | None = 0,
        brand: str = "acme",
        by: str = "root",
        roles: Collection[Role] = ("administrator", "member"),
    ) -> Told:
        """Answer as its route does: from memory, or else otherwise."""
        actor = actor_of(brand, by, roles)

        def needed(_caller: Actor) -> Sequence[Question]:
            return questions

        found = self.deciding.recall(actor, needed, at_least or 0)
        found = found or await self.deciding.answer(
            actor, needed, at_least or 0, size=len(questions)
        )
        decisions = dict(zip(questions, found.decisions, strict=True))
        return Told(found.caller, decisions, found.revision, found.at)

    async def allows(self, *questions: Question, at_least: int | None = 0) -> list[bool]:
        found = (await self.answer(*questions, at_least=at_least)).decisions
        return [found[one].allowed for one in questions]

    def remembers(self, *questions: Question, at_least: int = 0, brand: str = "acme") -> bool:
        found = self.deciding.recall(
            actor_of(brand, "root", ("administrator", "member")), lambda _: questions, at_least
        )
        return found is not None


def actor_of(brand: str, by: str, roles: Collection[Role]) -> Actor:
    return Actor(
        issuer="local",
        subject=by,
        brand=brand,
        roles=frozenset(roles),
        expires_at=datetime.now(UTC) + timedelta(minutes=5),
    )


@asynccontextmanager
async def process(
    world: World, redis: Redis | None, settings: AccessSettings | None = None
) -> AsyncGenerator[Process]:
    """Start one beside others on the same database; it has looked once."""
    reader = create_engine(world.database.settings, "reader")
    asked: list[str] = []

    def note(*arguments: Any) -> None:
        asked.append(arguments[2])

    event.listen(reader.sync_engine, "before_cursor_execute", note)
    context = replace(world.context, reader=reader, redis=redis, members=load_listed)
    # Patience enough for a machine that is busy with much else.
    settings = settings or AccessSettings(redis_patience_seconds=1)
    # And time stands still: what is remembered is as new as the look that a test has made.
    one = Process(Deciding(context, settings, lambda: 0.0), redis, reader, asked)
    await one.look()
    try:
        yield one
    finally:
        if redis is not None:
            await redis.aclose()
        await reader.dispose()


async def revision_of(world: World, command: Command, *, by: str = "root") -> int:
    """Apply it, and return the revision that its sender is told."""
    revision = (await world.apply(command, by=by)).revision
    assert revision is not None
    return revision
