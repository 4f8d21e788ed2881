"""Decisions in one's own process: the rule, with its sentences, the replica, plain sets, casbin."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from time import perf_counter

from keyturn_client import Replica
from keyturn_contracts.access import EVERYONE
from keyturn_contracts.reasons import explain
from keyturn_contracts.rights import Action, Facts, decide

from deploy.bench.access.data import Question
from deploy.local.problems import StackProblem

_AT_ONCE = 500
"""Questions that are timed together: one alone takes little more than a look at the clock."""

Judge = Callable[[str, Action, str], bool]
"""Says whether the member may do that with the account."""


class WrongAnswerError(StackProblem):
    """Somebody answered otherwise than the rules: what they take for it says nothing."""


def check(
    who: str, questions: Sequence[Question], expected: Sequence[object], got: Sequence[object]
) -> None:
    """Raise `WrongAnswerError` where any answer differs."""
    if len(got) != len(questions):
        raise WrongAnswerError(f"{who} gave {len(got)} answers to {len(questions)} questions.")
    for question, one, other in zip(questions, expected, got, strict=True):
        if one != other:
            member, action, account_id = question
            raise WrongAnswerError(
                f"May {member} {action} {account_id}? {who} says {other}, and right is {one}."
            )


def rule(facts: Facts, at: datetime) -> Judge:
    def judge(member: str, action: Action, account_id: str) -> bool:
        return decide(facts, member, action, account_id, at).allowed

    return judge


def rule_with_sentences(facts: Facts, at: datetime) -> Judge:
    """As services answer: with the chain of facts, each a sentence."""

    def judge(member: str, action: Action, account_id: str) -> bool:
        found = decide(facts, member, action, account_id, at)
        explain(facts, found, member=member, action=action, account_id=account_id, at=at)
        return found.allowed

    return judge


def replicas(replica: Replica) -> Judge:
    def judge(member: str, action: Action, account_id: str) -> bool:
        return replica.decide(member, action, account_id).allowed

    return judge


def plain_sets(facts: Facts, at: datetime) -> Judge:
    """Answer from sets that were made for this one moment, with no reason: what it costs at least.

    Written apart from the rule, so that both find each other's mistakes.
    """
    may_use: set[tuple[str, str]] = set()
    owns: set[tuple[str, str]] = set()
    for account_id, grants in facts.grants.items():
        extension = facts.accounts[account_id].extension
        installation = facts.installations[extension]
        enabled = facts.enablements.get(extension, set[str]())
        for_all = installation.party == "first" or EVERYONE in enabled
        holding = {who: one for who, one in grants.items() if one.until is None or one.until > at}
        for member in facts.members if EVERYONE in holding else holding:
            grant = holding.get(member)
            if grant is not None and grant.level == "owner":
                owns.add((member, account_id))
            if installation.state == "installed" and (for_all or member in enabled):
                may_use.add((member, account_id))

    def judge(member: str, action: Action, account_id: str) -> bool:
        return (member, account_id) in (may_use if action == "use" else owns)

    return judge


def measure(
    judges: Mapping[str, tuple[Judge, int]],
    questions: Sequence[Question],
    expected: Sequence[bool],
    *,
    repeats: int,
) -> dict[str, list[list[float]]]:
    """Return how many microseconds each takes for a decision: a list of samples for each repeat.

    Of each at most so many questions are asked as stand beside it. In turns, so that what else
    happens on the machine meets all alike; before the first turn all have answered, rightly.
    """
    asked = {name: questions[:most] for name, (_, most) in judges.items()}
    for name, (judge, _) in judges.items():
        check(name, asked[name], expected[: len(asked[name])], [judge(*one) for one in asked[name]])
    taken: dict[str, list[list[float]]] = {name: [] for name in judges}
    for _ in range(repeats):
        for name, (judge, _) in judges.items():
            taken[name].append(_samples(judge, asked[name]))
    return taken


def _samples(judge: Judge, questions: Sequence[Question]) -> list[float]:
    taken: list[float] = []
    for at in range(0, len(questions), _AT_ONCE):
        some = questions[at : at + _AT_ONCE]
        began = perf_counter()
        for member, action, account_id in some:
            judge(member, action, account_id)
        taken.append((perf_counter() - began) * 1_000_000 / len(some))
    return taken
