"""A backend system: lets an engine in, adds an account, and rotates its password.

    python backend.py SETTINGS.json register ENGINE_ID KEYS.json
    python backend.py SETTINGS.json add HOST PORT FROM_ADDRESS USER < PASSWORD
    python backend.py SETTINGS.json rotate USER PROOF.json < NEW_PASSWORD

SETTINGS.json is what `keyturn_client.BackendSettings` reads: where Kafka and the services are, and
in whose name to act. A password comes from stdin and leaves this process sealed.
"""
# ruff: noqa: INP001, T201  an example stands alone and talks to whoever runs it

import asyncio
import sys
from pathlib import Path

from keyturn_client import Backend, BackendSettings, EngineKeys, Prepared, Reach
from keyturn_contracts.keys import Jwks
from keyturn_contracts.message import Command, CommandRefused
from keyturn_contracts.proof import check
from pydantic import SecretStr

ACCOUNT = "mail"


async def register(backend: Backend, engine_id: str, key_file: Path) -> None:
    """Make an engine's keys, which only its own process may read, and let it in."""
    keys = EngineKeys.new()
    keys.save(key_file)
    reach = Reach(accounts=(ACCOUNT,))
    await ask(
        backend,
        keys.registration(brand=backend.brand, engine_id=engine_id, name=engine_id, reach=reach),
    )


async def add(backend: Backend, settings: dict[str, str], user: str) -> None:
    """Add the account; Keyturn logs in at its server before it says yes."""
    command = await backend.prepare_account(
        ACCOUNT,
        extension="smtp-relay",
        scheme="smtp-password",
        name="Newsletters",
        settings=settings,
        fields={"username": SecretStr(user), "password": password()},
    )
    await ask(backend, command)


async def rotate(backend: Backend, user: str, proof_file: Path) -> None:
    """Give the account a new password, and wait until every workflow has it."""
    before = await backend.queries.account(ACCOUNT)
    command = await backend.prepare_rotation(
        ACCOUNT,
        fields={"username": SecretStr(user), "password": password()},
        replaces_version=before["version"],
        retire="when-complete",
    )
    await ask(backend, command)
    rollout_id = f"{ACCOUNT}.{before['version'] + 1}"
    async for rollout in backend.watch_rollout(rollout_id):
        waiting = ", ".join(f"{one.engine_id} ({one.why})" for one in rollout.waiting)
        print(f"{rollout.state}: {rollout.done} of {rollout.legs} engines {waiting}".strip())
    proof = await backend.queries.proof(rollout_id)
    verdict = check(proof, Jwks.model_validate(await backend.queries.proof_keys()))
    proof_file.write_bytes(proof)  # noqa: ASYNC240  nothing else runs here
    if verdict.problems:
        sys.exit("\n".join(verdict.problems))
    print(f"proven: {proof_file}")


async def ask(backend: Backend, command: Command | Prepared) -> None:
    """Send a command, safely however often, and tell what came of it."""
    outcome = await backend.ask(command)
    if isinstance(outcome, CommandRefused):
        sys.exit(f"{outcome.command} was refused ({outcome.reason}): {outcome.message}")
    print(f"{outcome.command}: {', '.join(one.type for one in outcome.events) or 'done'}")


def password() -> SecretStr:
    return SecretStr(sys.stdin.readline().rstrip("\n"))


async def main(settings: BackendSettings, what: str, words: list[str]) -> None:
    async with Backend(settings) as backend:
        match what, words:
            case "register", [engine_id, key_file]:
                await register(backend, engine_id, Path(key_file))
            case "add", [host, port, sender, user]:
                server = {"host": host, "port": port, "security": "starttls"}
                await add(backend, {**server, "from_address": sender}, user)
            case "rotate", [user, proof_file]:
                await rotate(backend, user, Path(proof_file))
            case _:
                sys.exit(__doc__)


if __name__ == "__main__":
    told = BackendSettings.model_validate_json(Path(sys.argv[1]).read_bytes())
    asyncio.run(main(told, sys.argv[2], sys.argv[3:]))
