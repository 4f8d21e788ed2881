"""When a confirmation counts: what an engine says is what it holds, and what is on record."""

from dataclasses import replace

from keyturn_contracts.digest import from_hex
from keyturn_contracts.receipt import is_receipt
from keyturn_contracts.workflow import ConfirmRotation, ConfirmRotationReason

from services.workflow.rules.engine import Confirmed, EngineLog, enter
from services.workflow.rules.evidence import verbatim
from services.workflow.rules.holding import NOTHING, WRITABLE, Holding
from shared.decisions import Applied, Decision, NotYetKnown, Refused, Unchanged
from shared.messaging.envelope import Asked


def decide_confirmation(
    log: EngineLog | None, asked: Asked[ConfirmRotation]
) -> Decision[EngineLog, ConfirmRotationReason]:
    """Take an engine's word where its list, digested, and its receipt are right.

    A version that nobody here has heard of yet is only a number on the holding.
    """
    entered = enter(log, asked)
    if isinstance(entered, Refused):
        return entered
    command = asked.command
    account_id = command.account_id
    if account_id not in entered.holdings and account_id not in entered.known_accounts:
        raise NotYetKnown(
            Refused(
                "account_unknown",
                "There is no such account in the brand, and the engine has named no task of it.",
                state=entered,
            )
        )
    holding = entered.holdings.get(account_id, NOTHING)
    if (command.count, from_hex(command.digest)) != (holding.count, holding.digest):
        return Refused(
            "list_differs",
            "The engine's list of this account is not the one on record. Send the whole list.",
            state=entered,
        )
    if command.holds and (refused := _refuse_receipt(entered, command)) is not None:
        return refused
    after = confirm(holding, command)
    confirmed = replace(
        entered,
        holdings={**entered.holdings, account_id: after},
        changed=entered.changed | {account_id},
        confirmed={**entered.confirmed, account_id: _evidence(entered, holding, asked)},
    )
    if after == holding:
        return Unchanged("The engine has confirmed this already.", state=confirmed)
    return Applied(confirmed)


def confirm(holding: Holding, command: ConfirmRotation) -> Holding:
    """Return the holding after a confirmation that counts.

    The version only rises. What failed is what the last confirmation says, of whatever version.
    What had vanished and was named is settled only by a confirmation that is not of an older
    version than the one that counts: an older one says nothing about newer runs.
    """
    settled = replace(holding, failed_count=min(command.failed_count, WRITABLE))
    if command.version < holding.confirmed_version:
        return settled
    return replace(
        settled,
        confirmed_version=command.version,
        confirmed_holds=command.holds,
        is_named_since=False,
    )


def _refuse_receipt(
    log: EngineLog, command: ConfirmRotation
) -> Refused[EngineLog, ConfirmRotationReason] | None:
    announced = log.receipts.get((command.account_id, command.version))
    if announced is None:
        raise NotYetKnown(
            Refused(
                "receipt_unknown",
                "The vault has not told that the engine fetched this version. Fetch it first.",
                state=log,
            )
        )
    if command.receipt is not None and is_receipt(command.receipt, announced):
        return None
    return Refused(
        "receipt_wrong",
        "The receipt is not the one that was sealed beside this version. Open what you fetched.",
        state=log,
    )


def _evidence(log: EngineLog, before: Holding, asked: Asked[ConfirmRotation]) -> Confirmed:
    command = asked.command
    failed = tuple((one.workflow_id, one.reason) for one in command.failed)
    said = verbatim(asked)
    if command.version >= before.confirmed_version:
        return Confirmed(confirmation=said, settlement=None, failed=failed)
    earlier = log.confirmed.get(command.account_id)
    return Confirmed(
        confirmation=earlier.confirmation if earlier else None, settlement=said, failed=failed
    )
