"""What becomes of tasks whose workflows' owners lose an account."""

from dataclasses import dataclass, field, replace

from keyturn_contracts.access import (
    EVERYONE,
    AccessPolicyChanged,
    OnLoss,
    SetAccessPolicy,
    SetAccessPolicyReason,
)

from services.access.rules.members import MemberList, is_administrator
from services.access.rules.record import Record, record_of
from shared.decisions import Applied, Decision, Refused, Unchanged
from shared.messaging.envelope import Asked

SAYS: dict[OnLoss, str] = {
    "suspend": "Tasks without access are suspended already.",
    "flag": "Tasks without access are only flagged already.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyDesk:
    on_loss: OnLoss = "suspend"
    people: MemberList = field(default_factory=MemberList)
    records: tuple[Record, ...] = ()


def decide_policy(
    desk: PolicyDesk | None, asked: Asked[SetAccessPolicy]
) -> Decision[PolicyDesk, SetAccessPolicyReason]:
    desk = desk or PolicyDesk()
    if not is_administrator(asked.actor, desk.people):
        return Refused(
            "not_an_administrator",
            "Only an administrator of the brand decides what becomes of tasks without access.",
        )
    on_loss = asked.command.on_loss
    if on_loss == desk.on_loss:
        return Unchanged(SAYS[on_loss])
    record = record_of(asked, {EVERYONE: on_loss})
    return Applied(
        replace(desk, on_loss=on_loss, records=(*desk.records, record)),
        (AccessPolicyChanged(on_loss=on_loss),),
    )
