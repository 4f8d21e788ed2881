"""Asking the access service over HTTP, as whoever a test needs."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from keyturn_contracts.actor import Role, sign_token

from services.access.api.routes import access_routes
from services.access.app import NAME, access_service
from services.access.remembering.deciding import Deciding
from services.access.settings import AccessSettings
from shared.http.server import build_app
from shared.messaging.context import Context
from shared.messaging.issuers import Issuers
from shared.telemetry.health import Health
from tests.batches import Database
from tests.running_stack import RunningStack
from tests.transport.given import GivenEngine, GivenIssuer

ADMINISTRATOR: Sequence[Role] = ("administrator", "member")


@dataclass
class Client:
    """Asks as somebody of a brand, `root` unless said otherwise."""

    http: httpx.AsyncClient
    issuer: GivenIssuer
    deciding: Deciding
    remembers: bool = False
    """Have the service see what has changed before it is asked, and ask it twice."""

    async def get(
        self,
        path: str,
        *,
        by: str = "root",
        brand: str = "acme",
        roles: Sequence[Role] = ADMINISTRATOR,
        **parameters: Any,
    ) -> httpx.Response:
        headers = self._headers(by, brand, roles)
        return await self.http.get(f"/v1/{path}", params=parameters, headers=headers)

    async def shown(self, path: str, **options: Any) -> dict[str, Any]:
        """Return the body of an answer that is there."""
        answer = await self.get(path, **options)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def ask(
        self,
        *questions: dict[str, str],
        at_least: int | None = None,
        by: str = "root",
        brand: str = "acme",
        roles: Sequence[Role] = ADMINISTRATOR,
        only_once: bool = False,
    ) -> httpx.Response:
        """Ask, and where answers are remembered once more: then the same is answered.

        `only_once`: something changes meanwhile.
        """
        asked: dict[str, Any] = {"questions": questions}
        if at_least is not None:
            asked["at_least"] = at_least
        headers = self._headers(by, brand, roles)
        if self.remembers:
            await self.deciding.watch.look()
        first = await self.http.post("/v1/decisions", json=asked, headers=headers)
        if only_once or not self.remembers:
            return first
        again = await self.http.post("/v1/decisions", json=asked, headers=headers)
        assert _timeless(again) == _timeless(first)
        return again

    async def decided(self, *questions: dict[str, str], **options: Any) -> list[dict[str, Any]]:
        """Return the decisions of an answer that is there."""
        answer = await self.ask(*questions, **options)
        assert answer.status_code == 200, answer.text
        return answer.json()["decisions"]

    async def ask_as(
        self, engine: GivenEngine, *questions: dict[str, str], brand: str | None = None
    ) -> httpx.Response:
        """Ask as an engine; it signs for itself, of its own brand unless another is claimed."""
        headers = self.headers_of(engine, brand=brand)
        body = {"questions": questions}
        return await self.http.post("/v1/decisions", json=body, headers=headers)

    def headers_of(self, engine: GivenEngine, *, brand: str | None = None) -> dict[str, str]:
        token = sign_token(
            engine.key,
            issuer=engine.issuer,
            subject=engine.issuer,
            brand=brand or engine.brand,
            roles=(),
            audience=NAME,
            now=datetime.now(UTC),
        )
        return {"Authorization": f"Bearer {token}"}

    def _headers(self, by: str, brand: str, roles: Sequence[Role]) -> dict[str, str]:
        token = sign_token(
            self.issuer.key,
            issuer=self.issuer.name,
            subject=by,
            brand=brand,
            roles=roles,
            audience=NAME,
            now=datetime.now(UTC),
        )
        return {"Authorization": f"Bearer {token}"}


@asynccontextmanager
async def serving(
    stack: RunningStack, database: Database, folder: Path, *, remembers: bool = False
) -> AsyncGenerator[Client]:
    """Serve the service's routes on this database; who `remembers` has no jobs all the same."""
    issuer = GivenIssuer(brands=("*",), roles=("administrator", "member", "operator"))
    issuer.write_to(folder)
    service = access_service(AccessSettings())
    context = Context(
        settings=stack.settings_of(NAME),
        writer=database.writer,
        reader=database.reader,
        redis=None,
        issuers=Issuers(folder),
        engine_keys=service.engine_keys,
        members=service.members,
    )
    deciding = Deciding(context, AccessSettings(), lambda: 0.0)
    app = build_app(context, Health(), [access_routes(deciding)])
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://access"
    ) as http:
        yield Client(http, issuer, deciding, remembers)


def _timeless(answer: httpx.Response) -> Any:
    body = answer.json()
    return {name: value for name, value in body.items() if name not in {"at", "revision"}}
