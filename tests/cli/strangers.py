"""Services whose every text was written by somebody who means no good, over real HTTP."""

import json
import re
import sys
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

import yaml
from keyturn_client.keys import write_private
from keyturn_contracts.keys import new_signing_key, private_jwk
from keyturn_contracts.message import CommandRefused
from keyturn_contracts.topics import SERVICES
from pydantic import TypeAdapter

from services.catalog.api import extensions, licence, steps
from services.catalog.jobs import EXAMPLES
from services.credential_vault.api import accounts
from services.installation.api import bodies, decisions, installations
from services.workflow.api import engines, rollouts, workflows
from shared.cli.locating import located_by
from shared.http import held

HOSTILE = "evil\x1b[2J\x1b]0;own\x07\x9b1A\r\n\u202ekcab\u2066\u200b\u3164\x7f [red]so[/red]"
PLAIN = "plain [red]so[/red]"
MISSING = "missing"
"""What is not there: the service says so, in words that are no better."""
_ANSWERS: tuple[tuple[str, Any], ...] = (
    ("/v1/accounts", accounts.AccountsBody),
    ("/v1/accounts/[a-z]+", accounts.AccountWithHistoryBody),
    ("/v1/accounts/[a-z]+/dependents", workflows.DependentsBody),
    ("/v1/engines", engines.EnginesBody),
    ("/v1/rollouts", rollouts.RolloutsBody),
    ("/v1/rollouts/.+", rollouts.RolloutInFullBody),
    ("/v1/workflows", workflows.WorkflowsBody),
    ("/v1/workflows/behind", workflows.BehindsBody),
    ("/v1/extensions", extensions.ExtensionsBody),
    ("/v1/extensions/[a-z-]+", extensions.ExtensionBody),
    ("/v1/extensions/[a-z-]+/steps", extensions.StepsBody),
    ("/v1/extensions/[a-z-]+/support", extensions.SupportBody),
    ("/v1/steps", steps.StepsBody),
    ("/v1/licence", licence.LicenceBody),
    ("/v1/installations", bodies.InstallationsBody),
    ("/v1/installations/[a-z-]+", bodies.WholeInstallationBody),
    ("/v1/installations/[a-z-]+/review", bodies.ReviewBody),
    ("/v1/installations/[a-z-]+/impact", installations.ImpactBody),
    ("/v1/installations/[a-z-]+/domains", bodies.DomainsBody),
    ("/v1/decisions", decisions.JudgementsBody),
    ("/v1/held", held.HeldPage),
    ("/v1/held/.+", held.ShownHeld),
)


class Strangers:
    """Answers each question with all that its answer may hold, every text of it the same."""

    def __init__(self) -> None:
        self.text = HOSTILE

    def answer(self, path: str) -> tuple[int, Any]:
        if MISSING in path:
            return 404, {"error": "not_found", "message": self.text}
        if path.startswith("/v1/outcomes/"):
            refused = CommandRefused(
                command=self.text, reason="invalid", message=self.text, details={"a": self.text}
            )
            return 200, refused.model_dump(mode="json")
        [model] = [one for pattern, one in _ANSWERS if re.fullmatch(pattern, path)]
        schema = TypeAdapter(model).json_schema(mode="serialization")
        found = self._made(schema, schema.get("$defs", {}))
        if model is accounts.AccountWithHistoryBody:
            found["extension"] = "loud-mail"
        if path == "/v1/extensions/loud-mail":  # read as what it is by those who connect accounts
            found["manifest"] = self._manifest()
        return 200, found

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


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a caller who has its answer elsewhere and hangs up."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


@contextmanager
def strangers_at(folder: Path) -> Generator[tuple[Strangers, Mapping[str, Any]]]:
    """Have strangers answer for all services; yields them, and what is shown of that stack."""
    strangers = Strangers()

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
    write_private(folder / "password", "secret")
    server = _Server(("127.0.0.1", 0), Handler)
    url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    shown = {
        "kafka": {
            "bootstrap": "127.0.0.1:1",
            "security_protocol": "SASL_PLAINTEXT",
            "principals": {
                "backend": {
                    "mechanism": "SCRAM-SHA-512",
                    "password_file": str(folder / "password"),
                }
            },
        },
        "services": {name: {"url": url} for name in SERVICES},
        "data": str(folder),
    }
    located_by(lambda _data_dir: shown)
    try:
        yield strangers, shown
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
