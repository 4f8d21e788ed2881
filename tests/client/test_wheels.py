"""What outsiders install stands alone: two wheels in an empty environment, used from elsewhere."""

import asyncio
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.client.world import Brand
from tests.forking import ROOT

SHOW_WHERE = """
import keyturn_client, keyturn_contracts
print(*keyturn_client.__path__, *keyturn_contracts.__path__)
"""
NEVER_NEEDED = {"faststream", "sqlalchemy", "asyncpg", "redis", "fastapi", "keyturn"}


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the Python of an environment that holds the client and what that needs alone."""
    folder = tmp_path_factory.mktemp("wheels")
    subprocess.run([sys.executable, "-m", "venv", str(folder / "empty")], check=True)
    python = folder / "empty" / "bin" / "python"
    # Copies: a build leaves things beside its sources.
    for name in ("contracts", "client"):
        shutil.copytree(ROOT / "shared" / name, folder / name)
    run(python, "pip", "wheel", "--no-deps", "-w", "wheels", "./contracts", "./client", at=folder)
    wheels = sorted((folder / "wheels").glob("*.whl"))
    assert [one.name.split("-")[0] for one in wheels] == ["keyturn_client", "keyturn_contracts"]
    run(python, "pip", "install", *map(str, wheels), at=folder)
    return python


def run(python: Path, module: str, *words: str, at: Path) -> str:
    done = subprocess.run(
        [python, "-I", "-m", module, *words], cwd=at, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_an_empty_environment_gets_what_it_needs_and_no_more(python: Path, tmp_path: Path) -> None:
    listed = json.loads(run(python, "pip", "list", "--format", "json", at=tmp_path))
    names = {one["name"].lower().replace("_", "-") for one in listed}
    assert {"keyturn-client", "keyturn-contracts", "aiokafka", "httpx"} <= names
    assert not NEVER_NEEDED & names


def test_the_types_come_with_it(python: Path, tmp_path: Path) -> None:
    found = subprocess.run(
        [python, "-I", "-c", SHOW_WHERE], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    folders = [Path(one) for one in found.stdout.split()]
    assert [one.name for one in folders] == ["keyturn_client", "keyturn_contracts"]
    for folder in folders:
        assert "site-packages" in folder.parts
        assert (folder / "py.typed").exists()


async def test_the_example_runs_from_an_outside_folder(
    python: Path, brand: Brand, tmp_path: Path
) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    program = shutil.copy(ROOT / "docs" / "examples" / "backend.py", folder)
    settings = folder / "settings.json"
    settings.write_text(brand.world.backend_settings(brand.name).model_dump_json())
    process = await asyncio.create_subprocess_exec(
        *(python, "-I", program, str(settings), "register", "letters", str(folder / "keys.json")),
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, problem = await process.communicate()
    assert process.returncode == 0, problem.decode()
    assert said.decode() == "RegisterEngine: keyturn.workflow.EngineRegistered.v1\n"
    assert "letters" in [one["engine_id"] async for one in brand.backend.queries.engines()]
