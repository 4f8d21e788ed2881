"""Where settings and secrets come from, and that no secret is ever an argument."""

import io
import sys
from pathlib import Path

import pytest
from keyturn_client.problems import ExposedKeyError
from keyturn_contracts.catalog import FieldSpec, Manifest, Scheme

from services.catalog.jobs import MANIFESTS, read_manifests
from shared.cli.credentials import Given, Sources, choose_scheme, gather, read_pairs
from shared.cli.exit_codes import ExitCode
from shared.cli.problems import Problem
from tests.cli.terminal import run_on_terminal

[SMTP] = [one for one in read_manifests(MANIFESTS) if one.slug == "smtp-relay"]
PASSWORD = "correct horse battery staple"
VALUES = {"host": "mail.example.com", "from_address": "a@example.com", "username": "relay"}


def given_scheme(*secrets: str, optional: str | None = None) -> Scheme:
    fields = tuple(
        FieldSpec(name=name, title=name.title(), secret=True, required=name != optional)
        for name in secrets
    )
    return SMTP.schemes[0].model_copy(update={"id": "other", "fields": fields})


def gather_from(
    *,
    values: dict[str, str] = VALUES,
    files: dict[str, Path] | None = None,
    stdin: str | None = None,
    scheme: Scheme = SMTP.schemes[0],
    kept: dict[str, str] | None = None,
    monkeypatch: pytest.MonkeyPatch,
) -> Given:
    monkeypatch.setattr(sys, "stdin", io.StringIO(stdin or ""))
    sources = Sources(values=values, files=files or {}, use_stdin=stdin is not None)
    return gather(SMTP, scheme, sources, kept_settings=kept)


def given_file(folder: Path, text: str, mode: int = 0o600) -> Path:
    path = folder / "secret"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_what_is_shown_is_set_and_what_is_secret_comes_from_stdin(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = gather_from(stdin=f"{PASSWORD}\n", monkeypatch=monkeypatch)
    assert given.settings == {
        "host": "mail.example.com",
        "from_address": "a@example.com",
    }
    assert {name: one.get_secret_value() for name, one in given.fields.items()} == {
        "username": "relay",
        "password": PASSWORD,
    }
    assert PASSWORD not in repr(given)


def test_a_secret_comes_from_a_file_of_its_owner_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = gather_from(
        files={"password": given_file(tmp_path, " with blanks \r\n")}, monkeypatch=monkeypatch
    )
    assert given.fields["password"].get_secret_value() == " with blanks "
    with pytest.raises(ExposedKeyError, match="chmod 0600"):
        gather_from(
            files={"password": given_file(tmp_path, PASSWORD, 0o640)}, monkeypatch=monkeypatch
        )


def test_several_secrets_come_as_one_object(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {name: value for name, value in VALUES.items() if name != "username"}
    scheme = given_scheme("key", "token", optional="token")
    given = gather_from(
        values=values, scheme=scheme, stdin='{"key": "k", "token": "t"}', monkeypatch=monkeypatch
    )
    assert {name: one.get_secret_value() for name, one in given.fields.items()} == {
        "key": "k",
        "token": "t",
    }
    without = gather_from(
        values=values, scheme=scheme, stdin='{"key": "k"}', monkeypatch=monkeypatch
    )
    assert without.fields.keys() == {"key"}


def test_settings_that_are_not_given_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    given = gather_from(
        values={"username": "relay", "port": "465"},
        kept={"host": "old.example.com", "port": "587", "security": "tls", "from_address": "a@b.c"},
        stdin=PASSWORD,
        monkeypatch=monkeypatch,
    )
    assert given.settings == {
        "host": "old.example.com",
        "port": "465",
        "security": "tls",
        "from_address": "a@b.c",
    }


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"values": VALUES | {"password": PASSWORD}, "stdin": "x"}, "secret, and others can see"),
        ({"values": VALUES | {"hots": "typo"}, "stdin": "x"}, "no hots to set. There are: from_"),
        ({"values": {"host": "h"}, "stdin": "x"}, "--set from_address=… --set username=…"),
        ({}, "no terminal to ask at"),
        ({"stdin": "\n"}, "Nothing came from stdin for password"),
        ({"files": {"username": Path("f")}}, "username is no secret field. These are: password"),
        ({"files": {"password": Path("/does/not/exist")}}, "No such file"),
        ({"scheme": given_scheme("a", "b"), "stdin": "[1]"}, "JSON object of texts with: a, b"),
        ({"scheme": given_scheme("a", "b"), "stdin": '{"a": "1"}'}, "lacks b"),
        ({"scheme": given_scheme("a", "b"), "stdin": '{"x": "1"}'}, "has 1 field too many"),
    ],
)
def test_what_is_missing_or_too_much_is_named_and_never_quoted(
    changes: dict[str, object], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    scheme = changes.get("scheme")
    if isinstance(scheme, Scheme):
        values = {name: value for name, value in VALUES.items() if name != "username"}
        changes = changes | {"values": values}
    with pytest.raises(Problem) as raised:
        gather_from(**changes, monkeypatch=monkeypatch)  # pyright: ignore[reportArgumentType]  each row names parameters
    assert says in str(raised.value)
    assert PASSWORD not in str(raised.value)


def test_a_secret_that_is_in_a_file_already_leaves_nothing_for_stdin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {"password": given_file(tmp_path, PASSWORD)}
    with pytest.raises(Problem, match="Nothing is left to read"):
        gather_from(files=files, stdin=PASSWORD, monkeypatch=monkeypatch)


@pytest.mark.parametrize("pairs", [["host"], ["=x"], ["host=a", "host=b"]])
def test_pairs_that_are_none_are_a_wrong_usage(pairs: list[str]) -> None:
    with pytest.raises(Problem) as raised:
        read_pairs("--set", pairs)
    assert raised.value.code is ExitCode.USAGE


def test_a_value_may_hold_an_equals_sign() -> None:
    assert read_pairs("--set", ["query=a=b"]) == {"query": "a=b"}


def test_of_several_schemes_one_is_named() -> None:
    several: Manifest = SMTP.model_copy(update={"schemes": (*SMTP.schemes, given_scheme("key"))})
    assert choose_scheme(SMTP, None) == SMTP.schemes[0]
    assert choose_scheme(several, "other").id == "other"
    for asked in (None, "neither"):
        with pytest.raises(Problem, match=r"smtp-password \(User and password\), other"):
            choose_scheme(several, asked)


def test_at_a_terminal_a_secret_is_asked_for_and_not_shown() -> None:
    program = (
        "from tests.cli.test_credentials import *\n"
        "given = gather(SMTP, SMTP.schemes[0], Sources(VALUES, {}))\n"
        "print('length', len(given.fields['password'].get_secret_value()))\n"
    )
    code, screen = run_on_terminal(program, {"Password:": PASSWORD})
    assert code == 0, screen
    assert f"length {len(PASSWORD)}" in screen
    assert PASSWORD not in screen
