"""Manifests are checked as the catalog checks them, with nothing that runs."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from deploy.manifests import CatalogFiles
from services.catalog.jobs import EXAMPLES, MANIFESTS
from shared.cli.library import manifests_read_by
from tests.catalog.manifests import ABSENT, as_text, changed, written
from tests.cli.running import run

LOUD_MAIL = EXAMPLES / "loud-mail.yaml"
WHO = ("--brand", "acme", "--as", "ada")


@pytest.fixture(autouse=True)
def the_catalogs_rules() -> None:
    manifests_read_by(CatalogFiles)


def validated(*words: str | Path) -> tuple[int, list[dict[str, Any]], str]:
    result = run("catalog", "validate", *map(str, words), "-o", "json")
    return result.exit_code, json.loads(result.stdout or "[]"), result.stderr


def spoilt(folder: Path, place: str, value: object, name: str = "loud-mail.yaml") -> Path:
    """Write a copy of the example with something else in one place."""
    (folder / name).write_text(as_text(changed("loud-mail", place, value)))
    return folder / name


def test_every_shipped_manifest_and_every_example_is_valid() -> None:
    code, rows, sentences = validated(MANIFESTS, EXAMPLES)
    assert (code, sentences) == (0, "")
    assert len(rows) == 35
    assert all(row["valid"] and row["problems"] == [] for row in rows)
    assert {row["extension"] for row in rows} == {Path(row["file"]).stem for row in rows}


@pytest.mark.parametrize(
    ("place", "value", "sentence"),
    [
        ("privacy_policy", ABSENT, "privacy_policy: "),
        ("support", ABSENT, "support: "),
        ("party", "first", "preview: "),
        ("colour", "red", "colour: a manifest has no such key."),
        ("by", "KEYTURN ", "by: KEYTURN  is the platform's own name"),
        ("domains.0.rule", "*.co.uk", "domains: *.co.uk"),
        ("settings.0.secret", True, "settings: host cannot be secret"),
        ("schemes.0.fields.1.default", "x", "password is secret"),
        ("slug", "Loud Mail", "slug: String should match"),
        ("schemes", "none", "schemes: Input should be a valid tuple"),
    ],
)
def test_what_the_catalog_would_refuse_is_told_by_its_place(
    place: str, value: object, sentence: str, tmp_path: Path
) -> None:
    file = spoilt(tmp_path, place, value)
    code, [row], sentences = validated(file)
    assert (code, row["valid"]) == (1, False)
    [*others] = [one for one in row["problems"] if sentence in one]
    assert others, row
    assert f"{file}: {others[0]}\n" in sentences


def test_all_that_is_wrong_is_told_at_once_each_in_a_sentence(tmp_path: Path) -> None:
    manifest = written("loud-mail")
    manifest["colour"] = "red"
    del manifest["terms"]
    manifest["settings"][0]["secret"] = True
    file = tmp_path / "loud-mail.yaml"
    file.write_text(as_text(manifest))
    code, [row], sentences = validated(file)
    assert code == 1
    for place in ("colour: ", "terms: ", "settings: host"):
        assert [one for one in row["problems"] if one.startswith(place)], row
    assert len(sentences.splitlines()) == len(row["problems"])

    del manifest["rotation"], manifest["schemes"]
    file.write_text(as_text(manifest))
    _, [row], _ = validated(file)
    assert row["problems"] == ["schemes: Field required.", "rotation: Field required."]


def test_one_that_is_wrong_does_not_hide_the_others(tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("slug: [")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe")
    shutil.copy(LOUD_MAIL, tmp_path)
    code, rows, _ = validated(tmp_path)
    assert code == 1
    found = {Path(row["file"]).name: row["valid"] for row in rows}
    assert found == {"binary.yaml": False, "broken.yaml": False, "loud-mail.yaml": True}
    table = run("catalog", "validate", str(tmp_path))
    assert [line.split()[1:] for line in table.stdout.splitlines()] == [
        ["EXTENSION", "VALID", "PROBLEMS"],
        ["no", "1"],
        ["no", "1"],
        ["loud-mail", "yes"],
    ]
    assert "This is not YAML" in table.stderr
    assert "It is not text in UTF-8." in table.stderr


def test_what_an_operator_allows_is_valid_for_that_operator(tmp_path: Path) -> None:
    file = spoilt(tmp_path, "domains.0.rule", "letters.internal")
    assert validated(file)[0] == 1
    assert validated(file, "--private-host", "letters.internal")[0] == 0
    assert validated(LOUD_MAIL, "--platform", "Loud Mail Ltd, a fictional company")[0] == 1


@pytest.mark.parametrize("what", [("validate",), ("publish", *WHO)])
def test_a_file_that_is_not_there_is_a_wrong_use(what: tuple[str, ...], tmp_path: Path) -> None:
    result = run("catalog", *what, str(tmp_path / "none.yaml"))
    assert (result.exit_code, result.stdout) == (2, "")
    assert "none.yaml cannot be read: No such file" in result.stderr


def test_a_folder_without_manifests_is_a_wrong_use(tmp_path: Path) -> None:
    for words in (("validate", str(tmp_path)), ("load", str(tmp_path), "--dry-run", *WHO)):
        result = run("catalog", *words)
        assert (result.exit_code, result.stdout) == (2, "")
        assert "There is no manifest in" in result.stderr


def test_what_is_no_manifest_is_not_sent(tmp_path: Path) -> None:
    file = spoilt(tmp_path, "colour", "red")
    result = run("catalog", "publish", str(file), *WHO)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "cannot be sent. colour: a manifest has no such key." in result.stderr


def test_a_dry_run_of_a_load_says_what_would_be_sent_and_sends_nothing(tmp_path: Path) -> None:
    shutil.copy(LOUD_MAIL, tmp_path)
    spoilt(tmp_path, "name", "Another", "same-slug.yaml")
    (tmp_path / "broken.yaml").write_text("slug: [")
    result = run("catalog", "load", str(tmp_path), "--examples", "--dry-run", "-o", "ndjson", *WHO)
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(row["extension"], row["outcome"]) for row in rows] == [
        ("broken", "unreadable"),
        ("loud-mail", "unsent"),
        ("same-slug", "unreadable"),
        ("loud-mail", "unreadable"),
        ("parcel-pigeon", "unsent"),
        ("tea-leaves", "unsent"),
    ]
    assert "has the slug loud-mail as well" in rows[2]["message"]
    assert result.exit_code == 6
    assert result.stderr == "6 manifests: 3 unreadable, 3 unsent.\nNothing was sent.\n"


def test_a_load_of_which_nothing_can_be_sent_has_failed(tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("slug: [")
    result = run("catalog", "load", str(tmp_path), "--dry-run", *WHO)
    assert result.exit_code == 1
    assert result.stdout.splitlines()[1].startswith("broken     unreadable          This is not")
