"""What came of a command, for its sender: at once, or as soon as it is there."""

import asyncio
from time import monotonic
from typing import Annotated

import structlog
from fastapi import APIRouter, Path, Query, Response
from sqlalchemy.exc import SQLAlchemyError

from shared.http.auth import Caller, HasContext
from shared.http.brand import brand_connection
from shared.http.errors import ApiError
from shared.messaging import inbox
from shared.messaging.context import Context
from shared.messaging.envelope import CommandId
from shared.messaging.jobs import wait_for_event
from shared.telemetry import metrics

_log = structlog.stdlib.get_logger()

_FIRST_POLL = 0.05
_SLOW_POLL = 0.5
_SHORTEST_GAP = 0.005

_Wait = Annotated[
    str,
    Query(
        pattern=r"^(?:[0-9]|[12][0-9]|30)s$",
        description="How long to wait for an outcome that is not there yet, in seconds.",
    ),
]
_Id = Annotated[str, Path(pattern=r"^[!-~]{1,128}$", description="The command's `ce_id`.")]


class OutcomeWatch:
    """Tells those who wait when an outcome has come: one query for all of them, however many."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._waiting: dict[CommandId, set[asyncio.Event]] = {}
        self._woken = asyncio.Event()
        self._has_any = asyncio.Event()
        self._poll_seconds = _FIRST_POLL

    def wake(self) -> None:
        """Look now: something was committed."""
        self._woken.set()

    async def until_there(self, command_id: CommandId, seconds: float) -> None:
        """Return when the outcome is there, or after these seconds."""
        told = asyncio.Event()
        self._waiting.setdefault(command_id, set()).add(told)
        self._has_any.set()
        self._poll_seconds = _FIRST_POLL
        metrics.OUTCOMES_AWAITED.set(len(self._waiting))
        self._woken.set()
        try:
            await wait_for_event(told, seconds)
        finally:
            waiting = self._waiting[command_id]
            waiting.discard(told)
            if not waiting:
                del self._waiting[command_id]
            metrics.OUTCOMES_AWAITED.set(len(self._waiting))

    async def run(self) -> None:
        """Look after every commit of this process, and for those of others.

        For these soon after somebody has begun to wait, as most commands take no longer, then less
        and less often, and twice a second in the end.
        """
        while True:
            if not self._waiting:
                self._has_any.clear()
                await self._has_any.wait()
            if not await wait_for_event(self._woken, self._poll_seconds):
                self._poll_seconds = min(2 * self._poll_seconds, _SLOW_POLL)
            self._woken.clear()
            try:
                await self._look()
            except (OSError, SQLAlchemyError) as error:
                _log.error("outcomes could not be looked up", exc_info=error)
                await asyncio.sleep(_SLOW_POLL)
            # Commits come in swarms: what came meanwhile is found by one look.
            await asyncio.sleep(_SHORTEST_GAP)

    async def _look(self) -> None:
        ids = list(self._waiting)
        if not ids:
            return
        async with self._context.writer.connect() as connection:
            known = await inbox.recall(connection, ids)
        for command_id, remembered in known.items():
            if remembered.outcome is not None:
                for told in self._waiting.get(command_id, ()):
                    told.set()


def outcome_routes(watch: OutcomeWatch) -> APIRouter:
    """Return the one route that every service has for its commands."""
    router = APIRouter()

    @router.get("/v1/outcomes/{command_id}")
    async def outcome(
        command_id: _Id, caller: Caller, context: HasContext, wait: _Wait = "0s"
    ) -> Response:
        """Say what came of a command that the same issuer sent for the same brand."""
        asked = CommandId(caller.brand, caller.issuer, command_id)
        deadline = monotonic() + int(wait[:-1])

        async def find() -> inbox.Remembered | None:
            async with brand_connection(context, caller) as connection:
                return await inbox.find(connection, asked)

        found = await find()
        if (found is None or found.outcome is None) and wait != "0s":
            await watch.until_there(asked, deadline - monotonic())
            found = await find()
        if found is None or found.outcome is None:
            raise ApiError(
                "not_found",
                "No outcome of this command has come yet. Ask again with ?wait=30s, or send it "
                "again with the same id if you are not sure that it was published.",
            )
        return Response(found.outcome.to_json(), media_type="application/json")

    return router
