"""A holding: what one engine has told of one account, and what it last confirmed."""

from dataclasses import dataclass, field, replace

from keyturn_contracts.digest import MODULUS
from keyturn_contracts.workflow import AccountBound, AccountUnbound, NotAllowed

from services.workflow.rules.access import why_nobody
from services.workflow.rules.account import Account
from services.workflow.rules.usage import Judged

WRITABLE = 2**31
"""A larger count of failures is not told apart from this one."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What everybody is told of a holding; never a count or a digest."""

    is_bound: bool = False
    is_allowed: bool = False
    reason: NotAllowed | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """One engine and one account. It changes under the account's lock, shared at least."""

    count: int = 0
    """Bindings on record, suspended ones too, without the vanished."""
    digest: int = 0
    """Of the same bindings."""
    allowed_count: int = 0
    """How many of them may run: those that are flagged too."""
    suspended: int = 0
    """A digest of which of the others are suspended, and why; 0 where none is."""
    vanished_count: int = 0
    is_named_since: bool = False
    """Something that had vanished was saved or deleted by name, and nothing confirmed after it."""
    confirmed_version: int = 0
    """It only rises."""
    confirmed_holds: bool = False
    """Whether the engine held that version's credential when it confirmed it."""
    failed_count: int = 0
    """As the last confirmation said; nothing else changes it."""
    announced: Standing = field(default_factory=Standing)
    announced_suspended: int = 0
    """The digest as it was when its event was last announced."""
    suspensions: int = 0
    """How often other tasks than before were suspended, as announced."""

    @property
    def leg(self) -> tuple[bool, int, bool, int, bool, int]:
        """Return what a rollout's leg depends on."""
        return (
            self.allowed_count > 0,
            self.confirmed_version,
            self.confirmed_holds,
            self.vanished_count,
            self.is_named_since,
            self.failed_count,
        )


NOTHING = Holding()
"""The holding of an account that the engine has never told of."""


@dataclass(slots=True)
class Change:
    """What a command does to a holding, summed up before it is applied."""

    count: int = 0
    digest: int = 0
    vanished: int = 0
    names_what_had_vanished: bool = False
    owners: dict[str, int] = field(default_factory=dict[str, int])
    """Whose tasks are others now, and how many more."""
    allowed: int = 0
    suspended: int = 0
    """What that makes of the holding's own, once it is judged."""

    def note(self, owner: str, tasks: int) -> None:
        """Note that so many tasks of this owner came, or went."""
        self.owners[owner] = self.owners.get(owner, 0) + tasks

    def apply_to(self, holding: Holding) -> Holding:
        return replace(
            holding,
            count=holding.count + self.count,
            digest=(holding.digest + self.digest) % MODULUS,
            allowed_count=holding.allowed_count + self.allowed,
            suspended=(holding.suspended + self.suspended) % MODULUS,
            vanished_count=holding.vanished_count + self.vanished,
            is_named_since=holding.is_named_since or self.names_what_had_vanished,
        )


def standing_of(holding: Holding, account: Account | None) -> Standing:
    """Return how it stands now.

    `no_access` stands for whatever keeps each of several owners: who asks which tasks are suspended
    hears it of each. What was counted as allowed before news that is still to be judged may be more
    than there is: where nothing is bound, nothing is allowed.
    """
    is_bound = holding.count > 0
    is_allowed = is_bound and holding.allowed_count > 0
    if is_allowed or not is_bound:
        return Standing(is_bound, is_allowed)
    return Standing(is_bound, is_allowed, why_nobody(account) or "no_access")


def announce(
    holding: Holding, standing: Standing, *, engine_id: str, account_id: str
) -> tuple[Holding, tuple[AccountBound | AccountUnbound, ...]]:
    """Return the holding as it is announced from now on, and the event, where it says news.

    That other tasks are suspended than before is news, whatever else stays as it was.
    """
    is_other = holding.suspended != holding.announced_suspended
    if standing == holding.announced and not is_other:
        return holding, ()
    suspensions = holding.suspensions + is_other
    kind = AccountBound if standing.is_allowed else AccountUnbound
    event = kind(
        engine_id=engine_id,
        account_id=account_id,
        bound=standing.is_bound,
        allowed=standing.is_allowed,
        reason=standing.reason,
        suspensions=suspensions,
    )
    announced = replace(
        holding,
        announced=standing,
        announced_suspended=holding.suspended,
        suspensions=suspensions,
    )
    return announced, (event,)


def judge_again(
    holding: Holding, account: Account, judged: Judged, *, engine_id: str, account_id: str
) -> tuple[Holding, tuple[AccountBound | AccountUnbound, ...]]:
    """Return the holding as news leaves it, and the event, where it says news."""
    after = replace(holding, allowed_count=judged.allowed, suspended=judged.suspended)
    standing = standing_of(after, account)
    return announce(after, standing, engine_id=engine_id, account_id=account_id)
