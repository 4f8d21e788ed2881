"""Asks providers: within an operator's limits, and never longer than a worker's lease."""

import ssl
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from keyturn_contracts.catalog import Manifest
from redis.asyncio import Redis

from services.credential_vault.providers.dialling import Dialler
from services.credential_vault.providers.finding import Finding
from services.credential_vault.providers.http import HttpTry, try_http
from services.credential_vault.providers.limits import Limits
from services.credential_vault.providers.probes import Attempt, fill_probe
from services.credential_vault.providers.sftp import SftpLogin, try_sftp_login
from services.credential_vault.providers.smtp import SmtpLogin, try_smtp_login
from services.credential_vault.settings import VaultSettings
from shared.security.secret_fields import SecretFields


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

    def prepare(
        self, manifest: Manifest, scheme: str, settings: Mapping[str, str], fields: SecretFields
    ) -> Finding | Attempt:
        """Return what is to be tried, or what can be said without asking anybody."""
        return fill_probe(
            manifest, scheme, settings, fields, private=self._dialler.allowed_private_hosts
        )

    async def take_turn(self, attempt: Attempt) -> float:
        """Return 0 where it may be tried now, else how many seconds to wait."""
        for provider in attempt.providers:
            if (wait := await self._limits.take_turn(provider)) > 0:
                return wait
        return 0.0

    async def carry_out(self, attempt: Attempt) -> Finding:
        match attempt:
            case SmtpLogin():
                return await try_smtp_login(attempt, self._dialler, self._trust, self._seconds)
            case SftpLogin():
                return await try_sftp_login(attempt, self._dialler, self._seconds)
            case HttpTry():
                return await try_http(attempt, self._dialler, self._trust, self._seconds)
