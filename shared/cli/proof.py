"""`keyturn proof`: fetch the proof of a rollout, and check one without asking anybody."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from keyturn_client.problems import NotFoundError
from keyturn_contracts.keys import Jwks
from keyturn_contracts.proof import ProofVerdict
from keyturn_contracts.proof import check as check_bundle
from pydantic import ValidationError

from shared.cli.asking import command
from shared.cli.exit_codes import ExitCode
from shared.cli.ids import RolloutIdArgument
from shared.cli.options import Asks, Shows
from shared.cli.output import Column, Row, say
from shared.cli.problems import Problem, usage

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Fetch the proof of a rollout, and check one offline.",
)

_FIELDS = (
    Column("Rollout", "rollout_id"),
    Column("Brand", "brand"),
    Column("Account", "account_id"),
    Column("Version", "version"),
    Column("Deletion", lambda row: row.get("is_deletion") or None),
    Column("Completed", "completed_at"),
    Column("Engines", "engines"),
    Column("Excused", "excused"),
    Column("Consistent", "consistent"),
    Column("Pinned", "pinned"),
)


@command(app, "check")
async def check_proof(
    options: Shows,
    file: Annotated[Path, typer.Argument(help="The bundle; - reads it from stdin.")],
    keys: Annotated[
        Path | None,
        typer.Option(help="The proof keys that you trust, as a JWK set: pin them once."),
    ] = None,
) -> ExitCode:
    """Verify everything that a proof says, offline.

    Ends with 0 where it is consistent and signed by one of your keys, with 6 where you gave none,
    and with 1 where anything is not as it says.

    keyturn proof check proof.json --keys proof-keys.json
    """
    verdict = check_bundle(_read(file), _read_keys(keys) if keys is not None else None)
    options.output.one(_shown(verdict), _FIELDS)
    for problem in verdict.problems:
        say(problem)
    if not verdict.is_consistent:
        return ExitCode.FAILED
    if verdict.is_pinned:
        say("The proof is consistent, and signed by a key that you have pinned.")
        return ExitCode.OK
    say(
        "The proof is consistent, signed by a key that you have not pinned: give --keys with the "
        "set that `keyturn proof keys` wrote when you trusted it."
    )
    return ExitCode.PARTLY


@command(app, "fetch")
async def fetch(
    options: Asks,
    rollout_id: RolloutIdArgument,
    to: Annotated[
        Path | None, typer.Option(help="The file to write; without it the proof goes to stdout.")
    ] = None,
) -> None:
    """Fetch the proof of a completed rollout, byte by byte as it was signed.

    keyturn proof fetch mail.2 --to proof.json
    """
    async with options.backend() as backend:
        try:
            bundle = await backend.queries.proof(rollout_id)
        except NotFoundError:
            raise Problem(
                f"There is no proof of {rollout_id}: no such rollout has completed.",
                ExitCode.NOT_FOUND,
            ) from None
    _write(options, bundle, to)


@command(app, "keys")
async def fetch_keys(
    options: Asks,
    to: Annotated[
        Path | None, typer.Option(help="The file to write; without it the keys go to stdout.")
    ] = None,
) -> None:
    """Fetch the public keys that proofs are signed with, to pin them once.

    keyturn proof keys --to proof-keys.json
    """
    async with options.backend() as backend:
        found = await backend.queries.proof_keys()
    _write(options, json.dumps(found, indent=2).encode() + b"\n", to)


def _write(options: Asks, content: bytes, to: Path | None) -> None:
    if to is None:
        options.output.exactly(content)
        return
    try:
        to.write_bytes(content)
    except OSError as error:
        raise Problem(f"{to} cannot be written: {error.strerror}.") from None
    say(f"Wrote {to}.")


def _shown(verdict: ProofVerdict) -> Row:
    row: dict[str, object] = {
        "consistent": verdict.is_consistent,
        "pinned": verdict.is_pinned,
        "problems": list(verdict.problems),
    }
    proof = verdict.proof
    if proof is not None:
        row |= {
            "brand": proof.brand,
            "rollout_id": proof.rollout_id,
            "account_id": proof.account_id,
            "version": proof.version,
            "is_deletion": proof.is_deletion,
            "completed_at": proof.completed_at.isoformat(),
            "engines": [leg.engine_id for leg in proof.legs],
            "excused": [one.engine_id for one in proof.excused],
        }
    return row


def _read(file: Path) -> bytes:
    try:
        return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise usage(f"{file} cannot be read: {error.strerror}.") from None


def _read_keys(file: Path) -> Jwks:
    try:
        return Jwks.model_validate_json(_read(file))
    except ValidationError:
        raise usage(
            f"{file} is no set of public keys as `keyturn proof keys` writes it (a JWKS)."
        ) from None
