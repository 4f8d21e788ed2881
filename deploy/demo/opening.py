"""The beginning of the demo: an account that is really tried, an engine, and mail under way."""

import asyncio
import contextlib
import os
import secrets
from collections.abc import AsyncGenerator
from datetime import timedelta

from keyturn_client import Backend, BackendSettings, EngineKeys, EngineSettings, Reach
from keyturn_client.commands import Prepared, Signer
from keyturn_client.http import Http
from keyturn_client.keys import read_signing_key
from keyturn_contracts.actor import Role
from keyturn_contracts.catalog import LicenceChanged, SetLicence
from keyturn_contracts.credential_vault import AccountAdded
from keyturn_contracts.message import Command, CommandRefused
from keyturn_contracts.workflow import AccountBound
from pydantic import SecretStr

from deploy.demo.child import Child
from deploy.demo.engine import DemoEngine
from deploy.demo.mail_operator import USER, MailOperator
from deploy.demo.news import News, NotAsPromisedError, promised
from deploy.demo.place import Place
from deploy.demo.play import Sabotage
from deploy.demo.rotation import label_of
from deploy.demo.scene import ACCOUNT, ADMINISTRATOR, ENGINE_ID, Scene
from deploy.demo.screen import Screen
from deploy.demo.tally import tried_since, users_of
from deploy.local.folder import write_private

EXTENSION = "smtp-relay"
_SOON = timedelta(seconds=60)
_A_ROUND = timedelta(minutes=5)
_LOOK_SECONDS = 0.2


@contextlib.asynccontextmanager
async def set_scene(
    place: Place, screen: Screen, *, workflows: int, sabotage: Sabotage, keep: bool
) -> AsyncGenerator[Scene]:
    """Start the mail server, connect to it, register the engine, and start that too."""
    lives_with = place.supervisor if keep else os.getpid()
    async with contextlib.AsyncExitStack() as stack:
        backend = await stack.enter_async_context(Backend(_backend_settings(place)))
        http = Http(place.services, _signer(place))
        stack.push_async_callback(http.close)
        news = News()
        collecting = asyncio.create_task(news.collect(backend))
        stack.callback(collecting.cancel)

        await _license(place, news, screen)
        operator = await MailOperator.start(place.mail, lives_with=lives_with)
        if not keep:
            stack.push_async_callback(operator.stop)
        first = label_of(1)
        passwords = {first: secrets.token_urlsafe(18)}
        await operator.add(first, passwords[first])
        screen.say(
            f"A mail server listens on localhost:{operator.port}: STARTTLS, no mail without a "
            f"log-in. It knows one password, {first}."
        )
        await _ask(backend, await _account(backend, operator, passwords[first]))
        added = await news.wait_for(
            AccountAdded, lambda one: one.account_id == ACCOUNT, within=_SOON
        )
        screen.say(
            f"AccountAdded: {added.event.name} is {added.event.state}, version "
            f"{added.event.version}; the vault has logged in at the mail server."
        )
        keys = EngineKeys.new()
        settings = _engine_settings(place, workflows, sabotage, lives_with)
        keys.save(settings.engine.key_file)
        registration = keys.registration(
            brand=place.brand,
            engine_id=ENGINE_ID,
            name="Example engine",
            reach=Reach(accounts=(ACCOUNT,)),
        )
        await _ask(backend, registration)
        file = place.engine / "settings.json"
        write_private(file, settings.model_dump_json())
        engine = await Child.start(
            "deploy.demo.engine", str(file), errors=place.engine / "engine.err"
        )
        if not keep:
            stack.push_async_callback(engine.stop)
        await engine.answer()
        scene = Scene(
            place=place,
            screen=screen,
            backend=backend,
            http=http,
            news=news,
            operator=operator,
            engine=engine,
            workflows=tuple(settings.workflow_ids()),
            passwords=passwords,
        )
        yield scene


async def _license(place: Place, news: News, screen: Screen) -> None:
    """Have the brand use the extension, as the platform's operator."""
    async with Backend(_backend_settings(place, "operator")) as backend:
        await _ask(backend, SetLicence(extensions=(EXTENSION,)))
    changed = await news.wait_for(
        LicenceChanged, lambda one: EXTENSION in one.extensions, within=_SOON
    )
    screen.say(f"LicenceChanged: {place.brand} may use {', '.join(changed.event.extensions)}.")


async def let_everyone_send(scene: Scene) -> None:
    """Wait until all bindings are on record, then until each workflow has sent a mail."""
    total = len(scene.workflows)
    await scene.news.wait_for(
        AccountBound,
        lambda one: (one.engine_id, one.account_id) == (ENGINE_ID, ACCOUNT) and one.allowed,
        within=_SOON,
    )
    async with promised("The engine's workflows are not all on record.", within=_SOON):
        while await _dependents(scene) < total:  # noqa: ASYNC110  many messages change it
            await asyncio.sleep(_LOOK_SECONDS)
    scene.screen.say(
        f"The example engine runs, a process of its own; {total:,} of its workflows depend on the "
        "account."
    )
    await scene.engine.tell({"do": "send"})
    first = label_of(1)
    async with promised("Not every workflow has sent a mail.", within=_A_ROUND):
        with scene.screen.watch(f"workflows that have sent with {first}", total) as watch:
            while len(tried_since(scene.log.sends, 0)) < total:
                await scene.look()
                watch.show(len(users_of(scene.log.sends, first)))
    scene.screen.say(
        f"Each of the {len(users_of(scene.log.sends, first)):,} workflows has sent a mail with "
        f"{first}, and they go on."
    )


async def _dependents(scene: Scene) -> int:
    found = scene.backend.queries.dependents(ACCOUNT)
    return sum([1 async for one in found if one["engine_id"] == ENGINE_ID])


async def _ask(backend: Backend, command: Command | Prepared) -> None:
    outcome = await backend.ask(command)
    if isinstance(outcome, CommandRefused):
        raise NotAsPromisedError(
            f"{outcome.command} was refused, {outcome.reason}: {outcome.message}"
        )


async def _account(backend: Backend, operator: MailOperator, password: str) -> Prepared:
    return await backend.prepare_account(
        ACCOUNT,
        extension=EXTENSION,
        scheme="smtp-password",
        name="Newsletter relay",
        settings={
            "host": "localhost",
            "port": str(operator.port),
            "security": "starttls",
            "from_address": "newsletter@example.com",
        },
        fields={"username": SecretStr(USER), "password": SecretStr(password)},
        retire="when-complete",
    )


def _backend_settings(place: Place, role: Role = "administrator") -> BackendSettings:
    return BackendSettings(
        kafka=place.kafka,
        services=place.services,
        brand=place.brand,
        issuer=place.issuer,
        key_file=place.key_file,
        subject=ADMINISTRATOR,
        roles=frozenset({role}),
    )


def _signer(place: Place) -> Signer:
    return Signer(
        key=read_signing_key(place.key_file),
        issuer=place.issuer,
        subject=ADMINISTRATOR,
        brand=place.brand,
        roles=frozenset({"administrator"}),
    )


def _engine_settings(
    place: Place, workflows: int, sabotage: Sabotage, lives_with: int
) -> DemoEngine:
    return DemoEngine(
        engine=EngineSettings(
            kafka=place.engines_kafka,
            services=place.services,
            brand=place.brand,
            engine_id=ENGINE_ID,
            key_file=place.engine / "keys.json",
            state_file=place.engine / "state.sqlite",
        ),
        account_id=ACCOUNT,
        owner=ADMINISTRATOR,
        workflows=workflows,
        trust_root=place.trust_root,
        lives_with=lives_with,
        sabotage=sabotage,
    )
