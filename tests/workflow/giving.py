"""What access says in a random order, and what follows from it: the other half of a property."""

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule
from keyturn_contracts.access import OnLoss
from keyturn_contracts.rights import AccountFact, Facts, Grant, InstallationFact, decide, why_barred
from keyturn_contracts.workflow import NotAllowed

from shared.messaging.batch import Message
from tests.workflow.given import (
    NOON,
    enablement_news,
    grant_news,
    installation_news,
    member_news,
    policy_news,
    utc_now,
)
from tests.workflow.telling import PEOPLE, Telling, accounts, people

anybody = st.sampled_from((*PEOPLE, "*"))
ENDED = NOON
"""A moment that has passed, for grants that ran out before anybody said so."""


class Giving(Telling):
    """The facts as access, the catalog and the installation service told them last."""

    def __init__(self) -> None:
        super().__init__()
        self.facts = Facts()
        self.on_loss: OnLoss = "suspend"
        self.said: list[Message] = []

    def say(self, news: Message) -> None:
        self.said.append(news)
        self.run(self._apply(news))

    @property
    def next_sequence(self) -> int:
        """Of any event: it rises over all of them."""
        return len(self.said) + 1

    def begin_access(self) -> None:
        self.install(is_first=True, is_installed=True)
        for account_id in ("mail", "chat"):
            self.give_or_take("ada", account_id, is_ended=False, has_passed=False)

    @precondition(lambda self: self.said)
    @rule(which=st.integers(min_value=0))
    def repeat_old_news(self, which: int) -> None:
        self.run(self._apply(self.said[which % len(self.said)]))

    @rule(member=anybody, account_id=accounts, is_ended=st.booleans(), has_passed=st.booleans())
    def give_or_take(
        self, member: str, account_id: str, *, is_ended: bool, has_passed: bool
    ) -> None:
        until = ENDED if has_passed else None
        grants = self.facts.grants.setdefault(account_id, {})
        grants.pop(member, None)
        if not is_ended:
            grants[member] = Grant("user", until)
        self.say(
            grant_news(
                member,
                account_id,
                sequence=self.next_sequence,
                brand=self.brand,
                is_ended=is_ended,
                level="user",
                until=until,
            )
        )

    @rule(member=people, is_removed=st.sampled_from((False, False, True)))
    def list_or_remove(self, member: str, *, is_removed: bool) -> None:
        self.facts.has_list = True
        self.facts.members.pop(member, None)
        if not is_removed:
            self.facts.members[member] = "member"
        news = member_news(
            member, sequence=self.next_sequence, brand=self.brand, is_removed=is_removed
        )
        self.say(news)

    @rule(member=anybody, is_ended=st.booleans())
    def enable_or_disable(self, member: str, *, is_ended: bool) -> None:
        enabled = self.facts.enablements.setdefault("smtp-relay", set())
        enabled.discard(member) if is_ended else enabled.add(member)
        self.say(
            enablement_news(
                member, sequence=self.next_sequence, brand=self.brand, is_ended=is_ended
            )
        )

    @rule(on_loss=st.sampled_from(("suspend", "flag")))
    def choose(self, on_loss: OnLoss) -> None:
        self.on_loss = on_loss
        self.say(policy_news(on_loss, sequence=self.next_sequence, brand=self.brand))

    @rule(is_first=st.booleans(), is_installed=st.sampled_from((True, True, False)))
    def install(self, *, is_first: bool, is_installed: bool) -> None:
        """Have the extension be the platform's, or a third party's that is installed or not."""
        party, state = ("first", "installed") if is_first else ("third", "uninstalled")
        if not is_first and is_installed:
            state = "installed"
        news = installation_news(
            state,
            sequence=self.next_sequence,
            brand=self.brand,
            implicit=is_first,
            party=party,
            uninstall_id="u1" if state == "uninstalled" else None,
        )
        self.facts.installations["smtp-relay"] = InstallationFact(
            party="first" if is_first else "third",
            state="installed" if state == "installed" else "uninstalled",
        )
        self.say(news)

    def why_not(self, account_id: str, owner: str) -> NotAllowed | None:
        """Return why a task of this owner may not use the account, by the contracts' function."""
        account = self.accounts.get(account_id)
        if account is None:
            return "account_unknown"
        if account.is_deleted:
            return "account_deleted"
        if not self.is_licensed:
            return "not_licensed"
        barred = why_barred(self.facts.installations.get("smtp-relay"))
        if barred is not None:
            return barred
        self.facts.accounts[account_id] = AccountFact("smtp-relay")
        decision = decide(self.facts, owner, "use", account_id, utc_now())
        return None if decision.allowed else NOT_ALLOWED[decision.code]

    def why_suspended(self, account_id: str, owner: str) -> NotAllowed | None:
        reason = self.why_not(account_id, owner)
        return None if self.on_loss == "flag" and reason in NOT_ALLOWED.values() else reason


NOT_ALLOWED: dict[str, NotAllowed] = {
    "not_a_member": "not_a_member",
    "not_enabled": "not_enabled",
    "no_access": "no_access",
}
"""What holds for one member, and is flagged where the brand says so."""
