"""The embedded Kafka: one broker that is its own controller, closed to whoever is not declared."""

from dataclasses import dataclass
from pathlib import Path

from deploy.local import aot, kafka_probe, kafka_storage
from deploy.local.children import Command
from deploy.local.folder import DataFolder, write_private
from deploy.local.java import java_command
from deploy.local.passwords import Passwords
from deploy.local.ports import LOOPBACK
from deploy.local.problems import StackProblem

NAME = "kafka"
ADMIN = "admin"

_SETTINGS = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller_port}
listeners=CLIENT://{listen}:{port},CONTROLLER://{host}:{controller_port}
advertised.listeners=CLIENT://{advertised}
controller.listener.names=CONTROLLER
inter.broker.listener.name=CLIENT
listener.security.protocol.map=CLIENT:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT
log.dirs={folder}

# The administrator logs in by PLAIN, so that it can before anything is stored; everyone else by
# SCRAM, added and changed at run time. The controller's listener lets the administrator in alone:
# in clear, any local process could write access lists there.
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-512
sasl.mechanism.inter.broker.protocol=PLAIN
sasl.mechanism.controller.protocol=PLAIN
listener.name.controller.sasl.enabled.mechanisms=PLAIN
listener.name.controller.plain.sasl.jaas.config={plain}
listener.name.client.plain.sasl.jaas.config={plain}
listener.name.client.scram-sha-512.sasl.jaas.config={scram}
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found=false
super.users=User:{admin}

auto.create.topics.enable=false
log.message.timestamp.type=LogAppendTime
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1

group.initial.rebalance.delay.ms=0
# A broker that was killed is let in again after the first of these, 9 s by default; much less, and
# a busy machine takes a living broker for a dead one.
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500

# Small: a machine of two cores and everything else on it.
num.network.threads=2
num.io.threads=4
background.threads=2
group.coordinator.threads=1
share.coordinator.threads=1
log.cleaner.dedupe.buffer.size=16777216
log.initial.task.delay.ms={task_delay_ms}
"""
_PLAIN = (
    "org.apache.kafka.common.security.plain.PlainLoginModule required "
    'username="{admin}" password="{password}" user_{admin}="{password}";'
)
_SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule required;"

_LOGGING = """\
status = error
appender.file.type = RollingFile
appender.file.name = file
appender.file.fileName = {log}
appender.file.filePattern = {log}.%i
appender.file.filePermissions = rw-------
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d{{ISO8601}} %p %c{{1}} %m%n
appender.file.policies.type = SizeBasedTriggeringPolicy
appender.file.policies.size = 8MB
appender.file.strategy.type = DefaultRolloverStrategy
appender.file.strategy.max = 1
rootLogger.level = {level}
rootLogger.appenderRef.file.ref = file
"""


def server_settings(
    *,
    password: str,
    port: int,
    controller_port: int,
    advertised: str,
    folder: str,
    listen: str = LOOPBACK,
    task_delay_ms: int = 30_000,
) -> str:
    """Write the broker's settings, with the administrator's password in them."""
    return _SETTINGS.format(
        host=LOOPBACK,
        listen=listen,
        port=port,
        controller_port=controller_port,
        advertised=advertised,
        folder=folder,
        admin=ADMIN,
        plain=_PLAIN.format(admin=ADMIN, password=password),
        scram=_SCRAM,
        task_delay_ms=task_delay_ms,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Kafka:
    data: DataFolder
    passwords: Passwords
    port: int
    controller_port: int
    jars: tuple[Path, ...]
    cache: Path
    task_delay_ms: int = 30_000
    """When retention and compaction first look; a test of them sets it low."""
    name: str = NAME

    @property
    def bootstrap(self) -> str:
        return f"{LOOPBACK}:{self.port}"

    def prepare(self) -> None:
        settings = server_settings(
            password=self.passwords.of(NAME, ADMIN),
            port=self.port,
            controller_port=self.controller_port,
            advertised=self.bootstrap,
            folder=str(self._storage),
            task_delay_ms=self.task_delay_ms,
        )
        write_private(self._settings_file, settings)
        logging = _LOGGING.format(log=self.data.log_of(NAME), level="INFO")
        write_private(self._logging_file, logging)
        if not self._storage.exists():
            kafka_storage.make(
                self._storage, cache=self.cache, jars=self.jars, log=self.data.log_of("kafka.out")
            )

    def command(self) -> Command:
        return self.start_command(aot.options(self.cache))

    def start_command(self, options: tuple[str, ...]) -> Command:
        return Command(
            words=java_command(
                self.jars,
                "kafka.Kafka",
                str(self._settings_file),
                options=(f"-Dlog4j2.configurationFile={self._logging_file}", *options),
            ),
            log=self.data.log_of("kafka.out"),
            own_log=self.data.log_of(NAME),
        )

    def is_ready(self) -> bool:
        password = self.passwords.of(NAME, ADMIN)
        try:
            return kafka_probe.serves(LOOPBACK, self.port, user=ADMIN, password=password)
        except kafka_probe.ProbeRefused as error:
            raise StackProblem(
                f"Kafka on port {self.port} refused us, {error}: is it another program's? Stop "
                "that one, or choose new ports with `keyturn up --fresh-ports`."
            ) from error

    @property
    def _storage(self) -> Path:
        return self.data.kafka / "storage"

    @property
    def _settings_file(self) -> Path:
        return self.data.kafka / "server.properties"

    @property
    def _logging_file(self) -> Path:
        return self.data.kafka / "log4j2.properties"
