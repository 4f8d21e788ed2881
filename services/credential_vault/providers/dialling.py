"""Connecting to a host that a brand chose: its name is looked up once, and judged, and used."""

import asyncio
import socket
from collections.abc import Collection
from concurrent.futures import Executor
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

from services.credential_vault.rules.addresses import is_name, is_public

_MOST_ADDRESSES = 4


class AddressRefusedError(Exception):
    """The host may not be connected to. Its text is for people."""


class UnreachableError(Exception):
    """The host is not there now, or does not answer. Its text is for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialler:
    """Connects to public addresses, and to hosts that an operator allowed by name."""

    allowed_private_hosts: Collection[str]
    lookups: Executor
    """Where names are looked up: apart, since a name server of a stranger's may take its time."""
    connect_seconds: float

    async def connect(self, host: str, port: int) -> socket.socket:
        """Return a connected socket, or raise `AddressRefusedError` or `UnreachableError`.

        Every address that the one look-up gave is judged before any is used, and only those are
        used: a name that points elsewhere a moment later changes nothing.
        """
        if not is_name(host):
            raise AddressRefusedError(f"{host} is an address: write the server's name instead.")
        addresses = await self._look_up(host, port)
        is_allowed = host.lower().rstrip(".") in self.allowed_private_hosts
        if not is_allowed and not all(is_public(one) for one in addresses):
            raise AddressRefusedError(
                f"{host} leads to an address that is not public. An operator can allow the host by "
                "name."
            )
        for address in addresses[:_MOST_ADDRESSES]:
            if connected := await self._connect(address, port):
                return connected
        raise UnreachableError(f"Nothing answers at {host}:{port}.")

    async def _look_up(self, host: str, port: int) -> list[IPv4Address | IPv6Address]:
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(
                self.lookups, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            )
        except (OSError, UnicodeError):
            raise UnreachableError(f"The name {host} leads nowhere.") from None
        # A scope ("%eth0") belongs to an address that is not public anyway.
        return [ip_address(str(address[0]).partition("%")[0]) for *_, address in found]

    async def _connect(self, address: IPv4Address | IPv6Address, port: int) -> socket.socket | None:
        family = socket.AF_INET if address.version == 4 else socket.AF_INET6  # noqa: PLR2004  IPv4
        opened = socket.socket(family, socket.SOCK_STREAM)
        opened.settimeout(0)
        try:
            async with asyncio.timeout(self.connect_seconds):
                await asyncio.get_running_loop().sock_connect(opened, (str(address), port))
        except (OSError, TimeoutError):
            opened.close()
            return None
        except asyncio.CancelledError:
            opened.close()
            raise
        return opened
