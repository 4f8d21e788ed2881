"""Services whose every text was written by somebody who means no good, over real HTTP."""

import json
import re
import sys
import threading
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

import yaml
from keyturn_client.keys import write_private
from keyturn_contracts.keys import new_signing_key, private_jwk
from keyturn_contracts.message import CommandApplied, CommandRefused
from keyturn_contracts.topics import BACKEND, SERVICES
from pydantic import SecretStr, TypeAdapter
from typer.testing import Result

from services.access.api import accounts as access
from services.access.api import extensions as enablements
from services.access.api import members, questions
from services.catalog.api import extensions, licence, steps
from services.catalog.jobs import EXAMPLES
from services.credential_vault.api import accounts
from services.installation.api import bodies, decisions, installations
from services.workflow.api import dependents, engines, rollouts, workflows
from shared.cli.locating import located_by
from shared.cli.output import printable
from shared.http import held
from shared.settings import KafkaSettings
from tests.cli.running import run
from tests.cli.terminal import run_on_terminal

HOSTILE = "evil\x1b[2J\x1b]0;own\x07\x9b1A\r\n\u202ekcab\u2066\u200b\u3164\x7f [red]so[/red]"
PLAIN = "plain [red]so[/red]"
MISSING = "missing"
"""What is not there: the service says so, in words that are no better."""
MEMBER = "bob"
PEOPLE = "people.csv"
"""Stands in a command for a file with this member."""
EMPTY = "empty"
"""What has nothing on its list, and a note why."""
APPLIED = "0199c0de-0000-7000-8000-000000000001"
"""A command that was applied; every other was refused, unless `Strangers.applies`."""
_ANSWERS: tuple[tuple[str, Any], ...] = (
    ("/credential-vault/v1/accounts", accounts.AccountsBody),
    ("/credential-vault/v1/accounts/[a-z]+", accounts.AccountWithHistoryBody),
    ("/workflow/v1/accounts/[a-z]+/dependents", dependents.DependentsBody),
    ("/workflow/v1/accounts/[a-z]+/revocation", dependents.RevocationBody),
    ("/workflow/v1/engines", engines.EnginesBody),
    ("/workflow/v1/rollouts", rollouts.RolloutsBody),
    ("/workflow/v1/rollouts/.+", rollouts.RolloutInFullBody),
    ("/workflow/v1/workflows", workflows.WorkflowsBody),
    ("/workflow/v1/workflows/behind", workflows.BehindsBody),
    ("/catalog/v1/extensions", extensions.ExtensionsBody),
    ("/catalog/v1/extensions/[a-z-]+", extensions.ExtensionBody),
    ("/catalog/v1/extensions/[a-z-]+/steps", extensions.StepsBody),
    ("/catalog/v1/extensions/[a-z-]+/support", extensions.SupportBody),
    ("/catalog/v1/steps", steps.StepsBody),
    ("/catalog/v1/licence", licence.LicenceBody),
    ("/installation/v1/installations", bodies.InstallationsBody),
    ("/installation/v1/installations/[a-z-]+", bodies.WholeInstallationBody),
    ("/installation/v1/installations/[a-z-]+/review", bodies.ReviewBody),
    ("/installation/v1/installations/[a-z-]+/impact", installations.ImpactBody),
    ("/installation/v1/installations/[a-z-]+/domains", bodies.DomainsBody),
    ("/installation/v1/decisions", decisions.JudgementsBody),
    ("/access/v1/accounts/[a-z]+/access", access.TableBody),
    ("/access/v1/members", members.MembersBody),
    ("/access/v1/extensions/[a-z-]+/enablements", enablements.EnablementsBody),
    ("/access/v1/decisions", questions.DecisionsBody),
    ("/[a-z-]+/v1/held", held.HeldPage),
    ("/[a-z-]+/v1/held/.+", held.ShownHeld),
)
"""By the service's name, which is where its address ends, and the path behind that."""


NO_KAFKA = KafkaSettings(bootstrap="127.0.0.1:1", principal=BACKEND, password=SecretStr("secret"))


class Strangers:
    """Answers each question with all that its answer may hold, every text of it the same."""

    def __init__(self, people: Path) -> None:
        self.text = HOSTILE
        self._people = people
        self.applies = False

    def words(self, line: str) -> list[str]:
        """Return the words of a command, none with a space in it, that ada of acme gives."""
        words = [str(self._people) if one == PEOPLE else one for one in line.split()]
        return [*words, "--brand", "acme", "--as", "ada"]

    def run(self, line: str) -> Result:
        return run(*self.words(line))

    def answer(self, path: str) -> tuple[int, Any]:
        """Return the status and the body for a service's name with a path behind it."""
        if MISSING in path:
            return 404, {"error": "not_found", "message": self.text}
        if "/v1/outcomes/" in path:
            return 200, self._outcome(is_applied=self.applies or path.endswith(APPLIED))
        [model] = [one for pattern, one in _ANSWERS if re.fullmatch(pattern, path)]
        found = self._body(model)
        if model is accounts.AccountWithHistoryBody:
            found["extension"] = "loud-mail"
        if path == "/catalog/v1/extensions/loud-mail":  # read as what it is by who connects one
            found["manifest"] = self._manifest()
        if model is members.MembersBody:  # who is in a file of members, and not as there
            found["items"].append({**found["items"][0], "member_id": MEMBER})
        if EMPTY in path:
            found["items"] = []
        return 200, found

    def _outcome(self, *, is_applied: bool) -> Any:
        if is_applied:
            return self._body(CommandApplied)
        refused = CommandRefused(
            command=self.text, reason="invalid", message=self.text, details={"a": self.text}
        )
        return refused.model_dump(mode="json")

    def _body(self, model: Any) -> Any:
        schema = TypeAdapter(model).json_schema(mode="serialization")
        return self._made(schema, schema.get("$defs", {}))

    def _manifest(self) -> Any:
        manifest = yaml.safe_load((EXAMPLES / "loud-mail.yaml").read_text())
        manifest["name"] = manifest["rotation"]["note"] = self.text
        return json.loads(json.dumps(manifest, default=str))

    def _made(self, schema: Mapping[str, Any], known: Mapping[str, Any]) -> Any:
        """Make a value of a schema: every property, one of each list, texts without regard."""
        if reference := schema.get("$ref"):
            return self._made(known[reference.rsplit("/", maxsplit=1)[-1]], known)
        if choices := schema.get("anyOf") or schema.get("oneOf"):
            return self._made(choices[0], known)
        if "const" in schema or "enum" in schema:
            return schema.get("const", schema.get("enum", [None])[0])
        kind = schema.get("type")
        if kind == "object":
            return self._object(schema, known)
        if kind == "array":
            return [self._made(schema.get("items") or schema["prefixItems"][0], known)]
        is_time = schema.get("format") == "date-time"
        text = "2026-03-01T12:00:00Z" if is_time else self.text
        return {"boolean": True, "integer": 1, "number": 1}.get(kind or "", text)

    def _object(self, schema: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
        properties: dict[str, Any] = schema.get("properties") or {}
        made = {name: self._made(of, known) for name, of in properties.items() if name != "next"}
        if isinstance(more := schema.get("additionalProperties"), dict):
            made[self.text] = self._made(cast("dict[str, Any]", more), known)
        return made


def stays_on_its_line(strangers: Strangers, line: str) -> str:
    """Check that a hostile text is written as one that is plain would be; return what was."""
    strangers.text = HOSTILE
    result = strangers.run(line)
    written = result.stdout + result.stderr
    assert printable(written.replace("\n", "")) == written.replace("\n", "")
    strangers.text = PLAIN
    plain = strangers.run(line)
    assert plain.exit_code == result.exit_code
    assert written.count("\n") == (plain.stdout + plain.stderr).count("\n")
    return written


def screens(strangers: Strangers, shown: Mapping[str, Any], lines: Sequence[str]) -> list[str]:
    """Run commands on a terminal, nobody at it; return what each has left on the screen."""
    words = [strangers.words(line) for line in lines]
    code, screen = run_on_terminal(
        "import os, sys\n"
        "from shared.cli.locating import located_by\n"
        "from tests.cli.running import _root\n"
        "sys.stdin = open(os.devnull)\n"
        f"located_by(lambda _folder: {dict(shown)!r})\n"
        f"for words in {words!r}:\n"
        "    print('>>>', words, flush=True)\n"
        "    _root(words, standalone_mode=False)\n"
    )
    assert code == 0, screen
    parts = screen.split(">>> ")[1:]
    assert len(parts) == len(lines)
    return parts


def is_obeyed(screen: str) -> bool:
    """Tell whether anything of the hostile text reached a terminal as more than letters."""
    signs = ("\x1b[2J", "\x1b]", "\x07", "\x9b", "\x7f", *"\u202e\u2066\u200b\u3164")
    return any(one in screen for one in signs)


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a caller who has its answer elsewhere and hangs up."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


@contextmanager
def strangers_at(
    folder: Path, kafka: KafkaSettings = NO_KAFKA
) -> Generator[tuple[Strangers, Mapping[str, Any]]]:
    """Have strangers answer for all services; yields them, and what is shown of that stack.

    Where no Kafka is given nothing can be sent.
    """
    people = folder / PEOPLE
    people.write_text(f"member_id,name\n{MEMBER},Bob\n")
    strangers = Strangers(people)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            self.rfile.read(length)
            status, found = strangers.answer(self.path.split("?")[0])
            body = json.dumps(found).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815  as the library names them

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  as the library does
            """Say nothing."""

    (folder / "keys").mkdir()
    write_private(folder / "keys/local-issuer.json", json.dumps(private_jwk(new_signing_key())))
    write_private(folder / "password", kafka.password.get_secret_value())
    server = _Server(("127.0.0.1", 0), Handler)
    url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    shown = {
        "kafka": {
            "bootstrap": kafka.bootstrap,
            "security_protocol": kafka.security_protocol,
            "ca_file": kafka.ca_file and str(kafka.ca_file),
            "principals": {
                BACKEND: {
                    "mechanism": kafka.mechanism,
                    "password_file": str(folder / "password"),
                }
            },
        },
        "services": {name: {"url": f"{url}/{name}"} for name in SERVICES},
        "data": str(folder),
    }
    located_by(lambda _data_dir: shown)
    try:
        yield strangers, shown
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
