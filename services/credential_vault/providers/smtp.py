"""Logging in to a mail server: TLS with its certificate checked, AUTH, NOOP, QUIT; no message."""

import asyncio
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

from aiosmtplib import SMTP
from aiosmtplib.errors import (
    SMTPAuthenticationError,
    SMTPException,
    SMTPResponseException,
)

from services.credential_vault.providers.dialling import (
    AddressRefusedError,
    Dialler,
    UnreachableError,
)
from services.credential_vault.providers.finding import Finding
from services.credential_vault.providers.trouble import broken_off, explain
from services.credential_vault.rules.trial import Verdict

Security = Literal["starttls", "tls"]
_AUTHENTICATION_FAILED = 535
_PERMANENT = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpLogin:
    """One login to be tried. Its secrets do not print."""

    host: str
    port: int
    security: Security
    username: str = field(repr=False)
    password: str = field(repr=False)
    clean: Callable[[str], str] = field(repr=False)
    """Makes of an answer what people may read."""

    @property
    def provider(self) -> str:
        return f"{self.host.lower()}:{self.port}"

    @property
    def providers(self) -> tuple[str, ...]:
        return (self.provider,)


class _WrongSettings(Exception):  # noqa: N818  it is an answer, not a fault
    """The server does not offer what the account's settings ask for. Its text is for people."""


_OWN_WORDS: dict[type[Exception], Verdict] = {
    AddressRefusedError: "address_refused",
    UnreachableError: "provider_unreachable",
    _WrongSettings: "settings_invalid",
}


async def try_smtp_login(
    login: SmtpLogin, dialler: Dialler, context: ssl.SSLContext, seconds: float
) -> Finding:
    """Say what the server thinks of these credentials; whatever goes wrong is a finding too."""
    try:
        async with asyncio.timeout(seconds):
            await _log_in(login, dialler, context)
    except (AddressRefusedError, UnreachableError, _WrongSettings) as error:
        return Finding(_OWN_WORDS[type(error)], str(error))
    except SMTPResponseException as error:
        return _judge(error, login)
    except (SMTPException, OSError) as error:
        return _explain(error, login.provider)
    return Finding("accepted", f"{login.provider} accepted the login.")


async def _log_in(login: SmtpLogin, dialler: Dialler, context: ssl.SSLContext) -> None:
    connected = await dialler.connect(login.host, login.port)
    client = SMTP(
        # The name that the certificate must be for; the socket is connected already.
        hostname=login.host,
        sock=connected,
        local_hostname=_own_name(connected),
        use_tls=login.security == "tls",
        start_tls=False,
        tls_context=context,
        timeout=None,
    )
    try:
        await client.connect()
        await client.ehlo()
        if login.security == "starttls":
            if not client.supports_extension("starttls"):
                raise _WrongSettings(f"{login.provider} does not offer STARTTLS.")
            await client.starttls(server_hostname=login.host)
            await client.ehlo()
        await _authenticate(client, login)
        await client.noop()
        with suppress(SMTPException):
            await client.quit()
    finally:
        client.close()
        _hang_up(connected)


def _hang_up(connected: socket.socket) -> None:
    """Have the connection end now, not when the other side has agreed to.

    Its transport owns the descriptor, and closes it: closed here, its number could already belong
    to another connection when the transport uses it.
    """
    with suppress(OSError):
        connected.shutdown(socket.SHUT_RDWR)


async def _authenticate(client: SMTP, login: SmtpLogin) -> None:
    if client.get_transport_info("sslcontext") is None:
        raise _WrongSettings(f"{login.provider} was not encrypted, so nothing was sent.")
    username, password = login.username.encode(), login.password.encode()
    # One method, once: a server may count failed logins and lock the user out.
    if "plain" in client.server_auth_methods:
        await client.auth_plain(username, password)
    elif "login" in client.server_auth_methods:
        await client.auth_login(username, password)
    else:
        raise _WrongSettings(
            f"{login.provider} offers no login with a user and a password after TLS."
        )


def _judge(error: SMTPResponseException, login: SmtpLogin) -> Finding:
    answer = login.clean(error.message)
    said = f"{login.provider} answered {error.code}{f': {answer}' if answer else ''}."
    if error.code < 0:
        return Finding("settings_invalid", f"{login.provider} does not speak SMTP.")
    if error.code < _PERMANENT:
        return Finding("provider_unreachable", said)
    is_login = isinstance(error, SMTPAuthenticationError)
    refused = is_login and error.code == _AUTHENTICATION_FAILED
    return Finding("credentials_refused" if refused else "settings_invalid", said)


def _explain(error: SMTPException | OSError, where: str) -> Finding:
    cause = error.__cause__ if isinstance(error.__cause__, ssl.SSLError) else error
    if not isinstance(cause, OSError):
        return broken_off(where)
    no_tls = f"{where} does not speak TLS as the setting `security` says."
    return explain(cause, where, no_tls=no_tls)


def _own_name(connected: socket.socket) -> str:
    """Return the address that we connect from, as RFC 5321 (4.1.3) writes it in place of a name."""
    address = str(connected.getsockname()[0])
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"
