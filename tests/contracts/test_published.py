"""What is published is what the contracts say, and a release is what they are held against."""

import json
import subprocess
import tomllib
from pathlib import Path

from keyturn_contracts.growth import breaks

from shared.cli.contracts import (
    PUBLISHED,
    ROOT,
    documents,
    newest_tag,
    out_of_date,
    released_schemas,
)
from shared.version import VERSION


def test_the_published_documents_are_todays() -> None:
    assert out_of_date(PUBLISHED, VERSION) == []


def test_the_version_is_said_once() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert project["version"] == VERSION


def test_what_was_edited_removed_or_left_over_is_out_of_date(tmp_path: Path) -> None:
    for name, text in documents(VERSION).items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert out_of_date(tmp_path, VERSION) == []
    schemas = sorted((tmp_path / "schemas").iterdir())
    schemas[0].write_text("{}")
    schemas[1].unlink()
    (tmp_path / "schemas" / "left-over.json").write_text("{}")

    assert out_of_date(tmp_path, VERSION) == sorted(
        f"schemas/{name}" for name in (schemas[0].name, schemas[1].name, "left-over.json")
    )


def test_a_release_is_what_its_tag_carries(tmp_path: Path) -> None:
    def git(*words: str) -> None:
        identity = ["-c", "user.name=test", "-c", "user.email=test@example.com"]
        subprocess.run(["git", "-C", str(tmp_path), *identity, *words], check=True)

    name = "keyturn.workflow.BeginEpoch.v1"
    schema = json.loads(documents(VERSION)[f"schemas/{name}.json"])
    path = tmp_path / PUBLISHED.relative_to(ROOT) / "schemas" / f"{name}.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(schema))
    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "--message", "One")
    assert newest_tag(tmp_path) is None
    git("tag", "v0.0.1")
    del schema["properties"]["digest"]
    schema["required"].remove("digest")

    released = released_schemas(tmp_path, "v0.0.1")

    assert newest_tag(tmp_path) == "v0.0.1"
    assert [str(one) for one in breaks(released, {name: schema})] == [
        f"{name}/digest: field removed"
    ]
