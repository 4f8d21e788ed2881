"""All that the access service does without being asked."""

from collections.abc import Sequence

from services.access.settings import AccessSettings
from shared.messaging.context import Context
from shared.messaging.service import Job


def access_jobs(_context: Context, _settings: AccessSettings) -> Sequence[Job]:
    return ()
