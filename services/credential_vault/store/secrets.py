"""Credential fields at rest: encrypted for their version's place, and gone with it."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.credential_vault.tables import SecretRow
from shared.database.rows import Rows
from shared.security.encryption import Encrypted, decrypt, encrypt, place
from shared.security.keys import KeyProvider, WrappedKey
from shared.security.secret_fields import SecretFields

_SECRETS = Rows(
    SecretRow.brand_id,
    SecretRow.account_id,
    SecretRow.number,
    SecretRow.key_id,
    SecretRow.wrapped_key,
    SecretRow.content,
)
_INSERT = _SECRETS.insert_into(SecretRow)
_NUMBERS = Rows(SecretRow.brand_id, SecretRow.account_id, SecretRow.number)
_LOAD = select(
    SecretRow.brand_id,
    SecretRow.account_id,
    SecretRow.number,
    SecretRow.key_id,
    SecretRow.wrapped_key,
    SecretRow.content,
).where(
    SecretRow.brand_id == _NUMBERS.c.brand_id,
    SecretRow.account_id == _NUMBERS.c.account_id,
    SecretRow.number == _NUMBERS.c.number,
)
_DELETE = delete(SecretRow).where(
    SecretRow.brand_id == _NUMBERS.c.brand_id,
    SecretRow.account_id == _NUMBERS.c.account_id,
    SecretRow.number == _NUMBERS.c.number,
)


class Place(NamedTuple):
    """Which version's credentials they are; they open nowhere else."""

    brand: str
    account_id: str
    number: int

    def as_additional_data(self) -> bytes:
        return place("credential-version", self.brand, self.account_id, str(self.number))


async def insert_secrets(
    connection: AsyncConnection, keys: KeyProvider, new: Sequence[tuple[Place, SecretFields]]
) -> None:
    """Encrypt each under a data key of its own, and keep it."""
    rows: list[tuple[object, ...]] = []
    for at, fields in new:
        encrypted = await encrypt(keys, fields.to_bytes(), at.as_additional_data())
        rows.append((*at, encrypted.key.key_id, encrypted.key.wrapped, encrypted.content))
    if rows:
        await connection.execute(_INSERT, _SECRETS.of(rows))


async def load_secrets(
    connection: AsyncConnection, places: Iterable[Place]
) -> dict[Place, Encrypted]:
    """Return what is kept of these versions, still closed."""
    rows = await connection.execute(_LOAD, _NUMBERS.of(sorted(places)))
    return {
        Place(brand, account_id, number): Encrypted(WrappedKey(key_id, wrapped), content)
        for brand, account_id, number, key_id, wrapped, content in rows
    }


async def open_secret(keys: KeyProvider, at: Place, encrypted: Encrypted) -> SecretFields:
    """Return the fields, or raise `UnknownKeyError` or `DoesNotOpenError`."""
    return SecretFields.from_bytes(await decrypt(keys, encrypted, at.as_additional_data()))


async def delete_secrets(connection: AsyncConnection, places: Iterable[Place]) -> None:
    """Have the wrapped data keys and the contents of these versions gone."""
    await connection.execute(_DELETE, _NUMBERS.of(sorted(places)))


async def load_key_ids(connection: AsyncConnection) -> set[str]:
    """Return which key-encryption keys something is closed with."""
    return set((await connection.scalars(select(SecretRow.key_id).distinct())).all())
