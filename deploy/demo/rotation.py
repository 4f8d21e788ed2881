"""One rotation as the demo plays it: from the new password to the refusal of the old one."""

import hashlib
import json
import secrets
import time
from datetime import timedelta

from keyturn_contracts.credential_vault import CredentialsRetired, CredentialsRotated
from keyturn_contracts.keys import Jwks
from keyturn_contracts.message import CommandRefused
from keyturn_contracts.proof import check
from keyturn_contracts.workflow import RolloutChanged, RolloutStarted
from pydantic import SecretStr

from deploy.demo.mail_operator import USER
from deploy.demo.news import NotAsPromisedError, Told, promised
from deploy.demo.scene import ACCOUNT, ENGINE_ID, Scene
from deploy.demo.tally import Switch, tried_since, under_way, users_of

IN_FLIGHT = 20
"""How many sends are promised to be in flight at the moment of a switch."""
REFUSED = 535
_SOON = timedelta(seconds=60)
_A_ROUND = timedelta(minutes=5)
_RECEIPT_REFUSED = "receipt_wrong"


def label_of(version: int) -> str:
    """Return the name of a version's password, as the mail server's log has it."""
    return f"password {version}"


async def rotate(scene: Scene, version: int, *, drop_early: bool = False) -> Switch:
    """Rotate to this version; where the rollout does not complete, say why."""
    old, new = label_of(version - 1), label_of(version)
    asked_at = await _ask(scene, version, old, new, drop_early=drop_early)
    rotated = await scene.news.wait_for(
        CredentialsRotated,
        lambda one: one.account_id == ACCOUNT and one.version == version,
        within=_SOON,
    )
    kept = ", ".join(str(one) for one in rotated.event.unretired)
    scene.screen.say(
        f"CredentialsRotated: version {version} is current, {kept} is not retired yet."
    )
    completed = await _follow(scene, version, new)
    if completed is None:
        return Switch(old, new, began_at=rotated.at)
    switch = Switch(old, new, began_at=rotated.at, completed_at=completed.at)
    scene.screen.say(
        f"RolloutCompleted: {completed.event.done} of {completed.event.legs} engines, "
        f"{_seconds(switch.completed_at - switch.began_at)} after CredentialsRotated and "
        f"{_seconds(switch.completed_at - asked_at)} after the command.",
        style="bold",
    )
    await _check_flight(scene, switch)
    await _check_proof(scene, completed.event)
    await _retire(scene, version, old)
    await _see_everyone(scene, new)
    return switch


async def _ask(scene: Scene, version: int, old: str, new: str, *, drop_early: bool) -> float:
    """Send the command, and return when, once the vault has taken it."""
    scene.passwords[new] = secrets.token_urlsafe(18)
    await scene.operator.add(new, scene.passwords[new])
    prepared = await scene.backend.prepare_rotation(
        ACCOUNT,
        fields={
            "username": SecretStr(USER),
            "password": SecretStr(scene.passwords[new]),
        },
        replaces_version=version - 1,
        retire="when-complete",
    )
    asked_at = time.time()
    await scene.backend.publish(prepared)
    scene.screen.say(
        f"The mail server knows {new} beside {old}; EditCredentials is sent, retire: when-complete."
    )
    if drop_early:
        await scene.operator.drop(old)
        scene.screen.say(f"The mail server's operator does not wait, and drops {old} now.")
    outcome = await scene.backend.outcome(prepared)
    if isinstance(outcome, CommandRefused):
        raise NotAsPromisedError(
            f"EditCredentials was refused, {outcome.reason}: {outcome.message}"
        )
    return asked_at


async def _follow(scene: Scene, version: int, new: str) -> Told[RolloutChanged] | None:
    """Show how the rollout gets on; return its completion, or None where it cannot complete."""
    rollout_id = f"{ACCOUNT}.{version}"
    started = await scene.news.wait_for(
        RolloutStarted, lambda one: one.rollout_id == rollout_id, within=_SOON
    )
    scene.screen.say(f"RolloutStarted: {started.event.legs} engine has to follow.")
    deadline = time.monotonic() + _SOON.total_seconds()
    with scene.screen.watch(f"workflows that have sent with {new}", len(scene.workflows)) as watch:
        while True:
            told = scene.news.rollout(rollout_id) or started
            if told.event.state == "completed":
                return told
            if _is_stuck(scene, told.event, version) or time.monotonic() > deadline:
                break
            await scene.look()
            watch.show(len(users_of(scene.log.sends, new)), _waiting(told.event))
    await _tell_stuck(scene, rollout_id)
    return None


def _is_stuck(scene: Scene, rollout: RolloutChanged, version: int) -> bool:
    """Tell whether it waits for something that the engine cannot give."""
    has_vanished = any(leg.why == "vanished" for leg in rollout.waiting)
    said = f"Version {version} of {ACCOUNT} is not confirmed yet, {_RECEIPT_REFUSED}"
    return has_vanished or any(str(note["note"]).startswith(said) for note in scene.engine.notes)


async def _tell_stuck(scene: Scene, rollout_id: str) -> None:
    now = await scene.backend.queries.rollout(rollout_id)
    if now.state == "completed":
        raise NotAsPromisedError(f"{rollout_id} completed although an engine's word was refused.")
    scene.not_as_promised(
        f"The rollout {rollout_id} is {now.state} and does not complete: it waits for "
        f"{_waiting(now) or 'nobody that it names'}."
    )
    behind = [
        f"{one['workflow_id']} of {one['engine_id']} ({one['why']})"
        async for one in scene.http.pages("workflow", "/v1/workflows/behind", {"account": ACCOUNT})
        if one["why"] == "vanished"
    ]
    if behind:
        scene.not_as_promised(
            f"On record and not in the engine's whole list any more: {', '.join(behind)}."
        )
    refused = [note for note in scene.engine.notes if _RECEIPT_REFUSED in str(note["note"])]
    if refused:
        scene.not_as_promised(f"The engine was told: {refused[0]['note']}")
    account = await scene.backend.queries.account(ACCOUNT)
    kept = [str(one["version"]) for one in account["versions"] if one["state"] == "previous"]
    scene.screen.say(f"So nothing is retired: version {', '.join(kept)} is kept, and its password.")


async def _check_flight(scene: Scene, switch: Switch) -> None:
    await scene.look()
    flying = under_way(scene.log.sends, switch.began_at)
    scene.screen.say(f"{flying} sends were in flight at the moment of CredentialsRotated.")
    if flying < IN_FLIGHT:
        scene.not_as_promised(f"That is less than the {IN_FLIGHT} that were promised.")


async def _check_proof(scene: Scene, completed: RolloutChanged) -> None:
    """Check the proof offline, and against what the demo itself knows of the workflows."""
    bundle = await scene.backend.queries.proof(completed.rollout_id)
    jwks = await scene.backend.queries.proof_keys()
    file = scene.place.data.root / f"proof-{completed.rollout_id}.json"
    keys = scene.place.data.root / "proof-keys.json"
    file.write_bytes(bundle)
    keys.write_text(json.dumps(jwks), encoding="utf-8")
    verdict = check(bundle, Jwks.model_validate(jwks))
    problems = list(verdict.problems)
    if hashlib.sha256(bundle).hexdigest() != completed.proof_sha256:
        problems.append("It is another one than RolloutCompleted tells of.")
    expected = [(ENGINE_ID, len(scene.workflows), scene.digest)]
    legs = verdict.proof.legs if verdict.proof else ()
    if [(leg.engine_id, leg.count, leg.digest) for leg in legs] != expected:
        problems.append("It is not about the one engine and all of its workflows.")
    if not verdict.is_pinned or problems:
        scene.not_as_promised(f"The proof does not hold: {' '.join(problems) or 'not pinned.'}")
        return
    scene.screen.say(
        f"Its proof, checked offline: signed; {ENGINE_ID} confirmed {len(scene.workflows):,} "
        f"bindings with the digest {scene.digest[:16]}…, which is that of the workflows."
    )
    scene.screen.say(f"Check it again: ./keyturn proof check {file} --keys {keys}")


async def _retire(scene: Scene, version: int, old: str) -> None:
    """Drop the old password when the vault says that it has retired it, and try it once more."""
    await scene.news.wait_for(
        CredentialsRetired,
        lambda one: one.account_id == ACCOUNT and one.version >= version and not one.unretired,
        within=_SOON,
    )
    if old not in scene.log.dropped:
        await scene.operator.drop(old)
    answer = await scene.operator.try_login(scene.passwords[old], scene.place.trust_root)
    await scene.look()
    if answer != REFUSED:
        scene.not_as_promised(f"The mail server answers {answer} to {old}, which was dropped.")
        return
    scene.screen.say(
        f"CredentialsRetired: version {version - 1} is gone. Its password is dropped at the mail "
        f"server, which now refuses it: {answer}."
    )


async def _see_everyone(scene: Scene, new: str) -> None:
    """Wait until every workflow has sent, or tried to, since the old password was dropped."""
    since = max(scene.log.dropped.values())
    everyone = set(scene.workflows)
    async with promised("Not every workflow has sent a mail since.", within=_A_ROUND):
        with scene.screen.watch("workflows that have sent since", len(everyone)) as watch:
            while missing := everyone - tried_since(scene.log.sends, since):
                await scene.look()
                watch.show(len(everyone) - len(missing))
    able = len(users_of((one for one in scene.log.sends if one.opened_at >= since), new))
    scene.screen.say(
        f"Since then {able:,} of {len(everyone):,} workflows have sent, each with {new}."
    )


def _waiting(rollout: RolloutChanged) -> str:
    return ", ".join(f"{leg.engine_id} ({leg.why})" for leg in rollout.waiting)


def _seconds(seconds: float) -> str:
    return f"{seconds:.2f} s"
