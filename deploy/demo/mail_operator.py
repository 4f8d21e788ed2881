"""Who runs the mail server: starts it, and says which passwords work there."""

import os
from pathlib import Path

from deploy.demo.certificate import make_certificate
from deploy.demo.child import Child

USER = "keyturn-demo"


class MailOperator:
    """The one who may tell the mail server what to do."""

    def __init__(self, child: Child, port: int, folder: Path) -> None:
        self._child = child
        self.port = port
        self.log = folder / "mail.jsonl"
        self.trust_root = folder / "authority.pem"

    @classmethod
    async def start(cls, folder: Path, *, lives_with: int | None = None) -> "MailOperator":
        """Start a server with a certificate of its own in this folder; it knows no password yet."""
        make_certificate(folder)
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

    async def stop(self) -> None:
        await self._child.stop()

    async def ended(self) -> int:
        """Wait until the server has ended, and return how."""
        return await self._child.ended()
