"""Whose version is tried next: brands take turns, however much one of them has waiting."""

from datetime import timedelta

from services.credential_vault.store.claims import claim_trials
from tests.credential_vault.vault import Vault

LEASE = timedelta(seconds=15)
SECRET = {"secret": "hunter2-canary"}
SETTINGS = {"host": "mail.example.com"}


async def claimed(vault: Vault, places: int) -> list[str]:
    async with vault.engine.begin() as connection:
        return sorted(one.at.brand for one in await claim_trials(connection, places, LEASE))


async def test_a_brand_with_much_to_try_has_no_more_turns_than_another(vault: Vault) -> None:
    for brand, number in (("acme", 6), ("other", 2)):
        for account in range(number):
            command = await vault.adding(
                SECRET, SETTINGS, scheme="signing-secret", account_id=f"a{account}", brand=brand
            )
            await vault.deliver(command)

    turns = [await claimed(vault, 2) for _ in range(4)]

    assert turns == [["acme", "other"], ["acme", "other"], ["acme", "acme"], ["acme", "acme"]]
