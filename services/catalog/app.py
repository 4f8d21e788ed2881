"""The catalog, assembled."""

from services.catalog.api import router
from services.catalog.handlers import handlers
from services.catalog.jobs import MANIFESTS, publish_manifests, read_manifests
from shared.messaging.context import Context
from shared.messaging.service import Service, run
from shared.settings import ServiceSettings


async def prepare(context: Context) -> None:
    await publish_manifests(context.writer, read_manifests(MANIFESTS))
    context.wake()


service = Service(
    name="catalog", handlers=handlers, prepare=prepare, routes=lambda _context: router
)


def main(settings: ServiceSettings) -> None:
    """Run the catalog until SIGTERM."""
    run(service, settings)
