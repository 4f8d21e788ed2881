"""Since when an engine is known to have heard all that events told."""

from keyturn_client.replica.freshness import Freshness, now
from keyturn_client.wire import Reader, answered

_ASK_SECONDS = 2.0
"""How often Kafka is asked how far the topics go."""


class Abreast:
    """Compares what was read with what there is. Make a new one with each reader."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._freshness: Freshness | None = None
        self._asked_at = float("-inf")

    async def look(self) -> float | None:
        """Return a moment, by `now`, up to which all is heard that was told; None: not yet known.

        Call it when everything that the reader has returned is heard. Raises `UnreachableError`,
        and of these a `RewoundError` where the topics end before what was read of them.
        """
        positions = await answered(self._reader.positions())
        if self._freshness is None:
            self._freshness = Freshness(positions)
        else:
            self._freshness.advance(positions)
        if now() >= self._asked_at + _ASK_SECONDS:
            self._asked_at = now()
            self._freshness.aim(await answered(self._reader.ends()), self._asked_at)
        return self._freshness.known_at
