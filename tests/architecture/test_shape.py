"""What a module may be called, may hold, may call and must say."""

import ast
import re
from pathlib import Path

import pytest

from tests.architecture.reading import ROOT, calls, imports, modules, named, tree

OURS = modules("services", "shared", "deploy")
TESTS = modules("tests")

NO_NAMES = {"utils", "helpers", "common", "misc", "base", "core", "managers"}
WAITING = ROOT / "tests" / "waiting.py"
CONSUMER = ROOT / "shared" / "messaging" / "framework.py"
RELAY = ROOT / "shared" / "messaging" / "relay.py"
CLIENT = ROOT / "shared" / "client"
ENDS = {"begin", "commit", "rollback"}


@pytest.mark.parametrize("module", OURS, ids=named)
def test_a_module_has_one_purpose_and_a_name_for_it(module: Path) -> None:
    """Into a `utils.py` went everything that nobody had thought about; nobody found it again."""
    assert module.stem not in NO_NAMES
    assert module.parent.name not in NO_NAMES
    assert len(module.read_text().splitlines()) <= 400


@pytest.mark.parametrize("module", [one for one in OURS if one.stem != "__init__"], ids=named)
def test_a_module_says_in_one_line_what_it_is_for(module: Path) -> None:
    """A module that took two sentences was two modules, and was changed for two reasons."""
    said = ast.get_docstring(tree(module))

    assert said, "It says nothing."
    first = said.splitlines()[0]
    assert first.endswith("."), first


@pytest.mark.parametrize("module", modules("services", "shared"), ids=named)
def test_nobody_reads_a_topic_but_the_consumer(module: Path) -> None:
    """A subscription of its own committed its own offsets, and lost messages at the next crash."""
    if module == CONSUMER or CLIENT in module.parents:
        return
    found = {name for name, _ in calls(module)}
    assert not found & {"AIOKafkaConsumer", "KafkaBroker", "KafkaRouter", "subscriber"}


@pytest.mark.parametrize("module", modules("services", "shared"), ids=named)
def test_nobody_publishes_but_the_relay(module: Path) -> None:
    """What was published from memory was told of a transaction that had not committed."""
    if module == RELAY or CLIENT in module.parents:
        return
    found = {name for name, _ in calls(module)}
    assert not found & {"AIOKafkaProducer", "send_and_wait", "publish_batch", "request"}


@pytest.mark.parametrize("module", modules("services"), ids=named)
def test_what_the_consumer_calls_ends_no_transaction(module: Path) -> None:
    """A handler that committed left half of a batch behind, and the retry applied it again.

    A job, a route and the assembly begin transactions of their own; what they are handed inside of
    one never does.
    """
    rooms = set(module.relative_to(ROOT / "services").parts) | {module.stem}
    if rooms & {"handlers", "rules", "store", "tables", "queries"}:
        assert not [line for name, line in calls(module) if name in ENDS]
    assert not [line for name, line in calls(module) if name == "commit"]


@pytest.mark.parametrize("module", modules("services"), ids=named)
def test_a_service_does_not_know_the_frameworks_of_the_wire(module: Path) -> None:
    """One that did was read only with theirs beside it, and broke with each of their versions."""
    assert not {one.partition(".")[0] for one in imports(module)} & {
        "aiokafka",
        "asyncpg",
        "confluent_kafka",
        "faststream",
        "uvicorn",
    }


@pytest.mark.parametrize("module", [one for one in TESTS if one != WAITING], ids=named)
def test_no_test_sleeps(module: Path) -> None:
    """A test that slept long enough here did not on a loaded machine, and was slow everywhere.

    `eventually` waits for a fact. `sleep(0)` only lets others run.
    """
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Call) and _last_name(node.func) == "sleep":
            assert ast.unparse(node.args[0]) == "0", f"line {node.lineno}"


_SILENCED = re.compile(r"# (?:noqa|type: ignore|pyright: ignore)(.*)")
_NAMED = re.compile(r"(: [A-Z]+\d+(, [A-Z]+\d+)*|\[[A-Za-z]+(, [A-Za-z]+)*\])")


@pytest.mark.parametrize("module", [*OURS, *TESTS], ids=named)
def test_what_is_silenced_is_named_and_has_its_reason(module: Path) -> None:
    """A silenced check without a reason stayed when its cause had gone, and hid the next one.

    The reason stands behind it, or in a comment on the line before.
    """
    before, has_reason = "", False
    for number, line in enumerate(module.read_text().splitlines(), 1):
        found = _SILENCED.search(line)
        if found is not None and "re.compile" not in line:
            rules = _NAMED.match(found[1])
            assert rules, f"line {number} silences everything"
            reason = found[1][rules.end() :].strip()
            # One reason for several lines stands before the first of them.
            has_reason = bool(reason) or has_reason or before.startswith("#")
            assert has_reason, f"line {number} gives no reason"
        else:
            has_reason = False
        before = line.strip()


@pytest.mark.parametrize("module", [*OURS, *TESTS], ids=named)
def test_nothing_names_a_place_of_somebodys_machine(module: Path) -> None:
    """What was read from its author's folder worked on its author's machine."""
    if module == Path(__file__):
        return
    text = module.read_text()
    assert str(ROOT) not in text
    assert "/work/shared" not in text


def _last_name(called: ast.expr) -> str:
    if isinstance(called, ast.Attribute):
        return called.attr
    return called.id if isinstance(called, ast.Name) else ""
