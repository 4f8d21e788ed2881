"""The installation service, assembled."""

import sys
from collections.abc import Sequence
from datetime import timedelta
from functools import partial

from fastapi import APIRouter
from keyturn_contracts.catalog import ExtensionChanged, LicenceChanged
from keyturn_contracts.credential_vault import AccountChanged
from keyturn_contracts.installation import AboutInstallation, Clearance

from services.installation.api import decisions, installations
from services.installation.api.reviews import review_routes
from services.installation.handlers import handlers_with
from services.installation.jobs.following import follow_installations, spread_news
from services.installation.rules.policy import Policy
from services.installation.settings import InstallationSettings, read_installation_settings
from shared.messaging.context import Context
from shared.messaging.service import Job, Service, run
from shared.settings import ServiceSettings, WrongExtra

NAME = "installation"


def installation_service(settings: InstallationSettings) -> Service:
    policy = Policy(
        platform=settings.platform,
        contact=settings.licence_contact,
        uninstall_within=settings.uninstall_within,
        private=settings.allowed_private_hosts,
    )

    def jobs(context: Context) -> Sequence[Job]:
        second = timedelta(seconds=1)
        return (
            Job(
                name="spread news",
                run=partial(spread_news, context.writer, settings.at_once),
                every=5 * second,
                woken_by=(ExtensionChanged, LicenceChanged),
            ),
            Job(
                name="follow installations",
                run=partial(follow_installations, context.writer, policy, settings.at_once),
                every=second,
                woken_by=(AboutInstallation, AccountChanged, Clearance),
            ),
        )

    def routes(_context: Context) -> APIRouter:
        router = APIRouter()
        router.include_router(review_routes(policy))
        router.include_router(installations.router)
        router.include_router(decisions.router)
        return router

    return Service(
        name=NAME,
        handlers=handlers_with(policy),
        listens_to=("catalog", "credential-vault", "workflow", "access"),
        jobs=jobs,
        routes=routes,
    )


def main(settings: ServiceSettings) -> None:
    """Run the installation service until SIGTERM."""
    try:
        own = read_installation_settings(settings)
    except WrongExtra as problem:
        sys.exit(str(problem))
    run(installation_service(own), settings)
