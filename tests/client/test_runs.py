"""Runs keep the version that they began with."""

import pytest
from keyturn_client.engine.runs import Run, Runs
from keyturn_client.problems import NoCredentialError

from tests.client.test_accounts import given_fetched


def given_run(workflow: str, version: int) -> Run:
    return Run(workflow_id=workflow, credentials={"mail": given_fetched(version)}, missing={})


def test_a_run_keeps_the_version_that_it_began_with() -> None:
    run = given_run("w1", 2)
    assert run.credential("mail").version == 2
    assert run.credential("mail") is run.credential("mail")


def test_the_oldest_version_is_that_of_the_oldest_run() -> None:
    runs = Runs()
    old, new = given_run("w1", 2), given_run("w1", 3)
    runs.begin(old)
    runs.begin(new)
    assert runs.oldest("mail", besides=()) == 2
    runs.end(old)
    assert runs.oldest("mail", besides=()) == 3
    assert runs.is_running("w1")
    runs.end(new)
    assert runs.oldest("mail", besides=()) is None
    assert not runs.is_running("w1")


def test_runs_of_workflows_that_failed_hold_nobody_up() -> None:
    runs = Runs()
    runs.begin(given_run("failed", 2))
    runs.begin(given_run("w1", 3))
    assert runs.oldest("mail", besides={"failed"}) == 3
    runs.begin(given_run("w2", 2))
    assert runs.oldest("mail", besides={"failed"}) == 2


def test_many_runs_of_a_workflow_are_counted() -> None:
    runs = Runs()
    twice = [given_run("w1", 2), given_run("w1", 2)]
    for run in twice:
        runs.begin(run)
    runs.end(twice[0])
    assert runs.oldest("mail", besides=()) == 2


def test_a_run_without_a_credential_says_why() -> None:
    run = Run(workflow_id="w1", credentials={}, missing={"mail": "deleted"})
    with pytest.raises(NoCredentialError, match="was deleted") as gone:
        run.credential("mail")
    assert gone.value.reason == "deleted"
    with pytest.raises(NoCredentialError, match="save it with that task") as strange:
        run.credential("crm")
    assert strange.value.reason == "not_bound"
