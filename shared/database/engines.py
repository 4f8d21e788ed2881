"""Connections to a service's own database, as one of its three roles."""

import ssl
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol, cast

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from shared.settings import DatabaseRole, DatabaseSettings

TRANSACTION_SECONDS = 30
"""No transaction may last longer: it would hold back the horizon that feeds and seals read to."""


def create_engine(
    database: DatabaseSettings, role: DatabaseRole, *, connections: int = 5
) -> AsyncEngine:
    """Return an engine whose errors and logs show no parameters. Nothing is connected yet."""
    return create_async_engine(
        "postgresql+asyncpg://",
        connect_args=_arguments(database, role, name=role),
        hide_parameters=True,
        pool_size=connections,
        max_overflow=connections,
    )


class Session(Protocol):
    """The part of asyncpg's connection that is of use outside a pool."""

    async def execute(self, query: str, *arguments: object) -> str: ...
    async def fetch(self, query: str, *arguments: object) -> list[Sequence[Any]]: ...
    async def fetchval(self, query: str, *arguments: object) -> Any: ...
    async def add_listener(self, channel: str, callback: Callable[..., None]) -> None: ...
    def add_termination_listener(self, callback: Callable[..., None]) -> None: ...
    def is_closed(self) -> bool: ...
    async def close(self) -> None: ...
    def terminate(self) -> None: ...


async def connect_alone(database: DatabaseSettings, role: DatabaseRole, *, name: str) -> Session:
    """Connect outside any pool: for what belongs to the session, such as a lock or LISTEN."""
    connect = cast("Callable[..., Awaitable[Session]]", asyncpg.connect)
    return await connect(**_arguments(database, role, name=name))


def _arguments(database: DatabaseSettings, role: DatabaseRole, *, name: str) -> dict[str, Any]:
    login = database.login(role)
    return {
        "host": database.host,
        "port": database.port,
        "database": database.name,
        "user": login.name,
        "password": login.password.get_secret_value(),
        "ssl": _tls(database),
        "timeout": 10,
        # A connection that nobody answers on any more must not be waited for without end.
        "command_timeout": TRANSACTION_SECONDS + 10,
        "server_settings": {
            "application_name": f"keyturn {name}",
            # Plans are short and many: compiling them costs more than it gains.
            "jit": "off",
            "transaction_timeout": f"{TRANSACTION_SECONDS}s",
        },
    }


def _tls(database: DatabaseSettings) -> ssl.SSLContext | bool:
    if database.tls == "disable":
        return False
    context = ssl.create_default_context(cafile=database.ca_file)
    if database.tls == "require":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
