"""A workflow engine: each of its workflows sends a mail now and then through the account `mail`.

    python engine.py SETTINGS.json OWNER [CA.pem]

SETTINGS.json is what `keyturn_client.EngineSettings` reads: where Kafka and the services are, the
engine's id, its keys, and a file for what it must remember. When the password of `mail` is
rotated, every run that begins afterwards logs in with the new one, and Keyturn can prove it.
"""
# ruff: noqa: INP001, T201  an example stands alone and talks to whoever runs it

import asyncio
import smtplib
import ssl
import sys
from email.message import EmailMessage
from pathlib import Path

from keyturn_client import Engine, EngineSettings, Fetched, SavedTask, SavedWorkflow, Workflows


async def apply(credential: Fetched, workflows: Workflows) -> None:
    """Have new runs use this version: here each asks at its beginning, so that is done."""
    print(f"{credential.account_id}: version {credential.version}, {workflows.bindings} tasks")


async def work(engine: Engine, workflow_id: str, tls: ssl.SSLContext) -> None:
    """Run a workflow once; to its end it keeps the version that it began with."""
    async with engine.run(workflow_id) as run:
        try:
            await asyncio.to_thread(send_mail, workflow_id, run.credential("mail"), tls)
        except smtplib.SMTPAuthenticationError:
            # The rotation does not complete before this is gone: somebody sees it by name.
            await engine.report_failed("mail", {workflow_id: "The server refused the login."})


async def main(settings: EngineSettings, owner: str, tls: ssl.SSLContext) -> None:
    workflows = [
        SavedWorkflow(
            workflow_id=f"newsletter-{number}",
            name=f"Newsletter {number}",
            owner=owner,
            tasks=(SavedTask(task_id="send", account_id="mail"),),
        )
        for number in range(3)
    ]
    async with Engine(settings, apply) as engine:
        await engine.sync(workflows)
        while True:
            for one in workflows:
                await work(engine, one.workflow_id, tls)
            await asyncio.sleep(0.2)


def send_mail(workflow_id: str, credential: Fetched, tls: ssl.SSLContext) -> None:
    message = EmailMessage()
    message["From"] = message["To"] = credential.settings["from_address"]
    message["Subject"] = workflow_id
    message.set_content("Hello.")
    with smtplib.SMTP(credential.settings["host"], int(credential.settings["port"])) as server:
        server.starttls(context=tls)
        server.login(
            *(credential.fields[one].get_secret_value() for one in ("username", "password"))
        )
        server.send_message(message)


if __name__ == "__main__":
    told = EngineSettings.model_validate_json(Path(sys.argv[1]).read_bytes())
    trusted = ssl.create_default_context(cafile=next(iter(sys.argv[3:]), None))
    asyncio.run(main(told, sys.argv[2], trusted))
