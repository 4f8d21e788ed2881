"""What goes into a rollout's proof: every leg with its evidence, every excuse with its author."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from keyturn_contracts import proof
from keyturn_contracts.keys import SigningKey, public_jwk
from keyturn_contracts.proof import ProvenLeg, Registration, SignedCommand, sign_proof

from services.workflow.rules.account import Account
from services.workflow.rules.rollout import Count, Leg, Rollout


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What is kept of an engine's last confirmation of an account."""

    confirmation: SignedCommand
    settlement: SignedCommand | None
    count: int
    digest: str
    """Count and digest on record when it was confirmed."""


def prove(
    rollout: Rollout,
    account: Account,
    legs: Iterable[Leg],
    count: Count,
    *,
    brand: str,
    evidence: Mapping[str, Evidence],
    registrations: Mapping[str, SignedCommand],
    key: SigningKey,
    now: datetime,
) -> bytes:
    """Return the signed bundle of a rollout whose every leg is done or excused.

    `evidence` and `registrations` are by engine.
    """
    excused = [
        proof.Excuse(engine_id=engine_id, by=one.by, reason=one.reason, command=one.command)
        for engine_id, one in rollout.excused.items()
    ]
    excused += [
        proof.Excuse(
            engine_id=leg.engine_id,
            by=leg.retirement.by,
            reason=leg.retirement.reason,
            command=leg.retirement.command,
        )
        for leg in legs
        if leg.retirement is not None and leg.engine_id not in rollout.excused
    ]
    bundle = proof.Proof(
        brand=brand,
        rollout_id=rollout.id,
        account_id=account.id,
        version=rollout.version,
        account_epoch=rollout.account_epoch,
        is_deletion=account.is_deleted,
        opened_at=rollout.opened_at,
        completed_at=now,
        holders=tuple(sorted(account.holders)),
        legs=tuple(_proven(rollout, leg, evidence.get(leg.engine_id)) for leg in count.done),
        excused=tuple(sorted(excused, key=lambda one: one.engine_id)),
        registrations=tuple(
            Registration(engine_id=engine_id, command=command)
            for engine_id, command in sorted(registrations.items())
        ),
        key=public_jwk(key, "sig"),
    )
    return sign_proof(bundle, key)


def _proven(rollout: Rollout, leg: Leg, evidence: Evidence | None) -> ProvenLeg:
    return ProvenLeg(
        engine_id=leg.engine_id,
        engine_kind=leg.kind,
        is_holder=leg.is_holder,
        is_bound=leg.is_bound,
        count=evidence.count if evidence else None,
        digest=evidence.digest if evidence else None,
        confirmation=evidence.confirmation if evidence else None,
        settlement=evidence.settlement if evidence else None,
        lease_until=rollout.leases.get(leg.engine_id),
    )
