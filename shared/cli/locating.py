"""How the command line finds a running stack, without knowing what runs it."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

Locate = Callable[[Path | None], Mapping[str, Any]]
"""Returns of a running stack what `keyturn status -o json` shows; None is the usual folder."""

_locate: Locate | None = None


def located_by(locate: Locate) -> None:
    """Say how: the composition root does, once."""
    global _locate  # noqa: PLW0603  a command line is one process with one composition root
    _locate = locate


def locate(data_dir: Path | None) -> Mapping[str, Any]:
    """Return where everything of a running stack is."""
    if _locate is None:
        raise RuntimeError("The composition root has not said how a stack is found.")
    return _locate(data_dir)
