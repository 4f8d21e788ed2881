"""Ways to try credentials at servers of the test's own."""

from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from keyturn_contracts.probes import HttpProbe, SftpProbe

from deploy.demo.certificate import Certificate
from services.credential_vault.providers.dialling import Dialler
from services.credential_vault.providers.finding import Finding
from services.credential_vault.providers.http import HttpTry, try_http
from services.credential_vault.providers.probes import fill_probe
from services.credential_vault.providers.sftp import SftpLogin, try_sftp_login
from services.credential_vault.providers.smtp import SmtpLogin, try_smtp_login
from services.credential_vault.providers.trust import tls_context
from tests.credential_vault.given import SMTP, fields
from tests.credential_vault.probing import extension, secret_fields

Try = Callable[..., Awaitable[Finding]]


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    """Run on the loop that services run on too: it treats sockets in its own way."""
    return "asyncio", {"use_uvloop": request.param}


@pytest.fixture
def dialler() -> Dialler:
    return Dialler(
        allowed_private_hosts={"localhost"}, lookups=ThreadPoolExecutor(2), connect_seconds=5
    )


@pytest.fixture
def try_login(certificate: Certificate, dialler: Dialler) -> Try:
    """Try a password at localhost, believing the test's authority unless told otherwise."""

    async def attempt(
        port: int,
        password: str = "right",  # noqa: S107  a test's password
        *,
        security: str = "starttls",
        root: Path | None = certificate.root,
        host: str = "localhost",
        seconds: float = 10,
        **more: Any,
    ) -> Finding:
        settings = {"host": host, "port": str(port), "security": security}
        login = fill_probe(
            SMTP,
            "smtp-password",
            settings,
            fields(password, **more),
            private=dialler.allowed_private_hosts,
        )
        assert isinstance(login, SmtpLogin)
        assert password not in repr(login)
        return await try_smtp_login(login, dialler, tls_context(root), seconds)

    return attempt


@pytest.fixture
def try_probe(certificate: Certificate, dialler: Dialler) -> Try:
    """Try fields by a probe at localhost, believing the test's authority unless told otherwise."""

    async def attempt(
        probe: HttpProbe | SftpProbe,
        settings: dict[str, str],
        *rules: str,
        root: Path | None = certificate.root,
        seconds: float = 10,
        **given: str,
    ) -> Finding:
        private = dialler.allowed_private_hosts
        found = fill_probe(
            extension(probe, *rules), "only", settings, secret_fields(given), private=private
        )
        for value in given.values():
            assert value not in repr(found)
        match found:
            case HttpTry():
                return await try_http(found, dialler, tls_context(root), seconds)
            case SftpLogin():
                return await try_sftp_login(found, dialler, seconds)
            case SmtpLogin():
                raise AssertionError
            case Finding():
                return found

    return attempt
