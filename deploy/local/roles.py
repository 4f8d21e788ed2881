"""A database for each service, with an owner, a writer and a reader, and closed to all others."""

import asyncio
import base64
import hashlib
import hmac
import os
import ssl
from collections.abc import Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

import asyncpg

from deploy.local.problems import StackProblem
from shared.settings import DatabaseRole

T = TypeVar("T")
ROLES: tuple[DatabaseRole, ...] = get_args(DatabaseRole)
_ITERATIONS = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A PostgreSQL, and a role there that may create databases and roles."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    database: str = "postgres"
    tls: Literal["disable", "require", "verify-full"] = "disable"
    ca_file: Path | None = None


def database_of(service: str) -> str:
    return service.replace("-", "_")


def role_of(service: str, role: DatabaseRole) -> str:
    return f"{database_of(service)}_{role}"


def ensure_databases(
    server: Server, passwords: Mapping[str, Mapping[DatabaseRole, str]], *, is_ours: bool
) -> None:
    """Create the databases and roles of these services where they are missing.

    On a server that is not ours the roles that are there get these passwords too: it may outlive
    our folder. Ours is closed altogether to roles that no database was given to.
    """
    run_apart(_ensure(server, passwords, is_ours=is_ours))


def create_database(server: Server, name: str, *, service: str, template: str | None) -> None:
    """Create one more database for a service, as a copy of `template` if one is named."""
    run_apart(_create(server, name, service=service, template=template))


def drop_database(server: Server, name: str) -> None:
    run_apart(_drop(server, name))


def run_apart(work: Coroutine[Any, Any, T]) -> T:
    """Run it to its end in a loop of its own, wherever we are called from."""
    with ThreadPoolExecutor(1, thread_name_prefix="roles") as pool:
        return pool.submit(asyncio.run, work).result()


async def _connect(server: Server) -> "asyncpg.Connection[asyncpg.Record]":
    try:
        return await asyncpg.connect(
            host=server.host,
            port=server.port,
            user=server.user,
            password=server.password,
            database=server.database,
            ssl=_tls(server),
            timeout=15,
        )
    except (OSError, asyncpg.PostgresError, TimeoutError) as error:
        raise StackProblem(
            f"PostgreSQL at {server.host} does not let {server.user} in ({error}): check the "
            "address, the password and that it runs."
        ) from error


def _tls(server: Server) -> ssl.SSLContext | bool:
    if server.tls == "disable":
        return False
    context = ssl.create_default_context(cafile=server.ca_file)
    if server.tls == "require":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


async def _ensure(
    server: Server, passwords: Mapping[str, Mapping[DatabaseRole, str]], *, is_ours: bool
) -> None:
    connection = await _connect(server)
    try:
        known = {row["rolname"] for row in await connection.fetch("SELECT rolname FROM pg_roles")}
        there = {
            row["datname"] for row in await connection.fetch("SELECT datname FROM pg_database")
        }
        for service, of_role in passwords.items():
            for role, password in of_role.items():
                name = role_of(service, role)
                if name not in known or not is_ours:
                    verb = "ALTER" if name in known else "CREATE"
                    await connection.execute(
                        f"{verb} ROLE {_name(name)} LOGIN PASSWORD '{_verifier(password)}'"
                    )
            database = database_of(service)
            if database not in there:
                await _create_in(connection, database, service=service, template=None)
        if is_ours:
            await connection.execute("REVOKE CONNECT ON DATABASE postgres, template1 FROM PUBLIC")
    finally:
        await connection.close()


async def _create(server: Server, name: str, *, service: str, template: str | None) -> None:
    connection = await _connect(server)
    try:
        await _create_in(connection, name, service=service, template=template)
    finally:
        await connection.close()


async def _create_in(
    connection: "asyncpg.Connection[asyncpg.Record]",
    name: str,
    *,
    service: str,
    template: str | None,
) -> None:
    copied = f" TEMPLATE {_name(template)}" if template else ""
    owner = role_of(service, "owner")
    # An administrator who is no superuser may only give away to a role that it is a member of.
    await connection.execute(f"GRANT {_name(owner)} TO CURRENT_USER")
    await connection.execute(f"CREATE DATABASE {_name(name)} OWNER {_name(owner)}{copied}")
    await connection.execute(f"REVOKE ALL ON DATABASE {_name(name)} FROM PUBLIC")
    for role in ROLES:
        granted = _name(role_of(service, role))
        await connection.execute(f"GRANT CONNECT ON DATABASE {_name(name)} TO {granted}")


async def _drop(server: Server, name: str) -> None:
    connection = await _connect(server)
    try:
        await connection.execute(f"DROP DATABASE IF EXISTS {_name(name)} WITH (FORCE)")
    finally:
        await connection.close()


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _verifier(password: str) -> str:
    """What PostgreSQL stores for a password (RFC 5802): so it never travels, nor lands in a log."""
    salt = os.urandom(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, _ITERATIONS)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    stored_key = hashlib.sha256(client_key).digest()
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    shown = (base64.b64encode(part).decode() for part in (salt, stored_key, server_key))
    encoded_salt, encoded_stored, encoded_server = shown
    return f"SCRAM-SHA-256${_ITERATIONS}:{encoded_salt}${encoded_stored}:{encoded_server}"
