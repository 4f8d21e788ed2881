"""Lists of members from files: what is read, what is wrong and where, and how much is sent."""

import io
import json
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from keyturn_contracts.access import MAX_REGISTERED, NewMember
from keyturn_contracts.message import MAX_MESSAGE_BYTES

from shared.cli.exit_codes import ExitCode
from shared.cli.importing import STDIN, in_commands, read_members
from shared.cli.problems import Problem
from tests.cli.running import run

ADA = NewMember(member_id="ada", name="Ada Lovelace", role="administrator")
BOB = NewMember(member_id="bob", name="Miller, Bob")
EVE = NewMember(member_id="eve")

CSV = """\
member_id,name,role
ada,Ada Lovelace,administrator

bob,"Miller, Bob",
eve
"""
JSON = """
[
  {"member_id": "ada", "name": "Ada Lovelace", "role": "administrator"},
  {"member_id": "bob", "name": "Miller, Bob"},
  {"member_id": "eve"}
]
"""


def given_file(folder: Path, text: str | bytes, name: str = "people.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("people.csv", CSV),
        ("people.csv", "\ufeff" + CSV.replace("\n", "\r\n")),
        ("people.json", JSON),
        ("people", JSON),
        ("people.csv", "role,member_id,name\nadministrator,ada,Ada Lovelace\n,bob,'\n,eve\n"),
    ],
)
def test_both_formats_name_the_same(name: str, text: str, tmp_path: Path) -> None:
    text = text.replace(",bob,'", ',bob,"Miller, Bob"')
    assert read_members(given_file(tmp_path, text, name)) == (ADA, BOB, EVE)


def test_a_list_comes_from_stdin_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(JSON.encode())))
    assert read_members(STDIN) == (ADA, BOB, EVE)


def test_every_row_that_is_wrong_is_told_by_its_line_and_nothing_is_sent(tmp_path: Path) -> None:
    """It ends before a stack is looked for: there is none."""
    text = 'member_id,name,role\nada,,boss\nb/b,,\n"eve","line\nbreak",\neve,,\n,No Id,boss\n'
    path = given_file(tmp_path, text)

    result = run("members", "import", str(path), "--brand", "acme", "--as", "ada")

    assert (result.exit_code, result.stdout) == (ExitCode.USAGE, "")
    assert result.stderr.splitlines() == [
        "Line 2: role is administrator or member; without one it is member.",
        "Line 3: member_id has 1 to 128 visible ASCII characters, and neither / nor *.",
        "Line 6: eve stands in line 4 already.",
        "Line 7: member_id has 1 to 128 visible ASCII characters, and neither / nor *.",
        "Line 7: role is administrator or member; without one it is member.",
        f"{path} has 4 rows that cannot be used. Nothing was sent.",
    ]


def test_rows_of_json_are_told_by_the_line_they_begin_in(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = '[\n {"member_id": "ada"},\n\n {"member_id":\n  "*"}, "bob",\n {"id": "eve"}\n]'
    with pytest.raises(Problem, match="3 rows"):
        read_members(given_file(tmp_path, text, "people.json"))
    assert capsys.readouterr().err.splitlines() == [
        "Line 4: member_id has 1 to 128 visible ASCII characters, and neither / nor *.",
        "Line 5: a member is an object with member_id, name, role.",
        "Line 6: there is no id, only member_id, name, role.",
    ]


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("a.csv", "ada,Ada,member\n", "Line 1: the header of a CSV file is member_id,name,role."),
        ("a.csv", "member_id,mail\n", "Line 1: the header of a CSV file is member_id,name,role."),
        ("a.csv", "name,role\n", "Line 1: the header of a CSV file is member_id,name,role."),
        ("a.csv", "member_id\nada\nbob,member\n", "Line 3: it has 2 cells, and the header 1."),
        ("a.csv", 'member_id\nada\n"bob\n', "Line 3: it is no CSV"),
        ("a.json", "{}", "Line 1: a JSON file has an array of objects."),
        ("a.json", '[{"member_id": "ada"}\n {}]', "Line 2: a comma, or the array's end"),
        ("a.json", '[{"member_id": "ada"},\n', "Line 2: it is no JSON from here on."),
        ("a.json", '[{"member_id": "ada"},]', "Line 1: it is no JSON from here on."),
        ("a.json", '[{"member_id": "ada"}]\n[]', "Line 1: something stands behind the array."),
        ("a.json", "[" * 100_000, "Line 1: it is no JSON from here on."),
        ("a.json", "", "Line 1: a JSON file has an array of objects."),
    ],
)
def test_a_file_that_makes_no_sense_says_where(
    name: str, text: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(Problem, match="has 1 row that cannot be used") as caught:
        read_members(given_file(tmp_path, text, name))
    assert caught.value.code is ExitCode.USAGE
    assert says in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("a.csv", "", "names nobody"),
        ("a.csv", "member_id\n\n", "names nobody"),
        ("a.json", " [ ] ", "names nobody"),
        ("a.csv", b"member_id\n\xff\n", "is not text in UTF-8"),
    ],
)
def test_a_file_without_anybody_says_so(
    name: str, text: str | bytes, says: str, tmp_path: Path
) -> None:
    with pytest.raises(Problem, match=says):
        read_members(given_file(tmp_path, text, name))


def test_a_file_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(Problem, match="cannot be read: No such file"):
        read_members(tmp_path / "nobody.csv")


def test_thousands_are_several_commands_with_the_administrators_first() -> None:
    members = [NewMember(member_id=f"m{one}") for one in range(6000)] + [ADA]
    commands = in_commands(members)
    assert [len(one.members) for one in commands] == [MAX_REGISTERED, MAX_REGISTERED, 1001]
    assert commands[0].members[0] == ADA


def test_long_names_make_more_commands_and_each_is_a_message_that_a_topic_takes() -> None:
    name = "\N{CJK UNIFIED IDEOGRAPH-4E2D}" * 120
    members = [NewMember(member_id=f"{one:0128}", name=name) for one in range(4000)]
    commands = in_commands(members)
    assert len(commands) > 2
    assert all(len(one.to_json()) <= MAX_MESSAGE_BYTES for one in commands)
    assert [one for some in commands for one in some.members] == members


@given(
    st.lists(
        st.builds(
            NewMember,
            member_id=st.from_regex(r"[a-z]{1,8}", fullmatch=True),
            name=st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), max_size=20),
            role=st.sampled_from(("administrator", "member")),
        ),
        min_size=1,
        unique_by=lambda one: one.member_id,
    )
)
def test_what_is_written_as_json_is_read_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, members: list[NewMember]
) -> None:
    path = tmp_path_factory.mktemp("list") / "people.json"
    path.write_text(json.dumps([one.model_dump() for one in members], indent=1))
    assert read_members(path) == tuple(members)
