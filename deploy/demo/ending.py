"""The end of the demo: what became of every mail, counted from the mail server's own log."""

import json
from collections.abc import Mapping, Sequence

from deploy.demo.scene import Scene
from deploy.demo.tally import Switch, Tally, count

_NAMED = 5


async def tell_the_end(scene: Scene, switches: Sequence[Switch]) -> None:
    """Have the engine rest, count, and say what is not as it was promised."""
    rested = await scene.engine.tell({"do": "rest"})
    await scene.look()
    tally = count(scene.log.sends, switches, begun=rested["begun"])
    for switch in switches:
        _tell_early_drop(scene, switch)
    _tell_failures(scene, tally, rested["failed"])
    took = [
        f"{one.completed_at - one.began_at:.2f} s" if one.is_complete else "it did not complete"
        for one in switches
    ]
    scene.screen.table(
        {
            "mails sent before the switch": f"{tally.before:,}",
            "mails sent during": f"{tally.during:,}",
            "mails sent after": f"{tally.after:,}",
            "the switch took": ", ".join(took) or "there was none",
        }
    )
    scene.screen.result(f"failed sends: {tally.failed}", good=tally.failed == 0)


def _tell_early_drop(scene: Scene, switch: Switch) -> None:
    early = switch.completed_at - scene.log.dropped.get(switch.old, switch.completed_at)
    if switch.is_complete and early > 0:
        scene.not_as_promised(
            f"{switch.old} was dropped at the mail server {early:.2f} s before there was a proof "
            "that nobody used it any more."
        )


def _tell_failures(scene: Scene, tally: Tally, failed: Mapping[str, int]) -> None:
    for workflow, times in tally.late.items():
        scene.not_as_promised(
            f"Workflow {workflow} used an old password {times} times after its engine had "
            "confirmed that no run used it any more: the engine has lied."
        )
    if tally.refused:
        scene.not_as_promised(
            f"The mail server refused {sum(tally.refused.values())} log-ins of "
            f"{_some(tally.refused)}."
        )
    if tally.failed:
        scene.not_as_promised(
            f"Sends have failed; the engine's own words for them: {json.dumps(failed)}."
        )


def _some(names: Mapping[str, int]) -> str:
    first = ", ".join(sorted(names)[:_NAMED])
    more = len(names) - _NAMED
    return f"{first} and {more} more workflows" if more > 0 else first
