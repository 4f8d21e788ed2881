"""One connection to PostgreSQL for an administrator's statements, and what it can do."""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar, cast

import asyncpg

from deploy.local.problems import StackProblem

T = TypeVar("T")
_PATIENCE_SECONDS = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A PostgreSQL, and a role there that may create databases and roles."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    database: str = "postgres"
    tls: Literal["disable", "require", "verify-full"] = "disable"
    ca_file: Path | None = None


class Connection(Protocol):
    """The part of asyncpg's connection that is used here; its own signatures leave much open."""

    async def execute(self, query: str) -> str: ...
    async def fetch(self, query: str) -> Sequence[Mapping[str, Any]]: ...
    async def fetchval(self, query: str) -> Any: ...
    async def close(self) -> None: ...


@asynccontextmanager
async def connected(server: Server) -> AsyncGenerator[Connection]:
    try:
        connection = await _connect(server)
    except (OSError, asyncpg.PostgresError, TimeoutError) as error:
        raise StackProblem(
            f"PostgreSQL at {server.host} does not let {server.user} in ({error}): check the "
            "address, the password and that it runs."
        ) from error
    try:
        yield connection
    finally:
        await connection.close()


async def _connect(server: Server) -> Connection:
    connect = cast("Callable[..., Awaitable[Connection]]", asyncpg.connect)
    return await connect(
        host=server.host,
        port=server.port,
        user=server.user,
        password=server.password,
        database=server.database,
        ssl=_tls(server),
        timeout=_PATIENCE_SECONDS,
    )


def run_apart(work: Coroutine[Any, Any, T]) -> T:
    """Run it to its end in a loop of its own, wherever we are called from."""
    with ThreadPoolExecutor(1, thread_name_prefix="sql") as pool:
        return pool.submit(asyncio.run, work).result()


def _tls(server: Server) -> ssl.SSLContext | bool:
    if server.tls == "disable":
        return False
    context = ssl.create_default_context(cafile=server.ca_file)
    if server.tls == "require":
        # As libpq understands the word: enciphered, with whoever answers.
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
