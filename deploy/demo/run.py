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
from deploy.demo.scene import ACCOUNT, ADMINISTRATOR, Scene
from deploy.demo.screen import Screen
from deploy.demo.tally import Switch
from deploy.local.folder import DataFolder
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
            place = find_place(data)
            is_good = asyncio.run(_play(play, place, screen))
            is_kept = play.keep
        finally:
            if not is_kept:
                bring_down(data)
    if play.keep:
        _tell_how_to_look(data, place, screen)
    else:
        screen.say(f"Nothing of it runs any more. Its data stays in {data.root}")
    return is_good


def _tell_how_to_look(data: DataFolder, place: Place, screen: Screen) -> None:
    here = f"--data-dir {data.root}"
    who = f"--brand {place.brand} --as {ADMINISTRATOR}"
    screen.say("Everything goes on, and the engine sends a mail a second. To look at it:")
    screen.table(
        {
            "what runs": f"./keyturn status {here}",
            "the rollouts": f"./keyturn rollouts list {here} {who}",
            "who depends on the account": f"./keyturn accounts dependents {ACCOUNT} {here} {who}",
            "the mail server's log": f"tail -f {place.mail / 'mail.jsonl'}",
            "to end all of it": f"./keyturn down {here}",
        }
    )


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
