"""The owners of workflows that are told of: who may come to use what, and whether they may."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from keyturn_contracts.message import Key
from sqlalchemy.ext.asyncio import AsyncConnection

from services.workflow.rules.access import Access
from services.workflow.rules.account import Account
from services.workflow.rules.usage import Usage
from services.workflow.store.access import load_access
from services.workflow.store.account import key_of as account_key
from services.workflow.store.engine import key_of as engine_key
from services.workflow.store.holding import HoldingKey
from services.workflow.store.usage import load_usage

Pair = tuple[str, str]
"""An account, and the owner of a workflow that uses it, as it is or will be."""


class Owners:
    """Who may come to use which accounts: every owner of a workflow, with all that it may use."""

    def __init__(self) -> None:
        self._owners: defaultdict[tuple[Key, str], set[str]] = defaultdict(set)
        self._accounts: defaultdict[tuple[Key, str], set[str]] = defaultdict(set)

    def note(self, engine: Key, workflow_id: str, owner: str, accounts: set[str]) -> None:
        self._owners[engine, workflow_id].add(owner)
        self._accounts[engine, workflow_id] |= accounts

    def pairs(self, engines: Iterable[Key]) -> dict[Key, set[Pair]]:
        """Return by engine the accounts and owners that are to be judged."""
        pairs: dict[Key, set[Pair]] = {engine: set() for engine in engines}
        for (engine, workflow_id), owners in self._owners.items():
            accounts = self._accounts[engine, workflow_id]
            pairs[engine] |= {(account, owner) for account in accounts for owner in owners}
        return pairs


async def load_judges(
    connection: AsyncConnection, accounts: Mapping[Key, Account], pairs: Mapping[Key, set[Pair]]
) -> tuple[dict[str, Access], dict[Key, dict[Pair, Usage]]]:
    """Return what says who may use what, by brand, and how much they use, by engine."""
    access = await load_access(
        connection,
        {key.brand for key in pairs},
        accounts,
        {
            (account_key(key.brand, account_id), owner)
            for key, some in pairs.items()
            for account_id, owner in some
        },
    )
    usage: dict[Key, dict[Pair, Usage]] = {key: {} for key in pairs}
    wanted = [
        (HoldingKey(key.brand, key.id, account_id), owner)
        for key, some in pairs.items()
        for account_id, owner in some
    ]
    for (holding, owner), one in (await load_usage(connection, wanted)).items():
        usage[engine_key(holding.brand, holding.engine_id)][holding.account_id, owner] = one
    return access, usage
