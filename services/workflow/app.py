"""The workflow service, assembled."""

from collections.abc import Sequence
from datetime import timedelta
from functools import partial

from fastapi import APIRouter
from keyturn_contracts.catalog import LicenceChanged
from keyturn_contracts.installation import InstallationChanged

from services.workflow.api import (
    dependents,
    engines,
    proof_keys,
    rollouts,
    suspended,
    workflows,
)
from services.workflow.handlers import handlers
from services.workflow.jobs.clearing import clear_uninstalled
from services.workflow.jobs.closing import close_rollouts
from services.workflow.jobs.counting import count_engines
from services.workflow.jobs.following import follow_entitlements
from services.workflow.jobs.judging import judge_accounts
from services.workflow.jobs.marking import mark_concerned
from services.workflow.proof_keys import ProofKeys
from services.workflow.rules.rollout import Rhythm
from services.workflow.settings import WorkflowSettings
from services.workflow.store.engine import load_engine_keys
from shared.messaging.context import Context
from shared.messaging.service import Job, Service, run
from shared.settings import ServiceSettings

_COUNTED_AT_ONCE = 20
"""How many engines are counted in one transaction: each may have a million bindings."""
_MARKED_AT_ONCE = 5000
"""How much news of access is marked in one transaction, which is a few statements anyway."""


def workflow_service(keys: ProofKeys, settings: WorkflowSettings) -> Service:
    """Make the service with these proof keys, which are read when it starts."""
    rhythm = Rhythm(
        deadline=settings.deadline,
        progress=settings.progress,
        ask_again=settings.ask_again,
        ask_at_most=settings.ask_at_most,
        look_again=settings.look_again,
    )

    async def prepare(_context: Context) -> None:
        keys.load()

    def jobs(context: Context) -> Sequence[Job]:
        writer, at_once = context.writer, settings.at_once

        async def judge() -> int:
            marked = await mark_concerned(writer, _MARKED_AT_ONCE)
            return marked + await judge_accounts(writer, at_once)

        second, five_seconds = timedelta(seconds=1), timedelta(seconds=5)
        return (
            Job(
                name="follow licences and installations",
                run=partial(follow_entitlements, writer, at_once),
                every=five_seconds,
                woken_by=(LicenceChanged, InstallationChanged),
            ),
            Job(
                name="judge accounts",
                run=judge,
                # Time alone ends grants.
                every=second,
            ),
            Job(
                name="close rollouts",
                # Jobs are made before the keys are read: the newest is asked for at each run.
                run=lambda: close_rollouts(writer, keys.newest, rhythm, at_once),
                every=settings.look,
            ),
            # Nobody waits for these two: not woken, they look often enough.
            Job(
                name="count what engines use",
                run=partial(count_engines, writer, settings.count_again, _COUNTED_AT_ONCE),
                every=second,
                woken_by=(),
            ),
            Job(
                name="clear uninstalled extensions",
                run=partial(clear_uninstalled, writer, at_once),
                every=second,
                woken_by=(),
            ),
        )

    def routes(_context: Context) -> APIRouter:
        router = APIRouter()
        for one in (engines, suspended, rollouts, dependents, workflows):
            router.include_router(one.router)
        router.include_router(proof_keys.proof_keys_router(keys))
        return router

    return Service(
        name="workflow",
        handlers=handlers,
        listens_to=("catalog", "installation", "access", "credential-vault"),
        prepare=prepare,
        jobs=jobs,
        routes=routes,
        engine_keys=load_engine_keys,
    )


def main(settings: ServiceSettings) -> None:
    """Run the workflow service until SIGTERM."""
    run(workflow_service(ProofKeys(settings.keys), WorkflowSettings()), settings)
