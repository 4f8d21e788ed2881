"""Keys as they are published and stored, and an engine's proof that it has its own."""

import pytest
from keyturn_contracts.keys import (
    InvalidKeyError,
    Jwks,
    PublicJwk,
    import_private_key,
    jwks_of,
    new_engine_sealing_key,
    new_signing_key,
    private_jwk,
    public_jwk,
)
from keyturn_contracts.registration import prove_possession, proves_possession
from pydantic import ValidationError

SIG = new_signing_key()
ENC = public_jwk(new_engine_sealing_key(), "enc")


def test_a_private_part_is_refused_before_anything_stores_it() -> None:
    with pytest.raises(ValidationError) as caught:
        PublicJwk.model_validate(private_jwk(SIG) | {"use": "sig"})
    assert private_jwk(SIG)["d"] not in str(caught.value)


def test_a_stored_key_comes_back() -> None:
    assert import_private_key(private_jwk(SIG)).thumbprint() == SIG.thumbprint()
    with pytest.raises(InvalidKeyError):
        import_private_key({"kty": "OKP", "crv": "Ed25519", "x": "AAAA"})


def test_a_key_that_is_none_is_left_out_of_a_set() -> None:
    broken = PublicJwk(kty="EC", crv="P-256", x="AAAA", y="AAAA", use="sig")

    found = Jwks(keys=(broken, *jwks_of([SIG], "sig").keys)).by_id()

    assert list(found) == [SIG.thumbprint()]


def test_possession_is_proved_for_one_engine_with_these_keys() -> None:
    sig = public_jwk(SIG, "sig")
    proof = prove_possession(SIG, brand="acme", engine_id="e1", enc=ENC)

    assert proves_possession(proof, brand="acme", engine_id="e1", sig=sig, enc=ENC)
    other = public_jwk(new_signing_key(), "sig")
    other_enc = public_jwk(new_engine_sealing_key(), "enc")
    assert not proves_possession(proof, brand="acme", engine_id="e2", sig=sig, enc=ENC)
    assert not proves_possession(proof, brand="rival", engine_id="e1", sig=sig, enc=ENC)
    assert not proves_possession(proof, brand="acme", engine_id="e1", sig=other, enc=ENC)
    assert not proves_possession(proof, brand="acme", engine_id="e1", sig=sig, enc=other_enc)
    for nonsense in ("", "a.b.c", "ä", proof[:-4] + "AAAA"):
        assert not proves_possession(nonsense, brand="acme", engine_id="e1", sig=sig, enc=ENC)
