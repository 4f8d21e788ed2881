"""A decision about access in sentences for people: the chain of facts, or what is missing."""

from datetime import datetime

from keyturn_contracts.access import EVERYONE
from keyturn_contracts.rights import Action, Code, Decision, Facts

_DOES: dict[Action, str] = {
    "use": "use",
    "edit": "edit",
    "verify": "verify",
    "roll_back": "roll back",
    "revoke": "revoke",
    "delete": "delete",
    "share": "decide who has access to",
}


def explain(
    facts: Facts, decision: Decision, *, member: str, action: Action, account_id: str, at: datetime
) -> tuple[str, ...]:
    """Return why, each fact a sentence; of what is not allowed the one that is missing."""
    account = facts.accounts.get(account_id)
    extension = account.extension if account is not None else ""
    if not decision.allowed:
        return (_missing(decision.code, member, action, account_id, extension),)
    said = [_membership(facts, member)]
    if action == "use":
        said += _of_extension(facts, member, extension)
    said.append(_of_grant(facts, decision, member, account_id, at))
    return tuple(said)


def explain_extension(
    facts: Facts, decision: Decision, *, member: str, extension: str
) -> tuple[str, ...]:
    """As `explain`, of using an extension."""
    if not decision.allowed:
        return (_missing(decision.code, member, "use", extension, extension),)
    return (_membership(facts, member), *_of_extension(facts, member, extension))


def _membership(facts: Facts, member: str) -> str:
    if not facts.has_list:
        return f"The brand has no list of members, so {member} counts as one."
    return f"{member} is on the brand's list as {_a(facts.members[member])}."


def _of_extension(facts: Facts, member: str, extension: str) -> list[str]:
    if facts.installations[extension].party == "first":
        return [f"{extension} comes with the brand's licence, for every member."]
    enabled = facts.enablements.get(extension, ())
    whom = member if member in enabled else "everyone"
    return [f"{extension} is installed.", f"It is enabled for {whom}."]


def _of_grant(facts: Facts, decision: Decision, member: str, account_id: str, at: datetime) -> str:
    grants = facts.grants[account_id]
    own = grants.get(member)
    is_own = own is not None and own.holds_at(at) and decision.way in {"owner", "user"}
    grant = own if own is not None and is_own else grants[EVERYONE]
    whom = member if is_own else "Everyone in the brand"
    what = f"is an owner of {account_id}" if grant.level == "owner" else f"may use {account_id}"
    until = "" if grant.until is None else f", until {grant.until:%Y-%m-%d %H:%M} UTC"
    return f"{whom} {what}{until}."


def _missing(code: Code, member: str, action: Action, what: str, extension: str) -> str:
    return _MISSING[code].format(member=member, does=_DOES[action], what=what, extension=extension)


_MISSING: dict[Code, str] = {
    "not_a_member": "{member} is not on the brand's list of members.",
    "account_unknown": "The brand has no such account as {what}.",
    "account_deleted": "It was deleted: {what}.",
    "not_licensed": "{extension} is not in the brand's licence now.",
    "not_installed": "{extension} is not installed in the brand, or not in its licence.",
    "not_enabled": "{extension} is not enabled for {member}: an administrator enables it.",
    "not_an_owner": "Only an owner may {does} {what}, and {member} is none.",
    "no_access": "Nobody gave {member} access to {what}: ask one of its owners.",
    "copy_too_old": "What is known here is too old to decide by, so nothing is allowed.",
}


def _a(role: str) -> str:
    return f"an {role}" if role.startswith("a") else f"a {role}"
