"""What the rules' tests begin with: an installation on a desk, and who asks."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar

from keyturn_contracts.actor import Role
from keyturn_contracts.installation import AddedDomain, Consent
from keyturn_contracts.message import Command

from services.installation.rules.impact import Impact
from services.installation.rules.installation import Desk, Installation, with_reach
from services.installation.rules.policy import Policy
from services.installation.rules.review import Review, digest_of
from services.installation.rules.uninstalling import decide_uninstallation
from shared.decisions import Applied
from shared.messaging.envelope import Asked
from tests import batches
from tests.installation import given
from tests.installation.given import LOUD, NOON, uninstall

C = TypeVar("C", bound=Command)

POLICY = Policy(contact="the test's operator", private=frozenset({"localhost"}))
IMPACT = Impact(extension=LOUD, user_count=1, users=("ada",), account_count=2)


def asked(
    command: C,
    *,
    roles: Sequence[Role] = ("administrator",),
    by: str = "root",
    at: datetime = NOON,
    command_id: str | None = None,
) -> Asked[C]:
    return batches.asked(command, by=by, roles=roles, at=at, command_id=command_id)


def consent(to: Review) -> Consent:
    return Consent(
        id="consent-1",
        by="root",
        at=NOON,
        version=to.version,
        digest=digest_of(to),
        privacy_policy=to.privacy_policy,
        terms=to.terms,
    )


def added(*rules: str) -> tuple[AddedDomain, ...]:
    return tuple(AddedDomain(rule=one, by="root", reason="Ours.", at=NOON) for one in rules)


def installation(in_force: Review | None = None, **changes: Any) -> Installation:
    """Return a third party's extension that is installed in version 1, unless told otherwise."""
    accepted = in_force or given.review()
    plain = Installation(
        extension=accepted.extension,
        state="installed",
        is_implicit=accepted.party == "first",
        in_force=accepted,
        consent=consent(accepted) if accepted.party == "third" else None,
    )
    return with_reach(replace(plain, **changes))


def desk(on_it: Installation | None = None, **changes: Any) -> Desk:
    """Return a desk of a licensed brand, with the extension's newest version on it."""
    plain = Desk(
        installation=on_it,
        loaded=on_it,
        offer=given.offer(),
        is_licensed=True,
        impact=IMPACT,
        policy=POLICY,
    )
    return replace(plain, **changes)


def begun() -> Installation:
    """Return one whose uninstallation has begun at noon."""
    decision = decide_uninstallation(
        desk(installation(added=added("pictures.example.org"))), asked(uninstall(force=True))
    )
    assert isinstance(decision, Applied)
    after = decision.state.installation
    assert after is not None
    return after
