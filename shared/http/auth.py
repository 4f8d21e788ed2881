"""Who asks over HTTP: the bearer token, verified, as a dependency of every route."""

from datetime import UTC, datetime
from typing import Annotated, cast

from fastapi import Depends, Header, Request
from keyturn_contracts.actor import (
    Actor,
    ActorError,
    read_claimed,
    verify_token,
)
from keyturn_contracts.keys import SigningKey

from shared.http.brand import connection_for
from shared.http.errors import ApiError
from shared.messaging.context import Context
from shared.messaging.issuers import claimed_engine
from shared.messaging.members import narrowed, people_of


def context_of(request: Request) -> Context:
    """Return what the process that serves this request was made of."""
    return cast("Context", request.app.state.context)


async def caller(request: Request, authorization: Annotated[str | None, Header()] = None) -> Actor:
    """Return who asks, or answer `not_authenticated`."""
    return await _as_listed(context_of(request), await vouched_caller(request, authorization))


async def vouched_caller(request: Request, authorization: str | None) -> Actor:
    """Return who asks as their issuer says it, which their brand's list may not; else answer so."""
    context = context_of(request)
    token = _bearer(authorization)
    try:
        claimed = read_claimed(token)
        keys = await _keys_of(context, claimed.issuer)
        actor = verify_token(token, keys, audience=context.settings.service, now=datetime.now(UTC))
        context.issuers.check_vouched(actor)
    except ActorError as error:
        raise ApiError("not_authenticated", f"The token proves nothing: {error}.") from None
    return actor


Caller = Annotated[Actor, Depends(caller)]
"""A route's parameter of this type is who asks."""
HasContext = Annotated[Context, Depends(context_of)]


async def _as_listed(context: Context, actor: Actor) -> Actor:
    people = people_of([actor])
    if not people:
        return actor
    async with connection_for(context, actor.brand) as connection:
        return narrowed(actor, await context.members(connection, people))


def speaks_for(context: Context, caller: Actor, brand: str) -> bool:
    """Tell whether the system that signed for the caller may vouch for people of that brand."""
    issuer = context.issuers.find(caller.issuer)
    return issuer is not None and issuer.may_speak_for(brand)


def _bearer(authorization: str | None) -> str:
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise ApiError("not_authenticated", "Send a token: Authorization: Bearer <token>.")
    return token.strip()


async def _keys_of(context: Context, issuer: str) -> dict[str, SigningKey]:
    context.issuers.refresh()
    if found := context.issuers.find(issuer):
        return dict(found.keys)
    engine = claimed_engine(issuer)
    if engine is None or context.engine_keys is None:
        raise ActorError("unknown_issuer")
    async with connection_for(context, engine[0]) as connection:
        keys = await context.engine_keys(connection, [engine])
    if issuer not in keys:
        raise ActorError("unknown_issuer")
    return keys[issuer]
