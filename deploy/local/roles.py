"""A database for each service, with an owner, a writer and a reader, and closed to all others."""

import base64
import hashlib
import hmac
import os
from collections.abc import Mapping
from typing import get_args

from deploy.local.sql import Connection, Server, connected, run_apart
from shared.settings import DatabaseRole

ROLES: tuple[DatabaseRole, ...] = get_args(DatabaseRole)
_ITERATIONS = 4096

RolePasswords = Mapping[DatabaseRole, str]


def database_of(service: str) -> str:
    return service.replace("-", "_")


def role_of(service: str, role: DatabaseRole) -> str:
    return f"{database_of(service)}_{role}"


def ensure_databases(
    server: Server, services: Mapping[str, RolePasswords], *, is_ours: bool
) -> None:
    """Create the databases and roles of these services where they are missing.

    On a server that is not ours the roles that are there get these passwords too: it may outlive
    our folder. Ours is closed altogether to roles that no database was given to.
    """
    run_apart(_ensure(server, services, is_ours=is_ours))


def create_database(server: Server, name: str, *, service: str, template: str | None) -> None:
    """Create one more database for a service, as a copy of `template` if one is named."""
    run_apart(_create(server, name, service=service, template=template))


def drop_database(server: Server, name: str) -> None:
    run_apart(_drop(server, name))


async def _ensure(server: Server, services: Mapping[str, RolePasswords], *, is_ours: bool) -> None:
    async with connected(server) as connection:
        known = {row["rolname"] for row in await connection.fetch("SELECT rolname FROM pg_roles")}
        databases = await connection.fetch("SELECT datname FROM pg_database")
        there = {row["datname"] for row in databases}
        for service, passwords in services.items():
            for role, password in passwords.items():
                name = role_of(service, role)
                if name not in known or not is_ours:
                    verb = "ALTER" if name in known else "CREATE"
                    await connection.execute(
                        f"{verb} ROLE {_name(name)} LOGIN PASSWORD '{_verifier(password)}'"
                    )
            if database_of(service) not in there:
                await _create_in(connection, database_of(service), service=service, template=None)
        if is_ours:
            await connection.execute("REVOKE CONNECT ON DATABASE postgres, template1 FROM PUBLIC")


async def _create(server: Server, name: str, *, service: str, template: str | None) -> None:
    async with connected(server) as connection:
        await _create_in(connection, name, service=service, template=template)


async def _create_in(
    connection: Connection, name: str, *, service: str, template: str | None
) -> None:
    copied = f" TEMPLATE {_name(template)}" if template else ""
    owner = _name(role_of(service, "owner"))
    # An administrator who is no superuser may only give a database to a role that it belongs to.
    await connection.execute(f"GRANT {owner} TO CURRENT_USER")
    await connection.execute(f"CREATE DATABASE {_name(name)} OWNER {owner}{copied}")
    await connection.execute(f"REVOKE ALL ON DATABASE {_name(name)} FROM PUBLIC")
    granted = ", ".join(_name(role_of(service, role)) for role in ROLES)
    await connection.execute(f"GRANT CONNECT ON DATABASE {_name(name)} TO {granted}")


async def _drop(server: Server, name: str) -> None:
    async with connected(server) as connection:
        await connection.execute(f"DROP DATABASE IF EXISTS {_name(name)} WITH (FORCE)")


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _verifier(password: str) -> str:
    """Compute what PostgreSQL stores for a password (RFC 5802): it never travels nor is logged."""
    salt = os.urandom(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, _ITERATIONS)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    parts = (salt, hashlib.sha256(client_key).digest(), server_key)
    shown_salt, stored_key, shown_server_key = (base64.b64encode(one).decode() for one in parts)
    return f"SCRAM-SHA-256${_ITERATIONS}:{shown_salt}${stored_key}:{shown_server_key}"
