"""Who asks, for those who ask thousands of times a second: a token is verified twice a second."""

from datetime import UTC, datetime
from hashlib import sha256
from time import monotonic

from fastapi import Request
from keyturn_contracts.actor import Actor

from shared.http.auth import vouched_caller

_SECONDS = 0.5
"""How long what was verified counts: an issuer or an engine that is taken away is so in this."""
_MOST = 4096


class Tokens:
    """Tokens that were verified just now. What is wrong with one is said anew each time."""

    def __init__(self) -> None:
        self._verified: dict[bytes, tuple[Actor, float]] = {}
        """By digest, so that no token lies about."""

    def known_caller(self, authorization: bytes) -> Actor | None:
        """Return who asks as their issuer says it, or None where that is to be verified."""
        actor, until = self._verified.get(_digest(authorization), (None, 0.0))
        if actor is not None and monotonic() < until and datetime.now(UTC) < actor.expires_at:
            return actor
        return None

    async def caller(self, request: Request) -> Actor:
        """Return who asks as their issuer says it, or answer `not_authenticated`."""
        authorization = request.headers.get("authorization")
        # A header's bytes, as they came.
        sent = (authorization or "").encode("latin-1")
        known = self.known_caller(sent)
        if known is not None:
            return known
        began = monotonic()
        actor = await vouched_caller(request, authorization)
        if len(self._verified) >= _MOST:
            self._verified.clear()
        self._verified[_digest(sent)] = (actor, began + _SECONDS)
        return actor


def _digest(authorization: bytes) -> bytes:
    return sha256(authorization).digest()
