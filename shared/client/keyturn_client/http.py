"""Requests to the services, each with a fresh token; their errors as sentences."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx
from keyturn_contracts.message import Part
from pydantic import ValidationError

from keyturn_client.commands import Signer
from keyturn_client.problems import (
    KeyturnError,
    NotAllowedError,
    NotFoundError,
    RejectedError,
    UnreachableError,
)
from keyturn_client.settings import Services

Parameters = Mapping[str, str | int | bool]

_SECONDS = 15.0
_CONNECTIONS = 100
_IDLE_SECONDS = 3.0
"""Less than the services keep an idle connection (5 s): none is used while they close it."""
_LONG_POLLS = 64
"""Fewer than the connections: whoever waits for outcomes leaves room for questions."""
_NOT_AUTHENTICATED = 401
_NOT_ALLOWED = 403
_NOT_FOUND = 404
_TOO_MANY = 429
_FAULT = 500
_GOOD = range(200, 300)


class _Line:
    """One service's address and its turns: one that never answers holds up no other.

    The client's own queue is gone through whole, with all connections, whenever a request begins
    or ends: a thousand that wait in it take minutes, and those that waited too long ask again.
    """

    def __init__(self, base: str | None) -> None:
        self.base = (base or "").rstrip("/")
        self.turns = asyncio.Semaphore(_CONNECTIONS)
        self.long_polls = asyncio.Semaphore(_LONG_POLLS)


class Http:
    """The services' queries, as one signer sees them."""

    def __init__(self, services: Services, signer: Signer) -> None:
        self._lines = {
            "credential-vault": _Line(services.credential_vault),
            "workflow": _Line(services.workflow),
            "catalog": _Line(services.catalog),
            "installation": _Line(services.installation),
            "access": _Line(services.access),
        }
        self._signer = signer
        # A proxy of the environment would see credentials pass, sealed or not.
        self._client = httpx.AsyncClient(
            verify=ssl.create_default_context(cafile=services.ca_file),
            trust_env=False,
            limits=httpx.Limits(
                max_connections=None,  # each line has its own bound
                max_keepalive_connections=_CONNECTIONS,
                keepalive_expiry=_IDLE_SECONDS,
            ),
        )

    async def close(self) -> None:
        await self._client.aclose()

    def long_polls(self, service: str) -> asyncio.Semaphore:
        """Return what whoever asks this service to wait holds meanwhile."""
        return self._line(service).long_polls

    async def get(
        self, service: str, path: str, parameters: Parameters | None = None, *, more: float = 0
    ) -> Any:
        """Return the JSON of an answer; `more` seconds are added to the time it may take."""
        answer = await self._ask("GET", service, path, parameters=parameters, more=more)
        return _json(answer)

    async def get_bytes(self, service: str, path: str) -> bytes:
        """Return an answer as it is, byte by byte."""
        return (await self._ask("GET", service, path)).content

    async def post(self, service: str, path: str, body: Part) -> Any:
        return _json(await self._ask("POST", service, path, body=body.to_json()))

    async def pages(
        self, service: str, path: str, parameters: Parameters | None = None
    ) -> AsyncIterator[dict[str, Any]]:
        """Yield the items of all pages of a list."""
        asked = dict(parameters or {})
        while True:
            page = await self.get(service, path, asked)
            for item in page["items"]:
                yield item
            if not page.get("next"):
                return
            asked["after"] = page["next"]

    async def _ask(
        self,
        method: str,
        service: str,
        path: str,
        *,
        parameters: Parameters | None = None,
        body: bytes | None = None,
        more: float = 0,
    ) -> httpx.Response:
        line = self._line(service)
        try:
            async with asyncio.timeout(_SECONDS + more):
                await line.turns.acquire()
            try:
                answer = await self._client.request(
                    method,
                    f"{line.base}{path}",
                    params=dict(parameters or {}),
                    content=body,
                    headers=self._headers(service, has_body=body is not None),
                    timeout=_SECONDS + more,
                )
            finally:
                line.turns.release()
        except (httpx.TransportError, TimeoutError) as error:
            raise UnreachableError(
                f"The service {service} does not answer at {line.base} ({type(error).__name__})."
            ) from error
        if answer.status_code not in _GOOD:
            raise _problem(service, answer)
        return answer

    def _line(self, service: str) -> "_Line":
        line = self._lines.get(service)
        if line is None or not line.base:
            raise RejectedError(f"No address of {service} is known: name it in the settings.")
        return line

    def _headers(self, service: str, *, has_body: bool) -> dict[str, str]:
        """Return the headers of a request that is sent now: a token is not valid for long."""
        token = {"Authorization": f"Bearer {self._signer.token(service)}"}
        return token | {"Content-Type": "application/json"} if has_body else token


def _json(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        raise UnreachableError(
            f"{answer.url.host} answered with something else than JSON."
        ) from None


class _ErrorBody(Part):
    message: str


def _problem(service: str, answer: httpx.Response) -> KeyturnError:
    try:
        said = _ErrorBody.model_validate_json(answer.content).message
    except ValidationError:
        said = f"It answered {answer.status_code}."
    sentence = f"{service}: {said}"
    status = answer.status_code
    if status in {_NOT_AUTHENTICATED, _NOT_ALLOWED}:
        return NotAllowedError(sentence)
    if status == _NOT_FOUND:
        return NotFoundError(sentence)
    if status == _TOO_MANY or status >= _FAULT:
        return UnreachableError(sentence)
    return RejectedError(sentence)
