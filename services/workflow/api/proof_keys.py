"""The public keys that proofs are signed with: for everybody, who may pin them."""

from fastapi import APIRouter
from keyturn_contracts.keys import Jwks

from services.workflow.proof_keys import ProofKeys


def proof_keys_router(keys: ProofKeys) -> APIRouter:
    router = APIRouter(prefix="/v1/proof-keys")

    @router.get("", response_model_exclude_none=True)
    async def show_proof_keys() -> Jwks:
        """Return every key, old ones too, the newest first."""
        return keys.public()

    return router
