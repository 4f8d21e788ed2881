"""What the services answer: accounts, engines, rollouts and who depends on what."""

from collections.abc import AsyncIterator
from typing import Any

from keyturn_contracts.workflow import RolloutChanged

from keyturn_client.http import Http

Item = dict[str, Any]
"""As the service answers it; its OpenAPI document describes it."""


class Queries:
    """The queries of the services, for the brand of who asks."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def accounts(self, **filters: str) -> AsyncIterator[Item]:
        """Yield accounts; filters: `extension`, `state`, `name`."""
        return self._http.pages("credential-vault", "/v1/accounts", filters)

    async def account(self, account_id: str) -> Item:
        """Return an account with the history of its versions, never a secret."""
        return await self._http.get("credential-vault", f"/v1/accounts/{account_id}")

    def dependents(self, account_id: str) -> AsyncIterator[Item]:
        """Yield what a rotation of the account would touch."""
        return self._http.pages("workflow", f"/v1/accounts/{account_id}/dependents")

    def engines(self) -> AsyncIterator[Item]:
        return self._http.pages("workflow", "/v1/engines")

    def workflows(self, **filters: str) -> AsyncIterator[Item]:
        """Yield the workflows that engines have told of; filters: `engine`, `account`."""
        return self._http.pages("workflow", "/v1/workflows", filters)

    def behind(self, **filters: str) -> AsyncIterator[Item]:
        """Yield the workflows that open rollouts wait for; filters: `engine`, `account`."""
        return self._http.pages("workflow", "/v1/workflows/behind", filters)

    def rollouts(self, **filters: str) -> AsyncIterator[Item]:
        """Yield rollouts, the newest first; filters: `account`, `state`."""
        return self._http.pages("workflow", "/v1/rollouts", filters)

    async def rollout(self, rollout_id: str) -> RolloutChanged:
        """Return a rollout as it is now, as an event of it would tell it."""
        return RolloutChanged.model_validate(
            await self._http.get("workflow", f"/v1/rollouts/{rollout_id}")
        )

    async def proof(self, rollout_id: str) -> bytes:
        """Return a completed rollout's proof, as it was signed."""
        return await self._http.get_bytes("workflow", f"/v1/rollouts/{rollout_id}/proof")

    async def proof_keys(self) -> Item:
        """Return the public keys that proofs are signed with, old ones too (JWKS)."""
        return await self._http.get("workflow", "/v1/proof-keys")

    async def extension(self, slug: str) -> Item:
        return await self._http.get("catalog", f"/v1/extensions/{slug}")
