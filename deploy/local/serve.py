"""Runs one service in this process until it is told to stop."""

import importlib
import importlib.util
import signal
from pathlib import Path

from deploy.local.problems import NotFound
from deploy.local.services import SERVICES, module_of
from shared.security.process import close_to_others
from shared.settings import read_settings


def serve(service: str, settings: Path) -> None:
    """Run it on the settings in that file, and return when it has stopped."""
    if service not in SERVICES or importlib.util.find_spec(module_of(service)) is None:
        raise NotFound(f"There is no service {service}: there are {', '.join(SERVICES)}.")
    if not settings.exists():
        raise NotFound(
            f"{settings} is missing, which tells {service} where everything is: `keyturn up` "
            "writes one, or name another with --settings."
        )
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # Before the first password is in memory.
    close_to_others()
    importlib.import_module(module_of(service)).main(read_settings(settings))
