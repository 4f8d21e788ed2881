"""An engine's proof that it has the private halves of the keys it registers."""

import json

from joserfc import jws
from joserfc.errors import JoseError

from keyturn_contracts.keys import InvalidKeyError, PublicJwk, SigningKey, algorithm_of

PROOF_TYPE = "keyturn-engine+jwt"


def prove_possession(key: SigningKey, *, brand: str, engine_id: str, enc: PublicJwk) -> str:
    """Return a compact JWS by `sig` over brand, engine id and both thumbprints."""
    claims = {
        "brand": brand,
        "engine": engine_id,
        "sig": key.thumbprint(),
        "enc": enc.thumbprint(),
    }
    header = {"alg": algorithm_of(key), "typ": PROOF_TYPE, "kid": key.thumbprint()}
    return jws.serialize_compact(
        header, json.dumps(claims, sort_keys=True), key, algorithms=[algorithm_of(key)]
    )


def proves_possession(
    proof: str, *, brand: str, engine_id: str, sig: PublicJwk, enc: PublicJwk
) -> bool:
    """Tell whether `proof` was made by `sig` for exactly this engine and these keys."""
    try:
        key = sig.to_key()
        expected = {
            "brand": brand,
            "engine": engine_id,
            "sig": key.thumbprint(),
            "enc": enc.thumbprint(),
        }
        verified = jws.deserialize_compact(proof.encode(), key, algorithms=[algorithm_of(key)])
        return verified.headers().get("typ") == PROOF_TYPE and (
            json.loads(verified.payload) == expected
        )
    except (InvalidKeyError, JoseError, ValueError, TypeError, RecursionError):
        return False
