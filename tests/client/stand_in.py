"""A service's address over real HTTP, whose answers a test chooses and can hold back."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

from keyturn_contracts.credential_vault import (
    CredentialsAnswer,
    CredentialsFetched,
    FetchCredentials,
)
from keyturn_contracts.keys import SealingKey
from keyturn_contracts.sealing import seal_for_engine
from keyturn_contracts.workflow import SuspendedTasks
from pydantic import SecretStr

from tests.client.given import BRAND, ENGINE
from tests.client.judge import Outcome


@dataclass
class StandIn:
    """Answers each fetch, and each question for an outcome, with what is set at that moment."""

    key: SealingKey
    answers: dict[str, CredentialsAnswer] = field(default_factory=dict[str, CredentialsAnswer])
    outcomes: dict[str, Outcome] = field(default_factory=dict[str, Outcome])
    suspended: list[SuspendedTasks] = field(
        default_factory=lambda: [SuspendedTasks(tasks=(), suspensions={})]
    )
    """The pages that an engine reads; the cursor of each but the first is its place."""
    is_down: bool = False
    """It answers that it cannot say which tasks are suspended."""
    asked: list[str] = field(default_factory=list[str])
    waits: list[str] = field(default_factory=list[str])
    """How long each question for an outcome would have it wait."""
    let_through: asyncio.Event = field(default_factory=asyncio.Event)
    """Cleared: an answer is made and held back."""
    url: str = ""

    def holds(self, version: int, account_id: str = "mail", *, receipt: str = "a" * 64) -> None:
        sealed = seal_for_engine(
            {"password": SecretStr(f"secret {version}")},
            {"host": "localhost"},
            receipt,
            self.key,
            brand=BRAND,
            account_id=account_id,
            version=version,
            engine_id=ENGINE,
            now=datetime.now(UTC),
        )
        self.answers[account_id] = CredentialsAnswer(id=account_id, version=version, sealed=sealed)

    def has_deleted(self, version: int, account_id: str = "mail") -> None:
        self.answers[account_id] = CredentialsAnswer(id=account_id, version=version, deleted=True)

    def refuses(self, account_id: str = "mail") -> None:
        self.answers[account_id] = CredentialsAnswer(id=account_id, refused="not_bound")

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode().split("\r\n")
                lengths = [one[15:] for one in lines if one.lower().startswith("content-length:")]
                body = await reader.readexactly(int(lengths[0])) if lengths else b""
                status, found = self._outcome(lines[0]) if not body else self._fetched(body)
                await self.let_through.wait()
                writer.write(f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\n".encode())
                writer.write(f"content-length: {len(found)}\r\n\r\n".encode() + found)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _fetched(self, body: bytes) -> tuple[str, bytes]:
        asked = FetchCredentials.model_validate_json(body)
        self.asked += [one.id for one in asked.accounts]
        found = CredentialsFetched(accounts=tuple(self.answers[one.id] for one in asked.accounts))
        return "200 OK", found.to_json()

    def _suspended(self, request: str) -> tuple[str, bytes]:
        self.asked.append("suspended")
        if self.is_down:
            return "503 Service Unavailable", b'{"error": "unavailable", "message": "Not now."}'
        after = parse_qs(urlsplit(request.split(" ")[1]).query).get("after", ["0"])
        return "200 OK", self.suspended[int(after[0])].to_json()

    def _outcome(self, request: str) -> tuple[str, bytes]:
        if "/suspended" in request:
            return self._suspended(request)
        command_id, _, wait = request.split(" ")[1].rsplit("/", maxsplit=1)[-1].partition("?")
        self.asked.append(command_id)
        self.waits.append(wait)
        found = self.outcomes.get(command_id)
        if found is None:
            return "404 Not Found", b'{"error": "not_found", "message": "Not yet."}'
        return "200 OK", found.to_json()


@asynccontextmanager
async def standing_in(key: SealingKey) -> AsyncGenerator[StandIn]:
    stand_in = StandIn(key)
    stand_in.let_through.set()
    server = await asyncio.start_server(stand_in.answer, "127.0.0.1")
    stand_in.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield stand_in
    finally:
        server.close()
