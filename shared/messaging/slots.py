"""Which process of a service this is: the lowest number that no other one has."""

import asyncio

import structlog
from asyncpg import InterfaceError, PostgresError

from shared.database.engines import Session, connect_alone
from shared.settings import DatabaseSettings

_log = structlog.stdlib.get_logger()

_LOCKS = 0x6B657973
"""The first half of the advisory locks, `keys`; the second is the number."""
_MOST = 1000
_CHECK_SECONDS = 5.0
_TAKE = "SELECT pg_try_advisory_lock($1, $2)"


class SlotTaken(RuntimeError):  # noqa: N818  its text is the sentence that the operator reads
    """Another process has this one's number; the text says what follows."""


class Slot:
    """A number held for as long as the process lives: PostgreSQL frees it in the same moment.

    Kafka knows the process by it (a static member of its group): one that was killed takes its
    partitions again at once, where a stranger would wait until the dead one's session has ended.
    """

    def __init__(self, database: DatabaseSettings) -> None:
        self._database = database
        self._session: Session | None = None
        self.number = 0

    async def take(self) -> int:
        """Take the lowest number that is free."""
        self._session = await self._connect()
        for number in range(1, _MOST):
            if await self._session.fetchval(_TAKE, _LOCKS, number):
                self.number = number
                return number
        raise SlotTaken(f"{_MOST} processes of this service run already.")

    async def keep(self) -> None:
        """Watch the number until cancelled; raise `SlotTaken` when another process has it.

        After a restart of the database somebody else may have been quicker.
        """
        while True:
            await asyncio.sleep(_CHECK_SECONDS)
            try:
                await self._check()
            except (OSError, PostgresError, InterfaceError, TimeoutError) as error:
                _log.warning("the process cannot show that its number is its own", exc_info=error)
                self._forget()

    async def release(self) -> None:
        self._forget()

    async def _check(self) -> None:
        if self._session is not None:
            await self._session.fetchval("SELECT 1")
            return
        self._session = await self._connect()
        if not await self._session.fetchval(_TAKE, _LOCKS, self.number):
            raise SlotTaken(
                f"Another process of this service has taken number {self.number} over while the "
                "database was away: this one ends, and takes another number when it is started."
            )

    async def _connect(self) -> Session:
        return await connect_alone(self._database, "writer", name="slot")

    def _forget(self) -> None:
        if self._session is not None:
            self._session.terminate()
            self._session = None
