"""What a copy answers is what the installation service answers, through whatever a brand does."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

from keyturn_client import Backend, Judgement, Replica, ReplicaSettings
from keyturn_client.commands import Signer
from keyturn_client.http import Http
from keyturn_contracts.catalog import SetLicence
from keyturn_contracts.installation import AddDomains, RemoveDomains
from keyturn_contracts.message import Part
from keyturn_contracts.reaching import Question

from tests.client.world import Brand, applied
from tests.waiting import eventually

WEB = "webservice"
SLACK = "slack"
API = "https://api.example.com/v1"
URLS = (API, "https://slack.com/api", "https://hooks.slack.com:8443", "http://slack.com", "slack")
QUESTIONS = [
    *(Question(extension=one, url=url) for one in (WEB, SLACK, "smtp-relay") for url in URLS),
    *(Question(extension=one, data="responses") for one in (WEB, SLACK)),
    *(Question(extension=one, data="users") for one in (WEB, SLACK)),
    Question(extension="no-such-extension", url=API),
]


class Questions(Part):
    questions: Sequence[Question]


class Decisions(Part):
    decisions: list[Judgement]


@asynccontextmanager
async def asking(brand: Brand) -> AsyncGenerator[Http]:
    """Ask as the brand's backend system does."""
    known = brand.world.backend_settings(brand.name)
    http = Http(known.services, Signer.of(known))
    try:
        yield http
    finally:
        await http.close()


async def service_says(http: Http) -> list[Judgement]:
    found = await http.post("installation", "/v1/decisions", Questions(questions=QUESTIONS))
    return Decisions.model_validate(found).decisions


def replica_says(replica: Replica) -> list[Judgement]:
    return [
        replica.may_read(one.extension, one.data)
        if one.data is not None
        else replica.may_connect(one.extension, one.url or "")
        for one in QUESTIONS
    ]


async def licence(brand: Brand, *extensions: str) -> None:
    settings = brand.world.backend_settings(brand.name, roles=["operator"])
    async with Backend(settings) as operator:
        applied(await operator.ask(SetLicence(extensions=extensions)))


async def test_a_replica_and_the_service_answer_alike_through_licences_and_domains(
    brand: Brand,
) -> None:
    settings = ReplicaSettings(kafka=brand.world.kafka("engine"), brand=brand.name)
    async with asking(brand) as http, Replica(settings) as replica:

        def may(extension: str, url: str) -> Judgement:
            return replica.may_connect(extension, url)

        async def both_say_the_same() -> None:
            async def is_so() -> bool:
                return await service_says(http) == replica_says(replica)

            await eventually(is_so)

        assert may(WEB, API).code == "not_installed"
        await licence(brand, WEB, SLACK, "smtp-relay")
        await eventually(lambda: may(WEB, API).code == "nothing_listed")
        await eventually(lambda: may(SLACK, "https://slack.com").allowed)
        assert replica.may_read(SLACK, "responses").allowed
        await both_say_the_same()

        adding = AddDomains(extension=WEB, domains=("*.example.com",), reason="Our own services.")
        applied(await brand.backend.ask(adding))
        await eventually(lambda: may(WEB, API).rule == "*.example.com")
        await both_say_the_same()

        removing = RemoveDomains(extension=WEB, domains=("*.example.com",), reason="Enough.")
        applied(await brand.backend.ask(removing))
        await eventually(lambda: may(WEB, API).code == "nothing_listed")
        await both_say_the_same()

        await licence(brand, WEB)
        await eventually(lambda: may(SLACK, "https://slack.com").code == "suspended")
        await both_say_the_same()

        await licence(brand, WEB, SLACK)
        await eventually(lambda: may(SLACK, "https://slack.com").allowed)
        await both_say_the_same()
