"""Who runs the mail server: starts it, and says which passwords work there."""

import os
import ssl
from pathlib import Path

import aiosmtplib

from deploy.demo.child import Child

USER = "keyturn-demo"


class MailOperator:
    """The one who may tell the mail server what to do."""

    def __init__(self, child: Child, port: int, folder: Path) -> None:
        self._child = child
        self.port = port
        self.log = folder / "mail.jsonl"

    @classmethod
    async def start(cls, folder: Path, *, lives_with: int | None = None) -> "MailOperator":
        """Start the server whose certificate is in this folder; it knows no password yet."""
        child = await Child.start(
            "deploy.demo.mail",
            *("--folder", str(folder), "--user", USER),
            *("--lives-with", str(lives_with or os.getpid())),
            errors=folder / "mail.err",
        )
        answer = await child.answer()
        return cls(child, int(answer["port"]), folder)

    async def add(self, label: str, password: str) -> None:
        """Let this password work beside the others; the log names it by its label."""
        await self._child.tell({"do": "add", "label": label, "password": password})

    async def drop(self, label: str) -> None:
        await self._child.tell({"do": "drop", "label": label})

    async def try_login(self, password: str, trust_root: Path) -> int:
        """Log in as a client would, and return what the server answers: 235 or a refusal."""
        client = aiosmtplib.SMTP(
            hostname="localhost",
            port=self.port,
            start_tls=True,
            tls_context=ssl.create_default_context(cafile=trust_root),
            local_hostname="operator.demo",
        )
        async with client:
            try:
                return (await client.login(USER, password)).code
            except aiosmtplib.SMTPAuthenticationError as refused:
                return refused.code

    async def stop(self) -> None:
        await self._child.stop()

    async def ended(self) -> int:
        """Wait until the server has ended, and return how."""
        return await self._child.ended()
