"""Who asks over HTTP: the bearer token, verified, as a dependency of every route."""

from datetime import UTC, datetime
from typing import Annotated, cast

from fastapi import Depends, Header, Request
from keyturn_contracts.actor import (
    Actor,
    ActorError,
    engine_issuer,
    read_claimed,
    verify_token,
)
from keyturn_contracts.keys import SigningKey

from shared.http.brand import connection_for
from shared.http.errors import ApiError
from shared.messaging.context import Context


def context_of(request: Request) -> Context:
    """Return what the process that serves this request was made of."""
    return cast("Context", request.app.state.context)


async def caller(request: Request, authorization: Annotated[str | None, Header()] = None) -> Actor:
    """Return who asks, or answer `not_authenticated`."""
    context = context_of(request)
    token = _bearer(authorization)
    try:
        claimed = read_claimed(token)
        keys = await _keys_of(context, claimed.issuer)
        actor = verify_token(token, keys, audience=context.settings.service, now=datetime.now(UTC))
        _check_vouched(context, actor)
    except ActorError as error:
        raise ApiError("not_authenticated", f"The token proves nothing: {error}.") from None
    return actor


Caller = Annotated[Actor, Depends(caller)]
"""A route's parameter of this type is who asks."""
HasContext = Annotated[Context, Depends(context_of)]


def _bearer(authorization: str | None) -> str:
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise ApiError("not_authenticated", "Send a token: Authorization: Bearer <token>.")
    return token.strip()


async def _keys_of(context: Context, issuer: str) -> dict[str, SigningKey]:
    context.issuers.refresh()
    if found := context.issuers.find(issuer):
        return dict(found.keys)
    brand, separator, engine_id = issuer.partition("/engines/")
    if not separator or context.engine_keys is None:
        raise ActorError("unknown_issuer")
    async with connection_for(context, brand) as connection:
        keys = await context.engine_keys(connection, [(brand, engine_id)])
    if issuer not in keys:
        raise ActorError("unknown_issuer")
    return keys[issuer]


def _check_vouched(context: Context, actor: Actor) -> None:
    issuer = context.issuers.find(actor.issuer)
    if issuer is None:
        # An engine vouches for itself and nobody else, in its own brand, and has no role.
        engine_id = actor.engine_id
        if (
            engine_id is None
            or actor.issuer != engine_issuer(actor.brand, engine_id)
            or actor.roles
        ):
            raise ActorError("not_vouched")
    elif not issuer.may_speak_for(actor.brand):
        raise ActorError("not_vouched", "brand")
    elif actor.roles - issuer.roles:
        raise ActorError("not_vouched", "roles")
