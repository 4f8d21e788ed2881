"""What people read when a connection to a provider fails."""

import ssl

from services.credential_vault.providers.finding import Finding


def explain(error: OSError, where: str, *, no_tls: str) -> Finding:
    """Tell trouble with the server's TLS, which stays, from that of a network, which may pass.

    `no_tls` is said of a server that answers with something other than TLS.
    """
    if isinstance(error, ssl.SSLCertVerificationError):
        reason = error.verify_message.rstrip(".")
        return Finding("settings_invalid", f"The certificate of {where} is not believed: {reason}.")
    if isinstance(error, ssl.SSLEOFError):
        return broken_off(where)
    if isinstance(error, ssl.SSLError):
        return Finding("settings_invalid", no_tls)
    return late(where) if isinstance(error, TimeoutError) else broken_off(where)


def late(where: str) -> Finding:
    return Finding("provider_unreachable", f"{where} did not answer in time.")


def broken_off(where: str) -> Finding:
    return Finding("provider_unreachable", f"{where} broke off the conversation.")
