"""`keyturn up`: what dies is started again, what was killed leaves nothing, secrets stay inside."""

import contextlib
import json
import os
import signal
from collections.abc import Generator
from pathlib import Path
from typing import Any

import psutil
import pytest

from deploy.local.lock import holder_of
from tests.stack.supervised import SMALL_SERVICE, Supervised, supervised
from tests.waiting import until

PARTS = ("kafka", "postgres", "redis")
NAMED = ("catalog", "installation", "credential-vault", "access", "workflow")


@pytest.fixture(scope="module")
def up() -> Generator[Supervised]:
    with supervised() as one:
        run = one.keyturn("up")
        assert run.returncode == 0, run.stderr
        yield one


@pytest.mark.parametrize("name", [*PARTS, *NAMED, "zygote"])
def test_what_is_killed_is_started_again_and_serves(up: Supervised, name: str) -> None:
    before = up.until_ready().parts[name]
    assert before.pid is not None
    os.kill(before.pid, signal.SIGKILL)

    def it_is_another_one() -> bool:
        now = up.part(name)
        return now.state == "ready" and now.pid != before.pid

    until(it_is_another_one, within=60)
    up.until_ready()
    after = up.part(name)
    assert after.restarts == before.restarts + 1
    assert after.last_exit is not None
    assert after.last_exit.startswith("killed by signal 9")


def test_services_end_with_the_process_that_forked_them(up: Supervised) -> None:
    status = up.until_ready()
    forks = [status.parts[name].pid for name in NAMED]
    zygote = status.parts["zygote"].pid
    assert zygote is not None
    os.kill(zygote, signal.SIGKILL)
    until(lambda: not any(pid and is_alive(pid) for pid in forks))
    up.until_ready()


def test_up_again_changes_nothing_and_says_so(up: Supervised) -> None:
    before = up.until_ready()
    run = up.keyturn("up")
    assert run.returncode == 0
    assert "runs already" in run.stderr
    assert up.status().supervisor == before.supervisor


def test_status_tells_a_program_every_address_and_no_password(up: Supervised) -> None:
    up.until_ready()
    addresses = up.addresses()
    assert addresses["kafka"]["bootstrap"].startswith("127.0.0.1:")
    assert set(addresses["services"]) == set(NAMED)
    files = [principal["password_file"] for principal in addresses["kafka"]["principals"].values()]
    for file in map(Path, files):
        assert file.stat().st_mode & 0o777 == 0o600
        assert file.read_text() not in str(addresses)


def test_topics_are_declared_and_applying_them_again_changes_nothing(up: Supervised) -> None:
    up.until_ready()
    for words in (["--dry-run"], []):
        run = up.keyturn("topics", "apply", "-o", "json", *words)
        assert run.returncode == 0, run.stderr
        nothing: dict[str, Any] = {"created": [], "configured": [], "granted": 0, "withdrawn": 0}
        assert json.loads(run.stdout) == nothing


def test_logs_are_shown_by_part(up: Supervised) -> None:
    up.until_ready()
    assert "catalog serves" in up.keyturn("logs", "catalog").stdout
    assert "workflow: workflow serves" in up.keyturn("logs", "-n", "9").stdout
    run = up.keyturn("logs", "mail")
    assert run.returncode == 3
    assert "there are access, catalog, credential-vault, installation, kafka" in run.stderr


def test_no_password_is_in_an_argument_an_environment_or_a_log(up: Supervised) -> None:
    up.until_ready()
    passwords = {file.read_text() for file in (up.root / "passwords").rglob("*") if file.is_file()}
    assert len(passwords) == 30
    supervisor = psutil.Process(up.status().supervisor)
    looked_at = 0
    for process in (supervisor, *supervisor.children(recursive=True)):
        # Short-lived ones, as a check whether a part answers, come and go.
        with contextlib.suppress(psutil.NoSuchProcess):
            seen = " ".join(process.cmdline()) + str(process.environ())
            assert not any(password in seen for password in passwords), process
            looked_at += 1
    assert looked_at > 6
    for log in (up.root / "logs").iterdir():
        said = log.read_text(errors="replace")
        assert not any(password in said for password in passwords), log


def test_everything_in_the_folder_is_its_owners_alone(up: Supervised) -> None:
    up.until_ready()
    for path in (up.root, *up.root.iterdir()):
        assert path.stat().st_mode & 0o077 == 0, path
    for path in [*(up.root / "services").iterdir(), *(up.root / "keys").iterdir()]:
        assert path.stat().st_mode & 0o077 == 0, path


def test_nothing_listens_beyond_loopback(up: Supervised) -> None:
    supervisor = psutil.Process(up.until_ready().supervisor)
    family = [supervisor, *supervisor.children(recursive=True)]
    listening = [
        connection.laddr
        for process in family
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert len(listening) == 7
    assert {address[0].removeprefix("::ffff:") for address in listening} == {"127.0.0.1"}


def test_what_was_stopped_and_what_was_killed_starts_again_at_the_same_addresses() -> None:
    with supervised() as one:
        assert one.keyturn("up").returncode == 0
        first = where(one)

        assert one.keyturn("down").returncode == 0
        assert holder_of(one.data) is None
        assert "workflow stopped in order" in one.data.log_of("workflow").read_text()
        assert one.keyturn("status").returncode == 3
        assert one.keyturn("up").returncode == 0
        assert where(one) == first

        supervisor = psutil.Process(one.status().supervisor)
        family = supervisor.children(recursive=True)
        supervisor.kill()
        until(lambda: not any(is_alive(process.pid) for process in family))
        assert one.keyturn("status").returncode == 3
        run = one.keyturn("up")
        assert run.returncode == 0, run.stderr
        assert "The last run was killed" in run.stderr
        assert where(one) == first


def test_a_service_that_always_ends_is_named_and_the_rest_runs() -> None:
    broken = SMALL_SERVICE.replace("server.serve_forever()", 'raise SystemExit("no keys here")')
    with supervised(workflow=broken) as one:
        run = one.keyturn("up")
        assert run.returncode == 6
        assert "workflow ends each time it is started" in run.stderr
        assert "no keys here" in run.stderr
        assert one.part("catalog").state == "ready"
        assert one.keyturn("status").returncode == 6


def where(one: Supervised) -> list[Any]:
    addresses = one.addresses()
    urls = {name: service["url"] for name, service in addresses["services"].items()}
    return [addresses["kafka"], addresses["postgres"], addresses["redis"], urls]


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
