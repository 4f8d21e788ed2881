"""`keyturn rollouts`: follow a rotation until every engine has it."""

import asyncio
from typing import Annotated

import typer
from keyturn_client.backend import Backend
from keyturn_client.problems import NotFoundError
from keyturn_contracts.workflow import OverrideRollout, RolloutChanged, RolloutState

from shared.cli.asking import command
from shared.cli.exit_codes import ExitCode
from shared.cli.ids import OfAccount, RolloutIdArgument
from shared.cli.options import Asks, Sends
from shared.cli.output import Column, Part, Row, counted, say
from shared.cli.problems import Problem, as_usage, usage
from shared.cli.progress import watching
from shared.cli.sending import send

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Follow a rotation until every engine has it."
)

_COLUMNS = (
    Column("ROLLOUT", "rollout_id"),
    Column("STATE", "state"),
    Column("DONE", lambda row: f"{row['done']} of {row['legs']}"),
    Column("OPENED", "opened_at"),
    Column("DEADLINE", "deadline"),
    Column("WAITING FOR", lambda row: [_waiting(one) for one in row.get("waiting") or ()]),
)
_FIELDS = (
    Column("Rollout", "rollout_id"),
    Column("Account", "account_id"),
    Column("Version", "version"),
    Column("State", "state"),
    Column("Done", lambda row: f"{row['done']} of {counted(row['legs'], 'engine')}"),
    Column("Opened", "opened_at"),
    Column("Completed", "completed_at"),
    Column("Seconds", "seconds"),
    Column("Deadline", "deadline"),
    Column("Asked", "asked"),
    Column("Proof", "proof_sha256"),
)
_WAITING = (Column("ENGINE", "engine_id"), Column("WHY", "why"))
_FAILED = (
    Column("ENGINE", "engine_id"),
    Column("WORKFLOW", "workflow_id"),
    Column("REASON", "reason"),
)
_VANISHED = (
    Column("ENGINE", "engine_id"),
    Column("WORKFLOW", "workflow_id"),
    Column("TASK", "task_id"),
)
_EXCUSED = (Column("ENGINE", "engine_id"), Column("BY", "by"), Column("REASON", "reason"))


@command(app, "list")
async def list_rollouts(
    options: Asks,
    account: OfAccount = None,
    state: Annotated[RolloutState | None, typer.Option(help="Only those in this state.")] = None,
) -> None:
    """List rollouts with how far each has got.

    keyturn rollouts list --account mail --state open
    """
    filters = {"account": account, "state": state}
    async with options.backend() as backend:
        found = backend.queries.rollouts(
            **{name: value for name, value in filters.items() if value is not None}
        )
        await options.output.each(found, _COLUMNS, nothing="There is no rollout.")


@command(app, "show")
async def show(options: Asks, rollout_id: RolloutIdArgument) -> None:
    """Show how far a rollout has got, and by name what it waits for.

    keyturn rollouts show mail.2
    """
    async with options.http() as http:
        try:
            found = await http.get("workflow", f"/v1/rollouts/{rollout_id}")
        except NotFoundError:
            raise Problem(
                f"{options.brand} has no rollout {rollout_id}: `keyturn rollouts list` shows "
                "those there are.",
                ExitCode.NOT_FOUND,
            ) from None
    _write(options, found)


@command(app, "watch")
async def watch(
    options: Asks,
    rollout_id: RolloutIdArgument,
    seconds: Annotated[
        float, typer.Option("--timeout", min=1, help="How many seconds to watch at most.")
    ] = 3600,
) -> ExitCode:
    """Follow a rollout until it has ended; one that has not begun yet is waited for.

    Ends with 0 when every engine has confirmed, with 6 when some were excused, with 4 when a later
    rotation superseded it, and with 7 when the time is over.

    keyturn rollouts watch mail.2
    """
    last: RolloutChanged | None = None
    async with options.backend() as backend:
        await _await_what_can_come(backend, rollout_id)
        try:
            async with asyncio.timeout(seconds):
                with watching(f"Rollout {rollout_id}") as watched:
                    async for change in backend.watch_rollout(rollout_id):
                        last = change
                        watched.show(change.done, change.legs, _note(change))
        except TimeoutError:
            raise Problem(
                f"The rollout has not ended within {seconds:g} s. "
                + (_stragglers(last) if last else "It has not begun."),
                ExitCode.TIMED_OUT,
            ) from None
    if last is None:
        raise Problem("The events ended before the rollout did: watch it again.")
    _write(options, last.model_dump(mode="json", exclude_none=True))
    if last.state == "superseded":
        say(f"A later rotation superseded it: keyturn rollouts list --account {last.account_id}")
        return ExitCode.CONFLICT
    if last.excused:
        say(f"It completed without {counted(len(last.excused), 'engine')}, excused on the record.")
        return ExitCode.PARTLY
    return ExitCode.OK


@command(app, "override")
async def override(
    options: Sends,
    rollout_id: RolloutIdArgument,
    engine: Annotated[list[str], typer.Option(help="The engine to excuse; as often as needed.")],
    reason: Annotated[str, typer.Option(help="Why, for the record and for the proof.")],
) -> ExitCode:
    """Excuse engines from a rollout by name, on the record.

    When the rest is done it completes without them, and the previous version is retired.

    keyturn rollouts override mail.2 --engine letters --reason "Its machine is gone."
    """
    with as_usage():
        asked = OverrideRollout(rollout_id=rollout_id, engines=tuple(engine), reason=reason)
    async with options.backend() as backend:
        return await send(options, backend, asked, about={"rollout_id": rollout_id})


async def _await_what_can_come(backend: Backend, rollout_id: str) -> None:
    """Say that a rollout has not begun; refuse one that never will."""
    account_id, _, version = rollout_id.rpartition(".")
    if version == "1":
        raise usage("The first version opens no rollout: nobody had an earlier one.")
    try:
        await backend.queries.rollout(rollout_id)
    except NotFoundError:
        try:
            await backend.queries.account(account_id)
        except NotFoundError:
            raise Problem(
                f"{backend.brand} has no account {account_id}.", ExitCode.NOT_FOUND
            ) from None
        say(f"The rollout {rollout_id} has not begun yet: waiting for it.")


def _write(options: Asks, rollout: Row) -> None:
    parts = [
        Part("WAITING FOR", rollout["waiting"], _WAITING),
        Part("FAILED", rollout.get("failed", ()), _FAILED),
        Part("VANISHED", rollout.get("vanished", ()), _VANISHED),
        Part("EXCUSED", rollout["excused"], _EXCUSED),
    ]
    options.output.one(rollout, _FIELDS, parts)


def _note(rollout: RolloutChanged) -> str:
    late = ", ".join(_waiting(one.model_dump()) for one in rollout.waiting[:3])
    more = ", …" if len(rollout.waiting) > 3 else ""  # noqa: PLR2004  what fits into a line
    return f"{rollout.state}; waiting for {late}{more}" if late else rollout.state


def _stragglers(rollout: RolloutChanged) -> str:
    if not rollout.waiting:
        return f"It is {rollout.state}."
    return "It waits for " + ", ".join(_waiting(one.model_dump()) for one in rollout.waiting) + "."


def _waiting(leg: Row) -> str:
    return f"{leg['engine_id']} ({leg['why']})"
