"""Installing, on a real database, each message delivered twice."""

from tests.installation import given
from tests.installation.given import LOUD
from tests.installation.world import World, told


async def test_an_extension_is_installed_as_it_was_shown(world: World) -> None:
    outcome = await world.apply(given.install())

    assert outcome.changed
    assert told(await world.events()) == [("ExtensionInstalled", LOUD, "installed")]
