"""`keyturn access`: who may use an account, who owns it, and why somebody may or may not."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, get_args

import typer
from keyturn_client.http import Http
from keyturn_contracts.access import (
    EVERYONE,
    GrantAccess,
    GrantAccessToAll,
    Level,
    MemberId,
    RevokeAccess,
)
from keyturn_contracts.ids import Id
from keyturn_contracts.message import Part as Body
from keyturn_contracts.rights import Action

from shared.cli.asking import command
from shared.cli.exit_codes import ExitCode
from shared.cli.finding import filters_of, found
from shared.cli.ids import AccountId
from shared.cli.options import Asks, Sends
from shared.cli.output import Column, Output, Part, Row, counted, say
from shared.cli.problems import as_usage, usage
from shared.cli.sending import send

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="See and say who may use an account, who owns it, and why.",
)

Members = Annotated[
    list[str], typer.Argument(metavar="MEMBER", help="Who, as the brand's list names them.")
]
SomeMembers = Annotated[
    list[str] | None,
    typer.Argument(metavar="MEMBER", help="Who, as the brand's list names them."),
]
Until = Annotated[
    datetime | None,
    typer.Option(
        formats=["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M%z"],
        metavar="TIME",
        help="When it ends by itself, for example 2026-12-31T18:00Z.",
    ),
]


def whom(row: Row) -> str:
    """Return a member as a table shows them."""
    return "everyone" if row["member"] == EVERYONE else row["member"]


_TABLE = (
    Column("MEMBER", whom),
    Column("NAME", "name"),
    Column("LEVEL", "level"),
    Column("HOW", "how"),
    Column("BY", "by"),
    Column("SINCE", "since"),
    Column("UNTIL", "until"),
)
_TASKS = (
    Column("ENGINE", "engine_id"),
    Column("WORKFLOW", "workflow_id"),
    Column("NAME", "name"),
    Column("TASK", "task_id"),
    Column("OWNER", "owner"),
    Column("BECOMES", "state"),
)
_DECISION = (
    Column("Allowed", "allowed"),
    Column("Code", "code"),
    Column("By", "way"),
)
_FACTS = (Column("BECAUSE", "fact"),)


class _Question(Body):
    member: MemberId
    action: Action
    account_id: Id


class _Questions(Body):
    questions: tuple[_Question, ...]


@command(app, "list")
async def list_access(
    options: Asks,
    account_id: AccountId,
    *,
    search: Annotated[
        str | None, typer.Option(help="Only whose id or name begins with this.")
    ] = None,
    level: Annotated[Level | None, typer.Option(help="Only users, or only owners.")] = None,
) -> None:
    """List who has access to an account, how they got it, and until when.

    keyturn access list mail
    keyturn access list mail --level owner
    """
    async with options.http() as http:
        rows = http.pages(
            "access", f"/v1/accounts/{account_id}/access", filters_of(search=search, level=level)
        )
        await options.output.each(rows, _TABLE, nothing="Nobody has access to this account.")


@command(app, "grant")
async def grant(
    options: Sends,
    account_id: AccountId,
    members: Members,
    *,
    owner: Annotated[
        bool, typer.Option("--owner", help="Make them owners: they decide who has access, too.")
    ] = False,
    until: Until = None,
) -> ExitCode:
    """Let members use an account in workflows; with --owner make them owners of it.

    keyturn access grant mail bob carol
    keyturn access grant mail bob --until 2026-12-31T18:00Z
    keyturn access grant mail root --owner
    """
    with as_usage():
        asked = GrantAccess(
            account_id=account_id,
            members=tuple(members),
            level="owner" if owner else "user",
            until=until,
        )
    async with options.backend() as backend:
        return await send(options, backend, asked, about={"account_id": account_id})


@command(app, "grant-all")
async def grant_all(options: Sends, account_id: AccountId, *, until: Until = None) -> ExitCode:
    """Let everyone in the brand use an account, whoever joins later too.

    keyturn access grant-all mail
    """
    with as_usage():
        asked = GrantAccessToAll(account_id=account_id, until=until)
    async with options.backend() as backend:
        return await send(options, backend, asked, about={"account_id": account_id})


@command(app, "revoke")
async def revoke(
    options: Sends,
    account_id: AccountId,
    members: SomeMembers = None,
    *,
    all_: Annotated[
        bool, typer.Option("--all", help="What was given to everyone; not what members have.")
    ] = False,
) -> ExitCode:
    """End members' access to an account, several at once, each with its verdict.

    Whom everyone's access covers keeps that. With --dry-run the tasks are listed that would stop.

    keyturn access revoke mail bob carol dave
    keyturn access revoke mail bob --dry-run
    keyturn access revoke mail --all
    """
    named = tuple(members or ())
    if bool(named) == all_:
        raise usage("Name members, or say --all: one of both.")
    with as_usage():
        asked = RevokeAccess(account_id=account_id, members=named, all=all_)
    if options.dry_run:
        async with options.http() as http:
            await _preview(options.output, http, account_id, named)
        return ExitCode.OK
    async with options.backend() as backend:
        return await send(options, backend, asked, about={"account_id": account_id})


@command(app, "explain")
async def explain(
    options: Asks,
    who: Annotated[str, typer.Argument(metavar="MEMBER", help="Who.")],
    action: Annotated[
        Action, typer.Argument(metavar="ACTION", help=f"One of {', '.join(get_args(Action))}.")
    ],
    account_id: AccountId,
) -> None:
    """Say whether a member may do that with an account, and why: the whole chain of facts.

    keyturn access explain bob use mail
    keyturn access explain bob delete mail
    """
    with as_usage():
        question = _Question(member=who, action=action, account_id=account_id)
    async with options.http() as http:
        answer = await found(
            http.post("access", "/v1/decisions", _Questions(questions=(question,)))
        )
    [decision] = answer["decisions"]
    asked = {"member": who, "action": action, "account_id": account_id}
    shown = {**asked, **decision, "revision": answer["revision"]}
    facts = [{"fact": one} for one in decision["facts"]]
    options.output.one(shown, _DECISION, [Part("WHY", facts, _FACTS)])


async def _preview(output: Output, http: Http, account_id: str, members: Sequence[str]) -> None:
    """Write the tasks that would stop, or be flagged, and say who keeps their access.

    A task is its workflow's owner's alone, so what several lose is what each of them loses.
    """
    path = f"/v1/accounts/{account_id}/revocation"
    rows: list[dict[str, Any]] = []
    kept: list[str] = []
    for whose in [{"member": one} for one in members] or [{"everyone": True}]:
        after: dict[str, str] = {}
        while True:
            page = await found(http.get("workflow", path, {**whose, **after}))
            rows += page["items"]
            if not page.get("next"):
                break
            after = {"after": page["next"]}
        kept += page["keep"]
    output.rows(rows, _TASKS, nothing="No task uses the account by what they lose.")
    suspended = sum(one["state"] == "suspended" for one in rows)
    say(
        f"It would suspend {counted(suspended, 'task')} and flag "
        f"{counted(len(rows) - suspended, 'task')}. Nothing was sent."
    )
    if kept:
        say(f"Everyone has access, and so it is kept by: {', '.join(kept)}.")
