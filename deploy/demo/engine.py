"""The example engine: many workflows, each with one task that sends mail through one account.

A process of its own, built on the client library alone; what it is told comes from a file and from
whoever started it.
"""

import asyncio
import logging
import sys
from pathlib import Path

from keyturn_client import Engine, EngineSettings, Fetched, SavedTask, SavedWorkflow, Workflows
from pydantic import BaseModel, ConfigDict

from deploy.demo.child import Orders, say
from deploy.demo.lifeline import end_in_order_when_told, until_ended
from deploy.demo.play import Sabotage
from deploy.demo.sabotage import ForgettingOne, Honest, SkippingOne, stop_opening
from deploy.demo.sending import Sender
from shared.security.process import close_to_others

AT_ONCE = 48
"""How many sends are in flight while it sends; one less now and then, between two of a worker."""
_SLOWLY_SECONDS = 1.0


class DemoEngine(BaseModel):
    """What the example engine is told."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    engine: EngineSettings
    account_id: str
    owner: str
    workflows: int
    trust_root: Path
    """Whom to believe about the mail server's certificate."""
    lives_with: int
    """The process that it is there for."""
    sabotage: Sabotage = "none"

    def workflow_ids(self) -> list[str]:
        return [f"w-{number:05}" for number in range(1, self.workflows + 1)]

    @property
    def spoiled(self) -> str:
        """The workflow that a sabotage is about."""
        return self.workflow_ids()[self.workflows // 2]


async def apply(_credential: Fetched, _workflows: Workflows) -> None:
    """Switch: here, runs ask the library at their beginning, so there is nothing left to do."""


async def serve(settings: DemoEngine) -> None:
    """Save the workflows, then do as told until the process that it is there for has ended."""
    ids = settings.workflow_ids()
    workflows = [
        SavedWorkflow(
            workflow_id=id_,
            name=f"Newsletter {id_}",
            owner=settings.owner,
            tasks=(SavedTask(task_id="send", account_id=settings.account_id),),
        )
        for id_ in ids
    ]
    runner = _runner(settings)
    async with Engine(settings.engine, apply) as engine:
        await engine.save(workflows)
        sender = Sender(
            ids,
            lambda workflow: runner.run(engine, workflow),
            settings.trust_root,
            at_once=AT_ONCE,
        )
        say({"saved": len(ids)})
        async with asyncio.TaskGroup() as tasks:
            obeying = tasks.create_task(_obey(sender, runner))
            await until_ended(settings.lives_with)
            obeying.cancel()
            await sender.rest()


def _runner(settings: DemoEngine) -> Honest:
    account_id, spoiled = settings.account_id, settings.spoiled
    match settings.sabotage:
        case "skip-one":
            return SkippingOne(account_id, spoiled)
        case "forget-one":
            return ForgettingOne(account_id, spoiled, settings.engine.state_file)
        case "unopened":
            stop_opening()
            return Honest(account_id)
        case "none" | "early-drop":
            return Honest(account_id)


async def _obey(sender: Sender, runner: Honest) -> None:
    orders = Orders()
    await orders.open()
    while order := await orders.next():
        match order["do"]:
            case "send":
                sender.start()
            case "send slowly":
                sender.start(pause_seconds=_SLOWLY_SECONDS)
            case "rest":
                await sender.rest()
            case _ if isinstance(runner, ForgettingOne):
                runner.forget()
            case unknown:
                raise ValueError(f"Nobody taught this engine to {unknown}.")
        counts = sender.counts
        say({"done": order["do"], "begun": counts.begun, "failed": dict(counts.failed)})


class _Notes(logging.Handler):
    """Passes on what the library warns of, to whoever started this process."""

    def emit(self, record: logging.LogRecord) -> None:
        say({"note": record.getMessage()})


def main() -> None:
    """Run the engine of the file that is named: `python -m deploy.demo.engine FILE`."""
    close_to_others()
    logging.getLogger("keyturn_client").addHandler(_Notes(logging.WARNING))
    settings = DemoEngine.model_validate_json(Path(sys.argv[1]).read_bytes())
    end_in_order_when_told()
    try:
        asyncio.run(serve(settings))
    except KeyboardInterrupt:
        sys.exit(0)


if __name__ == "__main__":
    main()
