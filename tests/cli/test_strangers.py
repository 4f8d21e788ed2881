"""No text of a publisher's, an account's, an engine's or a colleague's speaks to the terminal."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import pytest

from shared.cli.output import Output, printable, text_of
from shared.cli.reviewing import review_lines
from tests.architecture.reading import calls, modules, named
from tests.cli.strangers import (
    APPLIED,
    EMPTY,
    HOSTILE,
    MEMBER,
    MISSING,
    PEOPLE,
    PLAIN,
    Strangers,
    is_obeyed,
    screens,
    stays_on_its_line,
    strangers_at,
)
from tests.cli.terminal import run_on_terminal

LISTS = (
    ("accounts list", "/credential-vault/v1/accounts"),
    ("accounts dependents mail", "/workflow/v1/accounts/mail/dependents"),
    ("engines list", "/workflow/v1/engines"),
    ("rollouts list", "/workflow/v1/rollouts"),
    ("workflows list", "/workflow/v1/workflows"),
    ("workflows behind", "/workflow/v1/workflows/behind"),
    ("catalog search", "/catalog/v1/extensions"),
    ("catalog steps", "/catalog/v1/steps"),
    ("catalog steps --extension slack", "/catalog/v1/extensions/slack/steps"),
    ("installations list", "/installation/v1/installations"),
    ("access list mail", "/access/v1/accounts/mail/access"),
    (f"access revoke mail {MEMBER} --dry-run", "/workflow/v1/accounts/mail/revocation"),
    ("members list", "/access/v1/members"),
    ("extensions enabled slack", "/access/v1/extensions/slack/enablements"),
    ("held list --service workflow", "/workflow/v1/held"),
)
SINGLE = (
    ("accounts show mail", "/credential-vault/v1/accounts/mail"),
    ("rollouts show mail.2", "/workflow/v1/rollouts/mail.2"),
    ("catalog show slack", "/catalog/v1/extensions/slack"),
    ("licence show", "/catalog/v1/licence"),
    ("installations show slack", "/installation/v1/installations/slack"),
    ("installations review slack", "/installation/v1/installations/slack/review"),
    ("installations impact slack", "/installation/v1/installations/slack/impact"),
    ("domains list slack", "/installation/v1/installations/slack/domains"),
    ("support slack", "/catalog/v1/extensions/slack/support"),
    ("held show keyturn.workflow.commands-3-7", "/workflow/v1/held/keyturn.workflow.commands-3-7"),
)
OTHERS = (
    "domains test slack https://api.example.com/",
    "install slack",
    "uninstall slack",
    "accounts delete mail",
    f"access explain {MEMBER} use mail",
    "access revoke mail --all --dry-run",
    f"members import {PEOPLE} --dry-run",
    f"extensions enabled {EMPTY}",
    f"outcome {APPLIED}",
    "outcome 0199c0de-0000-7000-8000-000000000000",
    f"installations show {MISSING}",
    f"catalog show {MISSING}",
    f"access list {MISSING}",
    f"extensions enabled {MISSING}",
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
    written = stays_on_its_line(strangers, words)
    if words not in SAY_NOTHING_OF_THEIRS:
        assert "[red]so[/red]" in written


def test_on_a_terminal_nothing_of_it_is_obeyed(
    there: tuple[Strangers, Mapping[str, Any]], strangers: Strangers
) -> None:
    for screen in screens(strangers, there[1], ALL):
        assert not is_obeyed(screen), screen


@pytest.mark.parametrize(("words", "path"), [*LISTS, *SINGLE])
def test_to_programs_it_is_exactly_what_it_is(words: str, path: str, strangers: Strangers) -> None:
    result = strangers.run(f"{words} -o json")
    answer = strangers.answer(path)[1]
    found = json.loads(result.stdout)
    assert found == (answer["items"] if (words, path) in LISTS else answer)
    assert printable(result.stdout.replace("\n", "")) == result.stdout.replace("\n", "")
    assert HOSTILE in str(found) or repr(HOSTILE)[1:-1] in str(found)


def test_why_is_told_to_programs_as_it_was_answered_beside_what_was_asked(
    strangers: Strangers,
) -> None:
    asked = {"member": MEMBER, "action": "use", "account_id": "mail"}
    answer = strangers.answer("/access/v1/decisions")[1]
    found = json.loads(strangers.run(f"access explain {MEMBER} use mail -o json").stdout)
    assert found == {**asked, **answer["decisions"][0], "revision": answer["revision"]}


def test_what_a_list_without_rows_notes_is_told_as_it_is(strangers: Strangers) -> None:
    result = strangers.run(f"extensions enabled {EMPTY}")
    assert (result.stdout, result.stderr) == ("", f"{printable(HOSTILE)}\n")


def test_the_owners_of_an_account_stand_on_their_line(strangers: Strangers) -> None:
    lines = strangers.run("accounts show mail").stdout.splitlines()
    [owners] = [one for one in lines if one.startswith("Owners")]
    assert owners.split(maxsplit=1) == ["Owners", printable(HOSTILE)]


def test_the_review_prints_all_that_its_digest_covers(strangers: Strangers) -> None:
    review = strangers.answer("/installation/v1/installations/slack/review")[1]
    numbered = _numbered(review["review"], "")
    lines = "\n".join(review_lines({"review": numbered}))
    for leaf in _leaves(numbered):
        assert leaf in lines


def test_what_a_newer_service_reviews_besides_is_told_as_it_is_named(strangers: Strangers) -> None:
    review = strangers.answer("/installation/v1/installations/slack/review")[1]
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
    titles, row = (line.split() for line in strangers.run(words).stdout.splitlines())
    assert row[titles.index("PREVIEW")] == "yes"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("rollouts show mail.2", "1 of 1 engine\n"),
        ("installations impact slack", "touches 1 account, 1 user, 1 workflow, 1 task."),
        ("installations impact slack", "It gives up 1 domain that"),
        (f"access revoke mail {MEMBER} --dry-run", "suspend 0 tasks and flag 1 task."),
        (f"members import {PEOPLE} --dry-run", "0 members would be new, 1 different, 0 as"),
        ("accounts delete mail", "1 task of 1 workflow on 1 engine."),
    ],
)
def test_one_of_a_thing_is_told_as_one(words: str, says: str, strangers: Strangers) -> None:
    result = strangers.run(words)
    assert says in result.stdout + result.stderr
