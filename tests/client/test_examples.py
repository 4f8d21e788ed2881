"""The example programs, run as anybody would run them."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from keyturn_client import EngineSettings

from deploy.demo.mail_operator import USER
from tests.client.world import Brand
from tests.forking import ROOT
from tests.waiting import eventually

EXAMPLES = ROOT / "docs" / "examples"


async def backend(brand: Brand, *words: str, stdin: str = "") -> str:
    """Run the backend example to its end, and return what it printed."""
    settings = brand.folder / "backend.json"
    settings.write_text(brand.world.backend_settings(brand.name).model_dump_json())
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(EXAMPLES / "backend.py"),
        str(settings),
        *words,
        cwd=brand.folder,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, problem = await process.communicate(stdin.encode())
    assert process.returncode == 0, problem.decode()
    return said.decode()


@asynccontextmanager
async def engine(brand: Brand, settings: EngineSettings) -> AsyncGenerator[Path]:
    """Run the engine example, and give the file of what it prints."""
    told, said = brand.folder / "engine.json", brand.folder / "engine.log"
    told.write_text(settings.model_dump_json())
    with said.open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, str(EXAMPLES / "engine.py"), str(told), "ada"),
            str(brand.world.certificate.root),
            cwd=brand.folder,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            stdout=log,
            stderr=log,
        )
    try:
        yield said
        assert process.returncode is None, said.read_text()
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
        await process.wait()


def logins(brand: Brand) -> list[tuple[str, str]]:
    """Return what the mail server saw: whether it let somebody in, and by which password."""
    lines = [json.loads(one) for one in brand.mail.log.read_text(encoding="utf-8").splitlines()]
    return [(one["what"], one["password"]) for one in lines if one["what"] in {"login", "refused"}]


async def test_an_engine_and_a_backend_rotate_a_password_and_no_mail_fails(brand: Brand) -> None:
    await brand.mail.add("first", "the first one")
    await brand.mail.add("second", "the second one")
    keys = brand.folder / "keys.json"
    assert "EngineRegistered" in await backend(brand, "register", "letters", str(keys))
    port = str(brand.mail.port)
    words = ("add", "localhost", port, "letters@example.com", USER)
    said = await backend(brand, *words, stdin="the first one\n")
    assert "AccountAdded" in said
    settings = EngineSettings(
        kafka=brand.world.kafka("engine"),
        services=brand.world.services,
        brand=brand.name,
        engine_id="letters",
        key_file=keys,
        state_file=brand.folder / "letters.db",
    )
    async with engine(brand, settings) as printed:
        await eventually(lambda: "mail: version 1, 3 tasks" in printed.read_text())
        await eventually(lambda: logins(brand).count(("login", "first")) > 3)
        proof = brand.folder / "proof.json"
        said = await backend(brand, "rotate", USER, str(proof), stdin="the second one\n")
        assert "completed: 1 of 1 engines" in said
        assert f"proven: {proof}" in said
        await brand.mail.drop("first")
        so_far = logins(brand).count(("login", "second"))
        await eventually(lambda: logins(brand).count(("login", "second")) > so_far + 3)
    assert {what for what, _ in logins(brand)} == {"login"}
