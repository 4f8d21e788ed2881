"""What an operator can set of the workflow service."""

from dataclasses import dataclass, field
from datetime import timedelta

from services.workflow.rules.rollout import Rhythm


@dataclass(frozen=True, kw_only=True)
class WorkflowSettings:
    rhythm: Rhythm = field(
        default_factory=lambda: Rhythm(
            deadline=timedelta(hours=1),
            progress=timedelta(milliseconds=300),
            ask_again=timedelta(seconds=15),
            ask_at_most=timedelta(minutes=10),
            look_again=timedelta(seconds=30),
        )
    )
    look: timedelta = timedelta(milliseconds=250)
    """How often the closer looks for what nobody woke it for: leases end, pauses run out."""
    at_once: int = 200
    """How many accounts it closes, or judges again, in one transaction."""
