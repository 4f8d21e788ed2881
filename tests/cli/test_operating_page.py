"""The operator's page says what is so, where that can be looked up."""

import re
from pathlib import Path

import pytest
from prometheus_client import REGISTRY
from pydantic import BaseModel

from services.access.settings import AccessSettings
from services.catalog.settings import CatalogSettings
from services.credential_vault.settings import VaultSettings
from services.installation.settings import InstallationSettings
from shared.cli.exit_codes import ExitCode
from shared.cli.groups import GROUPS, load
from shared.telemetry import metrics

PAGE = (Path(__file__).parents[2] / "docs" / "operating.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def first_cells(text: str) -> list[str]:
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    return [name for row in rows for name in re.findall(r"`([^`]+)`", row)]


def test_every_metric_is_explained_and_no_other() -> None:
    assert metrics.__doc__, "its import is what declares them"
    ours = {one.name for one in REGISTRY.collect() if one.name.startswith("keyturn_")}
    assert set(first_cells(section("Metrics"))) == ours


@pytest.mark.parametrize(
    ("service", "settings"),
    [
        ("credential-vault", VaultSettings),
        ("catalog", CatalogSettings),
        ("installation", InstallationSettings),
        ("access", AccessSettings),
    ],
)
def test_every_setting_of_a_service_is_explained(service: str, settings: type[BaseModel]) -> None:
    own = section("Settings").split(f"`services/{service}.json`")[1].split("`extra` in")[0]
    assert set(first_cells(own)) == {*settings.model_fields}


def test_every_exit_code_is_explained() -> None:
    numbers = re.findall(r"^\| (\d) \|", PAGE, re.MULTILINE)
    assert [int(one) for one in numbers] == [code.value for code in ExitCode]


def test_every_command_that_it_names_exists() -> None:
    named = set(re.findall(r"keyturn ([a-z]+) ([a-z]+)", PAGE))
    for group, name in named:
        if group in GROUPS:
            loaded = load(group)
            assert name in getattr(loaded, "commands", {name: None}), (group, name)
    assert {group for group, _ in named} >= {"rollouts", "held", "proof", "accounts"}
