"""The three parts as children of this process, without a supervisor: what tests run on."""

from contextlib import ExitStack
from pathlib import Path

from deploy.local.children import Child
from deploy.local.external import External
from deploy.local.folder import open_data_folder
from deploy.local.leftovers import Roster
from deploy.local.lock import FolderLock
from deploy.local.parts import Say, wait_ready
from deploy.local.plan import Plan, plan_stack
from deploy.local.prepare import prepare_databases, prepare_kafka
from shared.settings import ServiceSettings

READY_SECONDS = 120.0


class Stack:
    """Started when it is made, and in one process with who made it: both end together."""

    def __init__(self, root: Path, *, say: Say, external: External | None = None) -> None:
        data = open_data_folder(root)
        self._children: dict[str, Child] = {}
        self._held = ExitStack()
        self._held.enter_context(FolderLock(data))
        try:
            self._roster = Roster(data)
            self._roster.stop_leftovers(say)
            self.plan: Plan = plan_stack(
                data, say, external=external or External(), stack=self._held
            )
            self._start()
        except BaseException:
            self.stop()
            raise

    def child(self, part: str) -> Child:
        return self._children[part]

    def settings_of(self, service: str) -> ServiceSettings:
        return self.plan.settings_of(service)

    def start_again(self, name: str) -> None:
        """Start one part that has ended, and wait until it serves."""
        part = next(one for one in self.plan.parts if one.name == name)
        part.prepare()
        self._children[name] = Child(part.command())
        self._roster.started(name, self._children[name])
        wait_ready(part, self._children[name], within=READY_SECONDS)

    def stop(self) -> None:
        for name, child in self._children.items():
            child.stop()
            self._roster.ended(name)
        self._children.clear()
        self._held.close()

    def _start(self) -> None:
        # All at once: Kafka takes the longest, and the others are ready before it.
        for part in self.plan.parts:
            part.prepare()
            self._children[part.name] = Child(part.command())
            self._roster.started(part.name, self._children[part.name])
        for part in reversed(self.plan.parts):
            wait_ready(part, self._children[part.name], within=READY_SECONDS)
            if part.name == "postgres":
                prepare_databases(self.plan)
        if self.plan.external.postgres is not None:
            prepare_databases(self.plan)
        prepare_kafka(self.plan)
