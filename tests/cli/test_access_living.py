"""Members, access and enablements by the command line, with every service running."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from keyturn_client import Engine, Fetched, SavedTask, SavedWorkflow, Workflows

from tests.cli.living import Living, Told, living
from tests.waiting import until

PASSWORD = "a-password"
PEOPLE = """\
member_id,name,role
bob,Bob Miller,
carol,,member
dave,,
ada,Ada Lovelace,administrator
root,,administrator
"""


@pytest.fixture(scope="module")
def running() -> Iterator[Living]:
    with living() as one:
        one.mail.let_in(PASSWORD)
        one.add_account("mail", PASSWORD)
        until(lambda: owners(one) == ["ada"])
        yield one


def owners(one: Living) -> list[str]:
    told = one.keyturn("access", "list", "mail", "--level", "owner", "-o", "json")
    return [row["member"] for row in told.data] if told.code == 0 else []


def levels(one: Living) -> dict[str, str]:
    return {row["member"]: row["level"] for row in one.good("access", "list", "mail")}


def explained(one: Living, member: str, action: str = "use") -> dict[str, Any]:
    return one.good("access", "explain", member, action, "mail")


def test_who_may_use_what_is_said_and_seen_by_the_command_line(
    running: Living, tmp_path: Path
) -> None:
    """In this order: each step begins with what the one before it left."""
    members_are_imported(running)
    access_is_given(running)
    access_is_taken_away(running)
    what_a_revocation_stops_is_shown_before(replace(running, member="root"), tmp_path)
    extensions_are_enabled(running)
    a_plain_member_is_told_of_themselves_alone(replace(running, member="carol"))


def members_are_imported(running: Living) -> None:
    file = str(running.mail.file("people.csv", PEOPLE))

    previewed = running.keyturn("members", "import", file, "--dry-run", "-o", "json")
    assert [(row["member_id"], row["change"]) for row in previewed.data][-1] == ("root", "new")
    assert "5 members would be new, 0 different, 0 as they are." in previewed.sentences
    assert running.good("members", "list") == []
    assert running.good("members", "import", file)["changed"] is True
    listed = {row["member_id"]: row for row in running.good("members", "list")}
    assert (len(listed), listed["bob"]["name"]) == (5, "Bob Miller")
    assert [row["member_id"] for row in running.good("members", "list", "--search", "bob m")] == [
        "bob"
    ]
    many = "member_id\n" + "\n".join(f"m{one:03}" for one in range(150))
    others = str(running.mail.file("others.csv", many))
    assert running.good("members", "import", others)["changed"] is True
    repeated = running.good("members", "import", others)
    assert (repeated["changed"], repeated["not_applied"]) == (False, 150)
    assert repeated["note"] == "All of them are on the list exactly so."
    running.good("members", "remove", *(f"m{one:03}" for one in range(150)))
    again = running.keyturn("members", "import", file, "--dry-run")
    assert "0 members would be new, 0 different, 5 as they are." in again.sentences


def access_is_given(running: Living) -> None:
    missing = explained(running, "bob")
    assert (missing["allowed"], missing["code"]) == (False, "no_access")
    given = running.good("access", "grant", "mail", "bob", "carol", "dave")
    assert given["revision"] > 0
    found = explained(running, "bob")
    assert (found["allowed"], found["facts"][-1]) == (True, "bob may use mail.")
    assert found["revision"] >= given["revision"]
    assert not explained(running, "bob", "delete")["allowed"]
    running.good("access", "grant", "mail", "root", "--owner")
    running.good("access", "grant-all", "mail", "--until", "2126-12-31T18:00Z")
    everybody = {"*": "user", "ada": "owner", "root": "owner"}
    assert levels(running) == everybody | dict.fromkeys(("bob", "carol", "dave"), "user")
    table = running.keyturn("access", "list", "mail").out.splitlines()
    assert table[1].startswith("everyone")


def access_is_taken_away(running: Living) -> None:
    kept = running.keyturn("access", "revoke", "mail", "bob", "--dry-run", "-o", "json")
    assert (kept.code, kept.data) == (0, [])
    assert "Nothing was sent." in kept.sentences
    assert "bob" in levels(running)
    assert running.good("access", "revoke", "mail", "bob", "carol", "dave")["changed"] is True
    assert explained(running, "bob")["way"] == "everyone"
    assert running.good("access", "revoke", "mail", "--all")["changed"] is True
    assert explained(running, "bob")["code"] == "no_access"
    unowned = running.keyturn("access", "revoke", "mail", "ada", "root")
    assert (unowned.code, owners(running)) == (6, ["root"])
    assert "last_owner" in unowned.out
    assert running.good("members", "remove", "dave")["changed"] is True
    assert explained(running, "dave")["code"] == "not_a_member"


def what_a_revocation_stops_is_shown_before(running: Living, keys: Path) -> None:
    running.good("access", "grant", "mail", "bob", "carol")
    register = ("engines", "register", "e1", "--name", "Engine", "--reach-account", "mail")
    running.good(*register, "--keys-in", str(keys))
    asyncio.run(run_workflows_of(running, keys, "bob", "carol", "root"))
    words = ("access", "revoke", "mail", "bob", "carol", "--dry-run")

    shown = until(lambda: with_both_tasks(running.keyturn(*words, "-o", "json")))

    assert [(row["owner"], row["workflow_id"], row["state"]) for row in shown.data] == [
        ("bob", "of-bob", "suspended"),
        ("carol", "of-carol", "suspended"),
    ]
    assert "It would suspend 2 tasks and flag 0 tasks. Nothing was sent." in shown.sentences
    assert {"bob", "carol"} <= levels(running).keys()
    assert running.good("access", "revoke", "mail", "bob", "carol")["changed"] is True


async def run_workflows_of(running: Living, keys: Path, *members: str) -> None:
    tasks = (SavedTask(task_id="send", account_id="mail"),)
    saved = [
        SavedWorkflow(workflow_id=f"of-{one}", name=one, owner=one, tasks=tasks) for one in members
    ]
    async with Engine(running.engine_settings("e1", keys), apply) as engine:
        await engine.sync(saved)
        await engine.settled()


async def apply(_credential: Fetched, _workflows: Workflows) -> None:
    """Switch: runs ask the library at their beginning."""


def with_both_tasks(told: Told) -> Told | None:
    """Return what was told once the workflow service has heard of the grants."""
    return told if len(told.data) == len(("bob", "carol")) else None


def extensions_are_enabled(running: Living) -> None:
    enabled = running.keyturn("extensions", "enabled", "smtp-relay")
    assert (enabled.code, enabled.out) == (0, "")
    assert "It comes with the licence" in enabled.sentences
    disabled = running.keyturn("extensions", "disable", "smtp-relay", "bob")
    assert (disabled.code, disabled.out) == (4, "")
    assert "first_party" in disabled.sentences


def a_plain_member_is_told_of_themselves_alone(carol: Living) -> None:
    # Their issuer calls everybody an administrator; the list says that they are a member.
    assert explained(carol, "carol")["code"] == "no_access"
    for words in (
        ("access", "explain", "bob", "use", "mail"),
        ("members", "list"),
        ("members", "remove", "bob"),
        ("extensions", "enable", "smtp-relay", "bob"),
        ("access", "grant", "mail", "carol"),
    ):
        told = carol.keyturn(*words)
        assert (told.code, told.out) == (5, ""), words
    assert carol.keyturn("access", "list", "mail").code == 3
    assert carol.keyturn("access", "list", "nowhere").code == 3
