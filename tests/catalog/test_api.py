"""What the catalog answers over HTTP."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from keyturn_contracts.actor import sign_token
from keyturn_contracts.catalog import Manifest
from keyturn_contracts.keys import jwks_of, new_signing_key

from services.catalog.api import router
from services.catalog.jobs import MANIFESTS, publish_manifests, read_manifests
from shared.http.server import build_app
from shared.messaging.context import Context
from shared.messaging.issuers import Issuers
from shared.telemetry.health import Health
from tests.batches import Database
from tests.running_stack import RunningStack

KEY = new_signing_key()
(RELAY,) = read_manifests(MANIFESTS)


def token(audience: str = "catalog") -> str:
    return sign_token(
        KEY,
        issuer="backend",
        subject="ada",
        brand="acme",
        roles=["member"],
        audience=audience,
        now=datetime.now(UTC),
    )


@pytest.fixture
async def catalog(
    stack: RunningStack, database: Database, tmp_path: Path
) -> AsyncIterator[httpx.AsyncClient]:
    issuer = {
        "name": "backend",
        "jwks": jwks_of([KEY], "sig").model_dump(mode="json", exclude_none=True),
        "brands": ["acme"],
        "roles": ["member"],
        "replies": False,
    }
    (tmp_path / "backend.json").write_text(json.dumps(issuer), encoding="utf-8")
    context = Context(
        settings=stack.settings_of("catalog"),
        writer=database.writer,
        reader=database.reader,
        redis=None,
        issuers=Issuers(tmp_path),
    )
    app = build_app(context, Health(), [router])
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://catalog"
    ) as client:
        yield client


async def test_everybody_with_a_token_sees_what_there_is(
    catalog: httpx.AsyncClient, database: Database
) -> None:
    await publish_manifests(database.writer, [RELAY])
    bearer = {"Authorization": f"Bearer {token()}"}

    listed = await catalog.get("/v1/extensions", headers=bearer)
    shown = await catalog.get("/v1/extensions/smtp-relay", headers=bearer)

    assert (listed.status_code, shown.status_code) == (200, 200)
    assert listed.json() == {"extensions": [shown.json()]}
    assert (shown.json()["version"], shown.json()["state"]) == (1, "published")
    assert Manifest.model_validate(shown.json()["manifest"]) == RELAY


async def test_an_unknown_extension_is_not_found(catalog: httpx.AsyncClient) -> None:
    answer = await catalog.get(
        "/v1/extensions/telegraph", headers={"Authorization": f"Bearer {token()}"}
    )

    assert (answer.status_code, answer.json()["error"]) == (404, "not_found")


@pytest.mark.parametrize("bearer", [None, "Bearer nothing", f"Bearer {token('workflow')}"])
async def test_nobody_without_a_token_of_the_catalog_sees_anything(
    catalog: httpx.AsyncClient, bearer: str | None
) -> None:
    for path in ("/v1/extensions", "/v1/extensions/smtp-relay"):
        answer = await catalog.get(path, headers={"Authorization": bearer} if bearer else {})

        assert (answer.status_code, answer.json()["error"]) == (401, "not_authenticated")
