"""The issuer that the command line signs as: its key is made at the first start."""

import json

from keyturn_contracts.keys import import_private_key, jwks_of, new_signing_key, private_jwk
from keyturn_contracts.topics import LOCAL_ISSUER

from deploy.local.folder import DataFolder, make_private, write_private

KEY_FILE = "local-issuer.json"
_ROLES = ("administrator", "member", "operator", "publisher")


def ensure_local_issuer(data: DataFolder) -> None:
    """Make the key where there is none, and let every service know what it may vouch for."""
    key_file = data.root / "keys" / KEY_FILE
    if key_file.exists():
        key = import_private_key(json.loads(key_file.read_bytes()))
    else:
        key = new_signing_key()
        make_private(key_file.parent)
        write_private(key_file, json.dumps(private_jwk(key)))
    described = {
        "name": LOCAL_ISSUER,
        "jwks": jwks_of([key], "sig").model_dump(mode="json", exclude_none=True),
        "brands": ["*"],
        "roles": list(_ROLES),
        "replies": True,
    }
    write_private(data.issuers / f"{LOCAL_ISSUER}.json", json.dumps(described, indent=2) + "\n")
