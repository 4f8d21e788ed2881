"""Starts a stack's parts and services, starts again what dies, and stops all in order.

One process for each data folder, single-threaded. Whoever waits for it reads its status file.
"""

import http.client
import os
import select
import signal
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from deploy.local import aot
from deploy.local.children import Child, Command, last_line
from deploy.local.external import External, read_external
from deploy.local.folder import DataFolder, open_data_folder
from deploy.local.forks import NAME as ZYGOTE
from deploy.local.forks import Forks, Imported, ServiceEnded, ServiceStarted
from deploy.local.leftovers import Roster
from deploy.local.lock import FolderLock
from deploy.local.parts import Part, ended_early, how
from deploy.local.plan import Plan, plan_stack
from deploy.local.ports import LOOPBACK
from deploy.local.problems import StackProblem, TimedOut
from deploy.local.restarts import Restarts
from deploy.local.services import startable_services
from deploy.local.status import PartState, PartStatus, Status

ROOT = Path(__file__).parents[2]
_LOOK_SECONDS = 0.03
"""How often something that starts is asked whether it is ready."""
_READY_SECONDS = 120.0
_STOP_SECONDS = 12.0
_HEALTH_SECONDS = 0.5
_PREPARE = "prepare"
_TRAINING = "training"


class Supervisor:
    """Runs one stack in this process."""

    def __init__(self, data: DataFolder, *, external: External, fresh_ports: bool = False) -> None:
        self._data = data
        self._external = external
        self._fresh_ports = fresh_ports
        self._status = Status(supervisor=os.getpid())
        self._written = ""
        self._parts: dict[str, Part] = {}
        self._children: dict[str, Child] = {}
        self._restarts: dict[str, Restarts] = {}
        self._due: dict[str, float] = {}
        """When what died is started again."""
        self._began: dict[str, float] = {}
        self._was_ready = False
        self._preparation: Child | None = None
        self._is_prepared = False
        self._training: Child | None = None
        self._services = startable_services()
        self._forks: Forks | None = None
        self._can_fork = False
        self._is_asked_to_stop = False

    def run(self) -> int:
        """Run until SIGTERM; return the exit code, of a problem that was told or 0."""
        wakeup, wake = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        for asked in (signal.SIGTERM, signal.SIGINT):
            signal.signal(asked, self._stop_asked)
        signal.signal(signal.SIGCHLD, _only_wake)
        with FolderLock(self._data), ExitStack() as held:
            self._roster = Roster(self._data)
            self._say(None)
            try:
                self._roster.stop_leftovers(self._say)
                self._plan = plan_stack(
                    self._data,
                    self._say,
                    external=self._external,
                    stack=held,
                    fresh_ports=self._fresh_ports,
                )
                self._start_all(self._plan)
                while not self._is_asked_to_stop:
                    self._step(wakeup)
            except StackProblem as problem:
                self._status.problem = str(problem)
                self._status.exit_code = problem.exit_code
                self._say(None)
            finally:
                self._stop_all()
        return self._status.exit_code

    def _stop_asked(self, *_: object) -> None:
        if self._is_asked_to_stop or not self._parts:
            # Still fetching or formatting: nothing runs that would need its order.
            sys.exit(0)
        self._is_asked_to_stop = True

    def _say(self, sentence: str | None) -> None:
        if sentence:
            self._status.said.append(sentence)
            sys.stderr.write(f"{sentence}\n")
        self._write()

    def _write(self) -> None:
        text = self._status.model_dump_json()
        if text == self._written:
            return
        try:
            self._status.write(self._data)
            self._written = text
        except OSError as error:
            # A full disk: the parts are better served by us than by a status.
            sys.stderr.write(f"The status cannot be written: {error}\n")

    def _start_all(self, plan: Plan) -> None:
        # The imports take as long as Kafka's start: both at once, and the files meanwhile.
        if self._services:
            self._start_zygote()
        self._parts = {part.name: part for part in plan.parts}
        for name in self._parts:
            self._start_part(name)
        self._preparation = self._python_child(
            "deploy.local.prepare", _PREPARE, str(self._data.root)
        )

    def _python_child(self, module: str, name: str, *arguments: str) -> Child:
        child = Child(
            Command(
                words=(sys.executable, "-P", "-m", module, *arguments),
                log=self._data.log_of(name),
                # With the addresses of parts that are not ours: this one has to log in there.
                environment={"PYTHONPATH": str(ROOT), **os.environ},
            )
        )
        self._roster.started(name, child)
        return child

    def _step(self, wakeup: int) -> None:
        """Look at everything once, then wait until something may have changed."""
        self._see_preparation()
        for name in self._parts:
            self._see_part(name)
        self._see_zygote()
        self._start_what_is_due()
        self._ask_whether_ready()
        self._write()
        watched: list[int | Forks] = [wakeup, *([self._forks] if self._forks else [])]
        readable, _, _ = select.select(watched, [], [], self._wait_seconds())
        if wakeup in readable:
            os.read(wakeup, 1024)

    def _wait_seconds(self) -> float | None:
        if any(part.state == "starting" for part in self._status.parts.values()):
            return _LOOK_SECONDS
        if self._due:
            return max(0.0, min(self._due.values()) - time.monotonic())
        return None

    # The parts.

    def _start_part(self, name: str) -> None:
        part = self._parts[name]
        part.prepare()
        child = Child(part.command())
        self._children[name] = child
        self._roster.started(name, child)
        self._is_in(name, "starting", pid=child.pid)

    def _see_part(self, name: str) -> None:
        child = self._children.get(name)
        if child is None or (code := child.exit_code) is None:
            return
        del self._children[name]
        self._roster.ended(name)
        if not self._was_ready and self._status.parts[name].state == "starting":
            raise ended_early(name, code, child.command)
        self._has_ended(name, how(code))

    def _see_preparation(self) -> None:
        child = self._preparation
        if child is None or (code := child.exit_code) is None:
            return
        self._preparation = None
        self._roster.ended(_PREPARE)
        if code != 0:
            raise StackProblem(last_line(child.command.log))
        self._is_prepared = True

    # The services.

    def _start_zygote(self) -> None:
        self._forks = Forks(self._data.log_of(ZYGOTE), ROOT)
        self._can_fork = False
        self._is_in(ZYGOTE, "starting", pid=self._forks.pid)
        for service in self._services:
            # Told by their names from the first moment, though they start when the parts serve.
            self._status.parts.setdefault(service, PartStatus())
            self._due[service] = 0.0

    def _see_zygote(self) -> None:
        if self._forks is None:
            return
        for event in self._forks.events():
            match event:
                case Imported():
                    self._can_fork = True
                    self._is_in(ZYGOTE, "ready", pid=self._forks.pid)
                case ServiceStarted(service, pid):
                    self._is_in(service, "starting", pid=pid)
                case ServiceEnded(service, _, code):
                    self._has_ended(service, how(code))
        if (code := self._forks.exit_code) is not None:
            self._forks.close()
            self._forks = None
            said = last_line(self._data.log_of(ZYGOTE))
            self._has_ended(ZYGOTE, f"{how(code)}: {said}")
            for service in self._services:
                # They ended with it, and start when it has started again.
                self._due.pop(service, None)
                self._is_in(service, "restarting", pid=None)

    def _start_what_is_due(self) -> None:
        for name in [name for name, due in self._due.items() if due <= time.monotonic()]:
            if name == ZYGOTE:
                del self._due[name]
                self._start_zygote()
            elif name in self._parts:
                del self._due[name]
                self._start_part(name)
            elif self._forks and self._can_fork and self._is_prepared and self._parts_are_ready():
                # Due for good only now: it is asked for again until the parts serve.
                del self._due[name]
                self._forks.start(
                    name, settings=self._data.settings_of(name), log=self._data.log_of(name)
                )

    def _parts_are_ready(self) -> bool:
        return all(self._status.parts[name].state == "ready" for name in self._parts)

    # What is seen of all.

    def _ask_whether_ready(self) -> None:
        for name, status in self._status.parts.items():
            if status.state != "starting" or status.pid is None or name == ZYGOTE:
                continue
            if self._is_ready(name):
                self._is_in(name, "ready", pid=status.pid)
            elif name in self._parts and time.time() - status.since > _READY_SECONDS:
                self._is_too_slow(name)
        everything = all(status.state == "ready" for status in self._status.parts.values())
        is_ready = everything and self._is_prepared
        self._status.state = "ready" if is_ready else "starting"
        if is_ready and not self._was_ready:
            self._was_ready = True
            self._train()

    def _is_too_slow(self, name: str) -> None:
        if not self._was_ready:
            raise TimedOut(
                f"{name} was not ready within {_READY_SECONDS:.0f} s: see "
                f"{self._data.log_of(name)}."
            )
        # Its end is seen in the next step, and it is started again.
        self._children[name].kill()

    def _is_ready(self, name: str) -> bool:
        if name in self._parts:
            return self._parts[name].is_ready()
        return answers_ready(self._plan.http_ports[name])

    def _is_in(self, name: str, state: PartState, *, pid: int | None) -> None:
        before = self._status.parts.get(name) or PartStatus()
        self._status.parts[name] = before.model_copy(
            update={"state": state, "pid": pid, "since": time.time()}
        )
        if state == "starting":
            self._began[name] = time.monotonic()

    def _has_ended(self, name: str, how_it_ended: str) -> None:
        restarts = self._restarts.setdefault(name, Restarts())
        ran = time.monotonic() - self._began.get(name, time.monotonic())
        pause = restarts.pause_after_end(ran_seconds=ran)
        self._due[name] = time.monotonic() + pause
        self._is_in(name, "restarting", pid=None)
        status = self._status.parts[name]
        status.restarts = restarts.total
        status.last_exit = how_it_ended
        sys.stderr.write(f"{name} ended ({how_it_ended}); started again in {pause} s\n")

    def _train(self) -> None:
        """Build what lets Kafka start faster the next time, once for a machine."""
        if "kafka" in self._parts and aot.is_missing():
            self._training = self._python_child("deploy.local.training", _TRAINING)

    # The end.

    def _stop_all(self) -> None:
        self._status.state = "failed" if self._status.problem else "stopping"
        self._write()
        for child in (self._preparation, self._training):
            if child is not None:
                child.stop()
        self._stop_services()
        for child in self._children.values():
            child.ask_to_stop()
        for name, child in self._children.items():
            child.stop()
            self._roster.ended(name)
            self._is_in(name, "stopped", pid=None)
        for name in (_PREPARE, _TRAINING):
            self._roster.ended(name)
        self._write()

    def _stop_services(self) -> None:
        """Stop all at once, and wait until each has finished what it had in hand."""
        if self._forks is None:
            return
        alive = {name for name in self._services if self._status.parts[name].pid is not None}
        for name in alive:
            self._forks.stop(name)
        deadline = time.monotonic() + _STOP_SECONDS
        while alive and self._forks.exit_code is None and time.monotonic() < deadline:
            select.select([self._forks], [], [], max(0.0, deadline - time.monotonic()))
            for event in self._forks.events():
                if isinstance(event, ServiceEnded):
                    alive.discard(event.service)
                    self._is_in(event.service, "stopped", pid=None)
        self._forks.close()


def _only_wake(_number: int, _frame: object) -> None:
    """Let the signal end a wait, and nothing else."""


def answers_ready(port: int) -> bool:
    """Ask a service once whether it is ready."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=_HEALTH_SECONDS)
    try:
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _main() -> int:
    root, *options = sys.argv[1:]
    try:
        external = read_external(os.environ)
        data = open_data_folder(Path(root))
        return Supervisor(data, external=external, fresh_ports="--fresh-ports" in options).run()
    except StackProblem as problem:
        sys.stderr.write(f"{problem}\n")
        return problem.exit_code


if __name__ == "__main__":
    sys.exit(_main())
