"""Where the demo's own stack runs, and where its parts are."""

import json
import os
import shutil
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from keyturn_client import Kafka, Services
from keyturn_contracts.topics import ENGINE

from deploy.demo.certificate import make_certificate
from deploy.local import kafka as kafka_part
from deploy.local.external import read_external
from deploy.local.folder import DataFolder, make_private, open_data_folder, write_private
from deploy.local.lock import holder_of
from deploy.local.plan import known_plan
from deploy.local.problems import Conflict, NotAllowed
from shared.cli.where import find

_MARK = "demo.txt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A stack that runs, for the demo alone."""

    data: DataFolder
    mail: Path
    """The mail server's folder, with its certificate and its log."""
    trust_root: Path
    engine: Path
    """The engine's folder, with its keys and its state."""
    supervisor: int
    brand: str
    """Of this run alone: a Kafka or a PostgreSQL that is not ours may remember earlier ones."""
    kafka: Kafka
    """As the backend reaches it."""
    services: Services
    issuer: str
    key_file: Path

    @property
    def engines_kafka(self) -> Kafka:
        plan = known_plan(self.data, external=read_external(os.environ))
        password_file = plan.passwords.file_of(kafka_part.NAME, ENGINE)
        return self.kafka.model_copy(update={"principal": ENGINE, "password_file": password_file})


def make_folder(root: Path) -> DataFolder:
    """Make the folder afresh, with a mail server's certificate that the vault will believe.

    What an earlier demo left there is removed; anything else is left alone, and refused.
    """
    if (pid := holder_of(DataFolder(root.absolute()))) is not None:
        raise Conflict(
            f"A demo still runs in {root} (process {pid}): look at it, or end it with "
            f"`./keyturn down --data-dir {root}`."
        )
    if root.exists() and any(root.iterdir()):
        if not (root / _MARK).exists():
            raise NotAllowed(
                f"{root} holds something that no demo has left there: name another folder with "
                "--data-dir."
            )
        shutil.rmtree(root)
    data = open_data_folder(root)
    write_private(data.root / _MARK, "A demo's folder: the next demo removes all of it.\n")
    mail = data.root / "mail"
    make_private(mail)
    certificate = make_certificate(mail)
    private = {"allowed_private_hosts": ["localhost"]}
    vault = {"trust_roots": str(certificate.root), **private}
    write_private(data.settings_of("credential-vault"), json.dumps({"extra": vault}))
    write_private(data.settings_of("installation"), json.dumps({"extra": private}))
    return data


def find_place(data: DataFolder) -> Place:
    """Return where everything is, once all of it runs."""
    where = find(data.root)
    engine = data.root / "engine"
    make_private(engine)
    supervisor = holder_of(data)
    if supervisor is None:
        sys.exit("The stack has ended before the demo began.")
    return Place(
        data=data,
        mail=data.root / "mail",
        trust_root=data.root / "mail" / "authority.pem",
        engine=engine,
        supervisor=supervisor,
        brand=f"demo-{datetime.now(UTC):%Y%m%d-%H%M%S}",
        kafka=where.kafka,
        services=where.services,
        issuer=where.issuer,
        key_file=where.key_file,
    )
