"""The engine's own file: its list, numbers and messages, and what it heard. No credential."""

import asyncio
import contextlib
import fcntl
import os
import sqlite3
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from keyturn_client.problems import EngineStoppedError

P = ParamSpec("P")
R = TypeVar("R")

_SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE engine (
    only_row      INTEGER PRIMARY KEY CHECK (only_row = 1),
    brand         TEXT NOT NULL,
    engine_id     TEXT NOT NULL,
    epoch         INTEGER NOT NULL,
    number        INTEGER NOT NULL,
    service_epoch INTEGER NOT NULL
) STRICT;
CREATE TABLE workflows (
    workflow_id TEXT PRIMARY KEY,
    name        TEXT NOT NULL,
    owner       TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE bindings (
    workflow_id TEXT NOT NULL,
    task_id     TEXT NOT NULL,
    account_id  TEXT NOT NULL,
    PRIMARY KEY (workflow_id, task_id, account_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX bindings_of_an_account ON bindings (account_id, workflow_id);
CREATE TABLE holdings (
    account_id TEXT PRIMARY KEY,
    bindings   INTEGER NOT NULL,
    digest     TEXT NOT NULL
) STRICT, WITHOUT ROWID;
-- Workflows whose newest save or deletion has no outcome yet, and the command that carries it.
CREATE TABLE unsettled (
    workflow_id TEXT PRIMARY KEY,
    epoch       INTEGER NOT NULL,
    number      INTEGER NOT NULL,
    removes     INTEGER NOT NULL  -- a task or all of it: no whole list says that by name
) STRICT, WITHOUT ROWID;
CREATE INDEX unsettled_by_command ON unsettled (epoch, number);
-- What has no outcome yet, of the current epoch alone.
CREATE TABLE outbox (
    number     INTEGER PRIMARY KEY,
    sent       INTEGER NOT NULL DEFAULT 0,
    command_id TEXT NOT NULL,
    type       TEXT NOT NULL,
    value      BLOB NOT NULL  -- last: what stands after it is only found by reading all of it
) STRICT;
CREATE INDEX unsent ON outbox (number) WHERE sent = 0;
CREATE TABLE accounts (
    account_id TEXT PRIMARY KEY,
    heard      INTEGER NOT NULL,
    named      INTEGER NOT NULL,
    confirmed  INTEGER NOT NULL,
    failures   INTEGER NOT NULL,
    owes       TEXT NOT NULL,
    asked      TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE offsets (
    topic       TEXT NOT NULL,
    partition   INTEGER NOT NULL,
    next_offset INTEGER NOT NULL,
    PRIMARY KEY (topic, partition)
) STRICT, WITHOUT ROWID;
"""


class StateFileError(Exception):
    """The state file cannot be used; the text says why and what to do."""


class Store:
    """A connection to the file, locked against other processes until it is closed."""

    def __init__(self, path: Path, *, brand: str, engine_id: str) -> None:
        self._lock = _lock_beside(path)
        try:
            # One thread at a time uses it, see `InOneThread`.
            self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            os.chmod(path, 0o600)  # noqa: PTH101  beside `os.open` below
            self._prepare(path, brand, engine_id)
        except BaseException:
            self.close()
            raise

    def _prepare(self, path: Path, brand: str, engine_id: str) -> None:
        connection = self._connection
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version == 0:
            with self.transaction():
                for statement in _SCHEMA.split(";\n"):
                    connection.execute(statement)
                connection.execute(
                    "INSERT INTO engine VALUES (1, ?, ?, 0, 0, 0)", (brand, engine_id)
                )
                connection.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")
        elif version != _SCHEMA_VERSION:
            raise StateFileError(
                f"{path} was written by another version of this library: use that version, or "
                "give the engine a new file and save all its workflows again."
            )
        of = connection.execute("SELECT brand, engine_id FROM engine").fetchone()
        if of != (brand, engine_id):
            raise StateFileError(
                f"{path} belongs to engine {of[1]} of {of[0]}: each engine has a file of its own."
            )

    @contextlib.contextmanager
    def transaction(self) -> Generator[sqlite3.Connection]:
        """Commit what is done in it, or none of it."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield self._connection
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def close(self) -> None:
        if hasattr(self, "_connection"):
            self._connection.close()
        os.close(self._lock)


def _lock_beside(path: Path) -> int:
    lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise EngineStoppedError(
            "file_in_use", f"Another process uses {path}: one process runs as an engine at a time."
        ) from None
    return lock


class InOneThread:
    """Runs functions on the store, one after the other, each a transaction, beside the loop."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="keyturn-store")

    async def do(
        self,
        work: Callable[Concatenate[sqlite3.Connection, P], R],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R:
        """Run `work(connection, …)` in a transaction; finished even if nobody waits for it."""

        def run() -> R:
            with self._store.transaction() as connection:
                return work(connection, *args, **kwargs)

        return await asyncio.get_running_loop().run_in_executor(self._thread, run)

    def close(self) -> None:
        """Finish the transaction in hand, then let go of the file."""
        self._thread.shutdown(wait=True, cancel_futures=True)
        self._store.close()
