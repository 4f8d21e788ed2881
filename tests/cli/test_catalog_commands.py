"""The commands of the catalog and of licences, and their page, against all that is real."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from services.catalog.jobs import MANIFESTS
from tests.cli.extensions import given_brand, refused, written
from tests.cli.living import ROOT, Living, environment
from tests.cli.page import shown_on
from tests.forking import write_command


def test_what_is_published_already_is_unchanged_when_it_is_loaded_again(catalog: Living) -> None:
    rows = catalog.good("catalog", "load", "--examples")
    assert len(rows) == 35
    assert {row["outcome"] for row in rows} == {"unchanged"}
    assert {Path(row["file"]).stem for row in rows} == {row["extension"] for row in rows}


def test_each_manifest_of_a_folder_has_an_outcome_of_its_own(
    catalog: Living, tmp_path: Path
) -> None:
    written(tmp_path, "wren-mail")
    written(tmp_path, "kite-mail", terms=None)
    told = catalog.keyturn("catalog", "load", str(tmp_path), "-o", "ndjson")
    kite, wren = [json.loads(line) for line in told.out.splitlines()]
    assert told.code == 6
    assert (wren["extension"], wren["outcome"]) == ("wren-mail", "published")
    assert (kite["outcome"], kite["reason"]) == ("refused", "manifest_invalid")
    assert kite["message"].startswith("terms: ")
    assert "2 manifests: 1 refused, 1 published." in told.sentences


def test_a_search_finds_with_a_slip_of_one_letter_what_the_licence_covers(catalog: Living) -> None:
    brand = given_brand(catalog, "searching", "salesforce", "loud-mail")
    [found] = brand.good("catalog", "search", "salesfroce")
    assert (found["slug"], found["installed"]) == ("salesforce", True)
    assert [row["slug"] for row in brand.good("catalog", "search", "--preview")] == ["loud-mail"]
    assert brand.good("catalog", "search", "slack") == []
    assert "Nothing was found." in brand.keyturn("catalog", "search", "slack").sentences
    table = brand.keyturn("catalog", "search", "loud").out.splitlines()
    assert table[0].split()[:4] == ["EXTENSION", "NAME", "BY", "LABEL"]
    assert "Preview" in table[1]


def test_an_extension_and_its_steps_are_shown_with_who_stands_behind_them(catalog: Living) -> None:
    brand = given_brand(catalog, "looking", "loud-mail")
    shown = brand.good("catalog", "show", "loud-mail")
    assert (shown["by_line"], shown["label"]) == (
        "By Loud Mail Ltd, a fictional company",
        "Preview",
    )
    for part in ("STEPS", "SCHEMES", "DOMAINS", "PERMISSIONS", "Terms "):
        assert part in brand.keyturn("catalog", "show", "loud-mail").out
    [task] = brand.good("catalog", "steps", "letter", "--kind", "task")
    assert (task["id"], task["label"]) == ("send", "Preview")
    own = brand.keyturn("catalog", "steps", "--extension", "loud-mail", "-o", "ndjson").out
    assert [json.loads(line)["id"] for line in own.splitlines()] == ["send", "bounced"]


@pytest.mark.parametrize(
    ("extension", "problem", "names"),
    [
        ("loud-mail", "vendor", ["Loud Mail support"]),
        ("loud-mail", "workflow", ["Keyturn support"]),
        ("loud-mail", "interface", ["Keyturn support", "Loud Mail support"]),
        ("slack", "vendor", ["Keyturn support"]),
        ("slack", "interface", ["Keyturn support"]),
    ],
)
def test_for_each_problem_it_is_said_whom_to_turn_to(
    extension: str, problem: str, names: list[str], catalog: Living
) -> None:
    brand = catalog.of_brand("supported")
    brand.good("licence", "set", "--extension", "loud-mail", "--extension", "slack")
    shown = brand.good("support", extension, "--problem", problem)
    assert [one["name"] for one in shown["contacts"]] == names
    assert shown["reason"]
    table = brand.keyturn("support", extension, "--problem", problem).out
    assert all(name in table.split("TURN TO")[1] for name in names)


def test_a_licence_is_set_shown_and_taken_away(catalog: Living) -> None:
    brand = catalog.of_brand("licensed")
    assert brand.good("licence", "show")["extensions"] == []
    brand.good("licence", "set", "--plan", "messages", "--extension", "jira")
    assert brand.good("licence", "set", "--plan", "messages", "--extension", "jira")["changed"] is (
        False
    )
    shown = brand.good("licence", "show")
    assert (shown["plans"], shown["named"]) == (["messages"], ["jira"])
    assert {"jira", "slack"} < {*shown["extensions"]}
    assert refused(brand.keyturn("licence", "set", "--plan", "none"), 3, "plan_unknown")
    assert refused(brand.keyturn("licence", "set", "--extension", "none"), 3, "extension_unknown")
    assert refused(brand.keyturn("licence", "set"), 2, "or --nothing")
    assert brand.good("licence", "set", "--nothing", "--dry-run")["content"]["plans"] == []
    assert brand.good("licence", "show")["plans"] == ["messages"]
    brand.good("licence", "set", "--nothing")
    assert "The brand may use nothing." in brand.keyturn("licence", "show").sentences


def test_an_extension_is_published_certified_and_retired(catalog: Living, tmp_path: Path) -> None:
    file = written(tmp_path, "bird-mail")
    as_publisher = ("catalog", "publish", file, "--publisher", "bird-mail")
    assert catalog.good(*as_publisher, "--dry-run")["key"] == "platform/extensions/bird-mail"
    assert catalog.good(*as_publisher)["changed"] is True
    assert catalog.good(*as_publisher)["changed"] is False
    brand = given_brand(catalog, "birds", "bird-mail")
    assert brand.good("catalog", "show", "bird-mail")["label"] == "Preview"
    assert catalog.good("catalog", "certify", "bird-mail")["changed"] is True
    assert catalog.good("catalog", "certify", "bird-mail")["changed"] is False
    assert "label" not in brand.good("catalog", "show", "bird-mail")
    retire = ("catalog", "retire", "bird-mail", "--reason", "It has flown.")
    assert catalog.good(*retire)["changed"] is True
    assert catalog.good(*retire)["changed"] is False
    assert refused(brand.keyturn("catalog", "show", "bird-mail"), 3, "no extension bird-mail")


def test_who_may_not_publish_it_is_told_so(catalog: Living, tmp_path: Path) -> None:
    file, publish = written(tmp_path, "gull-mail"), ("catalog", "publish")
    other = catalog.keyturn(*publish, file, "--publisher", "tea-leaves")
    assert refused(other, 5, "not_the_publisher")
    first_party = catalog.keyturn(*publish, str(MANIFESTS / "slack.yaml"), "--publisher", "keyturn")
    assert refused(first_party, 5, "Only operators publish first-party")
    catalog.good(*publish, file)
    taken = catalog.keyturn(*publish, written(tmp_path, "gull-mail", publisher="tern-mail"))
    assert refused(taken, 4, "slug_taken")
    wrong = catalog.keyturn(*publish, written(tmp_path, "gull-mail", support=None))
    assert refused(wrong, 2, "manifest_invalid")
    assert "support: " in wrong.sentences


def test_what_is_not_there_and_what_is_not_licensed(catalog: Living) -> None:
    brand = given_brand(catalog, "poor", "slack")
    for words in (
        ("catalog", "show"),
        ("catalog", "steps", "--extension"),
        ("support",),
        ("install",),
        ("installations", "review"),
    ):
        assert refused(brand.keyturn(*words, "nowhere"), 3, "no extension nowhere")
        assert refused(brand.keyturn(*words, "jira"), 5, "jira is not in your licence")
    for words in (
        ("installations", "show"),
        ("installations", "impact"),
        ("domains", "list"),
        ("uninstall",),
    ):
        assert refused(brand.keyturn(*words, "loud-mail"), 3, "loud-mail is not installed")
    for words in (("certify", "nowhere"), ("retire", "nowhere", "--reason", "None.")):
        assert refused(catalog.keyturn("catalog", *words), 3, "extension_unknown")
    assert refused(brand.keyturn("installations", "impact", "slack"), 5, "cannot be uninstalled")
    assert refused(brand.keyturn("uninstall", "slack", "--force"), 5, "implicit")


def test_every_example_of_the_page_works_and_answers_what_is_said(
    catalog: Living, tmp_path: Path
) -> None:
    one = given_brand(catalog, "acme", "loud-mail", "slack", "webservice")
    write_command(tmp_path / "keyturn")
    path = f"{tmp_path}:{os.environ['PATH']}"
    surroundings = environment(**one.surroundings, PATH=path)
    blocks = shown_on((ROOT / "docs" / "commands.md").read_text(encoding="utf-8"))
    assert len(blocks) > 15
    for block in blocks:
        run = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block.commands],
            cwd=ROOT,
            env=surroundings,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert run.returncode == 0, f"{block.commands}\n{run.stdout}\n{run.stderr}"
        missing = block.missing_from(run.stdout + run.stderr)
        assert not missing, f"{block.commands}\n{missing}\n{run.stdout}\n{run.stderr}"
