"""Asking the workflow service over HTTP, as whoever a test needs."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from keyturn_contracts.actor import Role, engine_issuer, sign_token
from keyturn_contracts.keys import jwks_of

from services.workflow.app import workflow_service
from services.workflow.proof_keys import ProofKeys
from services.workflow.settings import WorkflowSettings
from services.workflow.store.engine import load_engine_keys
from shared.http.server import build_app
from shared.messaging.context import Context
from shared.messaging.issuers import Issuers
from shared.telemetry.health import Health
from tests.running_stack import RunningStack
from tests.workflow.given import LOCAL, GivenEngine
from tests.workflow.world import World


class Client:
    """Asks as somebody."""

    def __init__(self, http: httpx.AsyncClient, keys: ProofKeys) -> None:
        self._http = http
        self.keys = keys

    async def get(
        self,
        path: str,
        *,
        as_: str = "root",
        roles: tuple[Role, ...] = ("administrator",),
        brand: str = "acme",
        **parameters: Any,
    ) -> httpx.Response:
        token = sign_token(
            LOCAL,
            issuer="local",
            subject=as_,
            brand=brand,
            roles=roles,
            audience="workflow",
            now=datetime.now(UTC),
        )
        return await self._ask(path, token, parameters)

    async def member(self, path: str, name: str = "ada", **parameters: Any) -> httpx.Response:
        return await self.get(path, as_=name, roles=("member",), **parameters)

    async def engine(self, engine: GivenEngine, path: str, **parameters: Any) -> httpx.Response:
        issuer = engine_issuer(engine.brand, engine.id)
        token = sign_token(
            engine.sig,
            issuer=issuer,
            subject=issuer,
            brand=engine.brand,
            roles=[],
            audience="workflow",
            now=datetime.now(UTC),
        )
        return await self._ask(path, token, parameters)

    async def nobody(self, path: str) -> httpx.Response:
        return await self._http.get(path)

    async def items(self, path: str, **parameters: Any) -> list[dict[str, Any]]:
        """Return the items of all pages."""
        found: list[dict[str, Any]] = []
        while True:
            answer = await self.get(path, **parameters)
            assert answer.status_code == 200, answer.text
            page = answer.json()
            found += page["items"]
            if "next" not in page:
                return found
            parameters["after"] = page["next"]

    async def _ask(self, path: str, token: str, parameters: dict[str, Any]) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"}
        return await self._http.get(path, headers=headers, params=parameters or None)


@asynccontextmanager
async def running_client(
    stack: RunningStack, world: World, tmp_path: Path
) -> AsyncGenerator[Client]:
    issuers, folder = tmp_path / "issuers", tmp_path / "keys"
    issuers.mkdir()
    folder.mkdir(mode=0o700)
    issuer = {
        "name": "local",
        "jwks": jwks_of([LOCAL], "sig").model_dump(mode="json", exclude_none=True),
        "brands": ["*"],
        "roles": ["administrator", "member"],
        "replies": False,
    }
    (issuers / "local.json").write_text(json.dumps(issuer), encoding="utf-8")
    context = Context(
        settings=stack.settings_of("workflow"),
        writer=world.database.writer,
        reader=world.database.reader,
        redis=None,
        issuers=Issuers(issuers),
        engine_keys=load_engine_keys,
    )
    keys = ProofKeys(folder)
    service = workflow_service(keys, WorkflowSettings())
    assert service.prepare is not None
    await service.prepare(context)
    app = build_app(context, Health(), [service.routes(context)])
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://workflow"
    ) as http:
        yield Client(http, keys)
