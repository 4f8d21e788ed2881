"""The commands of installations, their domains and their end, against all that is real."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from anyio.from_thread import start_blocking_portal
from keyturn_client import Engine, Fetched, SavedTask, SavedWorkflow, Workflows

from tests.cli.extensions import given_brand, refused, written
from tests.cli.living import PASSWORD, Living
from tests.cli.terminal import run_on_terminal
from tests.waiting import until

NOT_SHOWN = "0" * 64


def test_without_a_terminal_the_review_is_shown_with_what_to_say(catalog: Living) -> None:
    brand = given_brand(catalog, "shown", "loud-mail", "slack")
    review = brand.good("installations", "review", "loud-mail")
    told = brand.keyturn("install", "loud-mail")
    assert refused(told, 2, f"accept exactly this with --accept {review['digest']}")
    for said in ("is a preview", "templates.loud-mail.example.com", "contacts", "Terms: https://"):
        assert said in told.sentences
    dry = brand.good("install", "loud-mail", "--dry-run")
    assert dry["content"] == {"extension": "loud-mail", "accepts": review["digest"]}
    assert refused(brand.keyturn("installations", "show", "loud-mail"), 3, "is not installed")
    assert refused(brand.keyturn("install", "slack"), 4, "already_implicit")
    nothing_shown = brand.keyturn("install", "loud-mail", "--accept", NOT_SHOWN)
    assert refused(nothing_shown, 4, "Different: What was accepted is no review")


def test_on_a_terminal_a_person_who_types_its_name_installs_it(catalog: Living) -> None:
    brand = given_brand(catalog, "typing", "loud-mail")
    program = (
        f"import os, sys; os.environ.update({brand.surroundings!r}); "
        "sys.argv[1:] = ['install', 'loud-mail']; from deploy.cli import main; main()"
    )
    question = "Type loud-mail to go on:"
    code, screen = run_on_terminal(program, {question: "no"})
    assert (code, "Nothing was changed." in screen) == (1, True), screen
    code, screen = run_on_terminal(program, {question: "loud-mail"})
    assert (code, "is a preview" in screen) == (0, True), screen
    assert brand.good("installations", "show", "loud-mail")["state"] == "installed"


def test_what_a_new_version_asks_for_is_told_and_accepted(catalog: Living, tmp_path: Path) -> None:
    publish = ("catalog", "publish", written(tmp_path, "owl-mail"))
    catalog.good(*publish)
    brand = given_brand(catalog, "owls", "owl-mail")
    seen = brand.good("installations", "review", "owl-mail")["digest"]
    more = [{"data": one, "purpose": "To hoot."} for one in ("contacts", "tickets")]
    written(tmp_path, "owl-mail", permissions=more)
    catalog.good(*publish)
    newer = until(lambda: _newer_review(brand, "owl-mail", seen))
    stale = brand.keyturn("install", "owl-mail", "--accept", seen)
    assert refused(stale, 4, "review_stale")
    assert "tickets" in stale.sentences.split("Different: ", 1)[1]
    assert brand.good("install", "owl-mail", "--accept", newer)["changed"] is True
    again = brand.good("install", "owl-mail")
    assert (again["changed"], again["note"]) == (False, "Loud Mail (example) is installed already.")

    written(tmp_path, "owl-mail", permissions=[*more, {"data": "files", "purpose": "To nest."}])
    catalog.good(*publish)
    newest = until(lambda: _newer_review(brand, "owl-mail", newer))
    until(lambda: brand.good("installations", "list")[0].get("proposed"))
    asking = brand.keyturn("install", "owl-mail")
    assert refused(asking, 2, "New: ")
    accepted = brand.good("install", "owl-mail", "--accept", newest)
    assert (accepted["command"], accepted["changed"]) == ("AcceptChange", True)
    consents = brand.good("installations", "show", "owl-mail")["consents"]
    assert [one["digest"] for one in consents] == [newest, newer]
    assert {one["by"] for one in consents} == {"ada"}


def _newer_review(brand: Living, extension: str, seen: str) -> str | None:
    digest: str = brand.good("installations", "review", extension)["digest"]
    return digest if digest != seen else None


def test_domains_are_added_judged_and_removed_each_with_a_verdict(catalog: Living) -> None:
    brand = given_brand(catalog, "reaching", "webservice", "slack")
    assert "All domains are blocked." in brand.keyturn("domains", "list", "webservice").sentences
    add, why = ("domains", "add", "webservice"), ("--reason", "Our own.")
    partly = brand.keyturn(*add, "api.example.com", "https://x.example.com", *why, "-o", "json")
    assert partly.code == 6
    [verdict] = partly.data["verdicts"]
    assert (verdict["verdict"], verdict["reason"]) == ("refused", "scheme")
    assert brand.good(*add, "api.example.com", *why)["changed"] is False
    assert refused(brand.keyturn(*add, "10.0.0.1", *why), 2, "domains_refused")
    fixed = brand.keyturn("domains", "add", "slack", "api.example.com", *why)
    assert refused(fixed, 5, "domains_fixed")
    [row] = brand.good("domains", "list", "webservice")["list"]
    assert (row["rule"], row["by"], row["reason"]) == ("api.example.com", "ada", "Our own.")

    yes = brand.keyturn("domains", "test", "webservice", "https://api.example.com/v1", "-o", "json")
    assert (yes.code, yes.data["rule"]) == (0, "api.example.com")
    no = brand.keyturn("domains", "test", "webservice", "https://www.example.com/")
    assert no.code == 5
    assert no.out.splitlines()[0].split() == ["Allowed", "no"]
    assert "Because" in no.out

    remove = ("domains", "remove", "webservice")
    assert brand.good(*remove, "api.example.com", *why, "--dry-run")["command"] == "RemoveDomains"
    assert brand.good(*remove, "api.example.com", *why)["changed"] is True
    assert brand.good(*remove, "api.example.com", *why)["changed"] is False
    assert brand.good("domains", "list", "webservice")["domains"] == []


async def apply(_credential: Fetched, _workflows: Workflows) -> None:
    """Switch: runs ask the library at their beginning."""


def given_account(brand: Living, account_id: str) -> None:
    """Install the example, enable it for everyone, and connect an account to it."""
    digest = brand.good("installations", "review", "loud-mail")["digest"]
    brand.good("install", "loud-mail", "--accept", digest)
    brand.good("extensions", "enable", "loud-mail", "--all")
    settings = ("--set", "host=localhost", "--set", f"port={brand.mail.port}")
    brand.good(
        *("accounts", "add", "loud-mail", "--id", account_id, "--name", "Letters"),
        *(*settings, "--set", "username=relay", "--stdin"),
        stdin=PASSWORD,
    )


@contextmanager
def an_engine_uses(account_id: str, brand: Living, engine_id: str, keys: Path) -> Generator[None]:
    """Run an engine that has two workflows with a task each that uses the account."""
    register = ("engines", "register", engine_id, "--name", "E", "--reach-all")
    brand.good(*register, "--keys-in", str(keys))
    tasks = (SavedTask(task_id="send", account_id=account_id),)
    saved = [SavedWorkflow(workflow_id=one, name=one, owner="ada", tasks=tasks) for one in "ab"]
    running = Engine(brand.engine_settings(engine_id, keys), apply)
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(running) as engine,
    ):
        portal.call(engine.sync, saved)
        portal.call(engine.settled)
        # Until it is known here that its owner may, the engine is given nothing to let go of.
        until(lambda: portal.call(engine.status).accounts[account_id].version)
        yield


def test_an_uninstallation_is_watched_until_nothing_is_left(
    catalog: Living, tmp_path: Path
) -> None:
    brand = given_brand(catalog, "leaving", "loud-mail")
    given_account(brand, "letters")
    with an_engine_uses("letters", brand, "leaver", tmp_path):
        impact = until(lambda: _impact_of(brand, tasks=2))
        assert (impact["account_count"], impact["workflow_count"]) == (1, 2)
        hosts = until(lambda: _hosts_of(brand))
        assert [(one["rule"], one["accounts"]) for one in hosts] == [
            (f"localhost:{brand.mail.port}", 1)
        ]
        told = brand.keyturn("uninstall", "loud-mail")
        assert refused(told, 2, f"--revision {impact['revision']}")
        assert "account letters, added by ada: Letters" in told.sentences
        other = brand.keyturn("uninstall", "loud-mail", "--revision", NOT_SHOWN)
        assert refused(other, 4, "impact_changed")
        dry = brand.good("uninstall", "loud-mail", "--dry-run")
        assert dry["content"]["revision"] == impact["revision"]
        agreed = ("--revision", impact["revision"], "--reason", "It was loud.")
        told = brand.keyturn("uninstall", "loud-mail", *agreed, "--watch", "-o", "json")
    assert told.code == 0, told
    assert (told.data["state"], told.data["command"]) == ("uninstalled", "UninstallExtension")
    assert (told.data["accounts_deleted"], told.data["tasks_suspended"]) == (1, 2)
    [row] = brand.good("installations", "list", "--state", "uninstalled")
    # Its creator's, unless the news that the account is deleted was faster.
    grants = row["uninstallation"]["grants"]
    assert told.data["grants_ended"] == grants <= 1
    ended = f"{grants} grant{'' if grants == 1 else 's'} ended"
    assert f"loud-mail: 3 of 3 (1 account deleted, 2 tasks suspended, {ended})" in told.sentences
    assert row["uninstallation"]["reason"] == "It was loud."


def test_an_uninstallation_that_is_late_names_who_is_missing(
    catalog: Living, tmp_path: Path
) -> None:
    brand = given_brand(catalog, "waiting", "loud-mail")
    given_account(brand, "kept")
    with an_engine_uses("kept", brand, "gone", tmp_path):
        until(lambda: _impact_of(brand, tasks=2))
    for words in (("--force",), ()):  # the second goes on watching, and asks nothing
        late = brand.keyturn("uninstall", "loud-mail", *words, "--watch", "--timeout", "1")
        assert (late.code, late.out) == (7, "")
        assert "workflow. Go on watching: " in late.sentences.split("Missing: ")[1]
    assert "waits for " in brand.keyturn("installations", "show", "loud-mail").out
    [waiting] = until(lambda: brand.good("rollouts", "list", "--account", "kept"))
    override = ("rollouts", "override", waiting["rollout_id"], "--engine", "gone")
    brand.good(*override, "--reason", "It is gone.")
    [ended] = until(lambda: brand.good("installations", "list", "--state", "uninstalled"))
    assert (ended["uninstallation"]["accounts"], ended["uninstallation"]["tasks"]) == (1, 2)


def _impact_of(brand: Living, *, tasks: int) -> Any:
    shown = brand.good("installations", "impact", "loud-mail")
    return shown if shown["task_count"] == tasks else None


def _hosts_of(brand: Living) -> list[Any]:
    rules = brand.good("domains", "list", "loud-mail")["list"]
    return [one for one in rules if one["origin"] == "account"]
