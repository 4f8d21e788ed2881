"""What keeps a process from being ready, part by part, in sentences."""


class Health:
    """Each part says what it still misses, or that it misses nothing."""

    def __init__(self, *parts: str) -> None:
        self._missing: dict[str, str] = dict.fromkeys(parts, "has not started yet")

    def is_missing(self, part: str, what: str) -> None:
        """Say why a part is not ready, in words that follow its name."""
        self._missing[part] = what

    def is_ready(self, part: str) -> None:
        self._missing.pop(part, None)

    @property
    def missing(self) -> list[str]:
        """Return a sentence for each part that is not ready; none: all of it is."""
        return [f"The {part} {what}." for part, what in sorted(self._missing.items())]
