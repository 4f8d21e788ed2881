"""The same answers from casbin, where that is installed: it is no part of this project."""

import importlib
import importlib.util
from collections.abc import Iterable, Sequence
from datetime import datetime
from importlib.metadata import version
from typing import Any

from keyturn_contracts.access import EVERYONE
from keyturn_contracts.rights import Action, Facts

from deploy.bench.access.in_process import Judge

HOW_TO = (
    "casbin is not installed, and left out: run the measurement as "
    "`uv run --with casbin python -m deploy bench access`."
)
_NO_END = "9999"
_MEMBER = "member"
_MODEL = """
[request_definition]
r = sub, obj, act, at

[policy_definition]
p = sub, obj, level, until, extension

[role_definition]
g = _, _
g2 = _, _

[policy_effect]
e = some(where (p.eft == allow))

[matchers]
m = r.obj == p.obj && (r.sub == p.sub || p.sub == "*") && r.at < p.until && \
g(r.sub, "member") && (p.level == "owner" || r.act == "use") && \
(r.act != "use" || g2(r.sub, p.extension) || g2("*", p.extension))
"""
"""`g`: who is on the list. `g2`: who may use an extension, which is in each grant's policy."""


def is_there() -> bool:
    return importlib.util.find_spec("casbin") is not None


def its_version() -> str:
    return version("casbin")


class Casbin:
    """An enforcer with the brand's data, in this process's memory."""

    def __init__(self, facts: Facts, *, looks_up: bool) -> None:
        """Take the facts; with `looks_up` policies are found by their account, not all tried."""
        casbin: Any = importlib.import_module("casbin")
        model = casbin.Model()
        model.load_model_from_text(_MODEL)
        if looks_up:
            fast = importlib.import_module("casbin.model")
            model = fast.FastModel([1])
            model.load_model_from_text(_MODEL)
            # It reads the first definition of each section alone.
            model.add_def("g", "g2", "_, _")
            self._enforcer = casbin.FastEnforcer(model, cache_key_order=[1])
        else:
            self._enforcer = casbin.Enforcer(model)
        self._enforcer.add_named_grouping_policies(
            "g", [[member, _MEMBER] for member in facts.members]
        )
        self._enforcer.add_named_grouping_policies("g2", list(_usable(facts)))
        self.grant(_policies(facts))

    def judge_at(self, at: datetime) -> Judge:
        enforcer, moment = self._enforcer, _text(at)

        def judge(member: str, action: Action, account_id: str) -> bool:
            return enforcer.enforce(member, account_id, action, moment)

        return judge

    def grant(self, policies: Sequence[list[str]]) -> None:
        if policies and not self._enforcer.add_policies(policies):
            raise ValueError("casbin has some of these policies already.")

    def revoke(self, policies: Sequence[list[str]]) -> None:
        if not self._enforcer.remove_policies(policies):
            raise ValueError("casbin has not all of these policies.")


def policy(member: str, account_id: str, extension: str) -> list[str]:
    """Return a user's grant without an end."""
    return [member, account_id, "user", _NO_END, extension]


def _policies(facts: Facts) -> list[list[str]]:
    return [
        [
            member,
            account_id,
            grant.level,
            _NO_END if grant.until is None else _text(grant.until),
            facts.accounts[account_id].extension,
        ]
        for account_id, grants in facts.grants.items()
        for member, grant in grants.items()
    ]


def _usable(facts: Facts) -> Iterable[list[str]]:
    for slug, installation in facts.installations.items():
        if installation.state != "installed":
            continue
        enabled = facts.enablements[slug] if installation.party == "third" else {EVERYONE}
        for member in enabled:
            yield [member, slug]


def _text(moment: datetime) -> str:
    # All in one zone and of one length: they are compared as texts.
    return moment.isoformat(timespec="microseconds")
