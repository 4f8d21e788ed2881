"""Starts the parts of a service in their order, ends with the first that fails, and stops them."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Collection, Coroutine
from functools import partial
from typing import Any

import structlog
from aiokafka.errors import KafkaError
from keyturn_contracts.message import Message
from redis.asyncio import Redis

from shared.database.engines import create_engine
from shared.database.version import check_version
from shared.http.held import held_routes
from shared.http.outcomes import OutcomeWatch, outcome_routes
from shared.http.server import build_app, listen, serve
from shared.messaging.consumer import Consumer
from shared.messaging.context import Context, KeysByIssuer
from shared.messaging.declared import Service
from shared.messaging.housekeeping import housekeeping
from shared.messaging.issuers import Issuers
from shared.messaging.jobs import JobRunner
from shared.messaging.kafka import check_cluster
from shared.messaging.reading import EngineKeysOf, Reading
from shared.messaging.relay import Relay
from shared.messaging.slots import Slot
from shared.messaging.watchdog import FROZEN_EXIT, FrozenLoop, Watchdog
from shared.settings import RedisSettings, ServiceSettings
from shared.telemetry.health import Health
from shared.telemetry.logs import describe_error

_log = structlog.stdlib.get_logger()

_GRACE_SECONDS = 5.0
"""For jobs and requests in hand, when the service stops."""
_LAST_RESORT_SECONDS = 60.0
"""When a process that is to end has not ended, it is ended: longer than any transaction lasts."""


class Runtime:
    """One run of a service in this process."""

    def __init__(self, service: Service, settings: ServiceSettings) -> None:
        self._service = service
        self._settings = settings
        self._health = Health("service", "consumer")
        self._stop = asyncio.Event()
        self._problem: str | None = None
        self._has_left = False
        self._wake: Callable[[], None] | None = None
        """None until those are there whom a commit wakes."""
        self._tasks: dict[asyncio.Task[None], str] = {}

    async def run(self) -> str | None:
        """Run until SIGTERM, and return None; or return why it had to end, as a sentence."""
        loop = asyncio.get_running_loop()
        for asked in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(asked, self._stop.set)
        async with contextlib.AsyncExitStack() as stack:
            await self._run(stack)
        return self._problem

    async def _run(self, stack: contextlib.AsyncExitStack) -> None:
        service, settings = self._service, self._settings
        listener = listen(settings.http)
        stack.callback(listener.close)
        self._start("the watch over its loop", FrozenLoop().run())
        stack.push_async_callback(self._cancel_all)
        await check_version(settings.database, service.name)
        context = self._make_context(stack)
        reading = Reading(
            service=service.name,
            handlers=service.handlers,
            listens_to=service.listens_to,
            issuers=context.issuers,
            engine_keys=_engine_keys_of(service, context),
        )
        cluster_id = await check_cluster(settings.kafka, reading.topics)
        slot = Slot(settings.database)
        stack.push_async_callback(slot.release)
        number = await slot.take()
        # Once more: what runs ends before what it uses is closed.
        stack.push_async_callback(self._cancel_all)

        relay, watch = Relay(settings), OutcomeWatch(context)
        jobs = JobRunner([*service.jobs(context), *housekeeping(context)], context.wake)

        def woken(applied: Collection[type[Message]] | None) -> None:
            # First who sends what somebody waits for.
            relay.wake()
            watch.wake()
            jobs.wake(applied)

        self._wake = partial(woken, None)
        if service.prepare is not None:
            await service.prepare(context)
        routers = [outcome_routes(watch), held_routes(), service.routes(context)]
        app = build_app(context, self._health, routers)

        consumer = Consumer(
            context,
            service.handlers,
            reading,
            cluster_id=cluster_id,
            instance=f"{service.name}-{number}",
            health=self._health,
            woken=woken,
            fail=self._fail,
        )
        http_stop = asyncio.Event()
        serving = self._start("its HTTP server", serve(app, settings.http, listener, http_stop))
        self._start("the relay", relay.run())
        self._start("the watch for outcomes", watch.run())
        self._start("the hold on its number", slot.keep())
        working = self._start("a job", jobs.run())
        starting = self._start("the consumer", consumer.start())
        stack.push_async_callback(self._leave, consumer)
        self._tasks.pop(starting)
        await self._until_stop_or(starting)
        starting.cancel()
        if not self._stop.is_set():
            self._start("the watchdog", Watchdog(consumer, self._fail).run())
            self._health.is_ready("service")
            _log.info("ready", process=number)
        await self._until_stop_or()

        # Whatever a broken part does when it is stopped: the process ends.
        asyncio.get_running_loop().call_later(_LAST_RESORT_SECONDS, os._exit, FROZEN_EXIT)
        self._health.is_missing("service", "is stopping")
        http_stop.set()
        jobs.stop()
        await self._leave(consumer)
        await asyncio.wait([working, serving], timeout=_GRACE_SECONDS)

    def _make_context(self, stack: contextlib.AsyncExitStack) -> Context:
        settings = self._settings
        writer = create_engine(settings.database, "writer")
        reader = create_engine(settings.database, "reader")
        redis = _connect_redis(settings.redis)
        stack.push_async_callback(writer.dispose)
        stack.push_async_callback(reader.dispose)
        stack.push_async_callback(redis.aclose)

        def wake() -> None:
            if self._wake is not None:
                self._wake()

        return Context(
            settings=settings,
            writer=writer,
            reader=reader,
            redis=redis,
            issuers=Issuers(settings.issuers),
            engine_keys=self._service.engine_keys,
            members=self._service.members,
            wake=wake,
        )

    async def _leave(self, consumer: Consumer) -> None:
        """Have the consumer finish what is in hand; once, and without hiding why it is to end."""
        if self._has_left:
            return
        self._has_left = True
        try:
            await consumer.stop()
        except KafkaError as error:
            _log.error("the consumer could not leave its group", exc_info=error)

    def _start(self, part: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=part)
        self._tasks[task] = part
        task.add_done_callback(self._note_end)
        return task

    def _note_end(self, task: asyncio.Task[None]) -> None:
        part = self._tasks.pop(task, None)
        if part is None or self._stop.is_set() or task.cancelled():
            return
        error = task.exception()
        if error is not None:
            _log.critical("a part of the service has failed", part=part, exc_info=error)
        why = "without a reason" if error is None else describe_error(error)
        self._fail(f"The process ends, because {part} has ended: {why}.")

    def _fail(self, sentence: str) -> None:
        """Have the process end: the supervisor starts another."""
        if self._problem is None:
            self._problem = sentence
            _log.critical("the process is to end", why=sentence)
        self._stop.set()

    async def _until_stop_or(self, *others: asyncio.Task[None]) -> None:
        stopping = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait([stopping, *others], return_when=asyncio.FIRST_COMPLETED)
            for other in others:
                if other.done():
                    other.result()
        finally:
            stopping.cancel()

    async def _cancel_all(self) -> None:
        self._stop.set()
        tasks = [*self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _engine_keys_of(service: Service, context: Context) -> EngineKeysOf | None:
    find = service.engine_keys
    if find is None:
        return None

    async def look_up(engines: Any) -> KeysByIssuer:
        async with context.writer.connect() as connection:
            return await find(connection, engines)

    return look_up


def _connect_redis(settings: RedisSettings) -> Redis:
    """Return a client; nothing is connected yet, and nothing waits long for it."""
    where: dict[str, Any] = (
        {"unix_socket_path": str(settings.socket)}
        if settings.socket is not None
        else {"host": settings.host, "port": settings.port, "ssl": settings.tls}
    )
    return Redis(
        **where,
        db=settings.database,
        username=settings.user,
        password=settings.password.get_secret_value(),
        socket_timeout=1.0,
        socket_connect_timeout=1.0,
    )
