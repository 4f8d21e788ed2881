"""What a command tells whoever started it, and which refusal is which."""

from collections.abc import Mapping
from enum import IntEnum

from keyturn_contracts.message import CommandApplied, CommandRefused


class ExitCode(IntEnum):
    """These numbers never change: scripts are written against them."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NOT_FOUND = 3
    CONFLICT = 4
    NOT_ALLOWED = 5
    PARTLY = 6
    TIMED_OUT = 7


OF_REASON: Mapping[str, ExitCode] = {
    # Every command's.
    "invalid": ExitCode.USAGE,
    "id_reused": ExitCode.CONFLICT,
    "id_too_old": ExitCode.FAILED,
    "expired": ExitCode.TIMED_OUT,
    "dropped": ExitCode.FAILED,
    # Of accounts.
    "account_deleted": ExitCode.CONFLICT,
    "account_exists": ExitCode.CONFLICT,
    "account_unknown": ExitCode.NOT_FOUND,
    "address_refused": ExitCode.NOT_ALLOWED,
    "credentials_refused": ExitCode.FAILED,
    "edit_in_progress": ExitCode.CONFLICT,
    "extension_unknown": ExitCode.NOT_FOUND,
    "fields_invalid": ExitCode.USAGE,
    "not_an_administrator": ExitCode.NOT_ALLOWED,
    "not_an_owner": ExitCode.NOT_ALLOWED,
    "provider_unreachable": ExitCode.FAILED,
    "scheme_not_supported": ExitCode.FAILED,
    "scheme_unknown": ExitCode.USAGE,
    "sealed_invalid": ExitCode.FAILED,
    "settings_invalid": ExitCode.USAGE,
    "transport_key_expired": ExitCode.TIMED_OUT,
    "version_differs": ExitCode.CONFLICT,
    # Of the catalog, licences and installations.
    "already_implicit": ExitCode.CONFLICT,
    "domains_fixed": ExitCode.NOT_ALLOWED,
    "domains_refused": ExitCode.USAGE,
    "extension_retired": ExitCode.CONFLICT,
    "impact_changed": ExitCode.CONFLICT,
    "implicit": ExitCode.NOT_ALLOWED,
    "manifest_invalid": ExitCode.USAGE,
    "not_an_operator": ExitCode.NOT_ALLOWED,
    "not_installed": ExitCode.CONFLICT,
    "not_licensed": ExitCode.NOT_ALLOWED,
    "not_the_publisher": ExitCode.NOT_ALLOWED,
    "nothing_proposed": ExitCode.NOT_FOUND,
    "plan_unknown": ExitCode.NOT_FOUND,
    "review_stale": ExitCode.CONFLICT,
    "slug_taken": ExitCode.CONFLICT,
    "uninstalling": ExitCode.CONFLICT,
    # Of engines, their lists and their confirmations.
    "engine_exists": ExitCode.CONFLICT,
    "engine_retired": ExitCode.CONFLICT,
    "engine_unknown": ExitCode.NOT_FOUND,
    "key_invalid": ExitCode.USAGE,
    "lease_missing": ExitCode.USAGE,
    "list_broken_off": ExitCode.CONFLICT,
    "list_differs": ExitCode.CONFLICT,
    "not_this_engine": ExitCode.NOT_ALLOWED,
    "out_of_place": ExitCode.CONFLICT,
    "out_of_scope": ExitCode.USAGE,
    "proof_wrong": ExitCode.USAGE,
    "receipt_unknown": ExitCode.FAILED,
    "receipt_wrong": ExitCode.FAILED,
    "too_many_tasks": ExitCode.USAGE,
    # Of members, and who may use what.
    "first_party": ExitCode.CONFLICT,
    "last_administrator": ExitCode.CONFLICT,
    "members_refused": ExitCode.CONFLICT,
    "no_administrator": ExitCode.CONFLICT,
    "owner_not_for_all": ExitCode.USAGE,
    "still_ending": ExitCode.CONFLICT,
    "until_passed": ExitCode.USAGE,
    # Of rollouts.
    "not_allowed": ExitCode.NOT_ALLOWED,
    "rollout_ended": ExitCode.CONFLICT,
    "rollout_unknown": ExitCode.NOT_FOUND,
}
"""For each reason of a refusal the one code it ends with; a newer service's reason has none."""


MOST_VERDICTS = 100
"""How many verdicts an outcome names."""


def of_outcome(outcome: CommandApplied | CommandRefused) -> ExitCode:
    """Return what an outcome is to whoever waits for it."""
    if isinstance(outcome, CommandRefused):
        return OF_REASON.get(outcome.reason, ExitCode.FAILED)
    # What was so already is not applied either, and is as it was asked for. Of very many an outcome
    # names the first, and the refused before those: where it names none of them, there is none.
    is_told = len(outcome.verdicts) == min(outcome.not_applied, MOST_VERDICTS)
    is_as_asked = all(one.verdict == "unchanged" for one in outcome.verdicts)
    return ExitCode.OK if is_told and is_as_asked else ExitCode.PARTLY
