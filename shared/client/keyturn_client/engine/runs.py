"""Which runs hold which version: each keeps the one it began with."""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from keyturn_contracts.sealing import Fetched

from keyturn_client.problems import NoCredentialError, WhyNoCredential

_WHY: dict[WhyNoCredential, str] = {
    "not_bound": "No task of workflow {workflow} uses account {account}: save it with that task.",
    "refused": "The vault does not give account {account} to this engine.",
    "deleted": "Account {account} was deleted.",
    "not_yet": "The vault has not answered for account {account} yet: run it again later.",
}


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """One run of a workflow, with the credentials that were current when it began."""

    workflow_id: str
    credentials: Mapping[str, Fetched]
    missing: Mapping[str, WhyNoCredential]

    def credential(self, account_id: str) -> Fetched:
        """Return the version that the run began with, however often it asks.

        A `NoCredentialError` says why there is none.
        """
        if (found := self.credentials.get(account_id)) is not None:
            return found
        why = self.missing.get(account_id, "not_bound")
        raise NoCredentialError(
            why, _WHY[why].format(account=account_id, workflow=self.workflow_id)
        )


class Runs:
    """The runs that are under way."""

    def __init__(self) -> None:
        self._of_workflow: Counter[str] = Counter()
        self._of_version: defaultdict[str, defaultdict[int, Counter[str]]] = defaultdict(
            lambda: defaultdict(Counter)
        )

    def begin(self, run: Run) -> None:
        self._of_workflow[run.workflow_id] += 1
        for account_id, held in run.credentials.items():
            self._of_version[account_id][held.version][run.workflow_id] += 1

    def end(self, run: Run) -> None:
        _take_one(self._of_workflow, run.workflow_id)
        for account_id, held in run.credentials.items():
            versions = self._of_version[account_id]
            _take_one(versions[held.version], run.workflow_id)
            if not versions[held.version]:
                del versions[held.version]
            if not versions:
                del self._of_version[account_id]

    def is_running(self, workflow_id: str) -> bool:
        return workflow_id in self._of_workflow

    def oldest(self, account_id: str, *, besides: Collection[str]) -> int | None:
        """Return the oldest version that a run holds, the runs of some workflows left out."""
        return min(
            (
                version
                for version, workflows in self._versions_of(account_id).items()
                if any(one not in besides for one in workflows)
            ),
            default=None,
        )

    def _versions_of(self, account_id: str) -> Mapping[int, Counter[str]]:
        return self._of_version.get(account_id) or {}


def _take_one(counts: Counter[str], name: str) -> None:
    counts[name] -= 1
    if not counts[name]:
        del counts[name]
