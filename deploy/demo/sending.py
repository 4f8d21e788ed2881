"""How the example engine's workflows send mail: each send logs in anew, with what its run holds."""

import asyncio
import itertools
import ssl
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import make_msgid
from pathlib import Path

import aiosmtplib
from keyturn_client.problems import KeyturnError
from keyturn_contracts.sealing import Fetched

from deploy.demo.tally import ENGINE, WORKFLOW

SECONDS = 30.0

Run = Callable[[str], AbstractAsyncContextManager[Fetched]]
"""Begin a run of a workflow: it holds one version from its beginning to its end."""


@dataclass(slots=True)
class Counts:
    """What the engine itself saw of its sends."""

    begun: int = 0
    accepted: int = 0
    failed: Counter[str] = field(default_factory=Counter[str])
    """By what went wrong."""


async def send_mail(workflow: str, credential: Fetched, tls: ssl.SSLContext) -> None:
    """Log in with the credential over STARTTLS and send one message."""
    settings = credential.settings
    message = EmailMessage()
    message["From"] = message["To"] = settings["from_address"]
    message["Subject"] = f"From workflow {workflow}"
    message["Message-ID"] = make_msgid(domain="engine.demo")
    message[WORKFLOW] = workflow
    message.set_content("Sent by a workflow of the example engine.")
    await aiosmtplib.send(
        message,
        hostname=settings["host"],
        port=int(settings["port"]),
        username=credential.fields["username"].get_secret_value(),
        password=credential.fields["password"].get_secret_value(),
        start_tls=settings["security"] == "starttls",
        use_tls=settings["security"] == "tls",
        tls_context=tls,
        local_hostname=f"{workflow}{ENGINE}",
        timeout=SECONDS,
    )


class Sender:
    """Runs the workflows in turn, so many at a time, until it is told to rest."""

    def __init__(
        self, workflows: Sequence[str], run: Run, trust_root: Path, *, at_once: int
    ) -> None:
        self._turns = itertools.cycle(workflows)
        self._run = run
        self._tls = ssl.create_default_context(cafile=trust_root)
        self._at_once = at_once
        self._workers: list[asyncio.Task[None]] = []
        self._goes_on = True
        self.counts = Counts()

    def start(self, *, pause_seconds: float = 0) -> None:
        """Begin to send; with a pause after each mail of a worker, slowly."""
        self._goes_on = True
        at_once = self._at_once if pause_seconds == 0 else 1
        self._workers = [asyncio.create_task(self._work(pause_seconds)) for _ in range(at_once)]

    async def rest(self) -> None:
        """Begin nothing more, and return when what had begun has ended."""
        self._goes_on = False
        await asyncio.gather(*self._workers)
        self._workers.clear()

    async def _work(self, pause_seconds: float) -> None:
        while self._goes_on:
            await self._send(next(self._turns))
            await asyncio.sleep(pause_seconds)

    async def _send(self, workflow: str) -> None:
        self.counts.begun += 1
        try:
            async with self._run(workflow) as credential:
                await send_mail(workflow, credential, self._tls)
        except aiosmtplib.SMTPAuthenticationError as error:
            self.counts.failed[f"login refused ({error.code})"] += 1
        except (aiosmtplib.SMTPException, OSError, KeyturnError) as error:
            self.counts.failed[type(error).__name__] += 1
        else:
            self.counts.accepted += 1
