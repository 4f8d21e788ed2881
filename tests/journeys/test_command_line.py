"""Every command against everything that is real, each as a process of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from anyio import to_thread
from keyturn_client import Engine, Fetched, SavedTask, SavedWorkflow, Workflows

from deploy.local.sql import Server, connected
from tests.cli.living import Living, living
from tests.waiting import eventually

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
        (("rollouts", "watch", "nowhere.2"), 3, "acme has no account nowhere"),
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


async def apply(_credential: Fetched, _workflows: Workflows) -> None:
    """Switch: runs ask the library at their beginning."""


def given_workflows(account_id: str, *names: str) -> list[SavedWorkflow]:
    tasks = (SavedTask(task_id="send", account_id=account_id),)
    return [SavedWorkflow(workflow_id=one, name=one, owner="ada", tasks=tasks) for one in names]


async def test_a_rotation_is_followed_to_its_proof(
    stack_with_services: Living, tmp_path: Path
) -> None:
    one = stack_with_services
    one.add_account("mail", PASSWORD)
    register = ("engines", "register", "honest", "--name", "Honest", "--reach-account", "mail")
    assert one.good(*register, "--keys-in", str(tmp_path))["engine_id"] == "honest"
    assert (tmp_path / "honest.json").stat().st_mode & 0o777 == 0o600
    again = one.good(*register, "--keys-in", str(tmp_path))
    assert (again["outcome"], again["changed"]) == ("applied", False)
    engines = {row["engine_id"]: row for row in one.good("engines", "list")}
    assert (engines["honest"]["state"], engines["honest"]["engine_kind"]) == (
        "registered",
        "confirming",
    )

    async with Engine(one.engine_settings("honest", tmp_path), apply) as engine:
        await engine.sync(given_workflows("mail", "letters", "bills"))
        await engine.settled()
        listed = await to_thread.run_sync(
            lambda: one.good("workflows", "list", "--engine", "honest")
        )
        assert [row["workflow_id"] for row in listed] == ["bills", "letters"]
        touched = await to_thread.run_sync(lambda: one.keyturn("accounts", "dependents", "mail"))
        assert touched.out.splitlines()[0].split() == [
            *("ENGINE", "WORKFLOW", "NAME", "TASK", "OWNER", "PREVIEW", "STATE", "REASON")
        ]
        assert "old and new credentials are valid at once" in touched.sentences
        rotate = ("accounts", "edit", "mail", "--credentials", "--set", "username=relay")
        edited = await to_thread.run_sync(
            lambda: one.keyturn(*rotate, "--retire", "when-complete", "--stdin", stdin=NEXT)
        )
        assert "Follow it: keyturn rollouts watch mail.2" in edited.sentences
        watched = await to_thread.run_sync(
            lambda: one.good("rollouts", "watch", "mail.2", "--timeout", "60")
        )
    assert (watched["state"], watched["done"], watched["legs"]) == ("completed", 1, 1)
    assert one.good("rollouts", "list", "--account", "mail")[0]["rollout_id"] == "mail.2"
    assert one.good("rollouts", "show", "mail.2")["waiting"] == []
    assert one.good("workflows", "behind", "--account", "mail") == []

    proof, keys = str(tmp_path / "proof.json"), str(tmp_path / "jwks.json")
    assert one.keyturn("proof", "fetch", "mail.2", "--to", proof).code == 0
    assert one.keyturn("proof", "keys", "--to", keys).code == 0
    checked = one.good("proof", "check", proof, "--keys", keys)
    assert (checked["pinned"], checked["engines"]) == (True, ["honest"])
    assert one.keyturn("proof", "check", proof).code == 6
    assert (tmp_path / "proof.json").read_text() == one.keyturn("proof", "fetch", "mail.2").out


async def test_an_engine_that_is_gone_is_named_and_excused_on_the_record(
    stack_with_services: Living, tmp_path: Path
) -> None:
    one = stack_with_services
    one.add_account("late", PASSWORD)
    register = ("engines", "register", "gone", "--name", "Gone", "--reach-extension", "smtp-relay")
    one.good(*register, "--keys-in", str(tmp_path))
    async with Engine(one.engine_settings("gone", tmp_path), apply) as engine:
        await engine.sync(given_workflows("late", "letters"))
        await engine.settled()
    rotate = ("accounts", "edit", "late", "--credentials", "--set", "username=relay", "--stdin")
    one.good(*rotate, stdin=NEXT)

    over = one.keyturn("rollouts", "watch", "late.2", "--timeout", "1")
    assert (over.code, over.out) == (7, "")
    assert "waits for gone (unconfirmed)" in over.sentences
    [behind] = one.good("workflows", "behind", "--account", "late")
    assert (behind["workflow_id"], behind["why"]) == ("letters", "unconfirmed")
    override = ("rollouts", "override", "late.2", "--engine", "gone", "--reason", "it burnt down")
    assert one.good(*override)["outcome"] == "applied"
    watched = one.keyturn("rollouts", "watch", "late.2", "-o", "json")
    assert (watched.code, watched.data["excused"][0]["reason"]) == (6, "it burnt down")
    ended = one.keyturn(*override)
    assert (ended.code, "rollout_ended" in ended.sentences) == (4, True)

    retire = ("engines", "retire", "gone", "--reason", "it burnt down")
    assert one.good(*retire)["changed"] is True
    assert one.good(*retire)["changed"] is False
    returned = one.keyturn(*register, "--keys-in", str(tmp_path / "new"))
    assert (returned.code, "engine_exists" in returned.sentences) == (4, True)
    assert not (tmp_path / "new" / "gone.json").exists()
    assert one.good("accounts", "delete", "late", "--yes")["outcome"] == "applied"
    assert one.keyturn("rollouts", "watch", "late.3").code == 6
    assert one.good("accounts", "show", "late")["state"] == "deleted"


async def test_a_held_command_is_tried_again_when_its_cause_is_gone(
    stack_with_services: Living,
) -> None:
    one = stack_with_services
    one.add_account("poisoned", PASSWORD)
    async with connected(_vaults_database(one)) as database:
        await database.execute(_POISON)
        sent = one.good("accounts", "edit", "poisoned", "--name", "Never", "--no-wait")
        [held] = await eventually(lambda: one.good("held", "list", "--service", "credential-vault"))
        shown = one.good("held", "show", held["place"])
        assert (shown["id"], shown["subject"]) == (sent["command_id"], "accounts/poisoned")
        assert shown["state"] in {"retried", "parked"}
        behind = one.good("accounts", "verify", "poisoned", "--no-wait")
        await eventually(lambda: len(one.good("held", "list")) > 1)
        [queued] = one.good("held", "list", "--state", "queued")
        first = one.keyturn("held", "retry", queued["place"])
        assert (first.code, "begin with that one" in first.sentences) == (4, True)
        drop = ("held", "drop", queued["place"], "--yes")
        assert one.good(*drop, "--dry-run")["is_dropped"] is False
        assert one.good(*drop)["is_dropped"] is True
        await database.execute("DROP TRIGGER poison ON account")
    assert one.keyturn("held", "retry", held["place"]).code in {0, 3}
    assert one.good("outcome", sent["command_id"], "--timeout", "30")["outcome"] == "applied"
    dropped = one.keyturn("outcome", behind["command_id"], "--timeout", "30")
    assert (dropped.code, "(dropped)" in dropped.sentences) == (1, True)
    assert one.good("held", "list") == []


_POISON = """
CREATE OR REPLACE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS
'BEGIN RAISE EXCEPTION ''not this one''; END';
CREATE TRIGGER poison BEFORE UPDATE ON account FOR EACH ROW
WHEN (NEW.name = 'Never') EXECUTE FUNCTION poison()
"""


def _vaults_database(one: Living) -> Server:
    """Say how its owner reaches the vault's database."""
    postgres = one.good("status")["postgres"]
    vault = postgres["databases"]["credential-vault"]
    owner = vault["roles"]["owner"]
    return Server(
        host=postgres["host"],
        port=postgres["port"],
        database=vault["name"],
        user=owner["name"],
        password=Path(owner["password_file"]).read_text().strip(),
    )


def test_the_contracts_and_the_topics_are_as_declared(
    stack_with_services: Living, tmp_path: Path
) -> None:
    one = stack_with_services
    changes = one.good("topics", "apply", "--dry-run")
    assert not any(changes.values()), changes
    assert one.keyturn("contracts", "export", "--to", str(tmp_path)).code == 0
    assert (tmp_path / "asyncapi.json").exists()
    assert one.keyturn("contracts", "check").code == 0
