"""Extensions of the tests whose schemes are tried over HTTPS or SFTP."""

from collections.abc import Mapping
from typing import Any

from keyturn_contracts.catalog import DerivedSetting, DomainRule, FieldSpec, Manifest, Scheme
from keyturn_contracts.probes import HttpProbe, SftpProbe
from keyturn_contracts.secret import Secret

from shared.security.secret_fields import SecretFields
from tests.credential_vault.given import HOST, PORT, SMTP

URL = "https://{host}:{port}"


def field(name: str, *, secret: bool = False, **more: Any) -> FieldSpec:
    return FieldSpec(name=name, title=name, secret=secret, **more)


FIELDS = (
    *(field(name) for name in ("username", "client_id")),
    *(field(name, required=False) for name in ("header_name", "key_id", "scopes", "token_url")),
    field("header_prefix", required=False, default=""),
    *(field(name, secret=True) for name in ("password", "api_key", "client_secret")),
    field("private_key", secret=True, multiline=True),
    field("passphrase", secret=True, required=False),
)


def extension(probe: HttpProbe | SftpProbe, *rules: str) -> Manifest:
    """Return an extension with one scheme, `only`, whose host and port are its settings."""
    slots = {"host": HOST, "port": PORT}
    domains = tuple(
        DomainRule(rule=one, purpose="", slots={k: v for k, v in slots.items() if k in one})
        for one in rules or ("{host}:{port}",)
    )
    return SMTP.model_copy(
        update={
            "slug": "probed",
            "name": "Probed",
            "settings": (
                field("host", pattern=HOST),
                field("port", pattern=PORT, default="443"),
                *(field(name, required=False) for name in ("path", "host_key", "base_url")),
            ),
            "derived": (DerivedSetting(name="folder", first_of=("{path}", ".")),),
            "schemes": (Scheme(id="only", title="Only", fields=FIELDS, probe=probe),),
            "domains": domains,
        }
    )


def http(path: str = "/", **more: Any) -> HttpProbe:
    return HttpProbe.model_validate({"url": f"{URL}{path}", "statuses": [200], **more})


def secret_fields(given: Mapping[str, str]) -> SecretFields:
    return SecretFields({name: Secret(value) for name, value in given.items()})
