"""The main job, played with real parts: a rotation under load, and what became of every mail.

Everything that is shown was read from events, from queries and from the mail server's own log.
"""

import asyncio

from keyturn_client import KeyturnError

from deploy.demo.child import ChildEndedError
from deploy.demo.ending import tell_the_end
from deploy.demo.guard import guarded
from deploy.demo.lifeline import end_in_order_when_told
from deploy.demo.news import NotAsPromisedError
from deploy.demo.opening import let_everyone_send, set_scene
from deploy.demo.place import Place, find_place, make_folder
from deploy.demo.play import Play
from deploy.demo.rotation import rotate
from deploy.demo.scene import Scene
from deploy.demo.screen import Screen
from deploy.demo.tally import Switch
from deploy.local.up import bring_down, bring_up
from shared.security.process import close_to_others

_UP_SECONDS = 300.0


def run(play: Play, screen: Screen) -> bool:
    """Play it, and return whether everything was as promised. Nothing is left running."""
    end_in_order_when_told()
    data = make_folder(play.folder)
    screen.say(f"Everything of this demo is in {data.root}")
    screen.say("Kafka, PostgreSQL, Redis and the services start, each a process of its own.")
    is_kept = False
    with guarded(data):
        try:
            bring_up(data, screen.say, fresh_ports=False, within=_UP_SECONDS)
            screen.say("They are up.")
            close_to_others()
            is_good = asyncio.run(_play(play, find_place(data), screen))
            is_kept = play.keep
        finally:
            if not is_kept:
                bring_down(data)
    if is_kept:
        screen.say(f"It goes on, slowly. Look at it:  ./keyturn status --data-dir {data.root}")
        screen.say(f"End all of it:  ./keyturn down --data-dir {data.root}")
    else:
        screen.say(f"Nothing of it runs any more. Its data stays in {data.root}")
    return is_good


async def _play(play: Play, place: Place, screen: Screen) -> bool:
    """Return whether everything was as promised."""
    try:
        async with set_scene(
            place, screen, workflows=play.workflows, sabotage=play.sabotage, keep=play.keep
        ) as scene:
            switches = await _rotate_all(play, scene)
            await tell_the_end(scene, switches)
            if play.keep:
                await scene.engine.tell({"do": "send slowly"})
            return not scene.problems
    except (NotAsPromisedError, ChildEndedError, KeyturnError) as problem:
        screen.warn(str(problem))
        return False


async def _rotate_all(play: Play, scene: Scene) -> list[Switch]:
    """Rotate as often as asked for, or until a rotation does not complete; return them all."""
    switches: list[Switch] = []
    try:
        await let_everyone_send(scene)
        if play.sabotage == "forget-one":
            await scene.engine.tell({"do": "forget"})
        for version in range(2, play.rotations + 2):
            switch = await rotate(scene, version, drop_early=play.sabotage == "early-drop")
            switches.append(switch)
            if not switch.is_complete:
                break
    except NotAsPromisedError as problem:
        scene.not_as_promised(str(problem))
    return switches
