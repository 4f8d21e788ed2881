"""`keyturn engines`: let workflow engines in, and out."""

from pathlib import Path
from typing import Annotated

import typer
from keyturn_client.keys import EngineKeys
from keyturn_contracts.keys import PublicJwk
from keyturn_contracts.workflow import EngineKind, Reach, RegisterEngine, RetireEngine
from pydantic import ValidationError

from shared.cli.asking import command
from shared.cli.exit_codes import ExitCode
from shared.cli.ids import EngineId
from shared.cli.options import Asks, Sends
from shared.cli.output import Column, Row, say
from shared.cli.problems import Problem, as_usage, usage
from shared.cli.sending import send

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Let workflow engines in, and out."
)

_COLUMNS = (
    Column("ENGINE", "engine_id"),
    Column("NAME", "name"),
    Column("KIND", "engine_kind"),
    Column("STATE", "state"),
    Column("REACH", lambda row: _reach(row["reach"])),
    Column("EPOCH", "epoch"),
    Column("NUMBER", "number"),
)


@command(app, "register")
async def register(
    options: Sends,
    engine_id: EngineId,
    *,
    name: Annotated[str, typer.Option(help="What people call the engine.")],
    keys_in: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Make the engine's keys, and write the private ones to FOLDER/ENGINE.json.",
        ),
    ] = None,
    sig: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The engine's public signing key (JWK).")
    ] = None,
    enc: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The engine's public sealing key (JWK).")
    ] = None,
    proof: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The engine's own proof that it has the private keys."),
    ] = None,
    lease: Annotated[
        int | None,
        typer.Option(metavar="SECONDS", help="A leasing engine: how long a fetch is good for."),
    ] = None,
    reach_all: Annotated[
        bool, typer.Option("--reach-all", help="It may fetch every account that it binds.")
    ] = False,
    reach_account: Annotated[
        list[str] | None, typer.Option(help="It may fetch this account; as often as needed.")
    ] = None,
    reach_extension: Annotated[
        list[str] | None, typer.Option(help="It may fetch the accounts of this extension.")
    ] = None,
) -> ExitCode:
    """Let an engine in: with new keys, or with the public keys that it sent you.

    Its reach is the most that it may ever fetch, whatever it says that its workflows use.

    keyturn engines register letters --name Letters --reach-account mail --keys-in keys
    """
    if not (reach_all or reach_account or reach_extension):
        raise usage("Say what it may fetch: --reach-all, --reach-account or --reach-extension.")
    with as_usage():
        reach = Reach(
            all=reach_all,
            accounts=tuple(reach_account or ()),
            extensions=tuple(reach_extension or ()),
        )
    given = [path for path in (sig, enc, proof) if path is not None]
    if (keys_in is None) == (not given) or len(given) not in {0, 3}:
        raise usage("Give --keys-in FOLDER to make keys, or all of --sig, --enc and --proof.")
    kind: EngineKind = "leasing" if lease else "confirming"
    async with options.backend() as backend:
        if keys_in is None:
            with as_usage():
                registration = RegisterEngine(
                    engine_id=engine_id,
                    name=name,
                    engine_kind=kind,
                    lease_seconds=lease,
                    reach=reach,
                    sig=_read_jwk(sig),
                    enc=_read_jwk(enc),
                    proof=_read_text(proof).strip(),
                )
            return await send(options, backend, registration, about={"engine_id": engine_id})
        file = keys_in / f"{engine_id}.json"
        keys, is_new = _keys_in(file)
        with as_usage():
            registration = keys.registration(
                brand=backend.brand,
                engine_id=engine_id,
                name=name,
                reach=reach,
                engine_kind=kind,
                lease_seconds=lease,
            )
        # Before it is sent: a registration whose keys are lost is an id that is lost.
        if is_new and not options.dry_run:
            _save(keys, file)
        code = await send(options, backend, registration, about={"engine_id": engine_id})
        if code is ExitCode.OK and not options.dry_run:
            say(f"The private keys are in {file}: take them to the engine and nowhere else.")
        elif is_new and not options.dry_run:
            file.unlink()
        return code


@command(app, "list")
async def list_engines(options: Asks) -> None:
    """List the engines of the brand, and where the log of each stands.

    keyturn engines list
    """
    async with options.backend() as backend:
        await options.output.each(
            backend.queries.engines(), _COLUMNS, nothing="No engine is registered."
        )


@command(app, "retire")
async def retire(
    options: Sends,
    engine_id: EngineId,
    reason: Annotated[str, typer.Option(help="Why, for the record.")] = "",
) -> ExitCode:
    """Excuse an engine from everything, for ever: its id is never registered again.

    keyturn engines retire letters --reason "It was replaced."
    """
    with as_usage():
        asked = RetireEngine(engine_id=engine_id, reason=reason)
    async with options.backend() as backend:
        return await send(options, backend, asked, about={"engine_id": engine_id})


def _reach(reach: Row) -> str:
    return "all" if reach["all"] else ", ".join([*reach["accounts"], *reach["extensions"]])


def _keys_in(file: Path) -> tuple[EngineKeys, bool]:
    """Return the keys that a registration before left there, or new ones, and whether they are."""
    try:
        return EngineKeys.load(file), False
    except FileNotFoundError:
        return EngineKeys.new(), True
    except (OSError, ValueError, KeyError):
        raise usage(f"{file} is there and holds no keys of an engine: move it away.") from None


def _save(keys: EngineKeys, file: Path) -> None:
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        keys.save(file)
    except OSError as error:
        raise Problem(f"{file} cannot be written: {error.strerror}.") from None


def _read_text(file: Path | None) -> str:
    try:
        return file.read_text(encoding="utf-8") if file else ""
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise usage(f"{file} cannot be read: {why}.") from None


def _read_jwk(file: Path | None) -> PublicJwk:
    try:
        return PublicJwk.model_validate_json(_read_text(file))
    except ValidationError:
        raise usage(
            f"{file} is no public key (a JWK with kty, crv, x and use, and no private part)."
        ) from None
