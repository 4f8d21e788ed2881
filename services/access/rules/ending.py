"""What ends without anybody asking for it now: grants and enablements, and what follows from it."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from keyturn_contracts.access import WhyEnded
from keyturn_contracts.message import Event

from services.access.rules import enablement, grant
from services.access.rules.enablement import Enablement, EnablementKey
from services.access.rules.grant import NOBODY, Grant, GrantKey
from services.access.rules.record import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """What has ended for one reason: all of it is to be saved, told and put on record."""

    why: WhyEnded
    at: datetime
    grants: Mapping[GrantKey, Grant] = field(default_factory=dict[GrantKey, Grant])
    enablements: Mapping[EnablementKey, Enablement] = field(
        default_factory=dict[EnablementKey, Enablement]
    )

    @property
    def lost_an_owner(self) -> set[tuple[str, str]]:
        """Return the accounts that may have no owner now, each with its brand."""
        return {
            (brand, account_id)
            for (brand, account_id, _), one in self.grants.items()
            if one.level == "owner"
        }

    def events(self) -> list[tuple[str, Event]]:
        """Return one for each that ended, with its brand."""
        told: list[tuple[str, Event]] = [
            (brand, grant.event_about(account_id, member, one))
            for (brand, account_id, member), one in self.grants.items()
        ]
        for (brand, extension, member), one in self.enablements.items():
            told.append((brand, enablement.event_about(extension, member, one)))
        return told

    def records(self) -> list[tuple[str, Record]]:
        """Return one for each account and each extension, with its brand."""
        about = [
            *((brand, f"grants/{id_}", member) for brand, id_, member in self.grants),
            *((brand, f"enablements/{id_}", member) for brand, id_, member in self.enablements),
        ]
        members: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        for brand, subject, member in about:
            members[brand, subject].append(member)
        return [
            (
                brand,
                record_of_ours(
                    "End", subject, dict.fromkeys(ended, "ended"), at=self.at, why=self.why
                ),
            )
            for (brand, subject), ended in members.items()
        ]


def end_all(
    grants: Mapping[GrantKey, Grant],
    enablements: Mapping[EnablementKey, Enablement],
    why: WhyEnded,
    at: datetime,
) -> Ending:
    return Ending(
        why=why,
        at=at,
        grants={key: grant.ended(one, why, at=at) for key, one in grants.items()},
        enablements={key: enablement.disabled(why, at=at) for key in enablements},
    )


def brands_of(keys: Iterable[tuple[str, ...]]) -> list[str]:
    """Return the brands of these keys, in the order of locks."""
    return sorted({key[0] for key in keys})


def share_of(most: int, among: Collection[object]) -> int:
    """Return how many rows each of these may have handled at once: one at least."""
    return max(1, most // max(1, len(among)))


def record_of_ours(
    action: str, subject: str, members: Mapping[str, str], *, at: datetime, why: str
) -> Record:
    """Return what the service did by itself."""
    return Record(
        at=at, issuer="", actor=NOBODY, action=action, subject=subject, members=members, why=why
    )
