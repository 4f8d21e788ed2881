"""Reads for one brand: the database itself shows a route nothing of any other."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from keyturn_contracts.actor import Actor
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.messaging.context import Context

_FOR_BRAND = text("SELECT set_config('app.brand', :brand, true)")


@asynccontextmanager
async def brand_connection(context: Context, actor: Actor) -> AsyncGenerator[AsyncConnection]:
    """Connect as the reader, for the brand of who asks; nothing can be written."""
    async with connection_for(context, actor.brand) as connection:
        yield connection


@asynccontextmanager
async def connection_for(context: Context, brand: str) -> AsyncGenerator[AsyncConnection]:
    """Connect as the reader for a brand. One that is not verified yet: read keys by it alone."""
    async with context.reader.connect() as connection:
        # Ends with the transaction, and that ends with the connection's return to its pool.
        await connection.execute(_FOR_BRAND, {"brand": brand})
        yield connection
