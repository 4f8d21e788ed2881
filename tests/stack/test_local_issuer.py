"""Who the command line signs as, and what an operator may add to a service's settings."""

import json
import stat
from contextlib import ExitStack
from pathlib import Path

from keyturn_client.keys import read_signing_key
from keyturn_contracts.topics import LOCAL_ISSUER

from deploy.local.folder import open_data_folder
from deploy.local.issuer import KEY_FILE, ensure_local_issuer
from deploy.local.plan import plan_stack
from shared.messaging.issuers import EVERY_BRAND, Issuers
from shared.settings import read_settings
from tests.running_stack import RunningStack


def test_its_key_is_made_once_and_known_to_every_service(tmp_path: Path) -> None:
    data = open_data_folder(tmp_path)
    key_file = data.root / "keys" / KEY_FILE

    ensure_local_issuer(data)
    first = read_signing_key(key_file)
    ensure_local_issuer(data)

    issuer = Issuers(data.issuers).find(LOCAL_ISSUER)
    assert issuer is not None
    assert set(issuer.keys) == {first.thumbprint()}
    assert read_signing_key(key_file).thumbprint() == first.thumbprint()
    assert issuer.may_speak_for("acme")
    assert issuer.brands == {EVERY_BRAND}
    assert issuer.roles == {"administrator", "member", "operator", "publisher"}
    assert issuer.replies


def test_nobody_else_reads_its_key_and_no_service_is_given_it(tmp_path: Path) -> None:
    data = open_data_folder(tmp_path)

    ensure_local_issuer(data)

    key_file = data.root / "keys" / KEY_FILE
    secret = json.loads(key_file.read_bytes())["d"]
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    assert secret not in (data.issuers / f"{LOCAL_ISSUER}.json").read_text(encoding="utf-8")


def test_what_an_operator_adds_for_a_service_stays_at_the_next_start(
    stack: RunningStack, tmp_path: Path
) -> None:
    data = open_data_folder(tmp_path)
    file = data.settings_of("credential-vault")
    said: list[str] = []
    with ExitStack() as held:
        plan_stack(data, said.append, external=stack.plan.external, stack=held)
    before = read_settings(file)

    told = json.loads(file.read_bytes()) | {"extra": {"try_seconds": 3}}
    file.write_text(json.dumps(told), encoding="utf-8")
    with ExitStack() as held:
        plan_stack(data, said.append, external=stack.plan.external, stack=held)

    assert read_settings(file) == before.model_copy(update={"extra": {"try_seconds": 3}})
