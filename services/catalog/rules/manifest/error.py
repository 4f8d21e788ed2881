"""That a manifest is refused."""


class ManifestError(ValueError):
    """A manifest that cannot be published. Its text names the place and says what is wrong."""
