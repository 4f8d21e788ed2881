"""The demo's mail server: a process of its own, which only its operator tells what to do.

It takes mail over STARTTLS from whoever logs in with a password that it knows, and writes down what
happened, each as a line of JSON. A password has a label there and is never written itself.
"""

import asyncio
import hmac
import json
import logging
import random
import ssl
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from email import message_from_bytes
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from deploy.demo.child import Orders, say
from deploy.demo.lifeline import until_ended
from deploy.demo.tally import WORKFLOW
from shared.security.process import close_to_others

_TAKING_SECONDS = (0.2, 0.5)
"""How long it takes to say yes to a message, as a relay does that writes it to disk before."""

Note = Callable[..., None]


class Passwords:
    """What the server knows: every password that it ever had, and which of them still work."""

    def __init__(self, user: str) -> None:
        self._user = user.encode()
        self._known: dict[str, bytes] = {}
        self._dropped: set[str] = set()

    def add(self, label: str, password: str) -> None:
        self._known[label] = password.encode()
        self._dropped.discard(label)

    def drop(self, label: str) -> None:
        """Refuse it from now on; a session that has logged in already goes on."""
        self._dropped.add(label)

    def try_login(self, user: bytes, password: bytes) -> tuple[bool, str]:
        """Return whether it is right, and the password's label, or `unknown` where it has none."""
        for label, known in self._known.items():
            if hmac.compare_digest(known, password):
                is_right = hmac.compare_digest(self._user, user) and label not in self._dropped
                return is_right, label
        return False, "unknown"


class Log:
    """An append-only file of JSON lines: what happened, and when by both clocks."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def note(self, what: str, **facts: object) -> None:
        times = {"at": round(time.time(), 6), "monotonic": round(time.monotonic(), 6)}
        self._file.write(json.dumps({**times, "what": what, **facts}) + "\n")


class Connection(SMTP):
    """One client. Its session in the log is a number; a client says who it is with EHLO."""

    def __init__(self, number: int, passwords: Passwords, note: Note, **settings: Any) -> None:
        super().__init__(
            self,
            hostname="localhost",
            ident="Keyturn demo",
            require_starttls=True,
            auth_required=True,
            authenticator=self._authenticate_client,
            auth_exclude_mechanism=["LOGIN"],  # a client would try a refused password by both
            **settings,
        )
        self._number = number
        self._passwords = passwords
        self._note = note
        self._client = ""
        self._label = "unknown"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self.transport is None:  # else it is the same connection, now within TLS
            self._note("opened", session=self._number)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._note("closed", session=self._number)
        super().connection_lost(error)

    def _authenticate_client(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: Any
    ) -> AuthResult:
        is_right, self._label = False, "unknown"
        if isinstance(data, LoginPassword):
            is_right, self._label = self._passwords.try_login(data.login, data.password)
        self._note(
            "login" if is_right else "refused",
            session=self._number,
            client=self._client,
            password=self._label,
        )
        # Not handled: aiosmtpd then answers 535 itself, where it would leave the client waiting.
        return AuthResult(success=is_right, handled=False)

    async def handle_EHLO(  # noqa: N802  the name that aiosmtpd looks for
        self,
        _server: SMTP,
        session: Session,
        _envelope: Envelope,
        client: str,
        responses: list[str],
    ) -> list[str]:
        if not self._client:
            self._client = client
            self._note("hello", session=self._number, client=client)
        session.host_name = client
        return responses

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802  the name that aiosmtpd looks for
        await asyncio.sleep(random.uniform(*_TAKING_SECONDS))  # noqa: S311  spreads the load
        content = envelope.content
        message = message_from_bytes(content if isinstance(content, bytes) else b"")
        self._note(
            "accepted",
            session=self._number,
            client=self._client,
            password=self._label,
            workflow=str(message.get(WORKFLOW, "")),
        )
        return "250 2.0.0 Taken"


async def serve(folder: Path, user: str, lives_with: int) -> None:
    """Serve as long as that process lives; the first line on stdout says on which port."""
    passwords = Passwords(user)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(folder / "server.pem", folder / "server.key")
    numbers = iter(range(1, sys.maxsize))
    with (folder / "mail.jsonl").open("a", buffering=1, encoding="utf-8") as file:
        log = Log(file)
        loop = asyncio.get_running_loop()

        def connect() -> Connection:
            return Connection(next(numbers), passwords, log.note, tls_context=tls, loop=loop)

        server = await loop.create_server(connect, "127.0.0.1", 0, backlog=1024)
        port = int(server.sockets[0].getsockname()[1])
        servers = [server]
        with suppress(OSError):  # a machine without IPv6; `localhost` may mean either
            servers.append(await loop.create_server(connect, "::1", port, backlog=1024))
        say({"port": port})
        orders = loop.create_task(_obey(passwords, log))
        await until_ended(lives_with)
        orders.cancel()
        for one in servers:
            one.close()


async def _obey(passwords: Passwords, log: Log) -> None:
    """Do what the operator says, until nobody can say anything any more."""
    orders = Orders()
    await orders.open()
    while order := await orders.next():
        if order["do"] == "add":
            passwords.add(order["label"], order["password"])
        else:
            passwords.drop(order["label"])
        log.note(order["do"], password=order["label"])
        say({"done": order["do"], "password": order["label"]})


def main(
    folder: Annotated[Path, typer.Option(help="Where its certificate is and its log goes.")],
    user: Annotated[str, typer.Option(help="The one user that it knows.")],
    lives_with: Annotated[int, typer.Option(help="It ends when this process has ended.")],
) -> None:
    """Run the demo's mail server."""
    close_to_others()
    # aiosmtpd warns of its own use of what it calls deprecated, at each login.
    logging.getLogger("mail.log").setLevel(logging.ERROR)
    asyncio.run(serve(folder, user, lives_with))


if __name__ == "__main__":
    typer.run(main)
