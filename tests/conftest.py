"""The stack that every test may ask for, started when the first one does."""

import logging
import os
import signal
from collections.abc import Iterator

import pytest
import structlog

from deploy.local.external import read_external
from deploy.local.problems import StackProblem
from tests.running_stack import RunningStack, running_stack

# A shell starts what runs in its background with Ctrl-C ignored, and every process of a test would
# inherit that: those that are to be interrupted would run on for ever.
signal.signal(signal.SIGINT, signal.default_int_handler)

_LONGEST = ("faults", "journeys", "cli", "client", "traps", "transport", "stack")
"""The packages whose files take longest: begun last, they would keep one process waiting."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--stack",
        choices=("embedded", "containers"),
        default="embedded",
        help="where Kafka, PostgreSQL and Redis come from, unless the environment names addresses",
    )


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Three processes, each with a stack of its own, unless somebody asks for a part of the tests.

    Most tests wait most of the time, for Kafka, a process or a disk.
    """
    if config.args_source is pytest.Config.ArgsSource.TESTPATHS and not _is_shared(config):
        return 3
    config.option.dist = "no"
    return 0


def _is_shared(config: pytest.Config) -> bool:
    """Tell whether there is one stack for all tests."""
    try:
        return bool(read_external(os.environ)) or config.getoption("--stack") != "embedded"
    except StackProblem:
        # The tests that need the stack say what is wrong with the addresses.
        return True


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest; in a turn the files stay as chance has put them."""
    items.sort(key=lambda item: _turn_of(item.path.parent.name))


def _turn_of(package: str) -> int:
    return _LONGEST.index(package) if package in _LONGEST else len(_LONGEST)


@pytest.fixture(scope="session")
def stack(request: pytest.FixtureRequest) -> Iterator[RunningStack]:
    """Kafka, PostgreSQL and Redis: from addresses in the environment, containers, or ours."""
    try:
        external = read_external(os.environ)
        if external or request.config.getoption("--stack") == "embedded":
            with running_stack(external) as running:
                yield running
        else:
            # Only here: it needs a container engine even to be imported usefully.
            from tests.containers import running_containers  # noqa: PLC0415

            with running_containers() as external, running_stack(external) as running:
                yield running
    except StackProblem as problem:
        pytest.fail(str(problem), pytrace=False)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """Take back what a test set up: a handler of a stream that is closed would write nonsense."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    yield
    for one in list(root.handlers):
        if one not in before and not type(one).__module__.startswith("_pytest"):
            root.removeHandler(one)
    root.setLevel(level)
    structlog.reset_defaults()
