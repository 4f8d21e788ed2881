"""Asking the catalog over HTTP, as whoever a test needs."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from keyturn_contracts.actor import Role, sign_token
from keyturn_contracts.keys import jwks_of, new_signing_key

from services.catalog.app import catalog_routes
from services.catalog.settings import CatalogSettings
from services.catalog.shelving import Shelving
from shared.http.server import build_app
from shared.messaging.context import Context
from shared.messaging.issuers import Issuers
from shared.telemetry.health import Health
from tests.catalog.world import World
from tests.running_stack import RunningStack

KEY = new_signing_key()
ISSUERS = {"local": ["*"], "acmes": ["acme"]}
"""Who may vouch for which brands, for every role."""


class Client:
    """Asks as somebody."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def get(
        self,
        path: str,
        *,
        roles: tuple[Role, ...] = ("member",),
        brand: str = "acme",
        issuer: str = "local",
        audience: str = "catalog",
        **parameters: Any,
    ) -> httpx.Response:
        token = sign_token(
            KEY,
            issuer=issuer,
            subject="ada",
            brand=brand,
            roles=roles,
            audience=audience,
            now=datetime.now(UTC),
        )
        return await self.http.get(
            path, headers={"Authorization": f"Bearer {token}"}, params=parameters or None or None
        )

    async def body(self, path: str, **parameters: Any) -> dict[str, Any]:
        answer = await self.get(path, **parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def error(self, path: str, **parameters: Any) -> tuple[int, str, str]:
        answer = await self.get(path, **parameters)
        found = answer.json()
        return answer.status_code, found["error"], found["message"]

    async def items(self, path: str, **parameters: Any) -> list[dict[str, Any]]:
        """Return the items of all pages."""
        found: list[dict[str, Any]] = []
        while True:
            page = await self.body(path, **parameters)
            found += page["items"]
            if "next" not in page:
                return found
            parameters["after"] = page["next"]

    async def slugs(self, **parameters: Any) -> list[str]:
        return [one["slug"] for one in await self.items("/v1/extensions", **parameters)]


@asynccontextmanager
async def running_client(
    stack: RunningStack, world: World, folder: Path, settings: CatalogSettings
) -> AsyncGenerator[Client]:
    for name, brands in ISSUERS.items():
        issuer = {
            "name": name,
            "jwks": jwks_of([KEY], "sig").model_dump(mode="json", exclude_none=True),
            "brands": brands,
            "roles": ["administrator", "member", "operator", "publisher"],
        }
        (folder / f"{name}.json").write_text(json.dumps(issuer), encoding="utf-8")
    context = Context(
        settings=stack.settings_of("catalog"),
        writer=world.database.writer,
        reader=world.database.reader,
        redis=None,
        issuers=Issuers(folder),
    )
    app = build_app(context, Health(), [catalog_routes(settings, Shelving(settings))])
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://catalog"
    ) as http:
        yield Client(http)
