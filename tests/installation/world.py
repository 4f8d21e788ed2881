"""What a service test does: tell, have the jobs run, and read what came of it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from keyturn_contracts import access, credential_vault, workflow
from keyturn_contracts.actor import Role
from keyturn_contracts.catalog import LicenceChanged, Manifest
from keyturn_contracts.ids import PLATFORM
from keyturn_contracts.installation import InstallationChanged
from keyturn_contracts.message import Command, CommandApplied, CommandRefused, Event
from sqlalchemy import text

from services.installation.handlers import handlers_with
from services.installation.jobs.following import follow_installations, spread_news
from services.installation.rules.policy import Policy
from services.installation.rules.review import digest_of, review_of
from shared.messaging.batch import Message
from shared.messaging.envelope import Asked
from tests.batches import asked, news
from tests.installation import given
from tests.world import ServiceWorld

POLICY = Policy(contact="the test's operator", private=frozenset({"localhost"}))
HANDLERS = handlers_with(POLICY)


@dataclass
class World(ServiceWorld):
    """One brand's installations, in a database with a twin."""

    handlers = HANDLERS

    brand: str = "acme"
    sequences: Counter[str] = field(default_factory=Counter[str])
    """Of news; the twin's began at 1."""

    def news(self, event: Event, *, brand: str | None = None) -> Message:
        """Return news that is newer than any before it."""
        key = event.key(brand or self.brand)
        self.sequences[str(key)] += 1
        return news(event, 100 + self.sequences[str(key)], brand=brand or self.brand)

    async def hear(self, *events: Event) -> None:
        """Have other services announce something, and all of it followed."""
        await self.tell(*map(self.news, events))
        await self.follow()

    async def licence(self, *slugs: str) -> None:
        await self.hear(LicenceChanged(extensions=slugs))

    async def publish(self, manifest: Manifest, version: int = 1) -> None:
        await self.tell(self.news(given.published(manifest, version), brand=PLATFORM))
        await self.follow()

    async def retire(self, manifest: Manifest, version: int = 1) -> None:
        await self.tell(self.news(given.retired(manifest, version), brand=PLATFORM))
        await self.follow()

    async def follow(self, policy: Policy = POLICY) -> None:
        """Run both jobs until they find nothing more."""
        for _ in range(50):
            spread = await spread_news(self.database.writer, 100)
            if not (spread + await follow_installations(self.database.writer, policy, 100)):
                return
        raise AssertionError("The jobs find the same again and again.")

    def asks(
        self, command: Command, *, by: str = "root", roles: Sequence[Role] = ("administrator",)
    ) -> Asked[Command]:
        return asked(command, by=by, brand=self.brand, roles=roles)

    async def apply(self, command: Command) -> CommandApplied:
        return await self.applied(self.asks(command))

    async def refusal(self, command: Command) -> CommandRefused:
        return await self.refused(self.asks(command))

    async def install(self, manifest: Manifest, version: int = 1) -> InstallationChanged:
        """Install what is published already, and return what was told last."""
        digest = digest_of(review_of(manifest, version))
        await self.apply(given.install(manifest.slug, digest))
        await self.follow()
        return (await self.events())[-1]

    async def impact_revision(self, slug: str = given.LOUD) -> str:
        """Return the revision of what is touched today, as a refusal tells it."""
        refused = await self.refusal(given.uninstall(slug))
        assert refused.details is not None
        return str(refused.details["revision"])

    async def cleared(
        self,
        slug: str,
        uninstall_id: str,
        *,
        accounts: int | None = None,
        tasks: int | None = None,
        grants: int | None = None,
        done: bool = True,
    ) -> None:
        """Have participants say that their part is done, or how far it is."""
        events: list[Event] = []
        if accounts is not None:
            events.append(
                credential_vault.ExtensionCleared(
                    extension=slug, uninstall_id=uninstall_id, done=done, accounts=accounts
                )
            )
        if tasks is not None:
            events.append(
                workflow.ExtensionCleared(
                    extension=slug, uninstall_id=uninstall_id, done=done, tasks=tasks
                )
            )
        if grants is not None:
            events.append(
                access.ExtensionCleared(
                    extension=slug,
                    uninstall_id=uninstall_id,
                    done=done,
                    grants=grants,
                    enablements=1,
                )
            )
        await self.hear(*events)

    async def events(self) -> list[InstallationChanged]:
        """Return what was announced since this was last asked."""
        return [one for _, one in await self.announced() if isinstance(one, InstallationChanged)]

    async def rows(self, statement: str, **parameters: Any) -> list[tuple[Any, ...]]:
        async with self.database.writer.connect() as connection:
            rows = await connection.execute(text(statement), {"brand": self.brand} | parameters)
            return [tuple(row) for row in rows]


def told(events: Sequence[InstallationChanged]) -> list[tuple[str, str, str]]:
    """Return the events' names, with the extension and the state that they tell."""
    return [(type(one).__name__, one.extension, one.state) for one in events]


async def make_overdue(world: World, slug: str = given.LOUD) -> None:
    """Move the deadline of an uninstallation into the past, in its row and in what is due."""
    past = (datetime.now().astimezone() - timedelta(seconds=1)).isoformat()
    async with world.database.writer.begin() as connection:
        await connection.execute(
            text(
                "UPDATE installation SET uninstallation = jsonb_set(uninstallation, '{deadline}',"
                " to_jsonb(cast(:past AS text))) WHERE brand_id = :brand AND extension = :slug"
            ),
            {"past": past, "brand": world.brand, "slug": slug},
        )
        await connection.execute(
            text("UPDATE due SET due_at = now() WHERE brand_id = :brand AND extension = :slug"),
            {"brand": world.brand, "slug": slug},
        )
