"""The workflow service's part of an uninstallation: every task suspended, every engine let go."""

from dataclasses import dataclass, replace

from keyturn_contracts.workflow import ExtensionCleared


@dataclass(frozen=True, slots=True, kw_only=True)
class Clearance:
    uninstall_id: str
    tasks: int = 0
    """How many were found that use the extension: the most at any time."""
    is_done: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Remains:
    """What there is of an extension at one moment."""

    tasks: int
    """On record of engines that are not retired, of accounts that had not been deleted before."""
    is_known: bool
    """The vault has deleted all its accounts, and news of each deletion is here."""
    is_judged: bool
    """Every account of it is judged by what is known of its installation and its own state."""
    is_allowed: bool
    """Some binding of it may be used."""
    is_alive: bool
    """Some account of it is not deleted."""
    is_rolling_out: bool
    """Some account of it has a rollout that is to be opened, or has not ended."""


def clear(clearance: Clearance, remains: Remains) -> Clearance:
    """Return how far it is now. It is done when no task may run and every rollout has its end.

    Those of deleted accounts are the rollouts to nothing: each engine has confirmed that it holds
    nothing, or is excused. What is still to be judged says nothing yet, and what is not known yet
    may have tasks: it is waited for.
    """
    if not remains.is_judged:
        return clearance
    return replace(
        clearance,
        tasks=max(clearance.tasks, remains.tasks),
        is_done=remains.is_known
        and not (remains.is_allowed or remains.is_alive or remains.is_rolling_out),
    )


def event_about(extension: str, clearance: Clearance) -> ExtensionCleared:
    return ExtensionCleared(
        extension=extension,
        uninstall_id=clearance.uninstall_id,
        tasks=clearance.tasks,
        done=clearance.is_done,
    )
