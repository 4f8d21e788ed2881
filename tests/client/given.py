"""What the client's tests begin with: workflows, an engine's file, and what waits to be sent."""

import sqlite3
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from keyturn_client.commands import Prepared
from keyturn_client.engine import journal
from keyturn_client.engine.journal import Entry, Who
from keyturn_client.engine.lists import Standing
from keyturn_client.engine.store import Store
from keyturn_contracts.digest import binding_digest, sum_of, to_hex
from keyturn_contracts.message import Command
from keyturn_contracts.registry import COMMAND_BY_TYPE
from keyturn_contracts.workflow import SavedTask, SavedWorkflow

BRAND = "acme"
ENGINE = "e1"
WHO = Who(BRAND, ENGINE)


def given_store(folder: Path) -> Store:
    return Store(folder / "engine.db", brand=BRAND, engine_id=ENGINE)


def given_workflow(name: str, *accounts: str, owner: str = "ada") -> SavedWorkflow:
    """Return a workflow with one task for each account."""
    tasks = [SavedTask(task_id=f"t{n}", account_id=one) for n, one in enumerate(accounts)]
    return SavedWorkflow(workflow_id=name, name=name, owner=owner, tasks=tuple(tasks))


def recount(workflows: Iterable[SavedWorkflow]) -> dict[str, Standing]:
    """Count and digest anew, account by account."""
    digests: defaultdict[str, list[int]] = defaultdict(list)
    for workflow in workflows:
        for task_id, account_id in {(one.task_id, one.account_id) for one in workflow.tasks}:
            digests[account_id].append(binding_digest(account_id, workflow.workflow_id, task_id))
    return {id_: Standing(len(one), to_hex(sum_of(one))) for id_, one in digests.items()}


def unsent(connection: sqlite3.Connection) -> list[tuple[Entry, Command]]:
    """Return all that waits to be sent, read back from its bytes."""
    rows = journal.unsent(connection, WHO, most=10_000, most_bytes=1 << 40)
    return [(entry, command_in(prepared)) for entry, prepared in rows]


def command_in(prepared: Prepared) -> Command:
    return COMMAND_BY_TYPE[prepared.message_type].model_validate_json(prepared.value)
