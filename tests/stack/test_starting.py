"""Starting: what is kept, what is refused in a sentence, and what is done about leftovers."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from confluent_kafka import Producer
from keyturn_contracts.topics import events_topic
from redis import Redis

from deploy.local import postgres
from deploy.local.children import Child, Command
from deploy.local.external import External
from deploy.local.folder import open_data_folder
from deploy.local.jars import ensure_jars, jars_folder
from deploy.local.leftovers import Roster
from deploy.local.parts import wait_ready
from deploy.local.passwords import Passwords
from deploy.local.ports import LOOPBACK, Ports, is_free
from deploy.local.postgres import Postgres
from deploy.local.problems import Conflict, StackProblem
from deploy.local.sockets import fits, keep_socket_folder
from deploy.local.sql import connected
from deploy.local.stack import Stack
from deploy.local.state import State
from tests.running_stack import RunningStack
from tests.stack.clients import as_role, client_of, first_and_next

EVENTS = events_topic("catalog")


@pytest.fixture
def folder() -> Generator[Path]:
    """Return a folder whose path is short, as a user's is; pytest's own are long."""
    with tempfile.TemporaryDirectory(prefix="keyturn-test-") as root:
        yield Path(root, "data")


def silent(_sentence: str) -> None:
    return


async def test_a_second_start_finds_its_ports_and_everything_that_was_written(
    folder: Path,
) -> None:
    first = Stack(folder, say=silent)
    try:
        catalog = first.settings_of("catalog")
        producer = Producer(client_of(catalog.kafka))
        producer.produce(EVENTS, key=b"platform/extensions/mail", value=b"{}", partition=0)
        assert producer.flush(20) == 0
        async with connected(as_role(catalog.database, "owner")) as connection:
            await connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
        with redis_of(first) as client:
            client.set("catalog:kept", "yes")
    finally:
        first.stop()

    second = Stack(folder, say=silent)
    try:
        assert second.settings_of("catalog") == catalog
        backend = second.plan.kafka_of("backend")
        assert first_and_next(backend, EVENTS, group="keyturn.backend") == (0, 1)
        async with connected(as_role(catalog.database, "owner")) as connection:
            assert await connection.fetchval("SELECT number FROM kept") == 7
        with redis_of(second) as client:
            assert client.get("catalog:kept") == b"yes"
    finally:
        second.stop()


def test_two_stacks_run_side_by_side_one_folder_holds_one_and_its_killed_parts_start_again(
    stack: RunningStack, folder: Path
) -> None:
    other = Stack(folder, say=silent)
    try:
        with pytest.raises(Conflict, match="is in use by process"):
            Stack(folder, say=silent)
        mine, others = stack.settings_of("workflow"), other.settings_of("workflow")
        assert mine.kafka.bootstrap != others.kafka.bootstrap
        assert mine.http.port != others.http.port
        assert mine.kafka.password != others.kafka.password
        for name in ("kafka", "postgres", "redis"):
            other.child(name).kill()
            other.start_again(name)
            assert other.child(name).exit_code is None
    finally:
        other.stop()


def test_a_folder_with_a_long_path_has_its_sockets_elsewhere(folder: Path) -> None:
    deep = folder / ("long" * 30)
    data = open_data_folder(deep)
    state = State()
    sockets = keep_socket_folder(state, data)
    assert not fits(deep / "run")
    assert fits(sockets)
    assert sockets.stat().st_mode & 0o777 == 0o700
    assert keep_socket_folder(state, data) == sockets
    part = Postgres(data, Passwords(data.passwords), sockets)
    part.prepare()
    child = Child(part.command())
    try:
        wait_ready(part, child, within=30)
    finally:
        child.stop()
        for path in (*sockets.glob("*"), sockets):
            path.rmdir()


def test_where_no_short_folder_is_to_be_had_a_sentence_says_so(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = open_data_folder(folder / ("long" * 30))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(data.root))
    monkeypatch.setattr("deploy.local.sockets.SHORT_PLACES", ())
    monkeypatch.setattr(tempfile, "tempdir", str(data.root))
    with pytest.raises(StackProblem, match="choose a shorter --data-dir"):
        keep_socket_folder(State(), data)


def test_a_port_that_somebody_took_is_named_and_another_one_is_chosen_when_asked() -> None:
    state = State()
    with Ports(state) as ports:
        port = ports.keep("kafka")
    with socket.socket() as taker, Ports(state) as ports:
        taker.bind((LOOPBACK, port))
        taker.listen()
        assert not is_free(port)
        with pytest.raises(Conflict, match=rf"{port}, which kafka had before, .*--fresh-ports"):
            ports.keep("kafka")
        assert ports.keep("kafka", fresh=True) != port


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a port is not held")
def test_a_held_port_is_free_for_its_server_and_for_no_other_choice() -> None:
    with Ports(State()) as ports, socket.socket() as server, socket.socket() as other:
        port = ports.keep("kafka")
        with pytest.raises(OSError, match="in use"):
            other.bind((LOOPBACK, port))
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((LOOPBACK, port))
        server.listen()
        with socket.create_connection((LOOPBACK, port)):
            pass


def test_what_outlived_a_killed_run_is_stopped_and_named(folder: Path) -> None:
    data = open_data_folder(folder)
    sleeper = Child(Command(words=("/bin/sleep", "600"), log=data.log_of("sleeper")))
    Roster(data).started("sleeper", sleeper)
    said: list[str] = []
    Roster(data).stop_leftovers(said.append)
    assert sleeper.wait(10) == -9
    assert said == ["The last run was killed; what it left is stopped: sleeper."]


def test_a_number_that_is_another_programs_by_now_is_left_alone(folder: Path) -> None:
    data = open_data_folder(folder)
    sleeper = Child(Command(words=("/bin/sleep", "600"), log=data.log_of("sleeper")))
    try:
        Roster(data).started("sleeper", sleeper)
        record = data.root / "children.json"
        began = psutil.Process(sleeper.pid).create_time()
        record.write_text(record.read_text().replace(str(began), str(began - 60)))
        Roster(data).stop_leftovers(silent)
        assert sleeper.exit_code is None
    finally:
        sleeper.kill()


def test_a_child_ends_when_the_thread_of_its_parent_is_killed(folder: Path) -> None:
    data = open_data_folder(folder)
    script = (
        "import sys; from pathlib import Path; from deploy.local.children import Child, Command\n"
        "child = Child(Command(words=('/bin/sleep', '600'), log=Path(sys.argv[1])))\n"
        "print(child.pid, flush=True); import os; os.kill(os.getpid(), 9)"
    )
    run = subprocess.run(
        [sys.executable, "-c", script, str(data.log_of("sleeper"))],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
    )
    pid = int(run.stdout)
    psutil.wait_procs([psutil.Process(pid)] if psutil.pid_exists(pid) else [], timeout=10)
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else")
@pytest.mark.parametrize("identity", ["NAMESPACE", "USER"])
def test_root_runs_postgres_as_somebody_else_in_a_closed_folder(
    folder: Path, identity: postgres.Identity
) -> None:
    data = open_data_folder(folder)
    sockets = keep_socket_folder(State(), data)
    part = replace(Postgres(data, Passwords(data.passwords), sockets), identity=identity)
    for _ in ("first", "second"):
        part.prepare()
        child = Child(part.command())
        try:
            wait_ready(part, child, within=30)
            assert (folder.stat().st_mode & 0o777, sockets.stat().st_mode & 0o777) == (0o700, 0o700)
        finally:
            assert child.stop() == 0


async def test_parts_that_are_somebody_elses_are_not_started(folder: Path) -> None:
    theirs = Stack(folder, say=silent)
    try:
        redis = theirs.settings_of("catalog").redis
        external = External(
            kafka=theirs.plan.kafka_admin, postgres=theirs.plan.postgres, redis=redis
        )
        ours = Stack(folder.with_name("ours"), say=silent, external=external)
        try:
            assert ours.plan.parts == ()
            settings = ours.settings_of("workflow")
            assert settings.redis == redis
            assert settings.kafka.password != theirs.settings_of("workflow").kafka.password
            async with connected(as_role(settings.database, "reader")) as connection:
                assert await connection.fetchval("SELECT current_user") == "workflow_reader"
            offsets = first_and_next(settings.kafka, EVENTS, group="keyturn.workflow")
            assert offsets == (0, 0)
        finally:
            ours.stop()
        assert theirs.child("kafka").exit_code is None
    finally:
        theirs.stop()


def test_a_wrong_password_for_postgres_is_told_without_it(
    stack: RunningStack, folder: Path
) -> None:
    redis = stack.settings_of("catalog").redis
    wrong = replace(stack.plan.postgres, password="not-the-one")
    external = External(kafka=stack.plan.kafka_admin, postgres=wrong, redis=redis)
    with pytest.raises(StackProblem, match=f"does not let {wrong.user} in") as refused:
        Stack(folder, say=silent, external=external)
    assert "not-the-one" not in str(refused.value)


def redis_of(stack: Stack) -> Redis:
    settings = stack.settings_of("catalog").redis
    return Redis(
        unix_socket_path=str(settings.socket),
        username=settings.user,
        password=settings.password.get_secret_value(),
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="every other test runs as an ordinary user then")
def test_an_ordinary_user_runs_a_stack_too() -> None:
    nobody = 65534
    script = (
        "import os, sys; from pathlib import Path; from deploy.local.stack import Stack\n"
        "stack = Stack(Path(sys.argv[1], 'data'), say=print)\n"
        "print(os.getuid(), [one.name for one in stack.plan.parts]); stack.stop()"
    )
    with tempfile.TemporaryDirectory(prefix="keyturn-user-") as home:
        jars = jars_folder(Path(home, "cache"))
        jars.mkdir(parents=True)
        for jar in ensure_jars(silent):
            shutil.copy(jar, jars)
        for path in (Path(home), jars.parent, jars):
            os.chown(path, nobody, nobody)
        run = as_user(
            nobody,
            [python_for(nobody), "-c", script, home],
            HOME=home,
            KEYTURN_CACHE=str(jars.parent),
            PYTHONPATH=os.pathsep.join(one for one in sys.path if one.startswith(str(Path.cwd()))),
        )
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines()[-1] == "65534 ['kafka', 'postgres', 'redis']"


def python_for(user: int) -> str:
    """Return a Python like ours that this user may run: ours may be in somebody's home."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    for python in (sys.executable, f"/usr/bin/python{version}", f"/usr/local/bin/python{version}"):
        try:
            if as_user(user, [python, "-c", ""]).returncode == 0:
                return python
        except (PermissionError, FileNotFoundError):
            continue
    pytest.skip(f"no Python {version} on this machine may be run by user {user}")


def as_user(
    user: int, command: list[str], **environment: str
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command,
        user=user,
        group=user,
        extra_groups=[],
        env={"PATH": os.defpath, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
