"""`keyturn catalog`: what there is to connect to, and what operators and publishers do with it."""

from pathlib import Path
from typing import Annotated, Literal

import typer
import yaml
from keyturn_contracts.catalog import (
    CertifyExtension,
    Manifest,
    Party,
    PublishExtension,
    RetireExtension,
)
from pydantic import ValidationError

from shared.cli.asking import command
from shared.cli.exit_codes import ExitCode
from shared.cli.finding import filters_of, found
from shared.cli.ids import ExtensionArgument
from shared.cli.options import Asks, Sends
from shared.cli.output import Column, Part, Row
from shared.cli.problems import as_usage, usage
from shared.cli.sending import send

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="See what there is to connect to."
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
    Column("Version", "version"),
    Column("Privacy policy", lambda row: _legal(row, "privacy_policy")),
    Column("Terms", lambda row: _legal(row, "terms")),
    Column("Support", lambda row: contact(row["support"])),
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
_STEPS = (
    Column("EXTENSION", "extension"),
    Column("STEP", "id"),
    Column("KIND", "kind"),
    Column("NAME", "name"),
    Column("BY", "by_line"),
    Column("LABEL", "label"),
    Column("DESCRIPTION", "description"),
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
    """Show an extension: who stands behind it, how to connect, what it reaches and reads."""
    async with options.http() as http:
        shown = await found(http.get("catalog", f"/v1/extensions/{extension}"))
    manifest = shown["manifest"]
    options.output.one(
        shown,
        _FIELDS,
        [
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
    kind: Annotated[
        Literal["event", "task"] | None,
        typer.Option(help="What starts a workflow, or what it does."),
    ] = None,
) -> None:
    """List the steps that workflows can be made of."""
    filters = filters_of(search=text, kind=kind)
    async with options.http() as http:
        await options.output.each(
            http.pages("catalog", "/v1/steps", filters), _STEPS, nothing="Nothing was found."
        )


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
    """
    with as_usage():
        asked = PublishExtension(manifest=_read(file))
    async with options.backend(
        "publisher" if publisher else "operator",
        subject=f"publishers/{publisher}" if publisher else None,
        platform=True,
    ) as backend:
        return await send(options, backend, asked, about={"extension": asked.manifest.slug})


@command(app, "certify")
async def certify(options: Sends, extension: ExtensionArgument) -> ExitCode:
    """End an extension's preview. For operators of the platform."""
    asked = CertifyExtension(extension=extension)
    async with options.backend("operator", platform=True) as backend:
        return await send(options, backend, asked, about={"extension": extension})


@command(app, "retire")
async def retire(
    options: Sends,
    extension: ExtensionArgument,
    reason: Annotated[str, typer.Option(help="Why, for the record and for who has it.")],
) -> ExitCode:
    """Take an extension out of the catalog; who has it keeps it. For operators of the platform."""
    with as_usage():
        asked = RetireExtension(extension=extension, reason=reason)
    async with options.backend("operator", platform=True) as backend:
        return await send(options, backend, asked, about={"extension": extension})


def _read(file: Path) -> Manifest:
    try:
        given = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise usage(f"{file} cannot be read: {error.strerror}.") from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise usage(f"{file} is not YAML in UTF-8.") from None
    try:
        return Manifest.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "it"
        raise usage(f"{file} is no manifest: {place}: {first['msg']}.") from None


def _legal(row: Row, name: str) -> str | None:
    document = row["manifest"].get(name)
    return f"{document['url']}, version {document['version']}" if document else None


def contact(row: Row) -> str:
    """Return whom to turn to, in a line."""
    ways = (row.get(name) for name in ("email", "url", "hours", "documentation"))
    return ", ".join([row["name"], *filter(None, ways)])
