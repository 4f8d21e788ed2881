"""`keyturn demo`: the main job under load, and every way in which it must not look well."""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from keyturn_contracts.keys import Jwks
from keyturn_contracts.proof import check

from deploy.local.folder import DataFolder
from deploy.local.lock import holder_of
from tests.forking import run
from tests.waiting import until

ROOT = Path(__file__).parents[2]
WORKFLOWS = 60
SPOILED = "w-00031"
"""The workflow in the middle, which a lying engine lies about."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What a demo showed, and what it left behind."""

    code: int
    text: str
    folder: Path

    def figure(self, name: str) -> int:
        """Return the number after this name in the tally."""
        found = re.search(rf"^{name}: ([\d,]+)$", self.text, re.MULTILINE)
        assert found, self.text
        return int(found[1].replace(",", ""))

    def mail(self, *whats: str) -> list[dict[str, Any]]:
        """Return these lines of the mail server's log, of the engine's clients alone."""
        log = (self.folder / "mail" / "mail.jsonl").read_text(encoding="utf-8")
        lines = [json.loads(line) for line in log.splitlines()]
        return [
            one
            for one in lines
            if one["what"] in whats and one.get("client", "").endswith(".engine.demo")
        ]


def command_line(*words: str) -> subprocess.CompletedProcess[str]:
    return run(["deploy", *words], environment=os.environ, timeout=300, together=True)


def play(folder: Path, *words: str) -> Shown:
    size = ("--workflows", str(WORKFLOWS))
    done = command_line("demo", "--data-dir", str(folder), *size, *words)
    return Shown(done.returncode, done.stdout, folder)


@contextmanager
def new_folder() -> Generator[Path]:
    """Give a demo a folder, and end what it may have left there."""
    # Not pytest's own folder: its path is long, and sockets need a short one.
    with tempfile.TemporaryDirectory(prefix="keyturn-demo-") as parent:
        folder = Path(parent) / "data"
        yield folder
        command_line("down", "--data-dir", str(folder))


@pytest.fixture
def folder() -> Iterator[Path]:
    with new_folder() as folder:
        yield folder


@pytest.fixture(scope="module")
def played() -> Iterator[Shown]:
    """Play two rotations in which nothing goes wrong."""
    with new_folder() as folder:
        yield play(folder, "--rotations", "2")


def processes_of(folder: Path) -> list[str]:
    """Return what still runs of a demo: its folder stands in all of their arguments."""
    return [
        " ".join(one.info["cmdline"])
        for one in psutil.process_iter(["cmdline"])
        if any(str(folder) in word for word in one.info["cmdline"] or ())
    ]


def test_a_rotation_under_load_fails_no_send(played: Shown) -> None:
    assert played.code == 0, played.text
    assert played.figure("failed sends") == 0
    before, during, after = (
        played.figure(f"mails sent {when}") for when in ("before the switch", "during", "after")
    )
    assert min(before, after) >= WORKFLOWS
    assert before + during + after == len(played.mail("accepted"))
    assert played.mail("refused") == []
    in_flight = re.findall(r"(\d+) sends were in flight at the moment", played.text)
    assert len(in_flight) == 2
    assert min(map(int, in_flight)) >= 20


def test_every_workflow_goes_over_to_each_new_password(played: Shown) -> None:
    accepted = played.mail("accepted")
    passwords = Counter(one["password"] for one in accepted)
    assert set(passwords) == {"password 1", "password 2", "password 3"}
    assert min(passwords.values()) >= WORKFLOWS
    last = {one["workflow"]: one["password"] for one in accepted}
    assert Counter(last.values()) == {"password 3": WORKFLOWS}


def test_an_old_password_is_refused_once_it_is_retired(played: Shown) -> None:
    log = (played.folder / "mail" / "mail.jsonl").read_text(encoding="utf-8")
    told = [json.loads(line) for line in log.splitlines()]
    tried = [one for one in told if one.get("client") == "operator.demo" and "password" in one]
    assert [(one["what"], one["password"]) for one in tried] == [
        ("refused", "password 1"),
        ("refused", "password 2"),
    ]
    assert played.text.count("which now refuses it: 535.") == 2


def test_its_proofs_can_be_checked_again_by_anyone(played: Shown) -> None:
    jwks = Jwks.model_validate_json((played.folder / "proof-keys.json").read_bytes())
    proofs = sorted(played.folder.glob("proof-*.[0-9].json"))
    assert len(proofs) == 2
    for proof in proofs:
        verdict = check(proof.read_bytes(), jwks)
        assert (verdict.problems, verdict.is_pinned) == ((), True)
        assert verdict.proof
        assert [leg.count for leg in verdict.proof.legs] == [WORKFLOWS]
        assert f"./keyturn proof check {proof}" in played.text


def test_it_leaves_nothing_running_and_shows_no_password(played: Shown) -> None:
    assert holder_of(DataFolder(played.folder)) is None
    assert processes_of(played.folder) == []
    log = (played.folder / "mail" / "mail.jsonl").read_text(encoding="utf-8")
    looks_like_a_password = re.compile(r"[A-Za-z0-9_-]{24}")
    assert not looks_like_a_password.search(played.text.replace(str(played.folder), ""))
    assert not looks_like_a_password.search(log)


def test_an_old_password_dropped_before_the_proof_is_told_and_costs_sends(folder: Path) -> None:
    shown = play(folder, "--sabotage", "early-drop")

    assert shown.code == 1
    assert "password 1 was dropped at the mail server" in shown.text
    assert "before there was a proof" in shown.text
    assert shown.figure("failed sends") == len(shown.mail("refused")) > 0


def test_a_workflow_left_on_the_old_password_gives_the_engine_away(folder: Path) -> None:
    shown = play(folder, "--sabotage", "skip-one")

    assert shown.code == 1
    assert "RolloutCompleted" in shown.text, "No digest can see this lie."
    assert f"Workflow {SPOILED} used an old password" in shown.text
    assert {one["client"] for one in shown.mail("refused")} == {f"{SPOILED}.engine.demo"}
    assert shown.figure("failed sends") == len(shown.mail("refused")) > 0


def test_a_workflow_that_the_engine_forgot_keeps_the_rollout_open(folder: Path) -> None:
    shown = play(folder, "--sabotage", "forget-one")

    assert shown.code == 1
    assert "RolloutCompleted" not in shown.text
    assert "example-engine (vanished)" in shown.text
    assert f"{SPOILED} of example-engine (vanished)" in shown.text
    assert shown.figure("failed sends") == 0, "Its old password was kept for it."


def test_a_credential_that_was_not_opened_cannot_be_confirmed(folder: Path) -> None:
    shown = play(folder, "--sabotage", "unopened")

    assert shown.code == 1
    assert "RolloutCompleted" not in shown.text
    assert "receipt_wrong" in shown.text
    assert "example-engine (unconfirmed)" in shown.text
    assert {one["password"] for one in shown.mail("accepted")} == {"password 1"}
    assert shown.figure("failed sends") == 0


def test_kept_it_goes_on_until_its_stack_is_ended(folder: Path) -> None:
    shown = play(folder, "--keep")
    sent = len(shown.mail("accepted"))
    try:
        assert shown.code == 0, shown.text
        until(lambda: len(shown.mail("accepted")) > sent)
        again = play(folder)
        assert (again.code, "A demo still runs" in again.text) == (4, True)
    finally:
        command_line("down", "--data-dir", str(folder))

    until(lambda: processes_of(folder) == [])


def test_a_folder_that_holds_something_else_is_left_alone(folder: Path) -> None:
    folder.mkdir()
    (folder / "thesis.txt").write_text("chapter one", encoding="utf-8")

    shown = play(folder)

    assert shown.code == 5
    assert "holds something that no demo has left there" in shown.text
    assert [one.name for one in folder.iterdir()] == ["thesis.txt"]


def test_even_when_it_is_killed_nothing_is_left_running(folder: Path) -> None:
    words = ("demo", "--data-dir", str(folder), "--workflows", str(WORKFLOWS))
    demo = subprocess.Popen(
        [sys.executable, "-m", "deploy", *words], cwd=ROOT, stdout=subprocess.DEVNULL
    )
    log = folder / "mail" / "mail.jsonl"
    until(lambda: log.exists() and '"accepted"' in log.read_text(encoding="utf-8"), within=120)

    demo.kill()
    demo.wait()

    until(lambda: processes_of(folder) == [], within=60)
