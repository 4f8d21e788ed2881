"""A holding: what one engine has told of one account, and what it last confirmed."""

from dataclasses import dataclass, field, replace

from keyturn_contracts.digest import MODULUS
from keyturn_contracts.workflow import AccountBound, AccountUnbound, NotAllowed

from services.workflow.rules.access import why_nobody
from services.workflow.rules.account import Account

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
    """How many of them are allowed."""
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
    allowed: int = 0
    vanished: int = 0
    names_what_had_vanished: bool = False

    def apply_to(self, holding: Holding) -> Holding:
        return replace(
            holding,
            count=holding.count + self.count,
            digest=(holding.digest + self.digest) % MODULUS,
            allowed_count=holding.allowed_count + self.allowed,
            vanished_count=holding.vanished_count + self.vanished,
            is_named_since=holding.is_named_since or self.names_what_had_vanished,
        )


def standing_of(holding: Holding, account: Account | None) -> Standing:
    """Return how it stands now."""
    is_bound, is_allowed = holding.count > 0, holding.allowed_count > 0
    if is_allowed or not is_bound:
        return Standing(is_bound, is_allowed)
    return Standing(is_bound, is_allowed, why_nobody(account) or "no_access")


def announce(
    holding: Holding, standing: Standing, *, engine_id: str, account_id: str
) -> tuple[Holding, tuple[AccountBound | AccountUnbound, ...]]:
    """Return the holding as it is announced from now on, and the event, where it says news."""
    if standing == holding.announced:
        return holding, ()
    kind = AccountBound if standing.is_allowed else AccountUnbound
    event = kind(
        engine_id=engine_id,
        account_id=account_id,
        bound=standing.is_bound,
        allowed=standing.is_allowed,
        reason=standing.reason,
    )
    return replace(holding, announced=standing), (event,)


def judge_again(
    holding: Holding, account: Account, allowed_count: int, *, engine_id: str, account_id: str
) -> tuple[Holding, tuple[AccountBound | AccountUnbound, ...]]:
    """Return the holding as the account's news leaves it, and the event, where it says news."""
    judged = replace(holding, allowed_count=allowed_count)
    standing = standing_of(judged, account)
    return announce(judged, standing, engine_id=engine_id, account_id=account_id)
