"""`keyturn bench`: figures of this machine, as ratios within one run."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from shared.cli.output import Column, Format, Output, Row, say

_FOLDER = Path(__file__).parents[2] / ".keyturn" / "bench"

Figures = Annotated[
    Path | None, typer.Option(help="Where the figures go, as JSON.", dir_okay=False)
]
AnyFormat = Annotated[Format, typer.Option("--output", "-o", help="For people or for programs.")]

bench = typer.Typer(no_args_is_help=True, help="Measure this machine, as ratios within one run.")


@bench.callback()
def _several() -> None:
    """Measure this machine, as ratios within one run."""


@bench.command()
def rotation(
    data_dir: Annotated[
        Path, typer.Option(help="A folder for the measurement alone.", file_okay=False)
    ] = _FOLDER,
    *,
    sizes: Annotated[
        str, typer.Option(help="How many workflows depend on the account, several by commas.")
    ] = "1,1000,100000",
    repeats: Annotated[int, typer.Option(min=1, max=100, help="Rotations for each size.")] = 5,
    output: Annotated[Path | None, typer.Option(help="Where the figures go, as JSON.")] = None,
) -> None:
    """Measure a rotation from its command to `RolloutCompleted`, and from a command to its event.

    The engine is a confirming one that has nothing to do when it applies a version.

    keyturn bench rotation --sizes 1,1000
    """
    # Only here: the rest of the command line starts without it.
    from deploy.bench.rotation import measure  # noqa: PLC0415

    numbers = [int(one) for one in sizes.split(",")]
    report = measure(
        data_dir,
        sizes=numbers,
        repeats=repeats,
        output=output or data_dir / "figures" / "rotation.json",
    )
    typer.echo(json.dumps(report, indent=2))


@bench.command()
def domains(
    *,
    repeats: Annotated[
        int, typer.Option(min=1, max=10_000, help="How often each URL is judged.")
    ] = 5,
    figures: Figures = None,
    output: AnyFormat = Format.TABLE,
) -> None:
    """Measure how long a list of 150 domain rules takes to judge a URL, in microseconds.

    Beside it stands a matcher that looks at rule after rule.

    keyturn bench domains --repeats 20
    """
    # Only here: the rest of the command line starts without it.
    from deploy.bench.domains import figures_of, measure  # noqa: PLC0415

    report = measure(figures, repeats=repeats)
    _show(
        report,
        figures_of(report),
        output,
        unit="us",
        sentence=f"{report['rules']} rules, {report['urls']} URLs: {report['ratio_to_looking']} "
        f"times as long as looking at each rule. Public Suffix List {report['suffix_list']}.",
    )


@bench.command()
def search(
    *,
    repeats: Annotated[
        int, typer.Option(min=1, max=1000, help="How often each query is answered.")
    ] = 3,
    figures: Figures = None,
    output: AnyFormat = Format.TABLE,
) -> None:
    """Measure how long the catalog searches 5,000 extensions, in milliseconds.

    What is typed: a name, all its beginnings, the name with a letter wrong, a word of a
    description, words that every extension has, many short ones. Beside it stands a plain look
    at each extension.

    keyturn bench search --repeats 10
    """
    # Only here: the rest of the command line starts without it.
    from deploy.bench.search import figures_of, measure  # noqa: PLC0415

    report = measure(figures, repeats=repeats)
    _show(
        report,
        figures_of(report),
        output,
        unit="ms",
        sentence=f"{report['extensions']} extensions, {report['queries']} queries: "
        f"{report['ratio_to_looking']} times as long as looking at each extension.",
    )


@bench.command()
def access(
    data_dir: Annotated[
        Path, typer.Option(help="A folder for the measurement alone.", file_okay=False)
    ] = _FOLDER,
    *,
    members: Annotated[int, typer.Option(min=10, max=100_000)] = 1000,
    accounts: Annotated[int, typer.Option(min=10, max=10_000)] = 100,
    grants: Annotated[int, typer.Option(min=1, max=1000, help="To each account.")] = 50,
    bulk: Annotated[
        int, typer.Option(min=1, max=500_000, help="To how many one account is given at once.")
    ] = 100_000,
    revocations: Annotated[int, typer.Option(min=1, max=1000, help="One after another.")] = 60,
    # Of more in batches of 100 a process would have forgotten the first before it is asked again.
    requests: Annotated[
        int, typer.Option(min=1, max=150, help="Over HTTP, in each size of batch.")
    ] = 60,
    repeats: Annotated[int, typer.Option(min=1, max=100, help="Of everything.")] = 3,
    openfga: Annotated[bool, typer.Option(help="Measure OpenFGA too, built by Go.")] = True,
    figures: Figures = None,
    output: AnyFormat = Format.TABLE,
) -> None:
    """Measure decisions about access, how soon a revocation holds, and changes for very many.

    In process, over HTTP cold and warm, with Redis and without; beside them plain sets, casbin
    (where it is installed) and OpenFGA. All are asked the same questions, and a wrong answer ends
    the measurement.

    keyturn bench access --bulk 10000 --no-openfga
    """
    # Only here: the rest of the command line starts without it.
    from deploy.bench.access.report import rows_of  # noqa: PLC0415
    from deploy.bench.access.run import Sizes, measure  # noqa: PLC0415

    sizes = Sizes(
        members=members,
        accounts=accounts,
        grants=grants,
        crowd=bulk,
        revocations=revocations,
        requests=requests,
        repeats=repeats,
    )
    report = measure(data_dir, sizes=sizes, openfga=openfga, output=figures)
    for sentence in report["left_out"]:
        say(sentence)
    if output is not Format.TABLE:
        Output(output).one(report, ())
        return
    columns = [
        Column("WHAT", "what"),
        Column("MEDIAN", "median"),
        Column("P99", "p99"),
        Column("PER SECOND", "per_second"),
        Column("REPEATS", "spread"),
        Column("SERVER'S CPU", "cpu"),
        Column("SAMPLES", "count"),
    ]
    Output().rows(list(rows_of(report)), columns, nothing="")
    for name, found in report["ratios"].items():
        say(f"{name.replace('_', ' ')}: {found}")


def _show(
    report: dict[str, Any],
    rows: Iterable[Row],
    output: Format,
    *,
    unit: Literal["ms", "us"],
    sentence: str,
) -> None:
    """Write the whole report for programs, or its rows and a sentence for people."""
    if output is not Format.TABLE:
        Output(output).one(report, ())
        return
    shown = unit.replace("u", "µ")
    columns = [
        Column("WHAT", "what"),
        Column(f"MEDIAN {shown}", f"p50_{unit}"),
        Column(f"P99 {shown}", f"p99_{unit}"),
        Column("SAMPLES", "count"),
    ]
    Output().rows(list(rows), columns, nothing="")
    say(sentence)
