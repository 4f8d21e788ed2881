"""`keyturn accounts`: connect them, rotate their credentials, see what depends on them."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from keyturn_client.backend import Backend
from keyturn_client.problems import NotFoundError
from keyturn_contracts.catalog import Manifest
from keyturn_contracts.credential_vault import (
    DEFAULT_RETIRE,
    AccountState,
    DeleteAccount,
    EditAccount,
    VerifyAccount,
)
from keyturn_contracts.ids import new_id

from shared.cli.asking import command
from shared.cli.consent import ask_consent
from shared.cli.credentials import Sources, choose_scheme, gather, read_pairs
from shared.cli.exit_codes import ExitCode
from shared.cli.ids import AccountId
from shared.cli.options import Asks, Sends
from shared.cli.output import Column, Part, Row, counted, say
from shared.cli.problems import Problem, as_usage, usage
from shared.cli.sending import send

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Connect accounts, rotate their credentials, see what depends on them.",
)

Values = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="A setting, or a field that is not secret."),
]
SecretFiles = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=FILE", help="A file of mode 0600 with a secret field's value."),
]
FromStdin = Annotated[
    bool,
    typer.Option("--stdin", help="Read the secret from stdin; of several a JSON object of texts."),
]
SchemeId = Annotated[
    str | None, typer.Option(help="How to authenticate, where there are several ways.")
]
RetireWhen = Annotated[
    str | None,
    typer.Option(help="When the previous version goes: when-complete, now, or such as PT15M."),
]

_COLUMNS = (
    Column("ACCOUNT", "account_id"),
    Column("NAME", "name"),
    Column("EXTENSION", "extension"),
    Column("STATE", "state"),
    Column("VERSION", "version"),
    Column("CREATOR", "creator"),
)
_FIELDS = (
    Column("Account", "account_id"),
    Column("Name", "name"),
    Column("Extension", "extension"),
    Column("Scheme", "scheme"),
    Column("State", "state"),
    Column("Reason", "reason"),
    Column("Version", "version"),
    Column("Settings", "settings"),
    Column("Creator", "creator"),
    Column("Owners", "owners"),
    Column("Retire", "retire"),
    Column("Not retired", "unretired"),
)
_VERSIONS = (
    Column("VERSION", "version"),
    Column("STATE", "state"),
    Column("SINCE", "since"),
    Column("BY", "by"),
    Column("REASON", "reason"),
)
_HOLDERS = (
    Column("ENGINE", "engine_id"),
    Column("VERSION", "version"),
    Column("LEASE UNTIL", "lease_until"),
)
_DEPENDENTS = (
    Column("ENGINE", "engine_id"),
    Column("WORKFLOW", "workflow_id"),
    Column("NAME", "name"),
    Column("TASK", "task_id"),
    Column("OWNER", "owner"),
    Column("PREVIEW", "preview"),
    Column("STATE", "state"),
    Column("REASON", "reason"),
)


@command(app, "add")
async def add(
    options: Sends,
    extension: Annotated[str, typer.Argument(help="What to connect to, for example smtp-relay.")],
    *,
    name: Annotated[str, typer.Option(help="What people call the account.")],
    account_id: Annotated[
        str | None, typer.Option("--id", help="The account's id; a new one is made without it.")
    ] = None,
    scheme: SchemeId = None,
    values: Values = None,
    secret_file: SecretFiles = None,
    stdin: FromStdin = False,
    retire: RetireWhen = None,
) -> ExitCode:
    """Connect an account. The connection is tried first, and answered when that is done.

    keyturn accounts add smtp-relay --name "The mail" --set host=mail.example.com
    keyturn accounts add smtp-relay --id mail --name "The mail" --set username=relay --stdin
    """
    sources = _sources(values, secret_file, use_stdin=stdin)
    async with options.backend() as backend:
        manifest = await _manifest(backend, extension)
        chosen = choose_scheme(manifest, scheme)
        given = gather(manifest, chosen, sources)
        id_ = account_id or new_id()
        with as_usage():
            prepared = await backend.prepare_account(
                id_,
                extension=extension,
                scheme=chosen.id,
                name=name,
                settings=given.settings,
                fields=given.fields,
                retire=retire or DEFAULT_RETIRE,
            )
        return await send(options, backend, prepared, about={"account_id": id_})


@command(app, "edit")
async def edit(
    options: Sends,
    account_id: AccountId,
    *,
    name: Annotated[str | None, typer.Option(help="A new name.")] = None,
    retire: RetireWhen = None,
    credentials: Annotated[
        bool, typer.Option("--credentials", help="Rotate: send new credentials.")
    ] = False,
    scheme: SchemeId = None,
    values: Values = None,
    secret_file: SecretFiles = None,
    stdin: FromStdin = False,
    replaces: Annotated[
        int | None,
        typer.Option(min=1, metavar="VERSION", help="Refuse unless this is the current version."),
    ] = None,
) -> ExitCode:
    """Change an account's name or when its versions are retired; with --credentials, rotate it.

    A rotation is answered when the provider has accepted the new credentials. Every workflow that
    uses the account then follows: watch it with `keyturn rollouts watch`. Settings that you do not
    give stay as they are. With --credentials, --retire holds for this rotation alone.

    keyturn accounts edit mail --credentials --secret-file password=new-password
    keyturn accounts edit mail --name "The mail of sales"
    """
    sources = _sources(values, secret_file, use_stdin=stdin)
    if not credentials:
        if sources.values or sources.files or stdin or scheme or replaces:
            raise usage("Settings and secrets change only together: say --credentials as well.")
        if name is None and retire is None:
            raise usage("Say what to change: --name, --retire, or --credentials.")
        with as_usage():
            edited = EditAccount(account_id=account_id, name=name, retire=retire)
        async with options.backend() as backend:
            return await send(options, backend, edited, about={"account_id": account_id})
    if name is not None:
        raise usage("A rotation leaves the name as it is: change it in a call of its own.")
    async with options.backend() as backend:
        account = await _account(backend, account_id)
        manifest = await _manifest(backend, account["extension"])
        chosen = choose_scheme(manifest, scheme or account["scheme"])
        kept: dict[str, str] = account["settings"]
        given = gather(manifest, chosen, sources, kept_settings=kept)
        changes_settings = given.settings != kept
        with as_usage():
            prepared = await backend.prepare_rotation(
                account_id,
                fields=given.fields,
                scheme=chosen.id if chosen.id != account["scheme"] else None,
                settings=given.settings if changes_settings else None,
                # Those that stay were read: another rotation meanwhile may have changed them.
                replaces_version=replaces or (account["version"] if changes_settings else None),
                retire=retire,
            )
        if options.dry_run:
            await _tell_dependents(backend, account_id, manifest)
        code = await send(options, backend, prepared, about={"account_id": account_id})
        if code is ExitCode.OK and options.wait and not options.dry_run:
            now = (await _account(backend, account_id))["version"]
            say(f"Follow it: keyturn rollouts watch {account_id}.{now}")
        return code


@command(app, "list")
async def list_accounts(
    options: Asks,
    extension: Annotated[str | None, typer.Option(help="Only those of this extension.")] = None,
    state: Annotated[AccountState | None, typer.Option(help="Only those in this state.")] = None,
    name: Annotated[str | None, typer.Option(help="Only those with this in their name.")] = None,
) -> None:
    """List the accounts of the brand.

    keyturn accounts list --extension smtp-relay --state connected
    """
    filters = {"extension": extension, "state": state, "name": name}
    async with options.backend() as backend:
        found = backend.queries.accounts(
            **{name: value for name, value in filters.items() if value is not None}
        )
        await options.output.each(
            found, _COLUMNS, nothing="No accounts: none was connected to your brand."
        )


@command(app, "show")
async def show(options: Asks, account_id: AccountId) -> None:
    """Show an account with the history of its versions, never a secret.

    keyturn accounts show mail
    """
    async with options.backend() as backend:
        account = await _account(backend, account_id)
    parts = [
        Part("VERSIONS", account["versions"], _VERSIONS),
        Part("HELD BY", account["holders"], _HOLDERS),
    ]
    options.output.one(account, _FIELDS, parts)


@command(app, "dependents")
async def dependents(options: Asks, account_id: AccountId) -> None:
    """Show what a rotation of the account touches: which workflows, where, and whose.

    keyturn accounts dependents mail
    """
    async with options.backend() as backend:
        account = await _account(backend, account_id)
        await options.output.each(
            _dependents(backend, account_id),
            _DEPENDENTS,
            nothing="No workflow uses this account.",
        )
        say(_overlap(await _manifest(backend, account["extension"])))


@command(app, "verify")
async def verify(options: Sends, account_id: AccountId) -> ExitCode:
    """Try the current credentials at their provider.

    keyturn accounts verify mail
    """
    with as_usage():
        asked = VerifyAccount(account_id=account_id)
    async with options.backend() as backend:
        return await send(options, backend, asked, about={"account_id": account_id})


@command(app, "delete")
async def delete(
    options: Sends,
    account_id: AccountId,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> ExitCode:
    """Delete an account: engines let go of it, then every version is retired.

    What it touches is shown before.

    keyturn accounts delete mail
    """
    with as_usage():
        asked = DeleteAccount(account_id=account_id)
    async with options.backend() as backend:
        account = await _account(backend, account_id)
        await _tell_dependents(backend, account_id, None)
        if not (yes or options.dry_run):
            ask_consent(f"Delete the account {account['name']}?", account_id)
        return await send(options, backend, asked, about={"account_id": account_id})


def _sources(
    values: Sequence[str] | None, secret_files: Sequence[str] | None, *, use_stdin: bool
) -> Sources:
    files = read_pairs("--secret-file", secret_files or ())
    return Sources(
        values=read_pairs("--set", values or ()),
        files={name: Path(path) for name, path in files.items()},
        use_stdin=use_stdin,
    )


async def _account(backend: Backend, account_id: str) -> dict[str, Any]:
    try:
        return await backend.queries.account(account_id)
    except NotFoundError:
        raise Problem(
            f"{backend.brand} has no account {account_id}: `keyturn accounts list` shows those "
            "there are.",
            ExitCode.NOT_FOUND,
        ) from None


async def _manifest(backend: Backend, extension: str) -> Manifest:
    try:
        found = await backend.queries.extension(extension)
    except NotFoundError:
        raise Problem(f"There is no extension {extension}.", ExitCode.NOT_FOUND) from None
    return Manifest.model_validate(found["manifest"])


async def _dependents(backend: Backend, account_id: str) -> AsyncIterator[Row]:
    try:
        async for row in backend.queries.dependents(account_id):
            yield row
    except NotFoundError:
        # Neither its news nor an engine that names it has come there: nothing depends on it.
        return


async def _tell_dependents(backend: Backend, account_id: str, manifest: Manifest | None) -> None:
    tasks = 0
    workflows: set[tuple[str, str]] = set()
    async for row in _dependents(backend, account_id):
        tasks += 1
        workflows.add((row["engine_id"], row["workflow_id"]))
    engines = len({engine_id for engine_id, _ in workflows})
    if tasks:
        say(
            f"It touches {counted(tasks, 'task')} of {counted(len(workflows), 'workflow')} on "
            f"{counted(engines, 'engine')}."
        )
    else:
        say("No workflow uses this account.")
    if manifest is not None:
        say(_overlap(manifest))


def _overlap(manifest: Manifest) -> str:
    """Say whether two credentials can be valid at once, as the provider has it."""
    allows = manifest.rotation.allows_overlap
    note = manifest.rotation.note
    if allows is None:
        return f"Whether old and new credentials are valid at once is for you to know. {note}"
    if allows:
        return f"Old and new credentials can be valid at once: no workflow need fail. {note}"
    return (
        "The provider ends the old credentials at once: between that and the confirmation of each "
        f"engine its workflows fail. {note}"
    )
