"""The access service's part of an uninstallation: no grant and no enablement is left."""

from dataclasses import dataclass, replace

from keyturn_contracts.access import ExtensionCleared


@dataclass(frozen=True, slots=True, kw_only=True)
class Clearance:
    """How far it is. What is told is only counted: what ended for it, and nothing else."""

    uninstall_id: str
    grants: int = 0
    enablements: int = 0
    is_done: bool = False

    def with_ended(self, grants: int, enablements: int) -> "Clearance":
        return replace(
            self,
            grants=self.grants + grants,
            enablements=self.enablements + enablements,
            is_done=False,
        )


def event_about(extension: str, clearance: Clearance) -> ExtensionCleared:
    return ExtensionCleared(
        extension=extension,
        uninstall_id=clearance.uninstall_id,
        grants=clearance.grants,
        enablements=clearance.enablements,
        done=clearance.is_done,
    )
