"""May an extension of this brand connect there, and may it read this: yes or no, and why."""

from typing import Literal

from keyturn_contracts.catalog import BrandData
from keyturn_contracts.domains import ConnectionCode
from keyturn_contracts.ids import Slug
from keyturn_contracts.message import Part
from pydantic import Field, model_validator

from services.installation.rules.domain import rules_of
from services.installation.rules.installation import Installation, permitted

Code = ConnectionCode | Literal["not_installed", "suspended", "uninstalling", "not_permitted"]


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
    code: Code
    message: str
    rule: str | None = None
    """The rule that covers the URL, or the kind of data that was accepted."""
    host: str | None = None
    """Of a URL, as it was read: who connects uses this, and `port`."""
    port: int | None = None
    revision: int | None = None
    """Of the effective list; absent where nothing is installed."""


def judge(question: Question, installation: Installation | None) -> Judgement:
    """Answer a question. Whatever is not known to be allowed is not."""
    slug = question.extension
    if installation is None or installation.state == "uninstalled":
        return _no(question, "not_installed", f"{slug} is not installed in your brand.", None)
    revision = installation.domains_revision
    if installation.state == "suspended":
        why = f"{slug} is suspended: your licence does not cover it now."
        return _no(question, "suspended", why, revision)
    if installation.state == "uninstalling":
        return _no(question, "uninstalling", f"{slug} is being uninstalled.", revision)
    if question.data is not None:
        return _judge_data(question, question.data, installation)
    return _judge_url(question, question.url or "", installation)


def _judge_data(question: Question, data: str, installation: Installation) -> Judgement:
    slug, revision = question.extension, installation.domains_revision
    if data not in permitted(installation):
        why = f"Nobody has accepted that {slug} reads {data}."
        return _no(question, "not_permitted", why, revision)
    return Judgement(
        extension=slug,
        allowed=True,
        code="allowed",
        message=f"{slug} may read {data}.",
        rule=data,
        revision=revision,
    )


def _judge_url(question: Question, url: str, installation: Installation) -> Judgement:
    found = rules_of(installation.domains).decide(url)
    return Judgement(
        extension=question.extension,
        allowed=found.allowed,
        code=found.code,
        message=found.sentence,
        rule=str(found.rule) if found.rule is not None else None,
        host=found.host,
        port=found.port,
        revision=installation.domains_revision,
    )


def _no(question: Question, code: Code, why: str, revision: int | None) -> Judgement:
    return Judgement(
        extension=question.extension, allowed=False, code=code, message=why, revision=revision
    )
