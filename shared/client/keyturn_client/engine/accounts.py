"""What an engine does next about one account: pure, from what it holds and what it has heard."""

from dataclasses import dataclass, field, replace
from typing import Literal

from keyturn_contracts.sealing import Fetched

Owes = Literal["nothing", "confirmation", "list"]
"""What somebody is waiting for, whatever was confirmed before. `list`: the account's whole list,
and then a confirmation."""

Step = Literal["wait", "send_list", "fetch", "let_go", "confirm", "confirm_let_go"]

Asked = tuple[int, int, int]
"""The service's epoch, the rollout's version, and how often its late legs were asked."""

MOST_REFUSALS = 2
"""The first refused fetch is answered with the list; the second means that it is so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What outlives the process."""

    heard: int = 0
    """The floor: the newest version heard of. Nothing older is ever applied."""
    named: int = 0
    """The newest version for which somebody counts on this engine, whether it is bound or not."""
    confirmed: int = 0
    failures: int = 0
    """How many failures its last confirmation named."""
    owes: Owes = "nothing"
    asked: Asked = (0, 0, 0)

    def hear(self, version: int, *, named: bool = False) -> "Kept":
        """There is such a version; `named`: and whoever keeps count waits for this engine."""
        return replace(
            self,
            heard=max(self.heard, version),
            named=max(self.named, version) if named else self.named,
        )

    def be_asked(self, asked: Asked, *, vanished: bool) -> "Kept":
        """Take it that a rollout names this engine as one it waits for.

        The first time is what the version itself asks for already. What is heard again, or late,
        asks for nothing.
        """
        _epoch, version, times = asked
        heard = self.hear(version, named=True)
        if asked <= self.asked:
            return heard
        owes: Owes = self.owes
        if vanished:
            owes = "list"
        elif times > 1 and owes == "nothing":
            owes = "confirmation"
        return replace(heard, asked=asked, owes=owes)

    def owe(self, owes: Owes) -> "Kept":
        """Note what is owed; an owed list stays so, since a confirmation follows it anyway."""
        return self if (self.owes, owes) == ("list", "confirmation") else replace(self, owes=owes)

    def listed(self) -> "Kept":
        """Note that the list was sent: its confirmation comes after it."""
        return replace(self, owes="confirmation")

    def confirm(self, version: int, failures: int, *, settles: bool) -> "Kept":
        """Note what was confirmed; `settles`: nobody asked again while that was under way."""
        return replace(
            self,
            confirmed=max(self.confirmed, version),
            failures=failures,
            owes="nothing" if settles and self.owes == "confirmation" else self.owes,
        )


@dataclass(slots=True, kw_only=True)
class Account:
    """An account as this process sees it. A credential is in memory and nowhere else."""

    account_id: str
    kept: Kept = field(default_factory=Kept)
    bindings: int = 0
    told: bool = False
    """The service has taken a binding of it."""
    held: Fetched | None = None
    """What new runs are given."""
    doubted: bool = False
    """The vault is asked again, although nothing newer was heard of."""
    deleted: int = 0
    """The version for which the vault said that the account is gone."""
    refusals: int = 0
    """Fetches that were refused, one after the other."""
    failed: dict[str, str] = field(default_factory=dict[str, str])
    """Why it cannot be used, by workflow."""
    busy: bool = False
    """It is being fetched or applied."""
    listing: bool = False
    """Its whole list is on its way."""
    confirming: str | None = None
    """The confirmation that has no outcome yet."""
    asked_again: bool = False
    """Something was owed since that confirmation was made."""
    fetch_at: float = 0.0
    confirm_at: float = 0.0
    """The loop's times until which either is left alone, after it did not work."""

    @property
    def is_gone(self) -> bool:
        return self.deleted > 0 and self.deleted >= self.kept.heard

    @property
    def is_refused(self) -> bool:
        return self.refusals >= MOST_REFUSALS

    @property
    def must_let_go(self) -> bool:
        return self.bindings == 0 or self.is_gone or self.is_refused

    @property
    def is_newest(self) -> bool:
        """It holds a version, and has heard of none above it."""
        return self.held is not None and self.held.version >= self.kept.heard

    @property
    def let_go_version(self) -> int:
        """The version that is confirmed when it holds none; 0 where nobody waits for that."""
        kept = self.kept
        owed = kept.named if self.bindings == 0 else kept.heard
        if kept.owes == "confirmation":
            return max(kept.heard, kept.named)
        return owed if owed > kept.confirmed else 0


def next_step(account: Account, oldest_run: int | None, now: float) -> Step:
    """Say what is done next; `now` is the loop's time.

    `oldest_run` is the oldest version of the account that a run still holds, without the runs of
    workflows that failed. Confirming waits until none is older; letting go, until there is none.
    """
    step: Step = "wait"
    if account.busy or account.listing:
        pass
    elif account.kept.owes == "list":
        step = "send_list"
    elif account.must_let_go and account.held is not None:
        step = "let_go"
    elif _must_fetch(account) and account.fetch_at <= now:
        step = "fetch"
    elif account.confirming is None and account.confirm_at <= now:
        step = _confirmation(account, oldest_run)
    return step


def _must_fetch(account: Account) -> bool:
    if not account.told or account.bindings == 0 or account.is_gone:
        return False
    return not account.is_newest or account.doubted


def _confirmation(account: Account, oldest_run: int | None) -> Step:
    if account.held is None:
        is_due = account.must_let_go and oldest_run is None and account.let_go_version > 0
        return "confirm_let_go" if is_due else "wait"
    version = account.held.version
    if not account.is_newest or (oldest_run is not None and oldest_run < version):
        return "wait"
    is_due = account.kept.confirmed < version or account.kept.owes == "confirmation"
    return "confirm" if is_due else "wait"
