"""HTTP: who may ask, what a route is shown, and errors that quote nothing."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from fastapi import APIRouter
from keyturn_contracts.actor import sign_token
from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.http.auth import Caller, HasContext
from shared.http.brand import brand_connection
from shared.http.errors import ApiError
from shared.http.limits import MAX_BODY_BYTES
from shared.http.server import build_app
from shared.messaging.context import KeysByIssuer
from shared.telemetry.health import Health
from tests.transport import notes
from tests.transport.given import GivenEngine, GivenIssuer
from tests.transport.running import Given

ENGINE = GivenEngine()
CANARY = "s3cr3t-canary"


class Body(BaseModel):
    number: int


def routes() -> APIRouter:
    router = APIRouter()

    @router.get("/v1/me")
    async def me(caller: Caller) -> dict[str, Any]:
        return {"subject": caller.subject, "engine": caller.engine_id, "brand": caller.brand}

    @router.get("/v1/notes")
    async def list_notes(caller: Caller, context: HasContext) -> list[str]:
        async with brand_connection(context, caller) as connection:
            rows = await connection.execute(select(notes.NoteRow.brand_id, notes.NoteRow.id))
            return [f"{brand}/{id_}" for brand, id_ in rows]

    @router.get("/v1/writing")
    async def write(caller: Caller, context: HasContext) -> None:
        async with brand_connection(context, caller) as connection:
            key = notes.AddLine(note_id="n2", line="x").key(caller.brand)
            await notes.save_notes(connection, {key: notes.NoteState(("x",))})

    @router.post("/v1/numbers")
    async def numbers(body: Body) -> int:
        return body.number

    @router.get("/v1/conflict")
    async def conflict() -> None:
        raise ApiError("conflict", "Somebody was quicker.")

    @router.get("/v1/fault")
    async def fault() -> None:
        raise ValueError(CANARY)

    return router


@pytest.fixture
async def asking(given: Given) -> AsyncGenerator[httpx.AsyncClient]:
    async def engine_keys(
        connection: AsyncConnection, asked: Sequence[tuple[str, str]]
    ) -> KeysByIssuer:
        assert (await connection.execute(select(1))).scalar() == 1
        known = (ENGINE.brand, ENGINE.engine_id)
        keys = {ENGINE.key.thumbprint(): ENGINE.key}
        return {ENGINE.issuer: keys} if known in asked else {}

    context = replace(given.context, engine_keys=engine_keys)
    app = build_app(context, Health(), [routes()])
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


def bearer(by: GivenIssuer | GivenEngine, **changes: Any) -> dict[str, str]:
    is_engine = isinstance(by, GivenEngine)
    usual: dict[str, Any] = {
        "issuer": by.issuer if isinstance(by, GivenEngine) else by.name,
        "subject": by.issuer if isinstance(by, GivenEngine) else "ada",
        "brand": by.brand if isinstance(by, GivenEngine) else by.brands[0],
        "roles": () if is_engine else ("administrator",),
        "audience": "catalog",
        "now": datetime.now(UTC),
    }
    return {"Authorization": f"Bearer {sign_token(by.key, **(usual | changes))}"}


async def test_a_person_asks_with_a_token(given: Given, asking: httpx.AsyncClient) -> None:
    answer = await asking.get("/v1/me", headers=bearer(given.issuer))

    assert answer.json() == {"subject": "ada", "engine": None, "brand": given.brand}


async def test_an_engine_asks_for_itself(asking: httpx.AsyncClient) -> None:
    answer = await asking.get("/v1/me", headers=bearer(ENGINE))

    assert answer.json() == {"subject": ENGINE.issuer, "engine": "e1", "brand": "acme"}


async def test_what_proves_nothing_is_not_let_in(given: Given, asking: httpx.AsyncClient) -> None:
    command = given.line("n1", "x")
    wrong = {
        "no token": {},
        "another scheme": {"Authorization": "Basic YTpi"},
        "no JWS": {"Authorization": "Bearer x"},
        "a stranger": bearer(GivenIssuer(name="stranger")),
        "a forgery": bearer(GivenIssuer(name="local", brands=(given.brand,))),
        "for another service": bearer(given.issuer, audience="workflow"),
        "expired": bearer(given.issuer, now=datetime.now(UTC) - timedelta(minutes=10)),
        "too long": bearer(given.issuer, lifetime=timedelta(hours=1)),
        "another brand": bearer(given.issuer, brand="foreign"),
        "another role": bearer(given.issuer, roles=("publisher",)),
        "an unknown engine": bearer(GivenEngine(engine_id="e2")),
        "an engine of another brand": bearer(ENGINE, brand="twin"),
        "a command's signature": {
            "Authorization": f"Bearer {dict(command.headers)['ce_actor'].decode()}"  # pyright: ignore[reportOptionalMemberAccess]  it was just written
        },
    }
    for what, headers in wrong.items():
        answer = await asking.get("/v1/me", headers=headers)

        assert answer.status_code == 401, what
        assert answer.json()["error"] == "not_authenticated"
        assert answer.headers["www-authenticate"] == "Bearer"


async def test_the_database_shows_a_route_its_brand_alone(
    given: Given, asking: httpx.AsyncClient
) -> None:
    key = notes.AddLine(note_id="n1", line="x").key(given.brand)
    async with given.context.writer.begin() as connection:
        await notes.save_notes(connection, {key: notes.NoteState(("x",))})

    answer = await asking.get("/v1/notes", headers=bearer(given.issuer))

    assert answer.json() == [f"{given.brand}/n1"]
    twin = await asking.get("/v1/notes", headers=bearer(given.issuer, brand="twin"))
    assert twin.json() == ["twin/n1"]


async def test_a_route_cannot_write_as_a_reader(given: Given, asking: httpx.AsyncClient) -> None:
    answer = await asking.get("/v1/writing", headers=bearer(given.issuer))

    assert answer.status_code == 500
    assert not await given.lines("n2")


async def test_without_a_brand_a_reader_sees_nothing(given: Given) -> None:
    async with given.context.reader.connect() as connection:
        assert (await connection.execute(select(notes.NoteRow.id))).all() == []
        with pytest.raises(DBAPIError):
            await connection.execute(select(notes.HeardRow.slug))


@pytest.mark.parametrize(
    ("method", "path", "status", "error"),
    [
        ("GET", "/v1/conflict", 409, "conflict"),
        ("GET", "/v1/fault", 500, "internal"),
        ("GET", "/v1/nowhere", 404, "not_found"),
        ("POST", "/v1/numbers", 422, "invalid"),
    ],
)
async def test_an_error_says_what_and_quotes_nothing(
    asking: httpx.AsyncClient, method: str, path: str, status: int, error: str
) -> None:
    answer = await asking.request(
        method, path, json={"number": CANARY} if method == "POST" else None
    )

    assert answer.status_code == status
    assert answer.json().keys() == {"error", "message"}
    assert answer.json()["error"] == error
    assert CANARY not in answer.text


@pytest.mark.parametrize("is_told", [True, False])
async def test_a_body_that_is_too_large_is_refused_however_it_is_sent(
    asking: httpx.AsyncClient, *, is_told: bool
) -> None:
    async def in_chunks() -> AsyncGenerator[bytes]:
        for _ in range(MAX_BODY_BYTES // 65536 + 2):
            yield b" " * 65536

    content = b" " * (MAX_BODY_BYTES + 1) if is_told else in_chunks()
    answer = await asking.post("/v1/numbers", content=content)

    assert answer.status_code == 413
    assert answer.json()["error"] == "too_large"


def test_health_says_what_is_missing() -> None:
    health = Health("consumer")
    assert health.missing == ["The consumer has not started yet."]

    health.is_ready("consumer")
    assert health.missing == []
