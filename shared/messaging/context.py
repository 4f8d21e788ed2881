"""What the code of a service is given: its database, its issuers, and a way to wake its jobs."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from keyturn_contracts.keys import SigningKey
from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.messaging.issuers import Issuers
from shared.messaging.members import LoadListed, load_listed
from shared.settings import ServiceSettings

KeysByIssuer = dict[str, dict[str, SigningKey]]
"""For each issuer its keys by thumbprint; who is unknown or retired is left out."""
EngineKeys = Callable[[AsyncConnection, Sequence[tuple[str, str]]], Awaitable[KeysByIssuer]]
"""Look up (brand, engine id) pairs; the issuers are named as `keyturn_contracts.actor` does."""


@dataclass(frozen=True, kw_only=True)
class Context:
    """Made once for each process, and handed to all that starts in it."""

    settings: ServiceSettings
    writer: AsyncEngine
    """The consumer and jobs; a route only for what a read leaves behind, such as its audit row."""
    reader: AsyncEngine
    """Routes, under row-level security: by `shared.http.brand.brand_connection` alone."""
    redis: Redis | None
    """None where there is none. All of it may be lost at any moment, and its calls may fail."""
    issuers: Issuers
    engine_keys: EngineKeys | None = None
    members: LoadListed = load_listed
    wake: Callable[[], None] = lambda: None
    """Have the relay and every job look now: call it after a commit of one's own."""
