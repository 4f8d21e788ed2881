"""A PostgreSQL that does not always answer: a real one, behind a socket that is cut on demand."""

import asyncio
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

from shared.settings import DatabaseSettings

Cut = Literal["before the commit", "after the commit"]


class Proxy:
    """Passes everything on, until it is armed; then it cuts the next COMMIT."""

    def __init__(self, to: DatabaseSettings) -> None:
        self._to = Path(to.host) / f".s.PGSQL.{to.port}"
        self._armed: Cut | None = None
        self.cuts = 0

    def arm(self, cut: Cut) -> None:
        self._armed = cut

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_unix_connection(self._to)
        answers = asyncio.create_task(_pass_on(server_reader, writer))
        try:
            while said := await reader.read(65536):
                cut = self._armed if b"COMMIT" in said else None
                if cut is not None:
                    self._armed = None
                    self.cuts += 1
                    # Whatever comes now is not passed on any more.
                    answers.cancel()
                    await asyncio.gather(answers, return_exceptions=True)
                if cut == "after the commit":
                    server_writer.write(said)
                    await server_reader.read(65536)
                if cut is not None:
                    return
                server_writer.write(said)
                await server_writer.drain()
        finally:
            answers.cancel()
            server_writer.close()
            writer.close()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while said := await reader.read(65536):
        writer.write(said)
        await writer.drain()
    writer.close()


@asynccontextmanager
async def proxied(to: DatabaseSettings) -> AsyncGenerator[tuple[Proxy, DatabaseSettings]]:
    """Return a proxy, and the settings of a database that is reached through it."""
    proxy = Proxy(to)
    with tempfile.TemporaryDirectory(prefix="pg") as folder:
        path = Path(folder) / f".s.PGSQL.{to.port}"
        server = await asyncio.start_unix_server(proxy.serve, path)
        async with server:
            yield proxy, to.model_copy(update={"host": folder})
