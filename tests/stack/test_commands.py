"""The commands around a stack, where none runs."""

import json
from collections.abc import Generator

import pytest

from tests.stack.supervised import Supervised, supervised


@pytest.fixture(scope="module")
def nothing() -> Generator[Supervised]:
    with supervised() as one:
        yield one


def test_down_where_nothing_runs_is_fine(nothing: Supervised) -> None:
    run = nothing.keyturn("down")
    assert run.returncode == 0
    assert "Nothing runs in" in run.stderr
    assert run.stdout == ""


@pytest.mark.parametrize("words", [("status",), ("topics", "apply"), ("logs", "kafka")])
def test_what_needs_a_stack_says_that_there_is_none(
    nothing: Supervised, words: tuple[str, ...]
) -> None:
    run = nothing.keyturn(*words)
    assert run.returncode == 3
    assert len(run.stderr.splitlines()) == 1
    assert run.stdout == ""


def test_an_unknown_service_or_one_without_settings_is_not_found(nothing: Supervised) -> None:
    assert "There is no service mail" in nothing.keyturn("serve", "mail").stderr
    run = nothing.keyturn("serve", "catalog")
    assert run.returncode == 3
    assert "`keyturn up` writes one" in run.stderr


def test_the_doctor_looks_at_everything(nothing: Supervised) -> None:
    run = nothing.keyturn("doctor", "-o", "ndjson")
    assert run.returncode == 0, run.stdout
    subjects = [json.loads(line)["subject"] for line in run.stdout.splitlines()]
    assert subjects[:5] == ["python", "java", "postgres", "redis", "user"]
    assert subjects[5:] == ["data", "cache", "memory", "jars", "sockets", "ports"]


def test_a_wrong_use_is_told_apart_from_a_failure(nothing: Supervised) -> None:
    assert nothing.keyturn("up", "--no-such-option").returncode == 2


def test_a_folder_that_cannot_be_made_is_named(nothing: Supervised) -> None:
    run = nothing.keyturn("up", KEYTURN_DATA_DIR="/proc/keyturn")
    assert run.returncode == 5
    assert "choose another with --data-dir" in run.stderr
    assert "Traceback" not in run.stderr


def test_a_wrong_address_ends_up_before_anything_starts(nothing: Supervised) -> None:
    run = nothing.keyturn("up", KEYTURN_REDIS="http://:secret@localhost")
    assert run.returncode == 1
    assert "KEYTURN_REDIS is redis://" in run.stderr
    assert "secret" not in run.stderr
