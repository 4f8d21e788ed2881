"""The workflow service's tables."""

from services.workflow.tables.copies import (
    AccountRow,
    EnablementRow,
    GrantRow,
    InstallationRow,
    LicenceRow,
    PolicyRow,
    ReceiptRow,
)
from services.workflow.tables.due import ClearanceRow, ConcernRow, RecountRow
from services.workflow.tables.record import (
    BindingRow,
    ConfirmationRow,
    EngineRow,
    FailureRow,
    HoldingRow,
    UsageRow,
    WorkflowRow,
)
from services.workflow.tables.rollout import ProofRow, RolloutRow
from services.workflow.tables.schema import (
    IS_ENDING,
    IS_OPEN,
    IS_SUSPENDED,
    IS_TO_COUNT,
    IS_UNINSTALLING,
    UNKNOWN,
    Base,
)

__all__ = [
    "IS_ENDING",
    "IS_OPEN",
    "IS_SUSPENDED",
    "IS_TO_COUNT",
    "IS_UNINSTALLING",
    "UNKNOWN",
    "AccountRow",
    "Base",
    "BindingRow",
    "ClearanceRow",
    "ConcernRow",
    "ConfirmationRow",
    "EnablementRow",
    "EngineRow",
    "FailureRow",
    "GrantRow",
    "HoldingRow",
    "InstallationRow",
    "LicenceRow",
    "PolicyRow",
    "ProofRow",
    "ReceiptRow",
    "RecountRow",
    "RolloutRow",
    "UsageRow",
    "WorkflowRow",
]
