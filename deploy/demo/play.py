"""What the demo can be asked to show."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Sabotage = Literal["none", "early-drop", "skip-one", "forget-one", "unopened"]
"""What goes wrong on purpose. `early-drop` is the mail server's operator; the others are the
engine, which lies: see `deploy.demo.sabotage`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Play:
    folder: Path
    workflows: int = 1000
    rotations: int = 1
    sabotage: Sabotage = "none"
    keep: bool = False
    """Leave everything running at the end."""
