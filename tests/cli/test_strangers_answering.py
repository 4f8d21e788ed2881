"""No text of what came of a command on many things speaks to the terminal of who sent it."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.cli.strangers import (
    HOSTILE,
    MEMBER,
    PEOPLE,
    Strangers,
    is_obeyed,
    screens,
    stays_on_its_line,
    strangers_at,
)
from tests.running_stack import RunningStack

SENT = (
    f"access grant mail {MEMBER}",
    "access grant-all mail",
    f"access revoke mail {MEMBER}",
    f"members import {PEOPLE}",
    f"members remove {MEMBER}",
    f"extensions enable slack {MEMBER}",
    f"extensions disable slack {MEMBER}",
)


@pytest.fixture(scope="module")
def there(
    stack: RunningStack, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Strangers, Mapping[str, Any]]]:
    kafka = stack.kafka.settings_of("backend")
    with strangers_at(tmp_path_factory.mktemp("strangers"), kafka) as found:
        yield found


@pytest.mark.parametrize("applies", [True, False])
@pytest.mark.parametrize("words", SENT)
def test_what_came_of_a_command_stays_on_its_lines(
    words: str, there: tuple[Strangers, Mapping[str, Any]], *, applies: bool
) -> None:
    there[0].applies = applies
    assert "[red]so[/red]" in stays_on_its_line(there[0], words)


@pytest.mark.parametrize("applies", [True, False])
def test_on_a_terminal_nothing_of_it_is_obeyed(
    there: tuple[Strangers, Mapping[str, Any]], *, applies: bool
) -> None:
    there[0].text, there[0].applies = HOSTILE, applies
    for screen in screens(*there, SENT):
        assert "[red]so[/red]" in screen
        assert not is_obeyed(screen), screen
