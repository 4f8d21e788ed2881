"""joserfc opens an envelope that was sealed to several keys; ours is never one and opens none."""

import json

import pytest
from joserfc import jwe
from joserfc.jwe import JWERegistry
from keyturn_contracts.keys import new_engine_sealing_key, new_transport_key
from keyturn_contracts.sealing import (
    ALGORITHM,
    ENCRYPTION,
    SealedError,
    open_for_vault,
    seal_for_vault,
)

CONTEXT = {"brand": "acme", "account_id": "mail", "command_id": "0199"}


def test_what_is_sealed_is_compact_and_has_one_recipient() -> None:
    key = new_transport_key()

    sealed = seal_for_vault({"password": "p"}, key, **CONTEXT)

    assert sealed.count(".") == 4
    assert open_for_vault(sealed, {key.thumbprint(): key}, **CONTEXT)


@pytest.mark.parametrize("form", ["json", "one part of it"])
def test_an_envelope_for_several_keys_opens_for_nobody(form: str) -> None:
    ours, other = new_engine_sealing_key(), new_engine_sealing_key()
    registry = JWERegistry(algorithms=[ALGORITHM, ENCRYPTION], verify_all_recipients=False)
    sealed = jwe.GeneralJSONEncryption({"enc": ENCRYPTION}, b'{"password":"p"}')
    for key in (ours, other):
        sealed.add_recipient({"alg": ALGORITHM, "kid": key.thumbprint()}, key)
    serialised = jwe.encrypt_json(sealed, None, registry=registry)
    opened = jwe.decrypt_json(serialised, ours, registry=registry)
    assert opened.plaintext == b'{"password":"p"}', "The library itself does open it."
    recipient = serialised["recipients"][0]
    compact = ".".join(
        (
            serialised["protected"],
            recipient.get("encrypted_key", ""),
            serialised["iv"],
            serialised["ciphertext"],
            serialised["tag"],
        )
    )
    told = json.dumps(serialised) if form == "json" else compact

    with pytest.raises(SealedError):
        open_for_vault(told, {ours.thumbprint(): ours}, **CONTEXT)
