"""All that the access service does without being asked."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

from keyturn_contracts.access import RegisterMembers, RemoveMembers
from keyturn_contracts.credential_vault import AccountChanged
from keyturn_contracts.installation import InstallationChanged
from sqlalchemy.ext.asyncio import AsyncEngine

from services.access.jobs.clearing import clear_uninstalled
from services.access.jobs.ending import end_access
from services.access.jobs.expiring import expire_grants
from services.access.jobs.gathering import NeverListed
from services.access.jobs.owning import own_accounts
from services.access.settings import AccessSettings
from shared.messaging.context import Context
from shared.messaging.service import Job


def access_jobs(context: Context, settings: AccessSettings) -> Sequence[Job]:
    def work(do: Callable[[AsyncEngine, int], Awaitable[int]]) -> Callable[[], Awaitable[int]]:
        """Have the relay send what it announced, and the other jobs see what it left to do."""

        async def run() -> int:
            handled = await do(context.writer, settings.at_once)
            if handled:
                context.wake()
            return handled

        return run

    second = timedelta(seconds=1)
    return (
        Job(
            name="give accounts their owners",
            run=work(own_accounts),
            every=second,
            woken_by=(AccountChanged, RegisterMembers, RemoveMembers),
        ),
        # Nobody wakes it: time does.
        Job(name="end what has run out", run=work(expire_grants), every=second, woken_by=()),
        Job(
            name="end what was given to whom the list never named",
            run=work(NeverListed().end),
            every=timedelta(minutes=1),
            woken_by=(),
        ),
        Job(
            name="end what removed members and deleted accounts had",
            run=work(end_access),
            every=second,
            woken_by=(AccountChanged, RemoveMembers),
        ),
        Job(
            name="clear uninstalled extensions",
            run=work(clear_uninstalled),
            every=second,
            woken_by=(InstallationChanged,),
        ),
    )
