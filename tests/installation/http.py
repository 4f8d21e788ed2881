"""Asking the installation service over HTTP, as whoever a test needs."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from keyturn_contracts.actor import Role, sign_token

from services.installation.app import NAME, installation_service
from services.installation.settings import InstallationSettings
from shared.http.server import build_app
from shared.messaging.context import Context
from shared.messaging.issuers import Issuers
from shared.telemetry.health import Health
from tests.batches import Database
from tests.running_stack import RunningStack
from tests.transport.given import GivenIssuer

SETTINGS = InstallationSettings(licence_contact="the test's operator")


@dataclass
class Client:
    """Asks as somebody of a brand."""

    http: httpx.AsyncClient
    issuer: GivenIssuer

    async def get(
        self,
        path: str,
        *,
        brand: str = "acme",
        roles: Sequence[Role] = ("administrator",),
        **parameters: Any,
    ) -> httpx.Response:
        headers = self._headers(brand, roles)
        return await self.http.get(f"/v1/{path}", params=parameters, headers=headers)

    async def shown(self, path: str, **options: Any) -> dict[str, Any]:
        """Return the body of an answer that is there."""
        answer = await self.get(path, **options)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def decide(
        self, *questions: dict[str, str], brand: str = "acme", roles: Sequence[Role] = ("member",)
    ) -> httpx.Response:
        return await self.http.post(
            "/v1/decisions",
            json={"questions": questions},
            headers=self._headers(brand, roles),
        )

    def _headers(self, brand: str, roles: Sequence[Role]) -> dict[str, str]:
        token = sign_token(
            self.issuer.key,
            issuer=self.issuer.name,
            subject="root",
            brand=brand,
            roles=roles,
            audience=NAME,
            now=datetime.now(UTC),
        )
        return {"Authorization": f"Bearer {token}"}


@asynccontextmanager
async def serving(stack: RunningStack, database: Database, folder: Path) -> AsyncGenerator[Client]:
    """Serve the service's routes on this database."""
    issuer = GivenIssuer(brands=("*",))
    issuer.write_to(folder)
    service = installation_service(SETTINGS)
    context = Context(
        settings=stack.settings_of(NAME),
        writer=database.writer,
        reader=database.reader,
        redis=None,
        issuers=Issuers(folder),
        engine_keys=service.engine_keys,
    )
    app = build_app(context, Health(), [service.routes(context)])
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://installation"
    ) as http:
        yield Client(http, issuer)
