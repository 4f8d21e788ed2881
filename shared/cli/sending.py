"""How a command is sent to a service, and what came of it told."""

import json
from collections.abc import Mapping

from keyturn_client.backend import Backend
from keyturn_client.commands import Prepared
from keyturn_client.problems import NoOutcomeYetError
from keyturn_contracts.installation import ReviewChanged
from keyturn_contracts.message import Command, CommandApplied, CommandRefused

from shared.cli.exit_codes import ExitCode, of_outcome
from shared.cli.options import Sends
from shared.cli.output import Column, Output, Part, Row, say
from shared.cli.problems import Problem
from shared.cli.progress import waiting

_COMMAND = (Column("Command", "command"), Column("Id", "command_id"))
_OUTCOME = (
    Column("Outcome", "outcome"),
    Column("Changed", "changed"),
    Column("Note", "note"),
    Column("Announced", lambda row: [_announced(one) for one in row.get("events") or ()]),
    Column("Details", "details"),
    Column("Not applied", lambda row: row.get("not_applied") or None),
)
_VERDICTS = (
    Column("SUBJECT", "subject"),
    Column("VERDICT", "verdict"),
    Column("REASON", "reason"),
    Column("MESSAGE", "message"),
)


async def send(
    options: Sends,
    backend: Backend,
    command: Command | Prepared,
    *,
    about: Mapping[str, str] | None = None,
) -> ExitCode:
    """Send a command, or with `--dry-run` show it; `about` is written beside its outcome."""
    prepared = command if isinstance(command, Prepared) else backend.prepare(command)
    said = dict(about or {})
    if options.dry_run:
        show_unsent(options.output, prepared)
        return ExitCode.OK
    if not options.wait:
        await backend.publish(prepared, within=options.patience)
        _write(options.output, said, prepared, {"outcome": "sent"})
        say(f"Sent. Ask what came of it: keyturn outcome {prepared.id}")
        return ExitCode.OK
    outcome = await ask(options, backend, prepared)
    return tell(options.output, outcome, about={**said, "command_id": prepared.id})


async def ask(
    options: Sends, backend: Backend, prepared: Prepared
) -> CommandApplied | CommandRefused:
    """Send a command and return what came of it; a `Problem` where nothing has in time."""
    try:
        with waiting(f"Waiting for the outcome of {prepared.command_type.__name__}"):
            return await backend.ask(prepared, within=options.patience)
    except NoOutcomeYetError:
        raise Problem(
            f"The outcome has not come within {options.timeout:g} s; the command is on record and "
            f"takes effect once. Ask later: keyturn outcome {prepared.id}",
            ExitCode.TIMED_OUT,
        ) from None


def tell(
    output: Output,
    outcome: CommandApplied | CommandRefused,
    *,
    about: Row,
) -> ExitCode:
    """Write an outcome; a refusal's sentence goes to stderr. Return what it is as a code."""
    row = {**about, **outcome.model_dump(mode="json", exclude_none=True)}
    if isinstance(outcome, CommandRefused):
        if not output.is_for_people:
            output.one(row, ())
        say(f"{outcome.message} ({outcome.reason})")
        for change in _changes(outcome):
            say(f"Different: {change}")
    else:
        _show(output, row)
    return of_outcome(outcome)


def show_unsent(output: Output, prepared: Prepared) -> None:
    """Write a command as it would be sent, without what is sealed in it."""
    content = json.loads(prepared.value)
    if "sealed" in content:
        content["sealed"] = "(sealed)"
    row = {
        "command": prepared.command_type.__name__,
        "topic": prepared.topic,
        "key": f"{prepared.brand}/{prepared.subject}",
        "content": content,
    }
    shown = [
        Column("Command", "command"),
        Column("Topic", "topic"),
        Column("Key", "key"),
        *(Column(name, lambda row, name=name: row["content"][name]) for name in content),
    ]
    output.one(row, shown)
    say("Nothing was sent.")


def _write(output: Output, said: Row, prepared: Prepared, outcome: Row) -> None:
    command = {"command": prepared.command_type.__name__, "command_id": prepared.id}
    _show(output, {**said, **command, **outcome})


def _show(output: Output, row: Row) -> None:
    known = {column.of for column in (*_COMMAND, *_OUTCOME)} | {"events", "verdicts", "not_applied"}
    extra = [Column(name.replace("_", " ").capitalize(), name) for name in row if name not in known]
    parts = [Part("VERDICTS", row.get("verdicts") or (), _VERDICTS)]
    output.one(row, [*_COMMAND, *extra, *_OUTCOME], parts)


def _changes(refusal: CommandRefused) -> tuple[str, ...]:
    """Return what is different from what was accepted, where that is why."""
    if refusal.reason != "review_stale" or refusal.details is None:
        return ()
    return ReviewChanged.model_validate(refusal.details).changes


def _announced(event: Mapping[str, str]) -> str:
    return f"{event['type']} {event['subject']}"
