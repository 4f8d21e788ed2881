"""The command line: starts and stops a stack, and holds everything else that Keyturn can be asked.

Data goes to stdout, sentences to stderr. Exit codes: 0 ok, 1 failed, 2 usage, 3 not found,
4 conflict, 5 not allowed, 6 partly, 7 timed out.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from deploy.bench.cli import bench
from deploy.demo.cli import demo
from deploy.local.problems import StackProblem
from shared.cli.groups import Groups
from shared.cli.library import Library, manifests_read_by
from shared.cli.locating import located_by
from shared.cli.output import Column, Format, Output, say

if TYPE_CHECKING:
    from deploy.local.plan import Plan
    from deploy.local.status import Status

ROOT = Path(__file__).parents[1]
DEFAULT_DATA = ROOT / ".keyturn" / "data"

app = typer.Typer(
    cls=Groups,
    name="keyturn",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Turn the key once; every dependent workflow turns with it, and Keyturn can prove it.",
)
topics = typer.Typer(no_args_is_help=True, help="Kafka's topics and access lists, as declared.")
app.add_typer(topics, name="topics")
app.add_typer(bench, name="bench")
app.command()(demo)

DataDir = Annotated[
    Path,
    typer.Option(
        "--data-dir", envvar="KEYTURN_DATA_DIR", help="The folder of this stack.", file_okay=False
    ),
]
AnyFormat = Annotated[Format, typer.Option("--output", "-o", help="For people or for programs.")]


@app.command()
def up(
    data_dir: DataDir = DEFAULT_DATA,
    *,
    foreground: Annotated[bool, typer.Option(help="Stay, and stop all on Ctrl-C.")] = False,
    fresh_ports: Annotated[
        bool, typer.Option(help="Choose another port for each that is taken.")
    ] = False,
    wait: Annotated[float, typer.Option(help="Seconds to wait until all is ready.")] = 300,
    output: AnyFormat = Format.TABLE,
) -> None:
    """Start Kafka, PostgreSQL, Redis and the services, and print where everything is.

    keyturn up
    keyturn up --data-dir stack --fresh-ports
    """
    from deploy.local.external import read_external
    from deploy.local.folder import open_data_folder

    external = read_external(os.environ)
    data = open_data_folder(data_dir)
    if foreground:
        from deploy.local.supervisor import Supervisor

        raise typer.Exit(Supervisor(data, external=external, fresh_ports=fresh_ports).run())
    from deploy.local.up import bring_up

    bring_up(data, say, fresh_ports=fresh_ports, within=wait)
    status(data_dir, output=output)


@app.command()
def down(data_dir: DataDir = DEFAULT_DATA) -> None:
    """Stop all in order; what it holds stays.

    keyturn down
    """
    from deploy.local.folder import DataFolder
    from deploy.local.up import bring_down

    data = DataFolder(data_dir.absolute())
    say(f"Stopped: {data.root}." if bring_down(data) else f"Nothing runs in {data.root}.")


@app.command()
def status(data_dir: DataDir = DEFAULT_DATA, *, output: AnyFormat = Format.TABLE) -> None:
    """Show each part, and with `-o json` every address that a program needs.

    keyturn status -o json
    """
    from deploy.local.addresses import addresses, rows

    plan, found = _running(data_dir)
    if output is Format.JSON:
        Output(output).one(addresses(plan, found), [])
    else:
        columns = [
            Column("PART", "part"),
            Column("STATE", "state"),
            Column("ADDRESS", "address"),
            Column("PROCESS", "pid"),
            Column("MB", "memory_mb"),
            Column("RESTARTS", "restarts"),
            Column("ENDED LAST", "last_exit"),
        ]
        Output(output).rows(rows(plan, found), columns, nothing="No part is ours to run.")
        say("One broker and one copy of everything: for demonstration and development.")
    if found.state != "ready":
        say(f"It is {found.state}.")
        raise typer.Exit(6)


@app.command()
def logs(
    part: Annotated[str | None, typer.Argument(help="One part; else all of them.")] = None,
    data_dir: DataDir = DEFAULT_DATA,
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on, until Ctrl-C.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="Of each log.")] = 50,
) -> None:
    """Show what the parts and services wrote last.

    keyturn logs catalog --follow
    """
    from deploy.local.folder import DataFolder
    from deploy.local.logs import following, last_lines, log_files

    files = log_files(DataFolder(data_dir.absolute()), part)
    for name, file in files.items():
        for line in last_lines(file, lines):
            _print_line(name, line, alone=part is not None)
    if follow:
        try:
            for name, line in following(files):
                _print_line(name, line, alone=part is not None)
        except KeyboardInterrupt:
            return


@app.command()
def serve(
    service: Annotated[str, typer.Argument(help="For example credential-vault.")],
    data_dir: DataDir = DEFAULT_DATA,
    *,
    settings: Annotated[
        Path | None,
        typer.Option(
            help="The file with its settings; else the one that `up` wrote.", dir_okay=False
        ),
    ] = None,
) -> None:
    """Run one service in the foreground, on settings that are there already.

    keyturn serve credential-vault --settings credential-vault.json
    """
    from deploy.local.folder import DataFolder
    from deploy.local.serve import serve as run

    run(service, settings or DataFolder(data_dir.absolute()).settings_of(service))


@app.command()
def doctor(data_dir: DataDir = DEFAULT_DATA, *, output: AnyFormat = Format.TABLE) -> None:
    """Look for what would keep a stack from starting, and say what to do about it.

    keyturn doctor
    """
    from deploy.local.doctor import examine
    from deploy.local.folder import DataFolder

    findings = list(examine(DataFolder(data_dir.absolute())))
    columns = [Column("", "subject"), Column("WELL", "is_well"), Column("", "sentence")]
    found = [
        {"subject": one.subject, "is_well": one.is_well, "sentence": one.sentence}
        for one in findings
    ]
    Output(output).rows(found, columns, nothing="")
    if not all(one.is_well for one in findings):
        raise typer.Exit(1)


@topics.command("apply")
def apply_topics(
    data_dir: DataDir = DEFAULT_DATA,
    *,
    replication: Annotated[
        int, typer.Option(min=1, help="Copies of a new topic; from 3 on, 2 of them in sync.")
    ] = 1,
    dry_run: Annotated[bool, typer.Option(help="Only tell what would change.")] = False,
    output: AnyFormat = Format.TABLE,
) -> None:
    """Create what is missing and change what differs: topics, settings, access lists, users.

    keyturn topics apply --replication 3 --dry-run
    """
    from deploy.local.external import read_external
    from deploy.local.folder import DataFolder
    from deploy.local.plan import known_plan
    from deploy.local.prepare import prepare_kafka

    plan = known_plan(DataFolder(data_dir.absolute()), external=read_external(os.environ))
    changes = prepare_kafka(plan, replication=replication, dry_run=dry_run)
    shown = {
        "created": changes.created,
        "configured": changes.configured,
        "granted": changes.granted,
        "withdrawn": changes.withdrawn,
    }
    Output(output).one(shown, [Column(name, name) for name in shown])


def _running(data_dir: Path) -> "tuple[Plan, Status]":
    """Return the stack that runs there, and what its supervisor says of it."""
    from deploy.local.external import read_external
    from deploy.local.folder import DataFolder
    from deploy.local.plan import known_plan
    from deploy.local.problems import NotFound
    from deploy.local.status import read_status

    data = DataFolder(data_dir.absolute())
    found = read_status(data)
    if found is None:
        raise NotFound(f"Nothing runs in {data.root}: `keyturn up` starts it.")
    return known_plan(data, external=read_external(os.environ)), found


def _locate(data_dir: Path | None) -> Mapping[str, Any]:
    from deploy.local.addresses import addresses

    return addresses(*_running(data_dir or DEFAULT_DATA))


def _manifests() -> Library:
    from deploy.manifests import CatalogFiles

    return CatalogFiles()


def compose() -> None:
    """Tell the command line what it does not know: where a stack is, and who reads manifests."""
    located_by(_locate)
    manifests_read_by(_manifests)


compose()


def _print_line(name: str, line: str, *, alone: bool) -> None:
    sys.stdout.write(f"{line}\n" if alone else f"{name}: {line}\n")
    sys.stdout.flush()


def main() -> NoReturn:
    """Run the command line; what is expected to go wrong is told in a sentence."""
    try:
        app()
    except StackProblem as problem:
        say(str(problem))
        sys.exit(problem.exit_code)
    sys.exit(0)
