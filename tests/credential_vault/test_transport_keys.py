"""Transport keys: a new one each day, and none longer than something may need it."""

from datetime import UTC, datetime, timedelta

import pytest
from keyturn_contracts.keys import Jwks

from services.credential_vault.jobs.transport_keys import keep_transport_keys
from services.credential_vault.store.transport_keys import (
    destroy,
    load_published,
    load_transport_keys,
    rotate,
)
from tests.credential_vault.http import Client
from tests.credential_vault.vault import Vault

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)


@pytest.fixture
async def empty(vault: Vault) -> Vault:
    """Return a vault that has no transport key yet."""
    await vault.execute("DELETE FROM transport_key")
    return vault


async def rotate_at(vault: Vault, now: datetime) -> bool:
    async with vault.engine.begin() as connection:
        return await rotate(connection, vault.keys, now)


async def destroy_at(vault: Vault, now: datetime) -> int:
    async with vault.engine.begin() as connection:
        return await destroy(connection, now)


async def published(vault: Vault) -> Jwks:
    async with vault.engine.connect() as connection:
        found = await load_published(connection)
    assert found is not None
    return found[0]


async def test_a_key_is_given_out_for_one_day(empty: Vault) -> None:
    assert await rotate_at(empty, NOW)
    first = await published(empty)
    assert not await rotate_at(empty, NOW + DAY - MINUTE)
    assert await rotate_at(empty, NOW + DAY)
    second = await published(empty)

    assert len(first.keys) == len(second.keys) == 1
    assert first != second
    assert (first.keys[0].crv, first.keys[0].use) == ("X25519", "enc")


async def test_several_processes_make_one_key(empty: Vault) -> None:
    made = [await keep_transport_keys(empty.engine, empty.keys) for _ in range(3)]

    assert made == [1, 0, 0]


async def test_a_key_is_accepted_for_two_days_after_and_then_kept_as_long_as_commands_are(
    empty: Vault,
) -> None:
    await rotate_at(empty, NOW)
    kid = (await published(empty)).keys[0].thumbprint()
    async with empty.engine.connect() as connection:
        found = await load_transport_keys(connection, empty.keys, [kid, "another"])

    assert set(found) == {kid}
    assert found[kid].accepted_until == NOW + 3 * DAY
    assert found[kid].key.thumbprint() == kid
    assert await destroy_at(empty, NOW + 6 * DAY) == 0
    assert await destroy_at(empty, NOW + 6 * DAY + MINUTE) == 1
    assert await empty.rows("SELECT 1 FROM transport_key") == []


@pytest.mark.parametrize(("appended", "left"), [(3 * DAY, 0), (3 * DAY + MINUTE, 1)])
async def test_a_key_that_a_held_command_may_need_is_kept(
    empty: Vault, appended: timedelta, left: int
) -> None:
    await rotate_at(empty, NOW)
    await empty.execute(
        'INSERT INTO held (topic, partition, "offset", brand_id, kind, subject_id, issuer, '
        "command_id, command, state, attempts, first_at, cause, is_alone, is_dropped, "
        "record_headers, record_timestamp_ms, record_timestamp_type) VALUES "
        "('t', 0, 0, 'acme', 'accounts', 'mail', 'local', 'x', 'EditCredentials', 'parked', 1, "
        "now(), 'x', false, false, '[]', :at, 1)",
        at=int((NOW + appended).timestamp() * 1000),
    )

    assert await destroy_at(empty, NOW + 30 * DAY) == left


async def test_the_private_half_is_encrypted_and_opens_for_its_own_name_alone(
    empty: Vault,
) -> None:
    await rotate_at(empty, NOW)
    await rotate_at(empty, NOW + DAY)
    rows = await empty.rows("SELECT kid, content FROM transport_key ORDER BY published_at")
    (first, content), (second, _) = rows
    async with empty.engine.connect() as connection:
        known = await load_transport_keys(connection, empty.keys, [first])
    private = known[first].key.as_dict(private=True)["d"]
    assert str(private).encode() not in content

    await empty.execute(
        "UPDATE transport_key SET (key_id, wrapped_key, content) = (SELECT key_id, wrapped_key, "
        "content FROM transport_key WHERE kid = :first) WHERE kid = :second",
        first=first,
        second=second,
    )
    with pytest.raises(ValueError, match="does not open"):
        async with empty.engine.connect() as connection:
            await load_transport_keys(connection, empty.keys, [second])


async def test_everybody_gets_the_newest_key(vault: Vault, client: Client) -> None:
    answer = await client.http.get("/v1/transport-keys")

    assert answer.status_code == 200
    assert Jwks.model_validate_json(answer.content) == await published(vault)
    assert set(answer.json()["keys"][0]) == {"kty", "crv", "x", "use", "kid"}


async def test_a_vault_without_a_key_says_so(empty: Vault, client: Client) -> None:
    assert (await client.http.get("/v1/transport-keys")).status_code == 503
