"""The vault's HTTP, served by the real application without a socket."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from keyturn_contracts.actor import Role, engine_issuer, sign_token
from keyturn_contracts.credential_vault import CredentialsAnswer, CredentialsFetched
from keyturn_contracts.keys import SigningKey
from keyturn_contracts.sealing import Fetched, open_for_engine

from services.credential_vault.app import NAME, assemble
from shared.http.server import build_app
from shared.messaging.context import Context
from shared.messaging.issuers import Issuers
from shared.settings import ServiceSettings
from shared.telemetry.health import Health
from tests.batches import Database
from tests.credential_vault.vault import GivenEngine
from tests.transport.given import GivenIssuer


@dataclass
class Client:
    """Asks as an issuer's people, or as an engine."""

    http: httpx.AsyncClient
    issuer: GivenIssuer

    async def get(
        self,
        path: str,
        *,
        by: str = "ada",
        brand: str = "acme",
        roles: Sequence[Role] = ("administrator",),
        **parameters: str | int,
    ) -> httpx.Response:
        token = token_of(
            self.issuer.key, issuer=self.issuer.name, subject=by, brand=brand, roles=roles
        )
        return await self.http.get(path, params=parameters, headers=_bearer(token))

    async def ask(
        self, engine: GivenEngine, *account_ids: str, have: Mapping[str, int] | None = None
    ) -> httpx.Response:
        issuer = engine_issuer(engine.brand, engine.id)
        token = token_of(engine.sig, issuer=issuer, subject=issuer, brand=engine.brand, roles=())
        held = have or {}
        wanted = [
            {"id": one, "have": held[one]} if one in held else {"id": one} for one in account_ids
        ]
        return await self.http.post(
            "/v1/credentials", json={"accounts": wanted}, headers=_bearer(token)
        )

    async def fetch(
        self, engine: GivenEngine, *account_ids: str, have: Mapping[str, int] | None = None
    ) -> list[CredentialsAnswer]:
        answer = await self.ask(engine, *account_ids, have=have)
        assert answer.status_code == 200, answer.text
        assert answer.headers["cache-control"] == "no-store"
        return [*CredentialsFetched.model_validate_json(answer.content).accounts]

    async def opened(self, engine: GivenEngine, account_id: str = "mail") -> Fetched:
        (answer,) = await self.fetch(engine, account_id)
        return open_answer(answer, engine)


def open_answer(answer: CredentialsAnswer, engine: GivenEngine) -> Fetched:
    assert answer.sealed is not None, answer
    assert answer.version is not None
    return open_for_engine(
        answer.sealed,
        engine.enc,
        brand=engine.brand,
        account_id=answer.id,
        version=answer.version,
        engine_id=engine.id,
    )


def token_of(
    key: SigningKey, *, issuer: str, subject: str, brand: str, roles: Sequence[Role]
) -> str:
    return sign_token(
        key,
        issuer=issuer,
        subject=subject,
        brand=brand,
        roles=roles,
        audience=NAME,
        now=datetime.now(UTC),
    )


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@asynccontextmanager
async def serving(
    database: Database, settings: ServiceSettings, keys_folder: Path, **extra: Any
) -> AsyncGenerator[Client]:
    """Serve the vault's routes on this database, with these keys and settings of an operator."""
    issuer = GivenIssuer(brands=("*",))
    issuers = keys_folder.parent / f"issuers-{keys_folder.name}"
    issuers.mkdir(exist_ok=True)
    issuer.write_to(issuers)
    own = settings.model_copy(update={"keys": keys_folder, "issuers": issuers, "extra": extra})
    service = assemble(own)
    context = Context(
        settings=own,
        writer=database.writer,
        reader=database.reader,
        redis=None,
        issuers=Issuers(issuers),
        engine_keys=service.engine_keys,
    )
    app = build_app(context, Health(), [service.routes(context)])
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://vault") as http:
        yield Client(http, issuer)
