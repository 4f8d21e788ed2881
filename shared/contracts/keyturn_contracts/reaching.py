"""May an extension of a brand connect there, and may it read this: yes or no, and why. Pure.

The installation service answers by it, and so does every copy of what it announces.
"""

import contextlib
from collections.abc import Iterator
from functools import lru_cache
from typing import Literal, Protocol

from pydantic import Field, model_validator

from keyturn_contracts.catalog import BrandData
from keyturn_contracts.domains import (
    SUFFIX_LIST_VERSION,
    ConnectionCode,
    DomainError,
    Rule,
    RuleSet,
    read_rule,
)
from keyturn_contracts.ids import Slug
from keyturn_contracts.installation import InstallationState
from keyturn_contracts.message import Part

_LISTS = 256
"""How many lists are kept as they were read; one may have some thousand rules."""

JudgementCode = (
    ConnectionCode
    | Literal["not_installed", "suspended", "uninstalling", "not_permitted", "copy_too_old"]
)
"""`copy_too_old`: who was asked has not heard the news of late, so nothing is allowed."""


class Question(Part):
    """May it connect to `url`, or may it read `data`: one of both."""

    extension: Slug
    url: str | None = Field(default=None, min_length=1, max_length=4000)
    data: BrandData | None = None

    @model_validator(mode="after")
    def _asks_one_thing(self) -> "Question":
        if (self.url is None) == (self.data is None):
            raise ValueError("Ask about a url or about data, one of both.")
        return self


class Judgement(Part):
    """The answer, and what it rests on."""

    extension: Slug
    allowed: bool
    code: JudgementCode
    message: str
    rule: str | None = None
    """The rule that covers the URL, or the kind of data that was accepted."""
    host: str | None = None
    """Of a URL, as it was read: who connects uses this, and `port`."""
    port: int | None = None
    revision: int | None = None
    """Of the effective list; absent where nothing is installed."""
    suffix_list: str | None = None
    """The lists of shared names of who answered; absent in answers from before it was recorded."""


class Installed(Protocol):
    """What is asked of an installation; its events have it."""

    @property
    def state(self) -> InstallationState: ...
    @property
    def domains(self) -> tuple[str, ...]: ...
    @property
    def domains_revision(self) -> int: ...
    @property
    def permissions(self) -> tuple[str, ...]: ...


def judge_url(extension: str, url: str, installed: Installed | None) -> Judgement:
    """Say whether the extension may connect to this URL. Whatever is not allowed is blocked."""
    if installed is None or installed.state != "installed":
        return _not_there(extension, installed)
    found = _rules(installed.domains).decide(url)
    return Judgement(
        extension=extension,
        allowed=found.allowed,
        code=found.code,
        message=found.sentence,
        rule=str(found.rule) if found.rule is not None else None,
        host=found.host,
        port=found.port,
        revision=installed.domains_revision,
        suffix_list=SUFFIX_LIST_VERSION,
    )


def judge_data(extension: str, data: str, installed: Installed | None) -> Judgement:
    """Say whether the extension may read this kind of the brand's data."""
    if installed is None or installed.state != "installed":
        return _not_there(extension, installed)
    allowed = data in installed.permissions
    return Judgement(
        extension=extension,
        allowed=allowed,
        code="allowed" if allowed else "not_permitted",
        message=f"{extension} may read {data}."
        if allowed
        else f"Nobody has accepted that {extension} reads {data}.",
        rule=data if allowed else None,
        revision=installed.domains_revision,
        suffix_list=SUFFIX_LIST_VERSION,
    )


def _not_there(extension: str, installed: Installed | None) -> Judgement:
    if installed is None or installed.state == "uninstalled":
        return Judgement(
            extension=extension,
            allowed=False,
            code="not_installed",
            message=f"{extension} is not installed in your brand.",
            suffix_list=SUFFIX_LIST_VERSION,
        )
    is_suspended = installed.state == "suspended"
    return Judgement(
        extension=extension,
        allowed=False,
        code="suspended" if is_suspended else "uninstalling",
        message=f"{extension} is suspended: your licence does not cover it now."
        if is_suspended
        else f"{extension} is being uninstalled.",
        revision=installed.domains_revision,
        suffix_list=SUFFIX_LIST_VERSION,
    )


@lru_cache(maxsize=_LISTS)
def _rules(domains: tuple[str, ...]) -> RuleSet:
    """Return an effective list, to be asked. What cannot be read any more lets nothing through."""
    return RuleSet(_readable(domains))


def _readable(domains: tuple[str, ...]) -> Iterator[Rule]:
    for one in domains:
        with contextlib.suppress(DomainError):
            yield read_rule(one)
