"""A text that tells how often it was read."""

from collections.abc import Iterator


class Watched(str):
    """A value that counts how often somebody goes through its characters."""

    __slots__ = ("reads",)

    def __init__(self, _value: str) -> None:
        self.reads = 0

    def __iter__(self) -> Iterator[str]:
        self.reads += 1
        return super().__iter__()
