"""`keyturn contracts`: publish the contracts, and hold them against the last release."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from keyturn_contracts.asyncapi import asyncapi_document
from keyturn_contracts.growth import Break, breaks
from keyturn_contracts.schemas import all_schemas

from shared.cli.output import Output, counted, say
from shared.version import VERSION

ROOT = Path(__file__).parents[2]
PUBLISHED = ROOT / "shared" / "contracts" / "published"
SCHEMAS = "schemas"
DOCUMENT = "asyncapi.json"

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Publish the contracts, and check that they only grow.",
)


def documents(version: str) -> dict[str, str]:
    """Return every published file's text by its path below `published/`."""
    files: dict[str, object] = {DOCUMENT: asyncapi_document(version)}
    files |= {f"{SCHEMAS}/{name}.json": schema for name, schema in all_schemas().items()}
    return {
        path: json.dumps(content, indent=2, ensure_ascii=False) + "\n"
        for path, content in sorted(files.items())
    }


def out_of_date(folder: Path, version: str) -> list[str]:
    """Return the published files that are not what the contracts say today."""
    expected = documents(version)
    there = {
        str(path.relative_to(folder)): path.read_text() for path in sorted(folder.rglob("*.json"))
    }
    return sorted(name for name in {*expected, *there} if expected.get(name) != there.get(name))


def newest_tag(repository: Path) -> str | None:
    """Return the newest release of the project, or None before the first."""
    found = subprocess.run(
        ["git", "-C", str(repository), "describe", "--tags", "--abbrev=0"],
        capture_output=True,
        text=True,
        check=False,
    )
    return found.stdout.strip() or None if found.returncode == 0 else None


def released_schemas(repository: Path, tag: str) -> dict[str, dict[str, Any]]:
    """Return the schemas that a release carries, by message type."""
    folder = f"{PUBLISHED.relative_to(ROOT)}/{SCHEMAS}"
    names = _git(repository, "ls-tree", "--name-only", tag, f"{folder}/").split()
    return {
        Path(name).name.removesuffix(".json"): json.loads(_git(repository, "show", f"{tag}:{name}"))
        for name in names
    }


def breaks_since(
    released: Mapping[str, Mapping[str, Any]],
) -> list[Break]:
    return breaks(released, all_schemas())


@app.command()
def export(
    to: Annotated[Path, typer.Option(help="The folder to write to.")] = PUBLISHED,
) -> None:
    """Write the AsyncAPI document and one JSON Schema for each message.

    keyturn contracts export --to contracts
    """
    written = documents(VERSION)
    for path in to.rglob("*.json"):
        if str(path.relative_to(to)) not in written:
            path.unlink()
    for name, text in written.items():
        (to / name).parent.mkdir(parents=True, exist_ok=True)
        (to / name).write_text(text)
    say(f"Wrote {counted(len(written), 'document')} to {to}.")


@app.command()
def check() -> None:
    """Say whether the published documents are today's, and whether a release would break anyone.

    keyturn contracts check
    """
    stale = out_of_date(PUBLISHED, VERSION)
    answer = [
        f"{name} is not what the contracts say today. Run: keyturn contracts export"
        for name in stale
    ]
    tag = newest_tag(ROOT)
    found = breaks_since(released_schemas(ROOT, tag)) if tag else []
    answer += [
        f"{one}. A contract only grows: add a new major version beside this one." for one in found
    ]
    Output().lines(answer)
    if stale or found:
        raise typer.Exit(1)
    say(f"The contracts have only grown since {tag}." if tag else "Nothing is released yet.")


def _git(repository: Path, *words: str) -> str:
    return subprocess.run(
        ["git", "-C", str(repository), *words], capture_output=True, text=True, check=True
    ).stdout
