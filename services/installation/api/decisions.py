"""Decisions: may an extension of the brand connect there, may it read this, one or many at once."""

from fastapi import APIRouter
from keyturn_contracts.domains import SUFFIX_LIST_VERSION
from keyturn_contracts.reaching import Judgement, Question, judge_data, judge_url
from pydantic import BaseModel, Field

from services.installation.queries import installation as queries
from services.installation.rules.installation import Installation
from services.installation.store.installations import STATE, read_installation
from shared.http.auth import Caller, HasContext
from shared.http.brand import brand_connection

router = APIRouter(prefix="/v1/decisions")

MOST = 1000


class QuestionsBody(BaseModel):
    questions: tuple[Question, ...] = Field(min_length=1, max_length=MOST)


class JudgementsBody(BaseModel):
    """An answer to each question, in their order."""

    decisions: list[Judgement]
    suffix_list_version: str
    """Of the list by which the URLs were read."""


@router.post("", response_model_exclude_none=True)
async def decide(asked: QuestionsBody, caller: Caller, context: HasContext) -> JudgementsBody:
    """Say of each question yes or no, why, and by which rule; nothing is remembered of it."""
    slugs = sorted({one.extension for one in asked.questions})
    async with brand_connection(context, caller) as connection:
        rows = await queries.load_some(connection, caller.brand, STATE, slugs)
    found = {key.id: one for key, one in map(read_installation, rows)}
    return JudgementsBody(
        decisions=[_judge(one, found.get(one.extension)) for one in asked.questions],
        suffix_list_version=SUFFIX_LIST_VERSION,
    )


def _judge(asked: Question, installation: Installation | None) -> Judgement:
    if asked.data is not None:
        return judge_data(asked.extension, asked.data, installation)
    return judge_url(asked.extension, asked.url or "", installation)
