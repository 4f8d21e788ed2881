"""What is asked of decisions and how it is answered, as JSON."""

from datetime import datetime
from typing import Annotated, Any, Self, cast

from fastapi.exceptions import RequestValidationError
from keyturn_contracts.access import MemberId
from keyturn_contracts.ids import Id, Slug
from keyturn_contracts.rights import Action, Code, Way
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import from_json

from services.access.remembering.memory import Question

MOST = 5000

Revision = Annotated[int, Field(ge=0, lt=2**63)]


class QuestionBody(BaseModel):
    """May this member do that with an account; or use an extension: one of both is named."""

    model_config = ConfigDict(frozen=True)

    member: MemberId
    action: Action = "use"
    account_id: Id | None = None
    extension: Slug | None = None

    @model_validator(mode="after")
    def _asks_one_thing(self) -> Self:
        if (self.account_id is None) == (self.extension is None):
            raise ValueError("Name an account or an extension: one of both.")
        if self.extension is not None and self.action != "use":
            raise ValueError("An extension can be used, and nothing else.")
        return self


class QuestionsBody(BaseModel):
    questions: tuple[QuestionBody, ...] = Field(min_length=1, max_length=MOST)
    at_least: Revision | None = None
    """The `revision` of an outcome, or of an earlier answer: this one is to be as new."""


class DecisionBody(BaseModel):
    allowed: bool
    code: Code
    way: Way | None = None
    """Of what is allowed: what lets them, of several ways the strongest."""
    message: str
    """The fact that decides it, in a sentence for people."""
    facts: list[str]
    """The chain of facts, each a sentence; of what is not allowed the one that is missing."""


class DecisionsBody(BaseModel):
    """An answer to each question, in their order, all from one moment."""

    decisions: list[DecisionBody]
    revision: int
    """Ask with it as `at_least` to get an answer as new as this one."""
    at: datetime
    """When it was decided: a grant that ends then does not count any more."""


Asked = tuple[list[Question], int]
"""The questions, and the revision that the answer has to be of at least."""


def schema_of_questions() -> dict[str, Any]:
    """Return the schema of what is sent, as OpenAPI has it: without definitions of its own."""
    schema = QuestionsBody.model_json_schema()
    schema["properties"]["questions"]["items"] = schema.pop("$defs")["QuestionBody"]
    return schema


def skim(body: bytes) -> Asked | None:
    """Return what is asked without having judged it; None where it does not look like questions.

    Of use to find what was asked before, and judged then: an equal question is as good.
    """
    try:
        asked = from_json(body)
        questions = [_skimmed(one) for one in asked["questions"]]
        at_least = asked.get("at_least")
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    if at_least is None:
        at_least = 0
    if type(at_least) is not int or at_least < 0 or not 0 < len(questions) <= MOST:
        return None
    return questions, at_least


def read(body: bytes) -> Asked:
    """Return what is asked, or answer `invalid`."""
    try:
        asked = QuestionsBody.model_validate_json(body)
    except ValidationError as error:
        raise RequestValidationError(
            [
                {**one, "loc": ("body", *one["loc"])}
                for one in error.errors(include_url=False, include_context=False)
            ]
        ) from None
    questions = [
        Question(one.member, one.action, one.account_id, one.extension) for one in asked.questions
    ]
    return questions, asked.at_least or 0


def _skimmed(one: Any) -> Question:
    get = cast("dict[str, Any]", one).get
    question = Question(one["member"], get("action", "use"), get("account_id"), get("extension"))
    hash(question)
    return question
