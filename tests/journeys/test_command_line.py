"""Every command against everything that is real, each as a process of its own."""

from collections.abc import Iterator

import pytest

from tests.cli.living import Living, living

PASSWORD = "an-old-password"
NEXT = "a-new-password"


@pytest.fixture(scope="module")
def stack_with_services() -> Iterator[Living]:
    with living() as one:
        one.mail.let_in(PASSWORD, NEXT)
        yield one


def test_an_account_is_connected_looked_at_edited_and_tried_again(
    stack_with_services: Living,
) -> None:
    one = stack_with_services
    one.add_account("first", PASSWORD)
    listed = {row["account_id"]: row for row in one.good("accounts", "list")}
    assert (listed["first"]["state"], listed["first"]["version"]) == ("connected", 1)
    assert one.good("accounts", "edit", "first", "--name", "Renamed")["changed"] is True
    again = one.good("accounts", "edit", "first", "--name", "Renamed")
    assert (again["changed"], again["outcome"]) == (False, "applied")
    assert one.good("accounts", "verify", "first")["outcome"] == "applied"
    shown = one.good("accounts", "show", "first")
    assert (shown["name"], shown["creator"]) == ("Renamed", "ada")
    assert [row["version"] for row in shown["versions"]] == [1]
    assert PASSWORD not in str(shown)


def test_a_credential_that_the_provider_refuses_changes_nothing(
    stack_with_services: Living,
) -> None:
    one = stack_with_services
    one.add_account("refused", PASSWORD)
    words = ("accounts", "edit", "refused", "--credentials", "--set", "username=relay")
    file = one.mail.file("wrong", "not-the-password\n")
    told = one.keyturn(*words, "--secret-file", f"password={file}")
    assert (told.code, told.out) == (1, "")
    assert "535" in told.sentences
    assert "credentials_refused" in told.sentences
    assert one.good("accounts", "show", "refused")["version"] == 1


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("accounts", "show", "nowhere"), 3, "acme has no account nowhere"),
        (("accounts", "verify", "nowhere"), 3, "account_unknown"),
        (("accounts", "edit", "nowhere", "--credentials", "--stdin"), 3, "no account nowhere"),
        (("accounts", "add", "nowhere", "--name", "N"), 3, "no extension nowhere"),
        (("accounts", "delete", "nowhere", "--yes"), 3, "no account nowhere"),
        (("outcome", "0199c0de-0000-7000-8000-000000000000"), 3, "No outcome of that command"),
        (("rollouts", "show", "nowhere.2"), 3, "acme has no rollout nowhere.2"),
        (("proof", "fetch", "nowhere.2"), 3, "no proof of nowhere.2"),
        (("held", "show", "keyturn.workflow.commands-0-7"), 3, "No command is held there"),
    ],
)
def test_what_is_not_there_ends_with_3(
    words: tuple[str, ...], code: int, says: str, stack_with_services: Living
) -> None:
    told = stack_with_services.keyturn(*words, stdin="x")
    assert (told.code, told.out) == (code, "")
    assert says in told.sentences


def test_what_is_there_already_and_what_is_another_s_is_refused(
    stack_with_services: Living,
) -> None:
    one = stack_with_services
    one.add_account("taken", PASSWORD)
    add = ("accounts", "add", "smtp-relay", "--id", "taken", "--name", "Again")
    values = ("--set", "host=localhost", "--set", f"port={one.mail.port}")
    more = ("--set", "from_address=a@acme.example", "--set", "username=relay", "--stdin")
    again = one.keyturn(*add, *values, *more, stdin=PASSWORD)
    assert (again.code, "account_exists" in again.sentences) == (4, True)
    stranger = one.keyturn("accounts", "edit", "taken", "--name", "Mine", "--as", "eve")
    assert (stranger.code, "not_an_owner" in stranger.sentences) == (5, True)
    elsewhere = one.keyturn("accounts", "show", "taken", "--brand", "twin")
    assert elsewhere.code == 3
    newer = one.keyturn(
        *("accounts", "edit", "taken", "--credentials", "--set", "username=relay"),
        *("--replaces", "7", "--stdin"),
        stdin=PASSWORD,
    )
    assert (newer.code, "version_differs" in newer.sentences) == (4, True)


def test_a_dry_run_shows_and_sends_nothing(stack_with_services: Living) -> None:
    one = stack_with_services
    one.add_account("dry", PASSWORD)
    shown = one.good(
        *("accounts", "edit", "dry", "--credentials", "--set", "username=relay", "--dry-run"),
        "--stdin",
        stdin=NEXT,
    )
    assert shown["content"] == {"account_id": "dry", "sealed": "(sealed)"}
    assert one.good("accounts", "delete", "dry", "--dry-run")["command"] == "DeleteAccount"
    assert one.good("accounts", "show", "dry")["version"] == 1


def test_a_command_that_nobody_waited_for_has_its_outcome_later(
    stack_with_services: Living,
) -> None:
    one = stack_with_services
    one.add_account("later", PASSWORD)
    sent = one.good("accounts", "verify", "later", "--no-wait")
    assert sent["outcome"] == "sent"
    found = one.good("outcome", sent["command_id"], "--timeout", "30")
    assert (found["command"], found["outcome"]) == ("VerifyAccount", "applied")
