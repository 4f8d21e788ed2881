"""Whose certificates are believed when a provider is tried: the system's, and an operator's."""

import ssl
from pathlib import Path


class TrustRootsError(ValueError):
    """The operator's trust roots cannot be used. Its text says which file."""


def tls_context(trust_roots: Path | None) -> ssl.SSLContext:
    """Return a context that checks every certificate and its name; there is no way to skip it."""
    context = ssl.create_default_context()
    if trust_roots is None:
        return context
    files = sorted(trust_roots.glob("*.pem")) if trust_roots.is_dir() else [trust_roots]
    if not files:
        raise TrustRootsError(f"{trust_roots} has no *.pem file: put the certificates there.")
    for file in files:
        try:
            context.load_verify_locations(cafile=file)
        except (OSError, ssl.SSLError):
            raise TrustRootsError(f"{file} holds no certificates that can be read.") from None
    return context
