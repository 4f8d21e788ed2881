"""That a manifest is refused."""


class ManifestError(ValueError):
    """A manifest that cannot be published. Its text names the place and says what is wrong."""

    def __init__(self, *problems: str) -> None:
        super().__init__(" ".join(problems))
        self.problems = problems
        """Each in a sentence of its own."""
