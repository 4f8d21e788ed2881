# ruff: noqa: INP001  a program to be copied, in no package
"""A mail server for trying things out: it takes mail from whoever knows one of its passwords.

    keyturn python mail_server.py FOLDER

The user is `relay`; the passwords are the lines of FOLDER/passwords, read at each login, so that
a second one works as soon as it stands there and a removed one stops. FOLDER/port says where it
listens, on loopback only, and FOLDER/authority.pem whom to believe about its certificate.
"""

import asyncio
import contextlib
import hmac
import logging
import ssl
import sys
from pathlib import Path

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from deploy.demo.certificate import make_certificate

USER = b"relay"


class Mail:
    """Takes every message, and keeps none."""

    async def handle_DATA(self, _server: SMTP, _session: Session, _envelope: Envelope) -> str:  # noqa: N802  the name that aiosmtpd looks for
        return "250 2.0.0 Taken"


class Passwords:
    """The file with the passwords that work now."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def check(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, login: object
    ) -> AuthResult:
        is_right = (
            isinstance(login, LoginPassword)
            and hmac.compare_digest(login.login, USER)
            and any(hmac.compare_digest(login.password, one) for one in self._lines())
        )
        # Not handled: aiosmtpd then answers 535 itself, where it would leave the client waiting.
        return AuthResult(success=is_right, handled=False)

    def _lines(self) -> list[bytes]:
        return self._file.read_bytes().splitlines() if self._file.exists() else []


async def serve(folder: Path) -> None:
    """Serve until the process ends."""
    certificate = make_certificate(folder)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate.chain, certificate.key)
    passwords = Passwords(folder / "passwords")
    loop = asyncio.get_running_loop()

    def connect() -> SMTP:
        return SMTP(
            Mail(),
            hostname="localhost",
            tls_context=tls,
            require_starttls=True,
            auth_required=True,
            authenticator=passwords.check,
            auth_exclude_mechanism=["LOGIN"],  # a client would try a wrong password by both
            loop=loop,
        )

    server = await loop.create_server(connect, "127.0.0.1", 0)
    port = int(server.sockets[0].getsockname()[1])
    with contextlib.suppress(OSError):  # a machine without IPv6; `localhost` may mean either
        await loop.create_server(connect, "::1", port)
    (folder / "port").write_text(str(port))
    await server.serve_forever()


if __name__ == "__main__":
    logging.getLogger("mail.log").setLevel(logging.ERROR)
    asyncio.run(serve(Path(sys.argv[1])))
