"""`keyturn members`: who is on a brand's list of members."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from keyturn_client.backend import Backend
from keyturn_client.http import Http
from keyturn_client.problems import NoOutcomeYetError
from keyturn_contracts.access import (
    MemberRole,
    MemberState,
    NewMember,
    RegisterMembers,
    RemoveMembers,
)
from keyturn_contracts.message import CommandApplied, CommandRefused

from shared.cli.access import Members
from shared.cli.asking import command
from shared.cli.exit_codes import MOST_VERDICTS, ExitCode
from shared.cli.finding import filters_of
from shared.cli.importing import in_commands, read_members
from shared.cli.options import Asks, Sends
from shared.cli.output import Column, Output, counted, say
from shared.cli.problems import Problem, as_usage
from shared.cli.progress import watching
from shared.cli.sending import send, tell

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="See and say who is on the brand's list of members.",
)

_COLUMNS = (
    Column("MEMBER", "member_id"),
    Column("NAME", "name"),
    Column("ROLE", "role"),
    Column("STATE", "state"),
)
_CHANGES = (
    Column("MEMBER", "member_id"),
    Column("CHANGE", "change"),
    Column("NAME", "name"),
    Column("ROLE", "role"),
    Column("WAS", "was"),
)
_SENT = (Column("COMMAND", "command"), Column("ID", "command_id"), Column("MEMBERS", "members"))


@command(app, "list")
async def list_members(
    options: Asks,
    *,
    search: Annotated[
        str | None, typer.Option(help="Only whose id or name begins with this.")
    ] = None,
    role: Annotated[MemberRole | None, typer.Option(help="Only in this role.")] = None,
    state: Annotated[
        MemberState, typer.Option(help="Who is on the list, or who was removed from it.")
    ] = "registered",
) -> None:
    """List the members of the brand.

    keyturn members list --role administrator
    keyturn members list --search mil
    """
    filters = filters_of(search=search, role=role, state=state)
    async with options.http() as http:
        await options.output.each(
            http.pages("access", "/v1/members", filters), _COLUMNS, nothing="Nobody was found."
        )


@command(app, "import")
async def import_members(
    options: Sends,
    file: Annotated[
        Path,
        typer.Argument(
            help="CSV with the header member_id,name,role, or a JSON array; - is stdin."
        ),
    ],
) -> ExitCode:
    """Put members on the brand's list, or change their names and roles; nobody is removed.

    From the first import on the list holds: who is not on it has no rights. So it has to have an
    administrator, who best is you. What is wrong with the file is told by line, all of it, before
    anything is sent. With --dry-run the changes are listed.

    keyturn members import people.csv --dry-run
    keyturn members import people.json
    """
    members = read_members(file)
    if options.dry_run:
        async with options.http() as http:
            await _preview(options.output, http, members)
        return ExitCode.OK
    commands = in_commands(members)
    async with options.backend() as backend:
        if len(commands) == 1:
            return await send(options, backend, commands[0])
        if options.wait:
            return await _send_all(options, backend, commands)
        return await _publish_all(options, backend, commands)


@command(app, "remove")
async def remove(options: Sends, members: Members) -> ExitCode:
    """Take members off the brand's list: all their access ends at once.

    Where they were the last owner of an account, the brand's administrators become its owners.

    keyturn members remove bob carol
    """
    with as_usage():
        asked = RemoveMembers(members=tuple(members))
    async with options.backend() as backend:
        return await send(options, backend, asked)


async def _preview(output: Output, http: Http, members: Sequence[NewMember]) -> None:
    """Write who would be new on the list, or different, beside what is there now."""
    there = {one["member_id"]: one async for one in http.pages("access", "/v1/members")}
    rows: list[dict[str, Any]] = []
    for one in members:
        was = there.get(one.member_id)
        row = {"member_id": one.member_id, "name": one.name, "role": one.role}
        if was is None:
            rows.append({**row, "change": "new"})
        elif (was["name"], was["role"]) != (one.name, one.role):
            kept = {name: was[name] for name in ("name", "role") if was[name] != row[name]}
            rows.append({**row, "change": "different", "was": kept})
    output.rows(rows, _CHANGES, nothing="Nobody would change.")
    new = sum(one["change"] == "new" for one in rows)
    say(
        f"{counted(new, 'member')} would be new, {len(rows) - new} different, "
        f"{len(members) - len(rows)} as they are. Nothing was sent."
    )


async def _send_all(
    options: Sends, backend: Backend, commands: Sequence[RegisterMembers]
) -> ExitCode:
    """Send one after the other and tell what came of them together; a refusal ends it."""
    total = sum(len(one.members) for one in commands)
    done: list[CommandApplied] = []
    registered = 0
    with watching("Members") as progress:
        for asked in commands:
            prepared = backend.prepare(asked)
            try:
                outcome = await backend.ask(prepared, within=options.patience)
            except NoOutcomeYetError:
                raise Problem(
                    f"Registered: {registered} of {total} members. The outcome of the next "
                    f"command has not come within {options.timeout:g} s: keyturn outcome "
                    f"{prepared.id}. Import the file again: what is so already stays so.",
                    ExitCode.TIMED_OUT,
                ) from None
            if isinstance(outcome, CommandRefused):
                code = tell(options.output, outcome, about={"command_id": prepared.id})
                say(f"Registered: {registered} of {total} members. The rest was not sent.")
                return code
            done.append(outcome)
            registered += len(asked.members)
            progress.show(registered, total)
    return tell(options.output, _together(done), about={"commands": str(len(done))})


async def _publish_all(
    options: Sends, backend: Backend, commands: Sequence[RegisterMembers]
) -> ExitCode:
    rows: list[dict[str, Any]] = []
    for asked in commands:
        prepared = backend.prepare(asked)
        await backend.publish(prepared, within=options.patience)
        rows.append(
            {
                "command": prepared.command_type.__name__,
                "command_id": prepared.id,
                "members": len(asked.members),
            }
        )
    options.output.rows(rows, _SENT, nothing="Nothing was sent.")
    say("Sent. Ask what came of each: keyturn outcome ID")
    return ExitCode.OK


def _together(outcomes: Sequence[CommandApplied]) -> CommandApplied:
    """Return what came of several commands as of one; it names as many things as one does."""
    revisions = [one.revision for one in outcomes if one.revision is not None]
    first = outcomes[0]
    return CommandApplied(
        command=first.command,
        changed=any(one.changed for one in outcomes),
        note=first.note if len({one.note for one in outcomes}) == 1 else None,
        revision=max(revisions, default=None),
        events=tuple(event for one in outcomes for event in one.events)[:100],
        verdicts=tuple(
            sorted(
                (verdict for one in outcomes for verdict in one.verdicts),
                key=lambda verdict: verdict.verdict == "unchanged",
            )
        )[:MOST_VERDICTS],
        not_applied=sum(one.not_applied for one in outcomes),
    )
