"""What an operator can set of the workflow service."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, kw_only=True)
class WorkflowSettings:
    deadline: timedelta = timedelta(hours=1)
    """After it a rollout is overdue."""
    progress: timedelta = timedelta(milliseconds=300)
    """At least this long between two announcements of one rollout's progress."""
    ask_again: timedelta = timedelta(seconds=15)
    """After it late legs are asked again; each time after twice as long."""
    ask_at_most: timedelta = timedelta(minutes=10)
    """The longest such pause."""
    look_again: timedelta = timedelta(seconds=30)
    """How often an open rollout is looked at that nothing woke the closer for."""
    look: timedelta = timedelta(milliseconds=250)
    """How often the closer looks for what time alone brings: leases end, pauses run out."""
    count_again: timedelta = timedelta(seconds=5)
    """At least this long between two counts of what one engine uses."""
    at_once: int = 200
    """How many accounts are closed, or judged again, in one transaction."""
