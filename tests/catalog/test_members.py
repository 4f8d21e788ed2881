"""A brand's list of members, as the access service announces it, holds here too."""

from keyturn_contracts.access import MemberRegistered, MemberRemoved
from keyturn_contracts.actor import Role

from tests.batches import news
from tests.catalog.http import Client
from tests.catalog.world import World

REMOVED = MemberRemoved(member_id="ada", role="administrator", state="removed")
REGISTERED = MemberRegistered(member_id="ada", role="administrator", state="registered")


async def test_who_was_taken_off_the_list_is_told_nothing_any_more(
    world: World, client: Client
) -> None:
    roles: tuple[Role, ...] = ("administrator", "member")
    paths = ("/v1/licence", "/v1/extensions")
    for path in paths:
        assert (await client.get(path, roles=roles)).status_code == 200

    await world.tell(news(REMOVED, 1))
    for path in paths:
        answer = await client.get(path, roles=roles)
        assert (answer.status_code, answer.json()["error"]) == (403, "not_allowed")
        # An operator is on no brand's list, and another brand has a list of its own.
        assert (await client.get(path, roles=("operator",))).status_code == 200
        assert (await client.get(path, roles=roles, brand="umbrella")).status_code == 200

    await world.tell(news(REGISTERED, 2))
    for path in paths:
        assert (await client.get(path, roles=roles)).status_code == 200
