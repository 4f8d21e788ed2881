"""What a manifest says of trying a scheme, filled in for one version."""

from collections.abc import Collection, Mapping
from typing import Literal, TypeGuard

from keyturn_contracts.catalog import Manifest
from keyturn_contracts.probes import (
    ConsentProbe,
    HttpProbe,
    NothingToProbe,
    Probe,
    SftpProbe,
    SmtpProbe,
)

from services.credential_vault.providers.finding import Finding, FoundError
from services.credential_vault.providers.http import HttpTry, prepare_http
from services.credential_vault.providers.private_keys import key_text
from services.credential_vault.providers.sftp import SftpLogin, read_host_key
from services.credential_vault.providers.smtp import SmtpLogin
from services.credential_vault.providers.values import Values
from services.credential_vault.rules.addresses import (
    Address,
    OutOfReachError,
    Reach,
    reach_of,
)
from services.credential_vault.rules.fields import find_scheme, why_untried
from shared.security.secret_fields import SecretFields

_HIGHEST_PORT = 65535

Attempt = SmtpLogin | SftpLogin | HttpTry


def fill_probe(
    manifest: Manifest,
    scheme_id: str,
    settings: Mapping[str, str],
    fields: SecretFields,
    *,
    private: Collection[str] = (),
) -> Finding | Attempt:
    """Return what is to be tried, or what can be said without asking anybody.

    `private`: hosts that an operator allows by name although they are not on the internet.
    """
    scheme = find_scheme(manifest, scheme_id)
    if scheme is None:
        return Finding("settings_invalid", f"{manifest.name} has no scheme {scheme_id} any more.")
    if (untried := why_untried(manifest, scheme)) is not None:
        return Finding("scheme_not_supported", untried)
    values = Values.of(manifest, scheme, settings, fields)
    reach = reach_of(manifest, values.settings, private=private)
    try:
        return _fill(scheme.probe, values, reach)
    except FoundError as found:
        return found.finding


def _fill(probe: Probe, values: Values, reach: Reach) -> Finding | Attempt:
    match probe:
        case SmtpProbe():
            return _fill_smtp(probe, values, reach)
        case SftpProbe():
            return _fill_sftp(probe, values, reach)
        case HttpProbe():
            return prepare_http(probe, values, reach)
        case NothingToProbe():
            return Finding("accepted", "Not tried: nothing to connect to.")
        case ConsentProbe():
            return Finding("scheme_not_supported", "A person's consent cannot be asked for yet.")


def _fill_smtp(probe: SmtpProbe, values: Values, reach: Reach) -> SmtpLogin:
    address = _address("smtp", probe.host, probe.port, values, reach)
    security = values.fill(probe.security)
    if not _is_security(security):
        raise FoundError("settings_invalid", "The security is neither starttls nor tls.")
    return SmtpLogin(
        host=address.host,
        port=address.port,
        security=security,
        username=values.fill(probe.username),
        password=values.fill(probe.password),
        clean=values.clean,
    )


def _fill_sftp(probe: SftpProbe, values: Values, reach: Reach) -> SftpLogin:
    return SftpLogin(
        address=_address("sftp", probe.host, probe.port, values, reach),
        host_key=read_host_key(values.fill_shown("the host key", probe.host_key)),
        username=values.fill(probe.username),
        password=values.fill_optional(probe.password),
        private_key=None
        if probe.private_key is None
        else key_text(values, probe.private_key, probe.passphrase),
        folder=values.fill(probe.folder),
        clean=values.clean,
    )


def _address(scheme: str, host: str, port: str, values: Values, reach: Reach) -> Address:
    filled = values.fill_shown("a port", port)
    is_number = filled.isdecimal() and len(filled) <= len(str(_HIGHEST_PORT))
    if not (is_number and 0 < int(filled) <= _HIGHEST_PORT):
        raise FoundError("settings_invalid", "The port is no number between 1 and 65535.")
    try:
        return reach.find_host(scheme, values.fill_shown("a host", host), int(filled))
    except OutOfReachError as error:
        raise FoundError("address_refused", str(error)) from None


def _is_security(text: str) -> TypeGuard[Literal["starttls", "tls"]]:
    return text in {"starttls", "tls"}
