"""Keys that credentials are sealed to on their way in: shared by every process of the vault."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from keyturn_contracts.credential_vault import AddAccount, EditCredentials
from keyturn_contracts.keys import (
    Jwks,
    SealingKey,
    import_private_key,
    new_transport_key,
    private_jwk,
    public_jwk,
)
from keyturn_contracts.message import Command
from keyturn_contracts.sealing import SealedError, key_id_of, open_for_vault
from sqlalchemy import delete, exists, extract, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.credential_vault.rules.account import Unsealed
from services.credential_vault.rules.transport import KEPT, is_accepted, lifetime_from
from services.credential_vault.tables import TransportKeyRow
from shared.database.rows import Rows
from shared.messaging.envelope import Asked, CommandId
from shared.messaging.tables import HeldRow
from shared.security.encryption import Encrypted, decrypt, encrypt, place
from shared.security.keys import KeyProvider, WrappedKey
from shared.security.secret_fields import SecretFields

_KIDS = Rows(TransportKeyRow.kid)
_LOAD = select(
    TransportKeyRow.kid,
    TransportKeyRow.accepted_until,
    TransportKeyRow.key_id,
    TransportKeyRow.wrapped_key,
    TransportKeyRow.content,
).where(TransportKeyRow.kid == _KIDS.c.kid)
_NEWEST = (
    select(TransportKeyRow.public, TransportKeyRow.published_until)
    .order_by(TransportKeyRow.published_at.desc(), TransportKeyRow.kid)
    .limit(1)
)
_THUMBPRINT = re.compile(r"[A-Za-z0-9_-]{43}")
_ROTATING = "credential-vault.transport-keys"
_MILLISECONDS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportKey:
    key: SealingKey
    accepted_until: datetime


async def load_transport_keys(
    connection: AsyncConnection, keys: KeyProvider, kids: Iterable[str]
) -> dict[str, TransportKey]:
    """Return those that there are. Not kept in memory: a destroyed key must not live on there."""
    found: dict[str, TransportKey] = {}
    for kid, accepted_until, key_id, wrapped, content in await connection.execute(
        _LOAD, _KIDS.of((kid,) for kid in sorted(set(kids)))
    ):
        encrypted = Encrypted(WrappedKey(key_id, wrapped), content)
        jwk = json.loads(await decrypt(keys, encrypted, _place(kid)))
        found[kid] = TransportKey(key=import_private_key(jwk), accepted_until=accepted_until)
    return found


async def unseal(
    connection: AsyncConnection, keys: KeyProvider, commands: Iterable[Asked[Command]]
) -> dict[CommandId, Unsealed]:
    """Open the sealed credentials of those of the commands that carry some."""
    carrying = [
        (one, one.command.sealed)
        for one in commands
        if isinstance(one.command, AddAccount | EditCredentials)
    ]
    if not carrying:
        return {}
    kids = {one.id: _kid(sealed) for one, sealed in carrying}
    known = await load_transport_keys(connection, keys, filter(None, kids.values()))
    return {one.id: _open(one, sealed, kids[one.id], known) for one, sealed in carrying}


def _kid(sealed: str) -> str | None:
    try:
        kid = key_id_of(sealed)
    except SealedError:
        return None
    # Asked of the database for everybody's commands at once: it must not be what no database takes.
    return kid if _THUMBPRINT.fullmatch(kid) else None


def _open(
    asked: Asked[Command], sealed: str, kid: str | None, known: Mapping[str, TransportKey]
) -> Unsealed:
    if kid is None:
        return "sealed_invalid"
    transport = known.get(kid)
    if transport is None or not is_accepted(transport.accepted_until, asked.at):
        return "transport_key_expired"
    try:
        fields = open_for_vault(
            sealed,
            {kid: transport.key},
            brand=asked.id.brand,
            account_id=asked.key.id,
            command_id=asked.id.id,
        )
    except SealedError:
        return "sealed_invalid"
    return SecretFields(fields)


async def load_published(connection: AsyncConnection) -> tuple[Jwks, datetime] | None:
    """Return the newest key as a set of one, and until when it may be given out."""
    row = (await connection.execute(_NEWEST)).one_or_none()
    return None if row is None else (Jwks.model_validate({"keys": [row.public]}), row[1])


async def rotate(connection: AsyncConnection, keys: KeyProvider, now: datetime) -> bool:
    """Make a new key where the newest is not to be given out any more; tell whether it did.

    One process does it, whoever comes first; the others find its key.
    """
    await connection.execute(select(func.pg_advisory_xact_lock(func.hashtext(_ROTATING))))
    published = await load_published(connection)
    if published is not None and now < published[1]:
        return False
    key = new_transport_key()
    kid = key.thumbprint()
    content = json.dumps(private_jwk(key)).encode()
    encrypted = await encrypt(keys, content, _place(kid))
    lifetime = lifetime_from(now)
    await connection.execute(
        insert(TransportKeyRow).values(
            kid=kid,
            public=public_jwk(key, "enc").model_dump(mode="json", exclude_none=True),
            key_id=encrypted.key.key_id,
            wrapped_key=encrypted.key.wrapped,
            content=encrypted.content,
            published_at=lifetime.published_at,
            published_until=lifetime.published_until,
            accepted_until=lifetime.accepted_until,
        )
    )
    return True


async def destroy(connection: AsyncConnection, now: datetime) -> int:
    """Delete the keys to which nothing is sealed any more that could still be opened.

    That is when the log has let go of every command that was appended while the key was accepted,
    and none of them is held.
    """
    appended_before = extract("epoch", TransportKeyRow.accepted_until) * _MILLISECONDS
    is_needed = exists().where(HeldRow.record_timestamp_ms <= appended_before)
    destroyed = await connection.execute(
        delete(TransportKeyRow).where(TransportKeyRow.accepted_until < now - KEPT, ~is_needed)
    )
    return destroyed.rowcount


async def load_key_ids(connection: AsyncConnection) -> set[str]:
    """Return which key-encryption keys a transport key is closed with."""
    return set((await connection.scalars(select(TransportKeyRow.key_id).distinct())).all())


def _place(kid: str) -> bytes:
    return place("transport-key", kid)
