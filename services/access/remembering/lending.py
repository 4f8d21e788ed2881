"""Decisions that one process lends another in Redis, each with what it was decided by."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from time import monotonic
from typing import Any, cast

from redis.asyncio import Redis
from redis.exceptions import RedisError

from services.access.queries.changes import Snapshot
from services.access.remembering.memory import Question, Remembered, View
from shared.settings import DatabaseSettings

_PREFIX = "access:decision:"
_LENT_MS = 5000
_PAUSE_SECONDS = 1.0
"""How long Redis is left alone when it did not answer in time."""
_MOST = 500
"""Of more at once the database is as quick."""
_SEAL = "sha256"
_SEAL_BYTES = 32


class Lending:
    """Finds decisions in Redis, and puts them there; where Redis is not there it finds none.

    What is found is used only where its snapshot lies between two of ours between which the brand
    did not change: then it says what the brand is now. So it does not matter what Redis has lost.
    And only where one who knows `key` has written it: nobody decides because they can write Redis.
    """

    def __init__(self, redis: Redis | None, key: bytes, patience_seconds: float) -> None:
        self._redis = redis
        self._key = key
        self._patience_seconds = patience_seconds
        self._ask_again_at = 0.0

    async def find(self, view: View, questions: Collection[Question]) -> dict[Question, Remembered]:
        """Return the decisions of those of these that are lent."""
        if (redis := self._there(questions)) is None:
            return {}
        names = [_name(view.brand.name, one) for one in questions]
        try:
            async with asyncio.timeout(self._patience_seconds):
                found = await redis.mget(names)
        except (RedisError, OSError):
            self._rest()
            return {}
        read: dict[Question, Remembered] = {}
        for question, name, value in zip(questions, names, found, strict=True):
            if value is not None and (one := _read(value, name, view, self._key)) is not None:
                read[question] = one
        return read

    async def keep(
        self, brand: str, decisions: Mapping[Question, Remembered], snapshot: Snapshot
    ) -> None:
        """Lend what was decided by facts of this snapshot."""
        if (redis := self._there(decisions)) is None:
            return
        try:
            async with asyncio.timeout(self._patience_seconds):
                async with redis.pipeline(transaction=False) as pipeline:
                    for question, one in decisions.items():
                        name = _name(brand, question)
                        value = _sealed(_write(one, name, snapshot), self._key)
                        pipeline.set(name, value, px=_LENT_MS)
                    await pipeline.execute()
        except (RedisError, OSError):
            self._rest()

    def _there(self, questions: Collection[Question]) -> Redis | None:
        if not questions or len(questions) > _MOST or monotonic() < self._ask_again_at:
            return None
        return self._redis

    def _rest(self) -> None:
        self._ask_again_at = monotonic() + _PAUSE_SECONDS


def lending_key(database: DatabaseSettings) -> bytes:
    """Return what all processes on a database know, and nobody else: made of its writer's password.

    Takes about 50 ms and 16 MiB (scrypt, RFC 7914): who reads Redis and tries passwords until one
    fits what is written there has as much to do for each. Whoever has the password needs no Redis.
    """
    return hashlib.scrypt(
        database.writer.password.get_secret_value().encode(),
        salt=f"keyturn lent decisions of {database.name}".encode(),
        n=2**14,
        r=8,
        p=1,
        dklen=32,
    )


def _name(brand: str, question: Question) -> str:
    # As JSON: whatever stands in one of them, it is no other question and of no other brand.
    return _PREFIX + json.dumps([brand, *question], separators=(",", ":"))


def _write(one: Remembered, name: str, snapshot: Snapshot) -> bytes:
    until = "" if one.until is None else one.until.isoformat()
    return f"{name}\n{snapshot.text}\n{until}\n{one.allowed:d}\n".encode() + one.body


def _sealed(written: bytes, key: bytes) -> bytes:
    return hmac.digest(key, written, _SEAL) + written


def _read(value: Any, name: str, view: View, key: bytes) -> Remembered | None:
    """Return what was lent where it says what the brand is now.

    It says itself what it is an answer to: one that came to another question is none. What somebody
    else has written is none either: the database says it.
    """
    seal, written = cast("bytes", value)[:_SEAL_BYTES], cast("bytes", value)[_SEAL_BYTES:]
    if not hmac.compare_digest(seal, hmac.digest(key, written, _SEAL)):
        return None
    named, lent, until, allowed, body = written.split(b"\n", 4)
    if named != name.encode():
        return None
    snapshot = Snapshot(lent.decode())
    # It sees all that `since` sees, and nothing that the last look does not.
    if snapshot.xmin < view.brand.since.xmax or snapshot.xmax > view.seen.xmin:
        return None
    moment = datetime.fromisoformat(until.decode()).astimezone(UTC) if until else None
    return Remembered(body, allowed == b"1", moment)
