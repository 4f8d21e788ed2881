"""The catalog, assembled."""

import sys
from pathlib import Path

from fastapi import APIRouter, Depends

from services.catalog.api import licence
from services.catalog.api.extensions import extension_routes
from services.catalog.api.seeing import check_is_somebody
from services.catalog.api.steps import step_routes
from services.catalog.handlers import handlers_of
from services.catalog.jobs import (
    EXAMPLES,
    MANIFESTS,
    follow_plans,
    publish_manifests,
    read_manifests,
)
from services.catalog.rules.extension import Platform
from services.catalog.rules.manifest import ManifestError
from services.catalog.rules.plan import PlanError, plans_of, read_plans
from services.catalog.settings import CatalogSettings, read_catalog_settings
from services.catalog.shelving import Shelving
from shared.messaging.context import Context
from shared.messaging.service import Service, run
from shared.settings import ServiceSettings, WrongExtra

PLANS = Path(__file__).parent / "plans.yaml"
_PROBLEMS = (ManifestError, PlanError, WrongExtra)
"""What an operator must put right before the catalog starts; their text says what."""


def catalog_service(settings: CatalogSettings) -> Service:
    """Make the service; raises one of `_PROBLEMS`."""
    manifests = read_manifests(MANIFESTS)
    if settings.examples:
        manifests += read_manifests(EXAMPLES)
    plans = plans_of(read_plans(PLANS.read_text(encoding="utf-8")), settings.plans)
    shelving = Shelving(settings)

    async def prepare(context: Context) -> None:
        await publish_manifests(context.writer, manifests)
        await follow_plans(context.writer, plans)
        async with context.writer.connect() as connection:
            await shelving.fill(connection)
        context.wake()

    return Service(
        name="catalog",
        handlers=handlers_of(
            Platform(name=settings.platform, private_hosts=settings.allowed_private_hosts)
        ),
        listens_to=("installation", "access"),
        prepare=prepare,
        routes=lambda _context: catalog_routes(settings, shelving),
    )


def catalog_routes(settings: CatalogSettings, shelving: Shelving) -> APIRouter:
    router = APIRouter(dependencies=[Depends(check_is_somebody)])
    router.include_router(extension_routes(settings, shelving))
    router.include_router(step_routes(shelving))
    router.include_router(licence.router)
    return router


def main(settings: ServiceSettings) -> None:
    """Run the catalog until SIGTERM."""
    try:
        service = catalog_service(read_catalog_settings(settings))
    except _PROBLEMS as problem:
        sys.exit(str(problem))
    run(service, settings)
