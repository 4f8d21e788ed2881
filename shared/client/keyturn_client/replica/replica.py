"""What a brand may use and reach: answered in this process, from a copy of what was announced."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Self

from keyturn_contracts import reasons, rights
from keyturn_contracts.domains import SUFFIX_LIST_VERSION
from keyturn_contracts.message import CommandApplied
from keyturn_contracts.reaching import Judgement, judge_data, judge_url
from keyturn_contracts.rights import Action, Decision
from keyturn_contracts.topics import events_topic

from keyturn_client.background import Background
from keyturn_client.replica.access import AccessCopy
from keyturn_client.replica.asking import Asking, Question
from keyturn_client.replica.following import Follower
from keyturn_client.replica.hearing import (
    SERVICES,
    AtLeast,
    can_be_heard,
    has_heard,
    is_of_access,
)
from keyturn_client.replica.installations import Installation, Installations
from keyturn_client.settings import ReplicaSettings
from keyturn_client.wire import Read

_A_WHILE = timedelta(seconds=2)
_TOO_OLD_TO_DECIDE = Decision(allowed=False, code="copy_too_old")

_NOT_LOADED = (
    "No copy of what your brand may use is loaded, so nothing is allowed: use the replica as "
    "`async with Replica(…) as replica:`."
)
_TOO_OLD = (
    "The copy of what your brand may use is {age:.1f} s old and may be {most:g} s old, so "
    "nothing is allowed until events can be read again. Look whether Kafka is reachable: the log "
    "`keyturn_client` says why they are not read."
)
_UNREADABLE = (
    "What was announced last of {extension} cannot be read here, so nothing is allowed. Update "
    "keyturn-client; its log names the record."
)
_OVERFULL = (
    "Your brand has more members, accounts, grants and enablements than this replica may keep "
    "({most}), so it allows nothing. Raise `max_kept`, or ask the access service."
)
_UNREADABLE_FACT = (
    "What was announced last of something that decides about {what} cannot be read here, so it is "
    "not allowed. Update keyturn-client; its log names the record."
)


class Replica:
    """What a brand may use and reach, kept in this process: decides as the services do.

    Use it as `async with Replica(settings) as replica:`. Entering waits until everything is read
    that is there, and raises `UnreachableError` where Kafka is not reached. From then on it hears
    what changes, and comes back by itself when Kafka was away.

    It answers without any I/O, in microseconds, from any thread. It fails closed: where the copy is
    older than `max_age`, was not loaded, or lacks what was announced last of something that the
    answer rests on, the answer is no, with the code `copy_too_old`. `ask` then waits, or asks the
    access service where `ask_as` is set.
    """

    def __init__(self, settings: ReplicaSettings) -> None:
        self._settings = settings
        self._max_age = settings.max_age.total_seconds()
        self._installations = Installations(settings.brand)
        self._access = AccessCopy(settings.brand, self._installations.facts, settings.max_kept)
        self._follower = Follower(
            settings.kafka,
            [events_topic(one) for one in SERVICES],
            hear=self._hear,
            forget=self._forget,
        )
        self._background = Background()
        self._asking: Asking | None = None
        self._changing = threading.Lock()
        self._heard = asyncio.Event()

    async def __aenter__(self) -> Self:
        if self._settings.ask_as is not None:
            self._asking = Asking(self._settings.ask_as)
        try:
            await self._follower.load()
            await self._background.begin(self._follower.follow())
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            await self._background.end(error)
        finally:
            await self._close()

    async def _close(self) -> None:
        asking, self._asking = self._asking, None
        if asking is not None:
            await asking.close()

    @property
    def age(self) -> timedelta | None:
        """How long ago the copy was known to hold all that was announced; None: never yet."""
        seconds = self._follower.age
        return None if seconds is None else timedelta(seconds=seconds)

    @property
    def kept(self) -> int:
        """How many members, accounts, grants and enablements it keeps, ended ones too."""
        return self._access.kept

    @property
    def is_overfull(self) -> bool:
        """Whether there are more than `max_kept`: then nothing about access is known here."""
        return self._access.is_overfull

    # May a member use an account.

    def decide(
        self,
        member: str,
        action: Action,
        account_id: str,
        *,
        at_least: AtLeast | None = None,
    ) -> Decision:
        """Say whether the member may do that with the account now, by what is known here.

        With `at_least` it is `copy_too_old` until all is heard that this outcome announced. It is
        so always where that does not say what is to be heard: with a bare revision, and with the
        outcome of a command that changed nothing, did not apply to everything that it named, or
        announced more than it names. `ask` then. A ValueError where the outcome is of a service
        whose events are not followed.
        """
        # In one expression, not in methods: it is most of what the copy adds to the rule's time.
        age, copy = self._follower.age, self._access
        if age is None or age > self._max_age or copy.is_overfull:
            return _TOO_OLD_TO_DECIDE
        if at_least is not None and not self._has_heard(at_least):
            return _TOO_OLD_TO_DECIDE
        is_anything_unreadable = copy.unreadable or self._installations.unreadable
        if is_anything_unreadable and self._is_doubtful(member, action, account_id):
            return _TOO_OLD_TO_DECIDE
        return rights.decide(copy.facts, member, action, account_id, datetime.now(UTC))

    def decide_extension(
        self, member: str, extension: str, *, at_least: AtLeast | None = None
    ) -> Decision:
        """As `decide`, of using an extension at all."""
        if not self._is_known(at_least) or self._is_doubtful_of(member, extension):
            return _TOO_OLD_TO_DECIDE
        return rights.decide_extension(self._access.facts, member, extension)

    async def ask(
        self,
        member: str,
        action: Action,
        account_id: str,
        *,
        at_least: AtLeast | None = None,
        within: timedelta = _A_WHILE,
    ) -> Decision:
        """As `decide`; where that is `copy_too_old`, ask the service, or wait `within` for news.

        It is still `copy_too_old` where neither helps.
        """
        question = Question(member=member, action=action, account_id=account_id)
        return await self._ask(
            question,
            lambda: self.decide(member, action, account_id, at_least=at_least),
            at_least,
            within,
        )

    async def ask_extension(
        self,
        member: str,
        extension: str,
        *,
        at_least: AtLeast | None = None,
        within: timedelta = _A_WHILE,
    ) -> Decision:
        """As `ask`, of using an extension at all."""
        return await self._ask(
            Question(member=member, extension=extension),
            lambda: self.decide_extension(member, extension, at_least=at_least),
            at_least,
            within,
        )

    def explain(self, member: str, action: Action, account_id: str) -> tuple[str, ...]:
        """Return why `decide` says what it says now, each fact a sentence for people."""
        at = datetime.now(UTC)
        with self._changing:
            if why := self._why_unknown():
                return (why,)
            if self._is_doubtful(member, action, account_id):
                return (_UNREADABLE_FACT.format(what=account_id),)
            facts = self._access.facts
            found = rights.decide(facts, member, action, account_id, at)
            return reasons.explain(
                facts, found, member=member, action=action, account_id=account_id, at=at
            )

    def explain_extension(self, member: str, extension: str) -> tuple[str, ...]:
        """As `explain`, of using an extension at all."""
        with self._changing:
            if why := self._why_unknown():
                return (why,)
            if self._is_doubtful_of(member, extension):
                return (_UNREADABLE_FACT.format(what=extension),)
            facts = self._access.facts
            found = rights.decide_extension(facts, member, extension)
            return reasons.explain_extension(facts, found, member=member, extension=extension)

    # May an extension connect there.

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

    def _hear(self, records: Iterable[Read]) -> None:
        ours = list(records)
        with self._changing:
            self._installations.hear(ours)
            self._access.hear(ours)
        # Even where nothing came: the copy may be newer by that.
        heard, self._heard = self._heard, asyncio.Event()
        heard.set()

    def _forget(self) -> None:
        with self._changing:
            self._installations.forget()
            self._access.forget()

    def _is_known(self, at_least: AtLeast | None) -> bool:
        age = self._follower.age
        if age is None or age > self._max_age or self._access.is_overfull:
            return False
        return at_least is None or self._has_heard(at_least)

    def _why_unknown(self) -> str | None:
        """Return why nothing about access is known here, or None where something is."""
        age = self._follower.age
        if age is None:
            return _NOT_LOADED
        if age > self._max_age:
            return _TOO_OLD.format(age=age, most=self._max_age)
        if self._access.is_overfull:
            return _OVERFULL.format(most=self._settings.max_kept)
        return None

    def _is_doubtful(self, member: str, action: Action, account_id: str) -> bool:
        if self._access.is_doubtful(member, account_id):
            return True
        account = self._access.facts.accounts.get(account_id)
        if action != "use" or account is None:
            return False
        return self._is_doubtful_of(member, account.extension)

    def _is_doubtful_of(self, member: str, extension: str) -> bool:
        return extension in self._installations.unreadable or self._access.is_doubtful_of(
            member, extension
        )

    def _has_heard(self, at_least: AtLeast) -> bool:
        return has_heard(at_least, self._access, self._installations)

    async def _ask(
        self,
        question: Question,
        decide: Callable[[], Decision],
        at_least: AtLeast | None,
        within: timedelta,
    ) -> Decision:
        found = decide()
        if found.code != "copy_too_old":
            return found
        revision = at_least.revision if isinstance(at_least, CommandApplied) else at_least
        if self._asking is not None and is_of_access(at_least):
            return await self._asking.ask(question, revision, within) or found
        if not can_be_heard(at_least):
            return found
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within.total_seconds()):
                while (found := decide()).code == "copy_too_old":
                    await self._heard.wait()
        return found

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
