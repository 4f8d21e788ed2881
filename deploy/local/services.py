"""Which services there are, and which of them can be started."""

import importlib.util

SERVICES = ("catalog", "installation", "credential-vault", "access", "workflow")
"""As principals and in commands; the package of each is the same with underscores."""


def module_of(service: str) -> str:
    return f"services.{service.replace('-', '_')}.app"


def startable_services() -> tuple[str, ...]:
    return tuple(name for name in SERVICES if importlib.util.find_spec(module_of(name)))
