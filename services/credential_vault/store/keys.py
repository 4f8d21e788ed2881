"""The keys of the vault's aggregates."""

from keyturn_contracts.credential_vault import AboutAccount
from keyturn_contracts.message import Key


def key_of_account(brand: str, account_id: str) -> Key:
    return Key(brand, AboutAccount.kind, account_id)
