"""What a stack consists of: which parts are ours, where each is, and what each service is told."""

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, JsonValue, SecretStr, ValidationError

from deploy.local import kafka as kafka_part
from deploy.local import postgres as postgres_part
from deploy.local import redis as redis_part
from deploy.local.external import External
from deploy.local.folder import DataFolder, make_private
from deploy.local.issuer import ensure_local_issuer
from deploy.local.jars import cache_folder, ensure_jars
from deploy.local.parts import Part, Say
from deploy.local.passwords import Passwords
from deploy.local.ports import Ports
from deploy.local.problems import NotFound, StackProblem
from deploy.local.roles import ROLES, database_of, role_of
from deploy.local.services import SERVICES
from deploy.local.sockets import keep_socket_folder
from deploy.local.sql import Server
from deploy.local.state import State
from shared.settings import (
    DatabaseRole,
    DatabaseSettings,
    HttpSettings,
    KafkaSettings,
    Login,
    RedisSettings,
    ServiceSettings,
    write_settings,
)

_KAFKA = "kafka"
_CONTROLLER = "kafka controller"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A stack before it is started. Everything in it stays the same at the next start."""

    data: DataFolder
    passwords: Passwords
    parts: tuple[Part, ...]
    """The parts that are ours to run, in the order to stop them."""
    kafka_admin: KafkaSettings
    postgres: Server
    redis_socket: Path | None
    external: External
    http_ports: dict[str, int]

    def settings_of(self, service: str) -> ServiceSettings:
        return ServiceSettings(
            service=service,
            kafka=self.kafka_of(service),
            database=self.database(database_of(service), service=service),
            redis=self._redis_of(service),
            http=HttpSettings(port=self.http_ports[service]),
            keys=self.data.keys_of(service),
            issuers=self.data.issuers,
        )

    def kafka_of(self, principal: str) -> KafkaSettings:
        if principal == kafka_part.ADMIN:
            return self.kafka_admin
        password = self.passwords.of(kafka_part.NAME, principal)
        return self.kafka_admin.model_copy(
            update={
                "mechanism": "SCRAM-SHA-512",
                "principal": principal,
                "password": SecretStr(password),
            }
        )

    def database(self, name: str, *, service: str) -> DatabaseSettings:
        owner, writer, reader = (
            Login(name=role_of(service, role), password=SecretStr(password))
            for role, password in self.role_passwords(service).items()
        )
        return DatabaseSettings(
            host=self.postgres.host,
            port=self.postgres.port,
            name=name,
            owner=owner,
            writer=writer,
            reader=reader,
            tls=self.postgres.tls,
            ca_file=self.postgres.ca_file,
        )

    def role_passwords(self, service: str) -> dict[DatabaseRole, str]:
        return {
            role: self.passwords.of(postgres_part.NAME, role_of(service, role)) for role in ROLES
        }

    def _redis_of(self, service: str) -> RedisSettings:
        if self.external.redis is not None:
            return self.external.redis
        password = self.passwords.of(redis_part.NAME, service)
        return RedisSettings(socket=self.redis_socket, user=service, password=SecretStr(password))


def plan_stack(
    data: DataFolder,
    say: Say,
    *,
    external: External,
    stack: ExitStack,
    fresh_ports: bool = False,
) -> Plan:
    """Decide about ports, sockets and passwords, and remember it; the caller holds the lock.

    Ports are held until `stack` is closed, which is to be when the stack has ended.
    """
    state = State.read(data.state)
    ports = stack.enter_context(Ports(state))
    jars: tuple[Path, ...] = ()
    if external.kafka is None:
        jars = ensure_jars(say)
        for name in (_KAFKA, _CONTROLLER):
            ports.keep(name, fresh=fresh_ports)
    for service in SERVICES:
        ports.keep(service, fresh=fresh_ports)
        make_private(data.keys_of(service))
    keep_socket_folder(state, data)
    state.write(data.state)
    plan = _plan(data, state, external, jars)
    ensure_local_issuer(data)
    for service in SERVICES:
        file = data.settings_of(service)
        write_settings(file, plan.settings_of(service).model_copy(update={"extra": _extra(file)}))
    return plan


class _Extra(BaseModel):
    """The one part of a service's settings that is an operator's."""

    extra: dict[str, JsonValue] = {}


def _extra(file: Path) -> dict[str, JsonValue]:
    """Return what an operator has put there for the service alone: it stays as it is."""
    if not file.exists():
        return {}
    try:
        return _Extra.model_validate_json(file.read_bytes()).extra
    except ValidationError as error:
        raise StackProblem(
            f"{file} cannot be read as the settings of a service: correct it, or remove it."
        ) from error


def known_plan(data: DataFolder, *, external: External) -> Plan:
    """Say where everything is according to the last start; its parts can be asked, not started."""
    if not data.state.exists():
        raise NotFound(f"Nothing was started in {data.root} yet: run `keyturn up` first.")
    return _plan(data, State.read(data.state), external, ())


def _plan(data: DataFolder, state: State, external: External, jars: tuple[Path, ...]) -> Plan:
    passwords = Passwords(data.passwords)
    parts: list[Part] = []
    kafka_admin = external.kafka
    if kafka_admin is None:
        kafka = kafka_part.Kafka(
            data=data,
            passwords=passwords,
            port=state.port(_KAFKA),
            controller_port=state.port(_CONTROLLER),
            jars=jars,
            cache=cache_folder(),
        )
        parts.append(kafka)
        kafka_admin = KafkaSettings(
            bootstrap=kafka.bootstrap,
            mechanism="PLAIN",
            principal=kafka_part.ADMIN,
            password=SecretStr(passwords.of(kafka_part.NAME, kafka_part.ADMIN)),
        )
    sockets = state.sockets or data.root / "run"
    server = external.postgres
    if server is None:
        postgres = postgres_part.Postgres(data, passwords, sockets)
        parts.append(postgres)
        server = Server(
            host=str(postgres.socket_folder),
            port=postgres_part.PORT,
            user=postgres_part.ADMIN,
            password=passwords.of(postgres_part.NAME, postgres_part.ADMIN),
        )
    redis_socket = None
    if external.redis is None:
        redis = redis_part.Redis(data, passwords, sockets, SERVICES)
        parts.append(redis)
        redis_socket = redis.socket
    return Plan(
        data=data,
        passwords=passwords,
        parts=tuple(parts),
        kafka_admin=kafka_admin,
        postgres=server,
        redis_socket=redis_socket,
        external=external,
        http_ports={service: state.port(service) for service in SERVICES},
    )
