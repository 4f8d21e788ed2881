"""What can go wrong in an engine on purpose: each a way to lie that Keyturn must not believe.

Nothing of it is in the client library: an engine that wants to lie does so around it.
"""

import sqlite3
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from pathlib import Path

from keyturn_client import Engine, Fetched
from keyturn_client.engine import lists, vault
from keyturn_contracts.keys import SealingKey


class Honest:
    """Gives each run the version that it began with: what the library is for."""

    def __init__(self, account_id: str) -> None:
        self._account_id = account_id

    @asynccontextmanager
    async def run(self, engine: Engine, workflow: str) -> AsyncGenerator[Fetched]:
        async with engine.run(workflow) as run:
            yield run.credential(self._account_id)


class SkippingOne(Honest):
    """Leaves one workflow on the credential that it began with, and confirms all the same.

    No digest can see it: the list is true, and the library believes that the run switched.
    """

    def __init__(self, account_id: str, skipped: str) -> None:
        super().__init__(account_id)
        self._skipped = skipped
        self._kept: Fetched | None = None

    @asynccontextmanager
    async def run(self, engine: Engine, workflow: str) -> AsyncGenerator[Fetched]:
        async with super().run(engine, workflow) as credential:
            if workflow != self._skipped:
                yield credential
                return
            self._kept = self._kept or credential
            yield self._kept


class ForgettingOne(Honest):
    """Loses one workflow out of its own list without a word; it runs on with what it holds."""

    def __init__(self, account_id: str, forgotten: str, state_file: Path) -> None:
        super().__init__(account_id)
        self._forgotten = forgotten
        self._state_file = state_file
        self._kept: Fetched | None = None

    def forget(self) -> None:
        """Edit the library's file behind its back."""
        with closing(sqlite3.connect(self._state_file, timeout=30)) as connection, connection:
            lists.delete(connection, [self._forgotten])

    @asynccontextmanager
    async def run(self, engine: Engine, workflow: str) -> AsyncGenerator[Fetched]:
        if workflow == self._forgotten and self._kept is not None:
            yield self._kept
            return
        async with super().run(engine, workflow) as credential:
            if workflow == self._forgotten:
                self._kept = credential
            yield credential


def stop_opening() -> None:
    """From the second version on, have the engine claim what it has not opened."""
    open_for_engine = vault.open_for_engine
    first: list[Fetched] = []

    def open_the_first(
        sealed: str, key: SealingKey, *, brand: str, account_id: str, version: int, engine_id: str
    ) -> Fetched:
        if not first or first[0].version == version:
            opened = open_for_engine(
                sealed,
                key,
                brand=brand,
                account_id=account_id,
                version=version,
                engine_id=engine_id,
            )
            first.append(opened)
            return opened
        return Fetched(
            account_id=account_id,
            version=version,
            fields=first[0].fields,
            settings=first[0].settings,
            receipt="0" * 64,
        )

    vault.open_for_engine = open_the_first
