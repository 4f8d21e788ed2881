"""Where the stack of the tests comes from, and what is said when it cannot."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
ANY_TEST = "tests/stack/test_embedded.py::test_declaring_the_same_again_changes_nothing"


def pytest_in_another_process(*arguments: str, **environment: str) -> str:
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments, ANY_TEST],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 1
    return run.stdout


def test_without_a_container_engine_one_sentence_says_so() -> None:
    said = pytest_in_another_process(
        "--stack=containers", DOCKER_HOST="unix:///no/engine/listens.here"
    )
    assert "needs a container engine, and none answers here" in said
    assert "Traceback" not in said


def test_a_wrong_address_is_named_without_its_password() -> None:
    said = pytest_in_another_process(KEYTURN_KAFKA="kafka://admin:not-to-be-shown@host:9092")
    assert "KEYTURN_KAFKA is sasl_plaintext://" in said
    assert "not-to-be-shown" not in said
