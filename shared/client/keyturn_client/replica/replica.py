"""May an extension connect there, may it read this: answered in this process, from a copy."""

from datetime import timedelta
from types import TracebackType
from typing import Self

from keyturn_contracts.domains import SUFFIX_LIST_VERSION
from keyturn_contracts.reaching import Judgement, judge_data, judge_url
from keyturn_contracts.topics import events_topic

from keyturn_client.background import Background
from keyturn_client.replica.following import Follower
from keyturn_client.replica.installations import Installation, Installations
from keyturn_client.settings import ReplicaSettings

_TOPICS = (events_topic("installation"),)

_NOT_LOADED = (
    "No copy of what your brand has installed is loaded, so nothing is allowed: use the replica as "
    "`async with Replica(…) as replica:`."
)
_TOO_OLD = (
    "The copy of what your brand has installed is {age:.1f} s old and may be {most:g} s old, so "
    "nothing is allowed until events can be read again. Look whether Kafka is reachable: the log "
    "`keyturn_client` says why they are not read."
)
_UNREADABLE = (
    "What was announced last of {extension} cannot be read here, so nothing is allowed. Update "
    "keyturn-client; its log names the record."
)


class Replica:
    """What a brand has installed, kept in this process: decides as the installation service does.

    Use it as `async with Replica(settings) as replica:`. Entering waits until everything is read
    that is there, and raises `UnreachableError` where Kafka is not reached. From then on it hears
    what changes, and comes back by itself when Kafka was away.

    It answers without any I/O, in microseconds, from any thread. It fails closed: where the copy is
    older than `max_age`, was not loaded, or lacks what was announced last of an extension because
    this version cannot read it, the answer is no, with the code `copy_too_old`.
    """

    def __init__(self, settings: ReplicaSettings) -> None:
        self._max_age = settings.max_age.total_seconds()
        self._installations = Installations(settings.brand)
        self._follower = Follower(
            settings.kafka,
            _TOPICS,
            hear=self._installations.hear,
            forget=self._installations.forget,
        )
        self._background = Background()

    async def __aenter__(self) -> Self:
        await self._follower.load()
        await self._background.begin(self._follower.follow())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._background.end(error)

    @property
    def age(self) -> timedelta | None:
        """How long ago the copy was known to hold all that was announced; None: never yet."""
        seconds = self._follower.age
        return None if seconds is None else timedelta(seconds=seconds)

    def may_connect(self, extension: str, url: str) -> Judgement:
        """Say whether the extension may connect to this URL, and why.

        Who connects uses the judgement's `host` and `port`. A ValueError where `extension` is no
        slug.
        """
        found = self._find(extension)
        return found if isinstance(found, Judgement) else judge_url(extension, url, found)

    def may_read(self, extension: str, data: str) -> Judgement:
        """Say whether the extension may read this kind of the brand's data, and why."""
        found = self._find(extension)
        return found if isinstance(found, Judgement) else judge_data(extension, data, found)

    def _find(self, extension: str) -> Installation | Judgement | None:
        """Return what is installed, or the answer where nobody here knows."""
        age = self._follower.age
        if age is None:
            return _blocked(extension, _NOT_LOADED)
        if age > self._max_age:
            return _blocked(extension, _TOO_OLD.format(age=age, most=self._max_age))
        held = self._installations.get(extension)
        if held is None:
            return None
        if held.installation is None:
            return _blocked(extension, _UNREADABLE.format(extension=extension))
        return held.installation


def _blocked(extension: str, message: str) -> Judgement:
    return Judgement(
        extension=extension,
        allowed=False,
        code="copy_too_old",
        message=message,
        suffix_list=SUFFIX_LIST_VERSION,
    )
