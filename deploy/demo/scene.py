"""What the demo plays with: who is there, and what they have said so far."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

from keyturn_client import Backend
from keyturn_client.http import Http
from keyturn_contracts.digest import binding_digest, sum_of, to_hex

from deploy.demo.child import Child
from deploy.demo.mail_operator import MailOperator
from deploy.demo.news import News
from deploy.demo.place import Place
from deploy.demo.screen import Screen
from deploy.demo.tally import MailLog

ADMINISTRATOR = "ada"
ACCOUNT = "newsletter-relay"
ENGINE_ID = "example-engine"
TASK = "send"

_LOOK_SECONDS = 0.1


@dataclass(kw_only=True)
class Scene:
    """Everything that runs, and what the demo has found to be not as promised."""

    place: Place
    screen: Screen
    backend: Backend
    http: Http
    """The services' queries, for what the backend has no words for."""
    news: News
    operator: MailOperator
    engine: Child
    workflows: tuple[str, ...]
    log: MailLog = field(default_factory=MailLog)
    passwords: dict[str, str] = field(default_factory=dict[str, str], repr=False)
    """By label, while the demo runs: to show at the end that a dropped one is refused."""
    problems: list[str] = field(default_factory=list[str])
    _read: int = 0

    def not_as_promised(self, sentence: str) -> None:
        """Tell it now, and remember it for the end."""
        self.problems.append(sentence)
        self.screen.warn(sentence)

    async def look(self) -> None:
        """Read what the mail server has written since the last time, after a moment."""
        await asyncio.sleep(_LOOK_SECONDS)
        self._read = _take_new(self.log, self.operator.log, self._read)

    @property
    def digest(self) -> str:
        """Return the digest of all bindings, worked out here from the workflows' names alone."""
        return to_hex(sum_of(binding_digest(ACCOUNT, one, TASK) for one in self.workflows))


def _take_new(log: MailLog, file: Path, read: int) -> int:
    """Take the whole lines after the first `read` bytes; return how many bytes are read now."""
    with file.open("rb") as opened:
        opened.seek(read)
        new = opened.read()
    whole = new[: new.rfind(b"\n") + 1]
    for line in whole.decode().splitlines():
        log.take(line)
    return read + len(whole)
