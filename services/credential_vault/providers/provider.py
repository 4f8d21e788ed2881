"""Asks providers: within an operator's limits, and never longer than a worker's lease."""

import ssl
from concurrent.futures import ThreadPoolExecutor

from redis.asyncio import Redis

from services.credential_vault.providers.dialling import Dialler
from services.credential_vault.providers.finding import Finding
from services.credential_vault.providers.limits import Limits
from services.credential_vault.providers.smtp import SmtpLogin, try_smtp_login
from services.credential_vault.settings import VaultSettings


class Providers:
    """What one process shares between its tries: trust, limits, and threads for look-ups."""

    def __init__(self, settings: VaultSettings, redis: Redis | None, trust: ssl.SSLContext) -> None:
        self._seconds = settings.try_seconds
        self._trust = trust
        self._limits = Limits(
            redis,
            tries=settings.tries_per_provider,
            window_seconds=settings.tries_window_seconds,
        )
        self._dialler = Dialler(
            allowed_private_hosts=settings.allowed_private_hosts,
            lookups=ThreadPoolExecutor(settings.tries_at_once, "look-up"),
            connect_seconds=settings.try_seconds / 2,
        )

    async def take_turn(self, login: SmtpLogin) -> float:
        """Return 0 where it may be tried now, else how many seconds to wait."""
        return await self._limits.take_turn(login.provider)

    async def log_in(self, login: SmtpLogin) -> Finding:
        return await try_smtp_login(login, self._dialler, self._trust, self._seconds)
