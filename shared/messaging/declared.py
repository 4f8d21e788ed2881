"""What a service is made of."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from fastapi import APIRouter

from shared.messaging.context import Context, EngineKeys
from shared.messaging.handlers import Handlers
from shared.messaging.jobs import Job
from shared.messaging.members import LoadListed, load_listed


def _no_jobs(_context: Context) -> Sequence[Job]:
    return ()


def _no_routes(_context: Context) -> APIRouter:
    return APIRouter()


@dataclass(frozen=True, kw_only=True)
class Service:
    """Everything that makes one service out of the machinery that they all share."""

    name: str
    """Dashed, as in its topics: `credential-vault`."""
    handlers: Handlers
    listens_to: tuple[str, ...] = ()
    """The services whose events it reads."""
    prepare: Callable[[Context], Awaitable[None]] | None = None
    """Runs before the first message is read: keys, what is loaded once."""
    jobs: Callable[[Context], Sequence[Job]] = _no_jobs
    routes: Callable[[Context], APIRouter] = _no_routes
    engine_keys: EngineKeys | None = None
    """Registered engines are issuers of their own commands and tokens; this finds their keys."""
    members: LoadListed = load_listed
    """What brands' lists say of who asks. The access service has them at first hand."""
