"""Temporary."""

from time import perf_counter

from sqlalchemy import text

from tests.workflow.given import workflow, grant_news, member_news, policy_news
from tests.workflow.http import running_client
from tests.workflow.world import World


async def test_scale(world: World, stack, tmp_path) -> None:
    engine = await world.engine()
    await world.account()
    await world.tell(engine.save(workflow("seed", "a")))
    await world.close()
    n = 300_000
    async with world.database.writer.begin() as c:
        await c.execute(text(f"INSERT INTO workflow SELECT 'acme','e1','w'||lpad(i::text,7,'0'),'n',CASE WHEN i%15000=7 THEN 'bob' ELSE 'ada' END FROM generate_series(1,{n}) i"))
        await c.execute(text(f"INSERT INTO binding SELECT 'acme','e1','w'||lpad(i::text,7,'0'),'mail','a',1,2,false FROM generate_series(1,{n}) i"))
        await c.execute(text(f"INSERT INTO usage SELECT 'acme','mail','e1','bob',{n}/15000,1 "))
        await c.execute(text(f"UPDATE usage SET count=count+{n}-{n}/15000 WHERE owner='ada' AND brand_id='acme'"))
        await c.execute(text(f"UPDATE holding SET count=count+{n}, allowed_count=allowed_count+{n} WHERE brand_id='acme'"))
    async def timed(name, work):
        began = perf_counter(); r = await work; print(name, round((perf_counter()-began)*1000,1), "ms", r if isinstance(r,int) else "")
        return r
    async with running_client(stack, world, tmp_path) as client:
        for _ in range(3):
            await world.tell(grant_news("bob", sequence=1+3*_))
            await timed("mark+judge grant", world.judge())
            await world.tell(grant_news("bob", sequence=2+3*_, is_ended=True))
            await timed("mark+judge revoke", world.judge())
            a = await timed("suspended", client.engine(engine, "/v1/engines/e1/suspended"))
            print(len(a.json()["tasks"]))
        await world.tell(member_news("root"))
        await timed("mark+judge list", world.judge())
        a = await timed("suspended all page", client.engine(engine, "/v1/engines/e1/suspended", limit=5000))
        k = 0
        began = perf_counter()
        while True:
            k += len(a.json()["tasks"])
            if "next" not in a.json(): break
            a = await client.engine(engine, "/v1/engines/e1/suspended", limit=5000, after=a.json()["next"])
        print("all", k, perf_counter()-began)
        a = await timed("preview", client.get("/v1/accounts/mail/revocation", member="ada"))
        print(a.json()["count"])
        await world.tell(member_news("ada"), member_news("bob"))
        await timed("mark+judge", world.judge())
        a = await timed("preview", client.get("/v1/accounts/mail/revocation", member="ada"))
        print(a.json()["count"])
        a = await timed("preview bob", client.get("/v1/accounts/mail/revocation", member="bob"))
        for i in range(3):
            await timed("save", world.tell(engine.save(workflow(f"x{i}", "a"))))
    assert False
