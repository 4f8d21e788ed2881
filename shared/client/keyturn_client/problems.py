"""What can go wrong for who uses the library: each told in a sentence, with a name for programs."""

from typing import Literal

from keyturn_contracts.workflow import SuspendedTask

WhyStopped = Literal["not_registered", "retired", "another_process", "file_in_use"]
"""`another_process`: somebody else runs as this engine, and has the say from here on."""

WhyNoCredential = Literal["not_bound", "refused", "deleted", "not_yet"]
"""`not_bound`: no task of the workflow uses the account. `refused`: the vault does not give it to
this engine. `deleted`: the account is gone. `not_yet`: the vault has not answered."""


class KeyturnError(Exception):
    """Base of what the library raises; the text is a sentence for people and holds no secret."""


class UnreachableError(KeyturnError):
    """Kafka or a service does not answer now; it may later."""


class NotAllowedError(KeyturnError):
    """The service knows who asks, or does not, and says no."""


class NotFoundError(KeyturnError):
    """There is nothing of that name, for this brand."""


class RejectedError(KeyturnError):
    """A service does not take the request as it is."""


class NoOutcomeYetError(KeyturnError, TimeoutError):
    """The outcome has not come in time. The command is on record: asking again is safe."""


class ExposedKeyError(KeyturnError):
    """A file that holds a key or a password can be read by others."""


class EngineStoppedError(KeyturnError):
    """The engine must not go on."""

    def __init__(self, reason: WhyStopped, sentence: str) -> None:
        super().__init__(sentence)
        self.reason: WhyStopped = reason


class NoCredentialError(KeyturnError):
    """A run has no credential of that account to use."""

    def __init__(self, reason: WhyNoCredential, sentence: str) -> None:
        super().__init__(sentence)
        self.reason: WhyNoCredential = reason


WhySuspended = Literal["suspended", "not_known", "too_old"]
"""`not_known`: the service could not be asked, and something about it has changed. `too_old`:
neither Kafka nor the service has said for too long whether something has."""


class SuspendedError(KeyturnError):
    """A run was not begun: one of the workflow's tasks may not use its account."""

    def __init__(
        self, reason: WhySuspended, sentence: str, *, tasks: tuple[SuspendedTask, ...] = ()
    ) -> None:
        super().__init__(sentence)
        self.reason: WhySuspended = reason
        self.tasks = tasks
        """Those that are suspended, each with its reason."""


class NotAppliedError(Exception):
    """Raised by an engine's own `apply`: nothing of the account could be switched.

    The reason is reported for every workflow of the account, the old version stays in use, and the
    new one is tried again after a pause. It goes to Keyturn and to people: no secret belongs in it.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason[:500]
