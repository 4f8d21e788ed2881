"""The page of commands shows all of them."""

import re

import pytest

from shared.cli.groups import load
from tests.cli.living import ROOT
from tests.cli.page import shown_on
from tests.cli.whole import commands

PAGE = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
GROUPS = ("catalog", "licence", "install", "installations", "domains", "uninstall", "support")


@pytest.mark.parametrize("name", [one for one in commands() if one.split()[0] in GROUPS])
def test_it_shows_every_command_of_these_groups(name: str) -> None:
    typed = "\n".join(one.commands for one in shown_on(PAGE))
    assert re.search(rf"keyturn {name}\b", typed), name


def test_every_group_that_it_is_about_has_a_title() -> None:
    titles = re.findall(r"^## (\S+)$", PAGE, re.MULTILINE)
    assert tuple(titles) == GROUPS
    assert all(load(one) for one in titles)
