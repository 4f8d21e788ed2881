"""Who reads manifests for the command line, which does not know the rules of the catalog."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:  # a start costs what is needed for it
    from keyturn_contracts.catalog import Manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What a file says; nobody has judged it yet."""

    manifest: "Manifest | None"
    """None where it is no manifest."""
    problems: Sequence[str]
    """Why it cannot be sent, each in a sentence that names the place."""


class Library(Protocol):
    """Reads manifests, and judges them as the catalog does."""

    def read(self, file: Path) -> Read:
        """Read a file; `OSError` where there is none to read."""
        ...

    def judge(
        self, manifest: "Manifest", *, platform: str, private_hosts: Collection[str]
    ) -> Sequence[str]:
        """Return why a platform of this name refuses it, each in a sentence."""
        ...

    @property
    def shipped(self) -> Path:
        """The folder of the manifests that the catalog comes with."""
        ...

    @property
    def examples(self) -> Path:
        """The folder of the examples, whose publishers do not exist."""
        ...


_open: Callable[[], Library] | None = None


def manifests_read_by(open_: Callable[[], Library]) -> None:
    """Say by whom: the composition root does, once. It is called when one is read."""
    global _open  # noqa: PLW0603  a command line is one process with one composition root
    _open = open_


def library() -> Library:
    """Return who reads manifests."""
    if _open is None:
        raise RuntimeError("The composition root has not said how manifests are read.")
    return _open()
