"""What an engine has told of, in plain dictionaries: the rules in words, without their code."""

import hashlib
from dataclasses import dataclass, field

Task = tuple[str, str, str]
"""Account, workflow, task."""


@dataclass
class Told:
    """What the service has to have on record of one engine."""

    owners: dict[str, str] = field(default_factory=dict[str, str])
    tasks: dict[Task, str] = field(default_factory=dict[Task, str])
    """Each task with `on record` or `vanished`."""
    confirmed: dict[str, int] = field(default_factory=dict[str, int])
    holds: dict[str, bool] = field(default_factory=dict[str, bool])
    failed: dict[str, int] = field(default_factory=dict[str, int])
    named_since: set[str] = field(default_factory=set[str])

    def save(self, workflow_id: str, owner: str, tasks: set[tuple[str, str]]) -> None:
        """Save by name: what the workflow no longer names is deleted by name."""
        wanted = {(account_id, workflow_id, task_id) for account_id, task_id in tasks}
        self.add(workflow_id, owner, wanted)
        for task in [one for one in self.tasks if one[1] == workflow_id and one not in wanted]:
            self._drop(task)
        self._tidy()

    def add(self, workflow_id: str, owner: str, tasks: set[Task]) -> None:
        """Save by name and delete nothing, as a part of a whole list does."""
        for task in tasks:
            if self.tasks.get(task) == "vanished":
                self.named_since.add(task[0])
            self.tasks[task] = "on record"
        self.owners[workflow_id] = owner
        self._tidy()

    def delete(self, workflow_id: str) -> None:
        for task in [one for one in self.tasks if one[1] == workflow_id]:
            self._drop(task)
        self._tidy()

    def vanish(self, tasks: set[Task]) -> None:
        for task in tasks:
            self.tasks[task] = "vanished"

    def confirm(self, account_id: str, version: int, *, holds: bool, failed: int) -> None:
        self.failed[account_id] = failed
        if version >= self.confirmed.get(account_id, 0):
            self.confirmed[account_id] = version
            self.holds[account_id] = holds
            self.named_since.discard(account_id)

    def on_record(self, account_id: str | None = None) -> set[Task]:
        return {
            one
            for one, state in self.tasks.items()
            if state == "on record" and account_id in {None, one[0]}
        }

    def gone(self, account_id: str | None = None) -> set[Task]:
        return {
            one
            for one, state in self.tasks.items()
            if state == "vanished" and account_id in {None, one[0]}
        }

    def vanished(self, account_id: str) -> int:
        return len(self.gone(account_id))

    def _drop(self, task: Task) -> None:
        if self.tasks.pop(task) == "vanished":
            self.named_since.add(task[0])

    def _tidy(self) -> None:
        used = {workflow_id for _, workflow_id, _ in self.tasks}
        self.owners = {one: owner for one, owner in self.owners.items() if one in used}


def digest_of(tasks: set[Task]) -> str:
    """Compute the digest from its description, not with the code that the service uses."""
    total = 0
    for task in tasks:
        hashed = hashlib.sha256()
        for name in task:
            hashed.update(len(name.encode()).to_bytes(4, "big") + name.encode())
        total += int(hashed.hexdigest(), 16)
    return f"{total % 2**256:064x}"
