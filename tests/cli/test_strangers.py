"""No text of a publisher's, an account's, an engine's or a colleague's speaks to the terminal."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import pytest

from shared.cli.output import Output, printable, text_of
from shared.cli.reviewing import review_lines
from tests.architecture.reading import calls, modules, named
from tests.cli.running import run
from tests.cli.strangers import HOSTILE, MISSING, PLAIN, Strangers, strangers_at
from tests.cli.terminal import run_on_terminal

WHO = ("--brand", "acme", "--as", "ada")
LISTS = (
    ("accounts list", "/v1/accounts"),
    ("accounts dependents mail", "/v1/accounts/mail/dependents"),
    ("engines list", "/v1/engines"),
    ("rollouts list", "/v1/rollouts"),
    ("workflows list", "/v1/workflows"),
    ("workflows behind", "/v1/workflows/behind"),
    ("catalog search", "/v1/extensions"),
    ("catalog steps", "/v1/steps"),
    ("catalog steps --extension slack", "/v1/extensions/slack/steps"),
    ("installations list", "/v1/installations"),
    ("held list --service workflow", "/v1/held"),
)
SINGLE = (
    ("accounts show mail", "/v1/accounts/mail"),
    ("rollouts show mail.2", "/v1/rollouts/mail.2"),
    ("catalog show slack", "/v1/extensions/slack"),
    ("licence show", "/v1/licence"),
    ("installations show slack", "/v1/installations/slack"),
    ("installations review slack", "/v1/installations/slack/review"),
    ("installations impact slack", "/v1/installations/slack/impact"),
    ("domains list slack", "/v1/installations/slack/domains"),
    ("support slack", "/v1/extensions/slack/support"),
    ("held show keyturn.workflow.commands-3-7", "/v1/held/keyturn.workflow.commands-3-7"),
)
OTHERS = (
    "domains test slack https://api.example.com/",
    "install slack",
    "uninstall slack",
    "accounts delete mail",
    "outcome 0199c0de-0000-7000-8000-000000000000",
    f"installations show {MISSING}",
    f"catalog show {MISSING}",
)
SAY_NOTHING_OF_THEIRS = {"accounts delete mail", f"catalog show {MISSING}"}
ALL = [one for one, _ in (*LISTS, *SINGLE)] + [*OTHERS]


@pytest.fixture(scope="module")
def there(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Strangers, Mapping[str, Any]]]:
    with strangers_at(tmp_path_factory.mktemp("strangers")) as found:
        yield found


@pytest.fixture
def strangers(there: tuple[Strangers, Mapping[str, Any]]) -> Strangers:
    there[0].text = HOSTILE
    return there[0]


@pytest.mark.parametrize("words", ALL)
def test_whatever_it_holds_a_text_stays_on_its_line_as_it_is(
    words: str, strangers: Strangers
) -> None:
    result = run(*words.split(), *WHO)
    written = result.stdout + result.stderr
    assert printable(written.replace("\n", "")) == written.replace("\n", "")
    if words not in SAY_NOTHING_OF_THEIRS:
        assert "[red]so[/red]" in written
    strangers.text = PLAIN
    plain = run(*words.split(), *WHO)
    assert plain.exit_code == result.exit_code
    assert written.count("\n") == (plain.stdout + plain.stderr).count("\n")


def test_on_a_terminal_nothing_of_it_is_obeyed(
    there: tuple[Strangers, Mapping[str, Any]], strangers: Strangers
) -> None:
    code, screen = run_on_terminal(
        "import os, sys\n"
        "from shared.cli.locating import located_by\n"
        "from tests.cli.running import _root\n"
        "sys.stdin = open(os.devnull)  # nobody is there to be asked\n"
        f"located_by(lambda _folder: {dict(there[1])!r})\n"
        f"for words in {ALL!r}:\n"
        "    print('>>>', words, flush=True)\n"
        f"    _root([*words.split(), *{WHO!r}], standalone_mode=False)\n"
    )
    assert code == 0, screen
    parts = screen.split(">>> ")[1:]
    assert len(parts) == len(ALL)
    for part in parts:
        assert not any(one in part for one in ("\x1b[2J", "\x1b]", "\x07", "\x9b", "\x7f")), part
        assert not {*"\u202e\u2066\u200b\u3164"} & {*part}, part


@pytest.mark.parametrize(("words", "path"), [*LISTS, *SINGLE])
def test_to_programs_it_is_exactly_what_it_is(words: str, path: str, strangers: Strangers) -> None:
    result = run(*words.split(), "-o", "json", *WHO)
    answer = strangers.answer(path)[1]
    found = json.loads(result.stdout)
    assert found == (answer["items"] if (words, path) in LISTS else answer)
    assert printable(result.stdout.replace("\n", "")) == result.stdout.replace("\n", "")
    assert HOSTILE in str(found) or repr(HOSTILE)[1:-1] in str(found)


def test_the_review_prints_all_that_its_digest_covers(strangers: Strangers) -> None:
    review = strangers.answer("/v1/installations/slack/review")[1]
    numbered = _numbered(review["review"], "")
    lines = "\n".join(review_lines({"review": numbered}))
    for leaf in _leaves(numbered):
        assert leaf in lines


def test_what_a_newer_service_reviews_besides_is_told_as_it_is_named(strangers: Strangers) -> None:
    review = strangers.answer("/v1/installations/slack/review")[1]
    for part in (review["review"], review["review"]["domains"][0], review["review"]["terms"]):
        part["of_later"] = ["new"]
    assert sum(line.strip() == "of later: new" for line in review_lines(review)) == 3


def _numbered(value: object, path: str) -> Any:
    """Return it with every text another one: where it stands."""
    if isinstance(value, dict):
        named = cast("dict[str, object]", value)
        return {name: _numbered(one, f"{path}.{name[:20]}") for name, one in named.items()}
    if isinstance(value, list):
        return [_numbered(one, f"{path}[]") for one in cast("list[object]", value)]
    return f"<{printable(path)}>" if isinstance(value, str) else value


def _leaves(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        value = [*cast("dict[str, object]", value).values()]
    if isinstance(value, list):
        for one in cast("list[object]", value):
            yield from _leaves(one)
    elif not isinstance(value, bool):
        yield text_of(value)


def test_no_text_with_many_spaces_begins_a_line_of_a_terminal() -> None:
    program = (
        "from shared.cli.output import *\n"
        "text = 'x' + ' ' * 150 + 'trusted.example.com: yes' + ' ' * 80 + '日' * 90\n"
        "Output().lines(['  evil.example.net', '    for: ' + text, ''])\n"
        "say_lines(['    for: ' + text])\n"
    )
    code, screen = run_on_terminal(program)
    assert code == 0, screen
    lines = [one for one in screen.splitlines() if one]
    assert "  evil.example.net" in lines
    assert "trusted.example.com: yes" in screen
    inside = [one for one in lines if not one.startswith(("  evil", "    for: x"))]
    assert len(inside) >= 4
    assert all(one.startswith(" " * 8) for one in inside), screen


def test_a_question_for_a_secret_is_asked_in_printable_characters() -> None:
    code, screen = run_on_terminal(
        "from keyturn_contracts.catalog import FieldSpec\n"
        "from shared.cli.credentials import *\n"
        "from shared.cli import credentials\n"
        f"spec = FieldSpec.model_construct(name='a', title={HOSTILE!r}, required=False)\n"
        "credentials._secrets([spec], Sources({}, {}))\n",
        {"[red]so[/red]:": ""},
    )
    assert code == 0, screen
    assert "\x1b" not in screen
    assert "\u202e" not in screen


WRITING = {"print", "echo", "secho", "write", "writelines", "Console", "getpass"}
MAY_WRITE = {"output": WRITING, "progress": {"Console"}, "credentials": {"getpass"}}


@pytest.mark.parametrize("module", modules("shared/cli"), ids=named)
def test_what_is_written_is_written_in_one_place(module: Path) -> None:
    """A review was echoed as it was, and a name in it erased the line of a domain."""
    found = {name for name, _ in calls(module)} & WRITING
    assert found <= MAY_WRITE.get(module.stem, set())


def test_a_proof_is_written_byte_by_byte(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    Output().exactly(b"\x1b\xff")
    assert capfdbinary.readouterr().out == b"\x1b\xff"


@pytest.mark.parametrize("words", ["workflows list", "accounts dependents mail"])
def test_what_uses_an_extension_in_preview_is_labelled(words: str, strangers: Strangers) -> None:
    strangers.text = PLAIN.split()[0]
    titles, row = (line.split() for line in run(*words.split(), *WHO).stdout.splitlines())
    assert row[titles.index("PREVIEW")] == "yes"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("rollouts show mail.2", "1 of 1 engine\n"),
        ("installations impact slack", "touches 1 account, 1 user, 1 workflow, 1 task."),
        ("installations impact slack", "It gives up 1 domain that"),
        ("accounts delete mail", "1 task of 1 workflow on 1 engine."),
    ],
)
def test_one_of_a_thing_is_told_as_one(words: str, says: str, strangers: Strangers) -> None:
    result = run(*words.split(), *WHO)
    assert says in result.stdout + result.stderr
