"""Data on stdout for people and for programs, and what no name may do to a terminal."""

import json
from collections.abc import AsyncIterator

import pytest

from shared.cli.output import Column, Format, Output, Part, Row, printable, say
from shared.cli.progress import watching
from tests.cli.terminal import run_on_terminal

ROWS: list[Row] = [
    {"account_id": "mail", "name": "The mail", "holders": ["e1", "e2"], "live": True},
    {"account_id": "sms", "name": "日本", "holders": [], "live": False},
]
COLUMNS = [
    Column("ACCOUNT", "account_id"),
    Column("NAME", "name"),
    Column("HOLDERS", lambda row: len(row["holders"])),
    Column("LIVE", "live"),
]


def test_elsewhere_than_on_a_terminal_a_table_is_plain_and_aligned(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Output().rows(ROWS, COLUMNS, nothing="None.")
    assert capsys.readouterr().out.splitlines() == [
        "ACCOUNT  NAME      HOLDERS  LIVE",
        "mail     The mail  2        yes",
        "sms      日本      0        no",
    ]


def test_json_is_one_document_with_everything(capsys: pytest.CaptureFixture[str]) -> None:
    Output(Format.JSON).rows(ROWS, COLUMNS, nothing="None.")
    assert json.loads(capsys.readouterr().out) == ROWS


async def test_ndjson_is_written_row_by_row(capsys: pytest.CaptureFixture[str]) -> None:
    seen: list[str] = []

    async def rows() -> AsyncIterator[Row]:
        for row in ROWS:
            yield row
            seen.append(capsys.readouterr().out)

    count = await Output(Format.NDJSON).each(rows(), COLUMNS, nothing="None.")
    assert count == len(ROWS)
    assert [json.loads(one) for one in seen] == ROWS


@pytest.mark.parametrize(("format_", "out"), [("table", ""), ("json", "[]\n"), ("ndjson", "")])
def test_an_empty_list_is_said_to_people_and_shown_to_programs(
    format_: str, out: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Output(Format(format_)).rows([], COLUMNS, nothing="No accounts.")
    shown = capsys.readouterr()
    assert shown.out == out
    assert shown.err == ("No accounts.\n" if format_ == "table" else "")


def test_a_single_thing_shows_its_fields_then_what_it_contains(
    capsys: pytest.CaptureFixture[str],
) -> None:
    versions: list[Row] = [{"version": 1}, {"version": 2}]
    item = {"name": "The mail", "reason": None, "versions": versions}
    parts = [Part("VERSIONS", versions, [Column("VERSION", "version")])]
    Output().one(item, [Column("Name", "name"), Column("Reason", "reason")], parts)
    assert capsys.readouterr().out.splitlines() == [
        "Name  The mail",
        "",
        "VERSIONS",
        "VERSION",
        "1",
        "2",
    ]


def test_a_name_cannot_speak_to_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    hostile = "mail\x1b]0;owned\x07\n[red]x\x9b2J"
    Output().rows([{"name": hostile}], [Column("NAME", "name")], nothing="")
    say(hostile)
    shown = capsys.readouterr()
    for text in (shown.out, shown.err):
        assert not {"\x1b", "\x07", "\x9b"} & {*text}
        assert "[red]x" in text
    assert printable("a b ü") == "a b ü"


def test_a_value_that_no_encoding_has_is_still_written(capsys: pytest.CaptureFixture[str]) -> None:
    Output(Format.NDJSON).rows([{"name": "\ud800"}], COLUMNS, nothing="")
    assert json.loads(capsys.readouterr().out) == {"name": "\ud800"}


def test_progress_elsewhere_is_a_line_for_each_change(capsys: pytest.CaptureFixture[str]) -> None:
    with watching("mail.2") as watched:
        for done in (0, 0, 1, 2, 2):
            watched.show(done, 2, "open" if done < 2 else "completed")
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.splitlines() == [
        "mail.2: 0 of 2 (open)",
        "mail.2: 1 of 2 (open)",
        "mail.2: 2 of 2 (completed)",
    ]


def test_on_a_terminal_a_table_is_drawn_and_markup_in_it_stays_text() -> None:
    code, screen = run_on_terminal(
        "from shared.cli.output import *\n"
        "Output().rows([{'name': '[red]mail'}], [Column('NAME', 'name')], nothing='')\n"
        "Output().one({'name': '[red]mail'}, [Column('Name', 'name')])\n"
    )
    assert code == 0, screen
    assert screen.count("[red]mail") == 2
    assert "──" in screen


def test_on_a_terminal_progress_is_a_bar_and_a_wait_is_shown() -> None:
    code, screen = run_on_terminal(
        "from shared.cli.progress import *\n"
        "with watching('mail.2 [red]') as watched:\n"
        "    watched.show(1, 2, 'open [red]')\n"
        "    watched.show(2, 2, 'completed [red]')\n"
        "with waiting('Waiting [red]'):\n"
        "    pass\n"
    )
    assert code == 0, screen
    for text in ("mail.2 [red]", "2/2", "completed [red]"):
        assert text in screen


def test_what_cannot_be_undone_is_done_when_a_person_has_typed_the_word() -> None:
    program = (
        "from shared.cli.consent import ask_consent\n"
        "from shared.cli.problems import told\n"
        "with told():\n"
        "    ask_consent('Delete it?', 'mail')\n"
        "    print('deleted')\n"
    )
    code, screen = run_on_terminal(program, {"Type mail to go on:": "mail"})
    assert (code, "deleted" in screen) == (0, True)
    code, screen = run_on_terminal(program, {"Type mail to go on:": "y"})
    assert (code, "deleted" in screen) == (1, False)
    assert "Nothing was changed." in screen
