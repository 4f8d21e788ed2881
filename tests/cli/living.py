"""A stack with its services and a mail server beside it, spoken to by the command line alone."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from keyturn_client import EngineSettings, Kafka, Services

from tests.forking import run
from tests.waiting import until

ROOT = Path(__file__).parents[2]
PASSWORD = "a-password"
"""Of the mail server, where a test says no other."""
MAIL_SERVER = ROOT / "docs" / "examples" / "mail_server.py"


def environment(**more: str) -> dict[str, str]:
    """Return an environment in which nothing says who and where."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("KEYTURN_")}
    if "KEYTURN_CACHE" in os.environ:
        clean["KEYTURN_CACHE"] = os.environ["KEYTURN_CACHE"]
    return clean | {"PYTHONPATH": str(ROOT)} | more


@dataclass(frozen=True, slots=True)
class Told:
    """What a command did."""

    code: int
    out: str
    sentences: str

    @property
    def data(self) -> Any:
        assert self.code in {0, 6}, self
        return json.loads(self.out)


class Mail:
    """A mail server whose passwords are the lines of a file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = ""

    def let_in(self, *passwords: str) -> None:
        self.file("passwords", "\n".join(passwords))

    def file(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_text(text)
        return path


@dataclass(frozen=True, slots=True)
class Living:
    """The running whole."""

    data: Path
    mail: Mail
    brand: str = "acme"
    member: str = "ada"

    def keyturn(self, *words: str, stdin: str | None = None) -> Told:
        """Run a command as a process of its own."""
        done = run(
            ["deploy", *words],
            environment=environment(**self.surroundings),
            given=stdin or "",
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Told(done.returncode, done.stdout, done.stderr)

    def good(self, *words: str, stdin: str | None = None) -> Any:
        """Run a command that works, and return its data."""
        told = self.keyturn(*words, "-o", "json", stdin=stdin)
        assert told.code == 0, told
        return json.loads(told.out)

    @property
    def surroundings(self) -> dict[str, str]:
        """What an environment says of where this is, and who asks."""
        return {
            "KEYTURN_DATA_DIR": str(self.data),
            "KEYTURN_BRAND": self.brand,
            "KEYTURN_MEMBER": self.member,
        }

    def of_brand(self, brand: str) -> Self:
        """Return the same stack as a member of another brand sees it."""
        return replace(self, brand=brand)

    def engine_settings(self, engine_id: str, keys: Path) -> EngineSettings:
        """Return what an engine is told whose keys `engines register` made in that folder."""
        stack = self.good("status")
        kafka = stack["kafka"]
        return EngineSettings(
            kafka=Kafka(
                bootstrap=kafka["bootstrap"],
                principal="engine",
                password_file=kafka["principals"]["engine"]["password_file"],
            ),
            services=Services(
                credential_vault=stack["services"]["credential-vault"]["url"],
                workflow=stack["services"]["workflow"]["url"],
            ),
            brand=self.brand,
            engine_id=engine_id,
            key_file=keys / f"{engine_id}.json",
            state_file=keys / f"{engine_id}.db",
        )

    def add_account(self, account_id: str, password: str) -> None:
        self.good(
            *("accounts", "add", "smtp-relay", "--id", account_id, "--name", f"Mail {account_id}"),
            *("--set", "host=localhost", "--set", f"port={self.mail.port}"),
            *("--set", "from_address=ada@acme.example", "--set", "username=relay", "--stdin"),
            stdin=password,
        )


@contextmanager
def living() -> Generator[Living]:
    """Start everything in folders that are gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="keyturn-cli-") as root, _mail(Path(root)) as mail:
        data = Path(root, "stack")
        (data / "services").mkdir(parents=True)
        # An operator's own settings, there before the first start.
        extra = {
            "trust_roots": str(mail.folder / "authority.pem"),
            "allowed_private_hosts": ["localhost"],
        }
        (data / "services/credential-vault.json").write_text(json.dumps({"extra": extra}))
        private = {"allowed_private_hosts": ["localhost"]}
        (data / "services/installation.json").write_text(json.dumps({"extra": private}))
        one = Living(data, mail)
        up = one.keyturn("up")
        try:
            assert up.code == 0, up
            one.good("licence", "set", "--extension", "smtp-relay")
            yield one
        finally:
            one.keyturn("down")


@contextmanager
def _mail(root: Path) -> Generator[Mail]:
    mail = Mail(root / "mail")
    mail.folder.mkdir(mode=0o700)
    server = subprocess.Popen(
        [sys.executable, "-P", str(MAIL_SERVER), str(mail.folder)], env=environment()
    )
    try:
        mail.port = until(lambda: _text_of(mail.folder / "port"))
        yield mail
    finally:
        server.terminate()
        server.wait()


def _text_of(path: Path) -> str:
    return path.read_text() if path.exists() else ""
