"""The events of the demo's brand, as they come: what the demo waits for and shows."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Generic, TypeVar

from keyturn_client import Backend, KeyturnError
from keyturn_contracts.message import Event
from keyturn_contracts.workflow import RolloutChanged

E = TypeVar("E", bound=Event)
E_co = TypeVar("E_co", bound=Event, covariant=True)


class NotAsPromisedError(Exception):
    """The demo cannot go on; the text is a sentence that says what is not as it was promised."""


@asynccontextmanager
async def promised(sentence: str, *, within: timedelta) -> AsyncGenerator[None]:
    """Give the block so much time; where it takes longer, the sentence is what goes wrong."""
    try:
        async with asyncio.timeout(within.total_seconds()):
            yield
    except TimeoutError:
        raise NotAsPromisedError(f"{sentence} ({within.total_seconds():g} s)") from None


@dataclass(frozen=True, slots=True)
class Told(Generic[E_co]):
    """An event, and when the broker appended it, in seconds since 1970."""

    event: E_co
    at: float


class News:
    """Everything that the vault and the workflow service have told so far."""

    def __init__(self) -> None:
        self._told: list[Told[Event]] = []
        self._failed: str | None = None
        self._changed = asyncio.Condition()

    async def collect(self, backend: Backend) -> None:
        """Read events from their beginning, until cancelled."""
        try:
            async for one in backend.events(
                "catalog", "credential-vault", "workflow", from_start=True
            ):
                self._told.append(Told(one.event, one.appended_at.timestamp()))
                await self._tell()
        except KeyturnError as error:
            self._failed = str(error)
            await self._tell()

    def find(self, kind: type[E], about: Callable[[E], bool]) -> Told[E] | None:
        """Return the first event of that kind that is about just this, if it has come."""
        for one in self._told:
            if isinstance(one.event, kind) and about(one.event):
                return Told(one.event, one.at)
        return None

    async def wait_for(
        self, kind: type[E], about: Callable[[E], bool], *, within: timedelta
    ) -> Told[E]:
        """Return it when it has come, or raise `NotAsPromisedError`."""
        async with promised(f"No {kind.__name__} has come.", within=within), self._changed:
            while (found := self.find(kind, about)) is None:
                if self._failed is not None:
                    raise NotAsPromisedError(self._failed)
                await self._changed.wait()
            return found

    def rollout(self, rollout_id: str) -> Told[RolloutChanged] | None:
        """Return the newest that was told of a rollout."""
        for one in reversed(self._told):
            if isinstance(one.event, RolloutChanged) and one.event.rollout_id == rollout_id:
                return Told(one.event, one.at)
        return None

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()
