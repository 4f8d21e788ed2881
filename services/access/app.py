"""The access service, assembled."""

import sys
from collections.abc import Sequence

from services.access.api.routes import access_routes
from services.access.handlers import handlers
from services.access.jobs.all import access_jobs
from services.access.remembering.deciding import Deciding
from services.access.settings import AccessSettings, read_access_settings
from services.access.store.engines import load_engine_keys
from services.access.store.people import load_listed
from shared.messaging.context import Context
from shared.messaging.service import Job, Service, run
from shared.settings import ServiceSettings, WrongExtra

NAME = "access"


def access_service(settings: AccessSettings) -> Service:
    made: list[tuple[Context, Deciding]] = []

    def deciding_of(context: Context) -> Deciding:
        """Return the one of a process, which its jobs keep true and its routes ask."""
        for known, deciding in made:
            if known is context:
                return deciding
        made.append((context, Deciding(context, settings)))
        return made[-1][1]

    def jobs(context: Context) -> Sequence[Job]:
        return [*access_jobs(context, settings), *deciding_of(context).watch.jobs()]

    return Service(
        name=NAME,
        handlers=handlers,
        listens_to=("installation", "credential-vault", "workflow"),
        jobs=jobs,
        routes=lambda context: access_routes(deciding_of(context)),
        engine_keys=load_engine_keys,
        members=load_listed,
    )


def main(settings: ServiceSettings) -> None:
    """Run the access service until SIGTERM."""
    try:
        own = read_access_settings(settings)
    except WrongExtra as problem:
        sys.exit(str(problem))
    run(access_service(own), settings)
