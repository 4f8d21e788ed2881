"""All of Keyturn, each service a process of its own, on a stack of their own."""

import json
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path
from uuid import uuid4

from keyturn_client import (
    Backend,
    BackendSettings,
    EngineKeys,
    EngineSettings,
    Kafka,
    NotFoundError,
    Reach,
    SavedTask,
    SavedWorkflow,
    Services,
)
from keyturn_client.keys import write_private
from keyturn_contracts.actor import Role
from keyturn_contracts.catalog import SetLicence
from keyturn_contracts.keys import jwks_of, new_signing_key, private_jwk
from keyturn_contracts.message import CommandApplied, CommandRefused
from keyturn_contracts.workflow import RolloutChanged, WhyWaiting
from pydantic import SecretStr

from deploy.demo.certificate import Certificate, make_certificate
from deploy.demo.mail_operator import USER, MailOperator
from deploy.local.prepare import migrate_databases
from deploy.local.services import SERVICES
from deploy.local.stack import Stack
from shared.settings import write_settings
from tests.client.kafka import kafka_of
from tests.forking import Forked, fork
from tests.running_stack import RunningKafka
from tests.waiting import eventually, until

OWNER = "ada"


@dataclass
class World:
    stack: Stack
    folder: Path
    certificate: Certificate
    processes: dict[str, Forked] = field(default_factory=dict[str, Forked])

    @property
    def services(self) -> Services:
        return Services(
            credential_vault=self.url("credential-vault"),
            workflow=self.url("workflow"),
            catalog=self.url("catalog"),
            installation=self.url("installation"),
            access=self.url("access"),
        )

    def port(self, service: str) -> int:
        return self.stack.settings_of(service).http.port

    def url(self, service: str) -> str:
        return f"http://127.0.0.1:{self.port(service)}"

    def kafka(self, principal: str) -> Kafka:
        return kafka_of(RunningKafka(self.stack.plan), principal, self.folder)

    def log(self, service: str) -> str:
        return (self.folder / f"{service}.log").read_text(encoding="utf-8")

    def start(self, service: str, *, crash: str | None = None) -> None:
        """Start a service; with `crash` it kills itself there: `outbox.after_send:3`."""
        with (self.folder / f"{service}.log").open("ab") as log:
            settings = self.stack.plan.data.settings_of(service)
            self.processes[service] = fork(
                ["deploy", "serve", service, "--settings", str(settings)],
                environment={**os.environ, **({"KEYTURN_CRASH": crash} if crash else {})},
                output=log,
            )

    def wait_ready(self, service: str) -> None:
        def is_ready() -> bool:
            assert self.processes[service].poll() is None, self.log(service)[-3000:]
            # Not by the library of the others: each of its clients reads all certificates first.
            connection = HTTPConnection("127.0.0.1", self.port(service), timeout=5)
            try:
                connection.request("GET", "/health/ready")
                return connection.getresponse().status == HTTPStatus.OK
            except OSError:
                return False
            finally:
                connection.close()

        until(is_ready, within=60)

    def has_killed_itself(self, service: str) -> bool:
        return self.processes[service].poll() == -signal.SIGKILL

    def revive(self) -> None:
        """Start again what has ended, as a supervisor would."""
        for service, process in list(self.processes.items()):
            if process.poll() is not None:
                self.start(service)
        for service in self.processes:
            self.wait_ready(service)

    def stop(self, service: str, *, kill: bool = False) -> None:
        process = self.processes.pop(service)
        process.kill() if kill else process.terminate()
        process.wait(30)

    def backend_settings(
        self, brand: str, *, subject: str = OWNER, roles: Sequence[Role] = ("administrator",)
    ) -> BackendSettings:
        return BackendSettings(
            kafka=self.kafka("backend"),
            services=self.services,
            brand=brand,
            key_file=self.folder / "issuer-key.json",
            subject=subject,
            roles=frozenset(roles),
        )


@contextmanager
def running_world() -> Generator[World]:
    with tempfile.TemporaryDirectory(prefix="keyturn-client-") as root:
        folder = Path(root)
        stack = Stack(folder / "data", say=lambda _: None)
        world = World(stack, folder, make_certificate(folder))
        try:
            _prepare(world)
            for service in SERVICES:
                world.start(service)
            for service in SERVICES:
                world.wait_ready(service)
            yield world
        finally:
            for process in world.processes.values():
                process.terminate()
            for service in list(world.processes):
                world.stop(service)
            stack.stop()


def _prepare(world: World) -> None:
    plan = world.stack.plan
    migrate_databases(plan)
    key = new_signing_key()
    write_private(world.folder / "issuer-key.json", json.dumps(private_jwk(key)))
    issuer = {
        "name": "local",
        "jwks": jwks_of([key], "sig").model_dump(mode="json", exclude_none=True),
        "brands": ["*"],
        "roles": ["administrator", "member", "operator"],
        "replies": True,
    }
    (plan.data.issuers / "local.json").write_text(json.dumps(issuer))
    vault = plan.settings_of("credential-vault")
    extra = {
        "trust_roots": str(world.certificate.root),
        "allowed_private_hosts": ["localhost"],
    }
    write_settings(
        plan.data.settings_of("credential-vault"), vault.model_copy(update={"extra": extra})
    )


@dataclass
class Brand:
    """A brand to itself, with its own mail server."""

    world: World
    name: str
    backend: Backend
    mail: MailOperator
    folder: Path

    async def add_account(self, account_id: str, password: str) -> None:
        """Have the server know the password, and add an account with it."""
        await self.mail.add(password, password)
        outcome = await self.backend.ask(
            await self.backend.prepare_account(
                account_id,
                extension="smtp-relay",
                scheme="smtp-password",
                name="Mail",
                settings={
                    "host": "localhost",
                    "port": str(self.mail.port),
                    "security": "starttls",
                    "from_address": "mail@example.com",
                },
                fields=self.fields(password),
            )
        )
        applied(outcome)

    async def rotate(
        self, account_id: str, password: str, *, retire: str = "when-complete"
    ) -> None:
        await self.mail.add(password, password)
        outcome = await self.backend.ask(
            await self.backend.prepare_rotation(
                account_id, fields=self.fields(password), retire=retire
            )
        )
        applied(outcome)

    def fields(self, password: str) -> dict[str, SecretStr]:
        return {"username": SecretStr(USER), "password": SecretStr(password)}

    async def register_engine(self, engine_id: str = "e1") -> EngineSettings:
        keys = EngineKeys.new()
        key_file = self.folder / f"{engine_id}-keys.json"
        keys.save(key_file)
        registration = keys.registration(
            brand=self.name, engine_id=engine_id, name="Mailer", reach=Reach(all=True)
        )
        applied(await self.backend.ask(registration))
        return EngineSettings(
            kafka=self.world.kafka("engine"),
            services=self.world.services,
            brand=self.name,
            engine_id=engine_id,
            key_file=key_file,
            state_file=self.folder / f"{engine_id}.db",
        )

    async def rollout(
        self, rollout_id: str, when: Callable[[RolloutChanged], bool] = lambda _: True
    ) -> RolloutChanged:
        """Return a rollout as soon as it is there and so."""

        async def find() -> RolloutChanged | None:
            try:
                found = await self.backend.queries.rollout(rollout_id)
            except NotFoundError:
                return None
            return found if when(found) else None

        return await eventually(find, within=60)  # pyright: ignore[reportReturnType]  what is true is there

    async def completed(self, rollout_id: str) -> RolloutChanged:
        return await self.rollout(rollout_id, lambda one: one.state == "completed")

    async def waits(self, rollout_id: str, why: WhyWaiting) -> RolloutChanged:
        """Return a rollout as soon as it waits for an engine for this reason."""
        return await self.rollout(
            rollout_id, lambda one: why in {waiting.why for waiting in one.waiting}
        )


@asynccontextmanager
async def given_brand(world: World, folder: Path) -> AsyncGenerator[Brand]:
    name = f"b{uuid4().hex[:12]}"
    for one in (world.certificate.chain, world.certificate.key, world.certificate.root):
        shutil.copy(one, folder / one.name)
    mail = await MailOperator.start(folder)
    try:
        async with Backend(world.backend_settings(name, roles=["operator"])) as operator:
            applied(await operator.ask(SetLicence(extensions=("smtp-relay",))))
        async with Backend(world.backend_settings(name)) as backend:
            yield Brand(world, name, backend, mail, folder)
    finally:
        await mail.stop()


def applied(outcome: CommandApplied | CommandRefused) -> CommandApplied:
    assert isinstance(outcome, CommandApplied), outcome
    return outcome


def workflows(*names: str, account: str = "mail", owner: str = OWNER) -> list[SavedWorkflow]:
    return [
        SavedWorkflow(
            workflow_id=one,
            name=one,
            owner=owner,
            tasks=(SavedTask(task_id="send", account_id=account),),
        )
        for one in names
    ]
