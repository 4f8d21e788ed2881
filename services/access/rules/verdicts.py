"""What came of each of the members that a command names."""

from collections.abc import Sequence

from keyturn_contracts.access import VerdictReason
from keyturn_contracts.message import Verdict


def unchanged(member: str, message: str) -> Verdict:
    return Verdict(subject=member, verdict="unchanged", message=message)


def refused(member: str, reason: VerdictReason, message: str) -> Verdict:
    return Verdict(subject=member, verdict="refused", reason=reason, message=message)


def refuse_unknown(member: str) -> Verdict:
    return refused(
        member,
        "member_unknown",
        f"{member} is not on the brand's list of members: register them first.",
    )


def are_all_refused(verdicts: Sequence[Verdict]) -> bool:
    return all(one.verdict == "refused" for one in verdicts)


def say_why(verdicts: Sequence[Verdict]) -> str:
    """Return what a person is told where nothing came of any of them."""
    first = verdicts[0].message or ""
    if len(verdicts) == 1:
        return first
    return f"None of the {len(verdicts)} members could be taken. {first}"
