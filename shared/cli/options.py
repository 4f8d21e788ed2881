"""Options that many commands have, each in one place."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from keyturn_client.backend import Backend
from keyturn_client.commands import Signer
from keyturn_client.http import Http
from keyturn_client.keys import read_signing_key
from keyturn_client.settings import BackendSettings
from keyturn_contracts.actor import Role
from keyturn_contracts.ids import PLATFORM

from shared.cli.output import Format, Output
from shared.cli.problems import usage
from shared.cli.where import Where, find


def roles_of(role: Role) -> frozenset[Role]:
    """Return what is signed for somebody in this role: an administrator is a member too."""
    return frozenset({role, "member"} if role == "administrator" else {role})


@dataclass(frozen=True, slots=True, kw_only=True)
class Shows:
    """Of a command that writes data."""

    format: Annotated[
        Format, typer.Option("--output", "-o", help="How data is written to stdout.")
    ] = Format.TABLE

    @property
    def output(self) -> Output:
        return Output(self.format)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asks(Shows):
    """Of a command that asks the services, in the name of a member of a brand."""

    brand: Annotated[
        str | None, typer.Option(envvar="KEYTURN_BRAND", help="Whose accounts and engines.")
    ] = None
    member: Annotated[
        str | None,
        typer.Option("--as", envvar="KEYTURN_MEMBER", help="Which member of the brand you are."),
    ] = None
    data_dir: Annotated[
        Path | None,
        typer.Option(envvar="KEYTURN_DATA_DIR", help="The folder of the running stack."),
    ] = None

    @asynccontextmanager
    async def backend(
        self, role: Role = "administrator", *, subject: str | None = None, platform: bool = False
    ) -> AsyncGenerator[Backend]:
        """Speak to Kafka and the services as this member, or another subject, in this role.

        `platform`: about what belongs to no brand.
        """
        where, brand, member = self._who(platform=platform)
        settings = BackendSettings(
            kafka=where.kafka,
            services=where.services,
            brand=brand,
            issuer=where.issuer,
            key_file=where.key_file,
            subject=subject or member,
            roles=roles_of(role),
        )
        async with Backend(settings) as backend:
            yield backend

    @asynccontextmanager
    async def http(self, role: Role = "administrator") -> AsyncGenerator[Http]:
        """Speak to the services alone."""
        where, brand, member = self._who()
        signer = Signer(
            key=read_signing_key(where.key_file),
            issuer=where.issuer,
            subject=member,
            brand=brand,
            roles=roles_of(role),
        )
        http = Http(where.services, signer)
        try:
            yield http
        finally:
            await http.close()

    def _who(self, *, platform: bool = False) -> tuple[Where, str, str]:
        brand = PLATFORM if platform else self.brand
        if not brand:
            raise usage("Say which brand: --brand NAME, or once and for all KEYTURN_BRAND=NAME.")
        if not self.member:
            raise usage("Say who you are: --as MEMBER, or once and for all KEYTURN_MEMBER=MEMBER.")
        return find(self.data_dir), brand, self.member


@dataclass(frozen=True, slots=True, kw_only=True)
class Sends(Asks):
    """Of a command that changes something."""

    wait: Annotated[bool, typer.Option(help="Wait for what came of it.")] = True
    timeout: Annotated[
        float, typer.Option(min=1, max=86_400, help="How many seconds to wait at most.")
    ] = 60
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be sent, and change nothing.")
    ] = False

    @property
    def patience(self) -> timedelta:
        return timedelta(seconds=self.timeout)
