"""`keyturn catalog`: what there is to connect to, and what operators and publishers do with it."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Literal

import typer
from keyturn_client.http import Http
from keyturn_contracts.catalog import CertifyExtension, Party, PublishExtension, RetireExtension

from shared.cli.asking import command
from shared.cli.exit_codes import ExitCode
from shared.cli.finding import filters_of, found_extension
from shared.cli.ids import ExtensionArgument, OfExtension
from shared.cli.library import library
from shared.cli.loading import Tally, publish_all, read_all, show_all
from shared.cli.manifests import files_of, problems_of, read, read_to_send
from shared.cli.options import Asks, Sends, Shows
from shared.cli.output import Column, Part, Row, counted, say
from shared.cli.problems import as_usage, usage
from shared.cli.progress import waiting
from shared.cli.sending import send

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="See what there is to connect to; check, publish, certify and retire it.",
)

_COLUMNS = (
    Column("EXTENSION", "slug"),
    Column("NAME", "name"),
    Column("BY", "by_line"),
    Column("LABEL", "label"),
    Column("CATEGORY", "category"),
    Column("INSTALLED", "installed"),
    Column("DESCRIPTION", "description"),
)
_FIELDS = (
    Column("Extension", "slug"),
    Column("Name", lambda row: row["manifest"]["name"]),
    Column("By", "by_line"),
    Column("Label", "label"),
    Column("Party", lambda row: row["manifest"]["party"]),
    Column("Category", lambda row: row["manifest"]["category"]),
    Column("Description", lambda row: row["manifest"]["description"]),
    Column("State", "state"),
    Column("Installed", "installed"),
    Column("Retired because", "retired_because"),
    Column("Version", "version"),
    Column("Privacy policy", lambda row: _legal(row, "privacy_policy")),
    Column("Terms", lambda row: _legal(row, "terms")),
    Column("Support", lambda row: _contact(row["support"])),
)
_SCHEMES = (
    Column("SCHEME", "id"),
    Column("TITLE", "title"),
    Column("CONFIRMED", lambda row: row.get("basis") != "unverified"),
)
_DOMAINS = (
    Column("DOMAIN", "rule"),
    Column("FOR", "purpose"),
    Column("CONFIRMED", lambda row: row.get("basis") != "unverified"),
)
_PERMISSIONS = (Column("MAY READ", "data"), Column("FOR", "purpose"))
_OWN_STEPS = (
    Column("STEP", "id"),
    Column("KIND", "kind"),
    Column("NAME", "name"),
    Column("DESCRIPTION", "description"),
)
_STEPS = (
    Column("EXTENSION", "extension"),
    Column("STEP", "id"),
    Column("KIND", "kind"),
    Column("NAME", "name"),
    Column("BY", "by_line"),
    Column("LABEL", "label"),
    Column("DESCRIPTION", "description"),
)
_VALID = (
    Column("FILE", "file"),
    Column("EXTENSION", "extension"),
    Column("VALID", "valid"),
    Column("PROBLEMS", lambda row: len(row["problems"]) or None),
)
_LOADED = (
    Column("EXTENSION", "extension"),
    Column("OUTCOME", "outcome"),
    Column("REASON", "reason"),
    Column("MESSAGE", "message"),
)


@command(app, "search")
async def search(
    options: Asks,
    text: Annotated[str, typer.Argument(help="A name, or a part of one; empty for all.")] = "",
    *,
    category: Annotated[str | None, typer.Option(help="Only of this category.")] = None,
    party: Annotated[
        Party | None, typer.Option(help="Only the platform's own, or others'.")
    ] = None,
    preview: Annotated[
        bool | None, typer.Option("--preview/--certified", help="Only in preview, or certified.")
    ] = None,
    installed: Annotated[
        bool | None, typer.Option("--installed/--not-installed", help="Only what is installed.")
    ] = None,
) -> None:
    """List the extensions that the brand may use, the best first; a slip of one letter is found.

    keyturn catalog search salesfroce
    keyturn catalog search --category messaging --party first
    """
    filters = filters_of(
        search=text, category=category, party=party, preview=preview, installed=installed
    )
    async with options.http() as http:
        await options.output.each(
            http.pages("catalog", "/v1/extensions", filters), _COLUMNS, nothing="Nothing was found."
        )


@command(app, "show")
async def show(options: Asks, extension: ExtensionArgument) -> None:
    """Show an extension: who stands behind it, how to connect, what it reaches and reads.

    keyturn catalog show smtp-relay
    keyturn catalog show loud-mail -o json
    """
    async with options.http() as http:
        shown = await found_extension(http, extension)
    manifest = shown["manifest"]
    options.output.one(
        shown,
        _FIELDS,
        [
            Part("STEPS", manifest.get("steps") or (), _OWN_STEPS),
            Part("SCHEMES", manifest["schemes"], _SCHEMES),
            Part("DOMAINS", manifest["domains"], _DOMAINS),
            Part("PERMISSIONS", manifest.get("permissions") or (), _PERMISSIONS),
        ],
    )


@command(app, "steps")
async def steps(
    options: Asks,
    text: Annotated[str, typer.Argument(help="A part of a step's name; empty for all.")] = "",
    *,
    extension: OfExtension = None,
    kind: Annotated[
        Literal["event", "task"] | None,
        typer.Option(help="What starts a workflow, or what it does."),
    ] = None,
    category: Annotated[str | None, typer.Option(help="Only of this category.")] = None,
) -> None:
    """List the steps that workflows can be made of: of all extensions, or of one.

    keyturn catalog steps letter --kind task
    keyturn catalog steps --extension loud-mail
    """
    filters = filters_of(search=text, kind=kind, category=category)
    if extension and filters:
        raise usage("Search in the steps of all, or name one extension.")
    async with options.http() as http:
        rows = (
            _steps_of(http, extension) if extension else http.pages("catalog", "/v1/steps", filters)
        )
        await options.output.each(rows, _STEPS, nothing="Nothing was found.")


@command(app, "validate")
async def validate(
    options: Shows,
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", help="Manifests, as YAML; of a folder all in it."),
    ],
    *,
    platform: Annotated[
        str, typer.Option(metavar="NAME", help="The platform's name: no publisher may go by it.")
    ] = "Keyturn",
    private_host: Annotated[
        list[str] | None,
        typer.Option(metavar="HOST", help="One that the operator allows; as often as needed."),
    ] = None,
) -> ExitCode:
    """Say everything for which the catalog would refuse manifests, without a stack.

    Nothing is sent. What several share is looked for in the folder `shared` beside them. Ends with
    1 where one of them would be refused.

    keyturn catalog validate loud-mail.yaml
    keyturn catalog validate manifests/ -o json
    """
    rows: list[Row] = []
    for file in files_of(files):
        one = read(file)
        problems = problems_of(one, platform=platform, private_hosts=private_host or ())
        slug = {"extension": one.manifest.slug} if one.manifest is not None else {}
        rows.append({"file": str(file), **slug, "valid": not problems, "problems": problems})
    options.output.rows(rows, _VALID, nothing="")
    for row in rows:
        for problem in row["problems"]:
            say(f"{row['file']}: {problem}")
    return ExitCode.OK if all(row["valid"] for row in rows) else ExitCode.FAILED


@command(app, "publish")
async def publish(
    options: Sends,
    file: Annotated[Path, typer.Argument(help="A manifest, as YAML.")],
    publisher: Annotated[
        str | None,
        typer.Option(
            metavar="SLUG", help="Publish as this publisher's system, not as an operator."
        ),
    ] = None,
) -> ExitCode:
    """Publish an extension, or a new version of it. What is wrong with it is answered in sentences.

    keyturn catalog publish loud-mail.yaml --dry-run
    keyturn catalog publish loud-mail.yaml --publisher loud-mail
    """
    asked = PublishExtension(manifest=read_to_send(file))
    async with options.backend(
        "publisher" if publisher else "operator",
        subject=f"publishers/{publisher}" if publisher else None,
        platform=True,
    ) as backend:
        return await send(options, backend, asked, about={"extension": asked.manifest.slug})


@command(app, "load")
async def load(
    options: Sends,
    folder: Annotated[
        Path | None,
        typer.Argument(help="Of manifests; else those that the catalog comes with."),
    ] = None,
    *,
    examples: Annotated[
        bool,
        typer.Option("--examples", help="Also the examples, of publishers that do not exist."),
    ] = False,
) -> ExitCode:
    """Publish every manifest of a folder. What is published already is unchanged.

    Each has an outcome of its own. Ends with 6 where some could not be published, with 1 where none
    could. For operators of the platform.

    keyturn catalog load --examples
    keyturn catalog load manifests/ --dry-run
    """
    folders = [folder or library().shipped, *([library().examples] if examples else [])]
    wanted = list(read_all(files_of(folders)))
    tally = Tally()
    if options.dry_run:
        await _show_loaded(options, tally, show_all(wanted))
        say("Nothing was sent.")
    else:
        async with options.backend("operator", platform=True) as backend:
            with waiting(f"Publishing {counted(len(wanted), 'manifest')}"):
                await _show_loaded(options, tally, publish_all(backend, wanted, options))
    return tally.code


@command(app, "certify")
async def certify(options: Sends, extension: ExtensionArgument) -> ExitCode:
    """End an extension's preview, for this version and later ones. For operators of the platform.

    keyturn catalog certify loud-mail
    """
    asked = CertifyExtension(extension=extension)
    async with options.backend("operator", platform=True) as backend:
        return await send(options, backend, asked, about={"extension": extension})


@command(app, "retire")
async def retire(
    options: Sends,
    extension: ExtensionArgument,
    reason: Annotated[str, typer.Option(help="Why, for the record and for who has it.")],
) -> ExitCode:
    """Take an extension out of the catalog; who has it keeps it. For operators of the platform.

    keyturn catalog retire loud-mail --reason "Its publisher has closed."
    """
    with as_usage():
        asked = RetireExtension(extension=extension, reason=reason)
    async with options.backend("operator", platform=True) as backend:
        return await send(options, backend, asked, about={"extension": extension})


async def _steps_of(http: Http, extension: str) -> AsyncIterator[Row]:
    answer = await found_extension(http, extension, "/steps")
    for step in answer["items"]:
        yield step


async def _show_loaded(options: Shows, tally: Tally, rows: AsyncIterator[Row]) -> None:
    await options.output.each(tally.of(rows), _LOADED, nothing="")
    say(tally.sentence)


def _legal(row: Row, name: str) -> str | None:
    document = row["manifest"].get(name)
    return f"{document['url']}, version {document['version']}" if document else None


def _contact(row: Row) -> str:
    """Return whom to turn to, in a line."""
    ways = (row.get(name) for name in ("email", "url", "hours", "documentation"))
    return ", ".join([row["name"], *filter(None, ways)])
