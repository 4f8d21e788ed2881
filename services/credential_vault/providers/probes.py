"""What a manifest says of trying a scheme, filled in for one version."""

import re
from collections.abc import Mapping
from typing import Literal, TypeGuard

from keyturn_contracts.catalog import Manifest, Scheme
from keyturn_contracts.probes import NothingToProbe, SmtpProbe

from services.credential_vault.providers.answers import clean_answer
from services.credential_vault.providers.finding import Finding
from services.credential_vault.providers.smtp import SmtpLogin
from services.credential_vault.rules.addresses import may_connect
from services.credential_vault.rules.fields import find_scheme
from shared.security.secret_fields import SecretFields

_SLOT = re.compile(r"\{([a-z][a-z0-9_]*)\}")
_HIGHEST_PORT = 65535


def fill_probe(
    manifest: Manifest, scheme_id: str, settings: Mapping[str, str], fields: SecretFields
) -> Finding | SmtpLogin:
    """Return what is to be tried, or what can be said without asking anybody."""
    scheme = find_scheme(manifest, scheme_id)
    if scheme is None:
        return Finding("settings_invalid", f"{manifest.name} has no scheme {scheme_id} any more.")
    if isinstance(scheme.probe, NothingToProbe):
        return Finding("accepted", "Not tried: nothing to connect to.")
    if not isinstance(scheme.probe, SmtpProbe):
        # Of an account from when its scheme was tried in another way.
        return Finding("settings_invalid", f"{scheme.title} of {manifest.name} cannot be tried.")
    return _fill_smtp(manifest, scheme, scheme.probe, settings, fields)


def _fill_smtp(
    manifest: Manifest,
    scheme: Scheme,
    probe: SmtpProbe,
    settings: Mapping[str, str],
    fields: SecretFields,
) -> Finding | SmtpLogin:
    values = {**settings, **{name: one.get_secret_value() for name, one in fields.items()}}
    try:
        host, port, security, username, password = (
            _fill(template, values)
            for template in (
                probe.host,
                probe.port,
                probe.security,
                probe.username,
                probe.password,
            )
        )
    except KeyError as missing:
        return Finding("settings_invalid", f"The value of {missing.args[0]} is needed to try it.")
    if not (port.isdecimal() and 0 < int(port) <= _HIGHEST_PORT):
        return Finding("settings_invalid", "The port is no number between 1 and 65535.")
    if not _is_security(security):
        return Finding("settings_invalid", "The security is neither starttls nor tls.")
    if not may_connect(manifest, settings, host, int(port)):
        return Finding(
            "address_refused", f"{host}:{port} is not among the addresses of {manifest.name}."
        )
    secrets = {one.name for one in scheme.fields if one.secret}
    sent = {name: one.get_secret_value() for name, one in fields.items()}
    return SmtpLogin(
        host=host,
        port=int(port),
        security=security,
        username=username,
        password=password,
        clean=lambda text: clean_answer(
            text,
            secrets=[value for name, value in sent.items() if name in secrets],
            names=[value for name, value in sent.items() if name not in secrets],
        ),
    )


def _fill(template: str, values: Mapping[str, str]) -> str:
    """Put values in for `{name}`, once: what stands in a value is never a template itself."""
    return _SLOT.sub(lambda found: values[found[1]], template)


def _is_security(text: str) -> TypeGuard[Literal["starttls", "tls"]]:
    return text in {"starttls", "tls"}
