"""A real mail server for tests, and one that says whatever it is told to."""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from deploy.demo.certificate import Certificate

USER = "keyturn"


@dataclass
class MailServer:
    """Accepts logins by one user with the passwords that work now, after TLS alone."""

    port: int = 0
    passwords: set[str] = field(default_factory=set[str])
    logins: list[tuple[str, bool]] = field(default_factory=list[tuple[str, bool]])
    """The password of every login that was tried, and whether it was right."""

    @property
    def settings(self) -> dict[str, str]:
        return {"host": "localhost", "port": str(self.port)}

    def judge(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: Any
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        password = data.password.decode()
        is_right = data.login == USER.encode() and password in self.passwords
        self.logins.append((password, is_right))
        # Not handled: aiosmtpd then answers 535 itself.
        return AuthResult(success=is_right, handled=False)


def server_context(certificate: Certificate) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate.chain, certificate.key)
    return context


@asynccontextmanager
async def mail_server(
    certificate: Certificate, *, implicit_tls: bool = False, **options: Any
) -> AsyncGenerator[MailServer]:
    """Run an aiosmtpd server on a free port of 127.0.0.1, in this loop."""
    running = MailServer()
    context = server_context(certificate)

    def connection() -> SMTP:
        # In implicit TLS aiosmtpd does not see that the line is encrypted.
        return SMTP(
            object(),
            hostname="localhost",
            tls_context=None if implicit_tls else context,
            require_starttls=not implicit_tls,
            auth_require_tls=not implicit_tls,
            authenticator=running.judge,
            **options,
        )

    server = await asyncio.get_running_loop().create_server(
        connection, "127.0.0.1", 0, ssl=context if implicit_tls else None
    )
    running.port = server.sockets[0].getsockname()[1]
    try:
        yield running
    finally:
        server.close()
        await server.wait_closed()


@asynccontextmanager
async def scripted_server(
    certificate: Certificate | None, answers: Sequence[bytes], received: list[bytes]
) -> AsyncGenerator[int]:
    """Say these lines, one before each line that comes; keep silent when they are used up.

    With a certificate it speaks TLS from the first byte. What it receives is added to `received`.
    """

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            for answer in answers:
                writer.write(answer)
                await writer.drain()
                line = await reader.readline()
                if not line:
                    break
                received.append(line)
            await reader.read()
        except ConnectionError:
            pass
        finally:
            writer.close()

    context = None if certificate is None else server_context(certificate)
    server = await asyncio.start_server(converse, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()
