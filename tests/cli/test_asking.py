"""What is wrong is told in one sentence that says what to do, with the code it ends with."""

import json
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from keyturn_client.keys import EngineKeys, write_private
from keyturn_contracts.keys import new_signing_key, private_jwk
from keyturn_contracts.topics import SERVICES
from keyturn_contracts.workflow import Reach

from shared.cli.exit_codes import ExitCode
from shared.cli.locating import located_by
from tests.cli.running import run

WHO = ("--brand", "acme", "--as", "ada")


@pytest.fixture
def nothing_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give a stack that has an address and a key, and nobody who listens."""
    monkeypatch.delenv("KEYTURN_BRAND", raising=False)
    monkeypatch.delenv("KEYTURN_MEMBER", raising=False)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen: nobody else can either
        port = taken.getsockname()[1]
        (tmp_path / "keys").mkdir()
        write_private(
            tmp_path / "keys/local-issuer.json", json.dumps(private_jwk(new_signing_key()))
        )
        write_private(tmp_path / "password", "secret")
        backend = {"mechanism": "SCRAM-SHA-512", "password_file": str(tmp_path / "password")}
        url = {"url": f"http://127.0.0.1:{port}"}
        shown: Mapping[str, Any] = {
            "kafka": {
                "bootstrap": f"127.0.0.1:{port}",
                "security_protocol": "SASL_PLAINTEXT",
                "principals": {"backend": backend},
            },
            "services": dict.fromkeys(SERVICES, url),
            "data": str(tmp_path),
        }
        located_by(lambda _data_dir: shown)
        yield tmp_path


def told(*words: str, stdin: str | None = None) -> tuple[ExitCode, str]:
    """Run a command of which nothing but a sentence is expected."""
    result = run(*words, stdin=stdin)
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1, result.stderr
    return ExitCode(result.exit_code), result.stderr.strip()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("accounts", "list"), "--brand NAME, or once and for all KEYTURN_BRAND"),
        (
            ("accounts", "list", "--brand", "acme"),
            "--as MEMBER, or once and for all KEYTURN_MEMBER",
        ),
        (("accounts", "edit", "mail", *WHO), "Say what to change"),
        (("accounts", "edit", "mail", "--set", "host=h", *WHO), "say --credentials as well"),
        (("accounts", "edit", "mail", "--replaces", "2", *WHO), "say --credentials as well"),
        (("accounts", "edit", "mail", "--credentials", "--name", "N", *WHO), "leaves the name"),
        (("accounts", "edit", "mail", "--retire", "soon", *WHO), "retire: String should match"),
        (("accounts", "edit", "mail", "--name", "", *WHO), "name: String should have at least"),
        (("accounts", "add", "smtp-relay", "--name", "N", "--set", "x", *WHO), "takes name=value"),
        (("engines", "register", "e1", "--name", "N", *WHO), "Say what it may fetch"),
        (("engines", "register", "e1", "--name", "N", "--reach-all", *WHO), "--keys-in FOLDER"),
        (("engines", "retire", "e1", "--reason", "x" * 501, *WHO), "reason: String should have at"),
        (("rollouts", "watch", "mail.1", *WHO), "The first version opens no rollout"),
        (("licence", "set", *WHO), "or --nothing"),
        (("licence", "set", "--nothing", "--plan", "messages", *WHO), "or --nothing"),
        (("catalog", "steps", "mail", "--extension", "slack", *WHO), "or name one extension"),
        (("catalog", "retire", "slack", "--reason", "", *WHO), "reason: String should have at"),
        (("domains", "add", "slack", "x" * 601, "--reason", "R", *WHO), "domains.0: String should"),
        (("uninstall", "slack", "--revision", "abc", *WHO), "revision: String should match"),
        (("held", "list", "--service", "mail", *WHO), "no service mail: there are catalog, inst"),
        (("held", "show", "keyturn.mail.commands-1-1", *WHO), "That is no place"),
        (("held", "retry", "../outcomes", *WHO), "That is no place"),
        (("held", "drop", "keyturn.workflow.commands-1-1", *WHO), "say --yes"),
    ],
)
def test_a_wrong_use_says_what_is_meant(
    words: tuple[str, ...], says: str, nothing_there: Path
) -> None:
    code, sentence = told(*words)
    assert code is ExitCode.USAGE
    assert says in sentence


@pytest.mark.parametrize(
    "words",
    [
        ("accounts", "show", "../transport-keys"),
        ("accounts", "show", ""),
        ("rollouts", "show", "mail"),
        ("rollouts", "watch", "mail.0"),
        ("outcome", "a/b"),
        ("workflows", "list", "--account", "a b"),
        ("accounts", "list", "-o", "xml"),
        ("catalog", "show", "../licence"),
        ("installations", "impact", "Loud Mail"),
        ("support", "slack", "--problem", "mine"),
        ("accounts", "verify", "mail", "--timeout", "0"),
    ],
)
def test_what_could_never_be_is_refused_before_anybody_is_asked(
    words: tuple[str, ...], nothing_there: Path
) -> None:
    result = run(*words, *WHO)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Invalid value" in result.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("accounts", "list"),
        ("accounts", "dependents", "mail", "-o", "ndjson"),
        ("workflows", "behind", "-o", "json"),
        ("rollouts", "list"),
        ("proof", "keys"),
        ("catalog", "search", "mail"),
        ("catalog", "steps", "--extension", "slack", "-o", "ndjson"),
        ("licence", "show", "-o", "json"),
        ("installations", "list"),
        ("domains", "test", "webservice", "https://api.example.com/"),
        ("install", "loud-mail"),
        ("uninstall", "loud-mail", "--watch"),
        ("support", "slack"),
        ("held", "list"),
        ("outcome", "0199c0de"),
    ],
)
def test_a_service_that_does_not_answer_is_named_with_its_address(
    words: tuple[str, ...], nothing_there: Path
) -> None:
    code, sentence = told(*words, *WHO)
    assert code is ExitCode.FAILED
    assert "does not answer at http://127.0.0.1:" in sentence


def test_without_a_stack_the_sentence_says_how_to_have_one() -> None:
    located_by(lambda _data_dir: {"of": "another version"})
    code, sentence = told("accounts", "list", *WHO)
    assert code is ExitCode.FAILED
    assert "keyturn down" in sentence


def test_a_key_that_others_can_read_is_not_used(nothing_there: Path) -> None:
    (nothing_there / "keys/local-issuer.json").chmod(0o644)
    code, sentence = told("accounts", "list", *WHO)
    assert code is ExitCode.FAILED
    assert "chmod 0600" in sentence


def test_a_dry_run_of_a_registration_shows_it_and_writes_no_key(nothing_there: Path) -> None:
    folder = nothing_there / "new"
    words = ("engines", "register", "e1", "--name", "Engine", "--reach-account", "mail")
    result = run(*words, "--keys-in", str(folder), "--dry-run", "-o", "json", *WHO)
    assert result.exit_code == 0, result.stderr
    shown = json.loads(result.stdout)
    assert (shown["command"], shown["key"]) == ("RegisterEngine", "acme/engines/e1")
    assert shown["content"]["reach"] == {"all": False, "accounts": ["mail"], "extensions": []}
    assert shown["content"]["engine_kind"] == "confirming"
    assert '"d"' not in result.stdout
    assert result.stderr == "Nothing was sent.\n"
    assert not folder.exists()


def test_a_file_that_is_there_and_holds_no_keys_is_left_alone(nothing_there: Path) -> None:
    write_private(nothing_there / "e1.json", "mine")
    words = ("engines", "register", "e1", "--name", "E", "--reach-all", "--dry-run")
    code, sentence = told(*words, "--keys-in", str(nothing_there), *WHO)
    assert code is ExitCode.USAGE
    assert "move it away" in sentence
    assert (nothing_there / "e1.json").read_text() == "mine"


def test_an_engine_registers_with_public_keys_that_it_sent(nothing_there: Path) -> None:
    keys = EngineKeys.new()
    made = keys.registration(brand="acme", engine_id="e1", name="Engine", reach=Reach(all=True))
    for name, text in (
        ("sig", made.sig.model_dump_json(exclude_none=True)),
        ("enc", made.enc.model_dump_json(exclude_none=True)),
        ("proof", made.proof + "\n"),
    ):
        (nothing_there / name).write_text(text)
    files = [f"--{name}={nothing_there / name}" for name in ("sig", "enc", "proof")]
    words = ("engines", "register", "e1", "--name", "Engine", "--reach-all", "--dry-run")
    result = run(*words, *files, "--lease", "300", "-o", "json", *WHO)
    assert result.exit_code == 0, result.stderr
    content = json.loads(result.stdout)["content"]
    assert (content["engine_kind"], content["lease_seconds"]) == ("leasing", 300)
    assert content["proof"] == made.proof
    code, sentence = told(*words, *files[:2], *WHO)
    assert code is ExitCode.USAGE
    assert "all of --sig, --enc and --proof" in sentence


def test_a_private_key_is_not_taken_for_a_public_one(nothing_there: Path) -> None:
    words = ("engines", "register", "e1", "--name", "E", "--reach-all", "--dry-run")
    private = nothing_there / "keys/local-issuer.json"
    code, sentence = told(
        *words, f"--sig={private}", f"--enc={private}", f"--proof={private}", *WHO
    )
    assert code is ExitCode.USAGE
    assert "is no public key" in sentence


def test_a_stack_of_somebody_else_is_not_a_traceback() -> None:
    def locate(_data_dir: Path | None) -> Mapping[str, Any]:
        raise PermissionError(13, "Permission denied", "/home/eve/stack/status.json")

    located_by(locate)
    code, sentence = told("accounts", "list", *WHO)
    assert code is ExitCode.NOT_ALLOWED
    assert "/home/eve/stack/status.json is not for you to read" in sentence
