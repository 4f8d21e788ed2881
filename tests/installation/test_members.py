"""A brand's list of members, as the access service announces it, holds here too."""

from keyturn_contracts.access import MemberRegistered, MemberRemoved

from tests.installation import given
from tests.installation.given import LOUD
from tests.installation.http import Client
from tests.installation.world import World


async def test_who_was_taken_off_the_list_is_no_administrator_any_more(
    world: World, client: Client
) -> None:
    await world.apply(given.install())
    path = f"installations/{LOUD}/impact"
    assert (await client.get(path)).status_code == 200

    await world.hear(MemberRemoved(member_id="root", role="administrator", state="removed"))
    assert (await client.get(path)).status_code == 403

    await world.hear(MemberRegistered(member_id="root", role="administrator", state="registered"))
    assert (await client.get(path)).status_code == 200
