"""What cannot be meant is told before anything is asked or sent."""

import pytest

from shared.cli.exit_codes import ExitCode
from tests.cli.running import run

WHO = ("--brand", "acme", "--as", "ada")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("access", "revoke", "mail"), "Name members, or say --all: one of both."),
        (("access", "revoke", "mail", "bob", "--all"), "Name members, or say --all: one of both."),
        (("access", "grant", "mail", "b/b"), "members.0: String should match pattern"),
        (("access", "explain", "*", "use", "mail"), "member: String should match pattern"),
        (("extensions", "enable", "loud-mail"), "Name members, or say --all: one of both."),
        (("extensions", "disable", "loud-mail", "bob", "--all"), "Name members, or say --all"),
        (("members", "remove", "*"), "members.0: String should match pattern"),
        (("members", "import", "/nowhere/people.csv"), "cannot be read: No such file"),
    ],
)
def test_a_wrong_use_is_told_in_a_sentence(words: tuple[str, ...], says: str) -> None:
    result = run(*words, *WHO)
    assert (result.exit_code, result.stdout) == (ExitCode.USAGE, "")
    assert says in result.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("access", "grant", "mail"),
        ("access", "grant", "mail", "bob", "--until", "tomorrow"),
        ("access", "grant", "mail", "bob", "--until", "2026-12-31T18:00"),
        ("access", "grant-all", "mail", "--owner"),
        ("access", "explain", "bob", "steal", "mail"),
        ("access", "list", "no/id"),
        ("access", "list", "mail", "--level", "king"),
        ("extensions", "enable", "No Slug", "bob"),
        ("members", "list", "--role", "boss"),
    ],
)
def test_what_is_no_word_of_a_command_ends_with_2(words: tuple[str, ...]) -> None:
    result = run(*words, *WHO)
    assert (result.exit_code, result.stdout) == (ExitCode.USAGE, "")


@pytest.mark.parametrize(
    "words",
    [
        ("access", "list"),
        ("access", "grant"),
        ("access", "grant-all"),
        ("access", "revoke"),
        ("access", "explain"),
        ("members", "list"),
        ("members", "import"),
        ("members", "remove"),
        ("extensions", "enabled"),
        ("extensions", "enable"),
        ("extensions", "disable"),
    ],
)
def test_every_command_shows_an_example(words: tuple[str, ...]) -> None:
    result = run(*words, "--help")
    assert f"keyturn {' '.join(words)} " in result.stdout
