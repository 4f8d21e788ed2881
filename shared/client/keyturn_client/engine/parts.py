"""What a running engine is made of, and how its parts are put together."""

import asyncio
import contextlib
import logging

from keyturn_contracts.message import Part

from keyturn_client.commands import Signer
from keyturn_client.engine import journal, memory
from keyturn_client.engine.abreast import Abreast
from keyturn_client.engine.applying import Apply, LetGo
from keyturn_client.engine.book import Book
from keyturn_client.engine.courier import Courier
from keyturn_client.engine.course import Course
from keyturn_client.engine.hearing import TOPICS, News, about, hear
from keyturn_client.engine.journal import Who
from keyturn_client.engine.keeper import Keeper
from keyturn_client.engine.store import Store
from keyturn_client.engine.suspended import Suspended
from keyturn_client.engine.vault import Vault
from keyturn_client.engine.whole import Vanished, WholeLists
from keyturn_client.http import Http
from keyturn_client.keys import EngineKeys
from keyturn_client.pauses import Pauses
from keyturn_client.problems import (
    EngineStoppedError,
    KeyturnError,
    NotAllowedError,
    NotFoundError,
    UnreachableError,
)
from keyturn_client.replica.freshness import RewoundError
from keyturn_client.settings import EngineSettings
from keyturn_client.wire import Place, Publisher, Reader, reading

log = logging.getLogger("keyturn_client")

_REGISTERED_WITHIN = 15.0
"""Seconds that the news of a registration may take."""
_PATIENCE = 60.0
"""Seconds after which a command without an outcome is sent again, the first time."""
_OFFSETS_SECONDS = 5.0
_POLL_SECONDS = 1.0


class _LogPosition(Part):
    """What a service tells of an engine's log."""

    epoch: int


class Parts:
    """The parts of one engine, from its start to its end."""

    def __init__(
        self,
        settings: EngineSettings,
        apply: Apply,
        *,
        let_go: LetGo | None,
        vanished: Vanished | None,
    ) -> None:
        self._settings = settings
        self._keys = EngineKeys.load(settings.key_file)
        self._who = Who(settings.brand, settings.engine_id)
        self._signer = Signer.of_engine(
            self._keys.sig, brand=settings.brand, engine_id=settings.engine_id
        )
        self._http = Http(settings.services, self._signer)
        self._publisher = Publisher(settings.kafka)
        store = Store(settings.state_file, brand=settings.brand, engine_id=settings.engine_id)
        self.book = Book(store, self._who)
        self.whole = WholeLists(self.book)
        self.keeper = Keeper(
            book=self.book,
            vault=Vault(self._http, self._who, self._keys.enc),
            apply=apply,
            let_go=let_go,
            want_list=self.whole.want,
        )
        self.suspended = Suspended(self._http, self._who, settings.max_suspended_age)
        self.course = Course(self.book, self.keeper, self.whole, vanished)
        self._courier = Courier(
            self.book, self._publisher, self._http, self._signer, patience=_PATIENCE
        )

    async def open(self) -> None:
        """Begin a new epoch, above the one that the service tells."""
        await self.keeper.load()
        told = await self._ask_epoch()
        # Else it is read, and nothing is run, as soon as the service can be asked.
        with contextlib.suppress(KeyturnError):
            await self.suspended.read()
        await self.course.begin(told)

    async def close(self) -> None:
        await self._publisher.close()
        await self._http.close()
        self.book.close()

    async def work(self) -> None:
        """Do everything that an engine does beside its runs, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            self.keeper.tasks = tasks
            for work in (
                self._courier.send(),
                self._courier.hear(self.course.took),
                self.whole.work(),
                self.keeper.work(),
                self.suspended.work(),
                self._hear_always(),
            ):
                tasks.create_task(work)

    async def is_settled(self) -> bool:
        """Tell whether the service has answered everything, and nothing is left to do."""
        return (
            self.keeper.is_idle
            and self.whole.is_idle
            and self.suspended.is_known
            and await self.book.read(journal.is_settled)
        )

    async def _ask_epoch(self) -> int:
        loop = asyncio.get_running_loop()
        until = loop.time() + _REGISTERED_WITHIN
        pauses = Pauses()
        while True:
            try:
                found = await self._http.get("workflow", f"/v1/engines/{self._who.engine_id}")
                return _LogPosition.model_validate(found).epoch
            except UnreachableError as error:
                log.warning("%s", error)
            except (NotAllowedError, NotFoundError) as error:
                if loop.time() > until:
                    raise EngineStoppedError(
                        "not_registered",
                        f"The engine {self._who.engine_id} of {self._who.brand} is not registered "
                        "with this key: have an administrator send its registration "
                        f"(`EngineKeys.registration`). {error}",
                    ) from None
            await asyncio.sleep(pauses.next())

    async def _hear_always(self) -> None:
        pauses = Pauses()
        while True:
            offsets = await self.book.read(memory.load_offsets)
            try:
                async with reading(self._settings.kafka, TOPICS, offsets) as reader:
                    pauses.reset()
                    await self._hear_from(reader)
            except UnreachableError as error:
                log.warning("%s", error)
                await asyncio.sleep(pauses.next())

    async def _hear_from(self, reader: Reader) -> None:
        """Take what is read, and note how far together with what it told."""
        loop = asyncio.get_running_loop()
        read: dict[Place, int] = {}
        noted_at = loop.time()
        abreast = Abreast(reader)
        while True:
            records = await reader.poll(_POLL_SECONDS)
            read |= {one.place: one.offset + 1 for one in records}
            events = about(self._who, records)
            if events or (read and loop.time() >= noted_at + _OFFSETS_SECONDS):
                await self._hear(await self.book.read(hear, self._who, events, read))
                read, noted_at = {}, loop.time()
            try:
                known_at = await abreast.look()
            except RewoundError:
                log.warning(
                    "Events in Kafka are lost or others than before: what is suspended is "
                    "read again"
                )
                self.suspended.doubt()
                abreast = Abreast(reader)
            else:
                if known_at is not None:
                    await self.suspended.confirm(known_at)

    async def _hear(self, news: News) -> None:
        if news.stop is not None:
            raise EngineStoppedError(news.stop.reason, news.stop.sentence)
        # At once: what is noted of an account while an epoch begins is newer than this.
        self.keeper.hear(news)
        self.suspended.hear(news.suspensions)
        if news.restored:
            log.warning("The workflow service was restored from a backup: a new epoch begins")
            self.suspended.doubt()
            await self.course.begin(self.book.epoch)
