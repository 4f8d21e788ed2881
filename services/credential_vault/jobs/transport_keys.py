"""Keeps a transport key that may be given out, and destroys those that nothing needs any more."""

from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncEngine

from services.credential_vault.store import transport_keys
from shared.security.keys import KeyProvider


async def keep_transport_keys(engine: AsyncEngine, keys: KeyProvider) -> int:
    """Rotate and destroy as their lifetimes say; return how many keys were made or destroyed."""
    now = datetime.now(UTC)
    async with engine.begin() as connection:
        made = await transport_keys.rotate(connection, keys, now)
        destroyed = await transport_keys.destroy(connection, now)
    return made + destroyed
