"""What the engine has heard and said of each account, as it stands in its file.

Every function runs in the caller's transaction.
"""

import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from keyturn_client.engine.accounts import Kept
from keyturn_client.wire import Place

_COLUMNS = "heard, named, confirmed, failures, owes, asked"


def load(connection: sqlite3.Connection, account_id: str) -> Kept | None:
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM accounts WHERE account_id = ?",  # noqa: S608  a constant
        (account_id,),
    ).fetchone()
    return row and _kept(row)


def load_all(connection: sqlite3.Connection) -> dict[str, Kept]:
    rows = connection.execute(f"SELECT account_id, {_COLUMNS} FROM accounts")  # noqa: S608  a constant
    return {account_id: _kept(columns) for account_id, *columns in rows}


def change(
    connection: sqlite3.Connection, account_id: str, changed: Callable[[Kept], Kept]
) -> Kept:
    """Save what `changed` makes of it; return that."""
    before = load(connection, account_id)
    after = changed(before or Kept())
    if after != before:
        connection.execute(
            f"INSERT OR REPLACE INTO accounts (account_id, {_COLUMNS}) "  # noqa: S608  a constant
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                account_id,
                after.heard,
                after.named,
                after.confirmed,
                after.failures,
                after.owes,
                json.dumps(after.asked),
            ),
        )
    return after


def load_offsets(connection: sqlite3.Connection) -> dict[Place, int]:
    rows = connection.execute("SELECT topic, partition, next_offset FROM offsets")
    return {(topic, partition): offset for topic, partition, offset in rows}


def save_offsets(connection: sqlite3.Connection, offsets: Mapping[Place, int]) -> None:
    connection.executemany(
        "INSERT OR REPLACE INTO offsets VALUES (?, ?, ?)",
        [(*place, offset) for place, offset in offsets.items()],
    )


def is_restored(connection: sqlite3.Connection, epochs: Iterable[int]) -> bool:
    """Tell whether the workflow service has begun a new epoch of its own, and note it."""
    (known,) = connection.execute("SELECT service_epoch FROM engine").fetchone()
    newest = max(epochs, default=known)
    if newest <= known:
        return False
    connection.execute("UPDATE engine SET service_epoch = ?", (newest,))
    return known > 0


def _kept(columns: Sequence[Any]) -> Kept:
    heard, named, confirmed, failures, owes, asked = columns
    epoch, version, times = json.loads(asked)
    return Kept(
        heard=heard,
        named=named,
        confirmed=confirmed,
        failures=failures,
        owes=owes,
        asked=(epoch, version, times),
    )
