"""The workflow service on a real database, each message delivered twice."""

from keyturn_contracts.keys import jwks_of
from keyturn_contracts.message import CommandApplied, CommandRefused
from keyturn_contracts.proof import check
from keyturn_contracts.workflow import (
    EpochBegun,
    ListCompared,
    ListPart,
    OutOfPlace,
)
from sqlalchemy import select

from services.workflow.handlers import handlers
from services.workflow.tables import ReceiptRow
from shared.decisions import NotYetKnown
from shared.messaging.batch import Batch, Message, Turn, apply_commands
from tests.workflow.given import by_person, fetched, utc_now, workflow
from tests.workflow.world import PROOF_KEY, World, told

TWO = {"w1": ("a",), "w2": ("a",)}


async def test_a_rotation_reaches_an_engine_and_completes_with_a_proof(world: World) -> None:
    engine = await world.engine()
    await world.account()
    await world.tell(engine.save(workflow("w1", "a"), workflow("w2", "a")))
    await world.account("mail", 2, "e1")
    await world.close()
    assert told(await world.rollout_events()) == [("RolloutStarted", {"e1": "unconfirmed"})]

    await world.tell(fetched(version=2))
    outcome = await world.answer(engine.confirm(2, TWO))
    await world.close()

    assert isinstance(outcome, CommandApplied)
    assert outcome.changed
    [completed] = await world.rollout_events()
    assert (completed.legs, completed.done) == (1, 1)
    bundle = await world.proof()
    verdict = check(bundle, jwks_of([PROOF_KEY], "sig"))
    assert (verdict.problems, verdict.is_pinned) == ((), True)


async def test_an_outcome_says_what_is_suspended_and_what_was_so_already(world: World) -> None:
    engine = await world.engine()
    await world.account()
    await world.tell(engine.save(workflow("w1", "a")))

    outcome = await world.answer(engine.save(workflow("w1", "a"), workflow("w2", "a", owner="bob")))

    assert isinstance(outcome, CommandApplied)
    assert [(one.subject, one.verdict, one.reason) for one in outcome.verdicts] == [
        ("workflows/w2/a", "suspended", "no_access"),
        ("workflows/w1", "unchanged", None),
    ]
    assert outcome.not_applied == 2


async def test_many_commands_of_many_engines_in_one_batch_see_each_others_effect(
    world: World,
) -> None:
    engines = [await world.engine(f"e{one}") for one in range(3)]
    await world.account()
    commands: list[Message] = []
    for one in engines:
        commands += [
            one.save(workflow("w1", "a", "b"), workflow("w2", "a")),
            one.save(workflow("w1", "b", "c")),
            one.delete("w2"),
            one.save(workflow("w2", "a")),
            one.confirm(1, {"w1": ("b", "c"), "w2": ("a",)}, holds=False),
            one.delete("w2"),
        ]

    outcomes = await world.answers(*commands)

    assert [type(one) for one in outcomes] == [CommandApplied] * len(commands)
    for one in engines:
        holding = await world.holding(one.id)
        assert (holding.count, holding.confirmed_version) == (2, 1)


async def test_several_whole_lists_in_one_batch_end_one_after_the_other(world: World) -> None:
    engine = await world.engine()
    await world.account()
    await world.tell(engine.save(workflow("w1", "a"), workflow("w2", "a")))

    def part(number: int, id_: str, *, last: bool) -> ListPart:
        return ListPart(id=id_, scope="everything", part=number, last=last)

    outcomes = await world.answers(
        engine.save(workflow("w1", "a"), part=part(1, "l1", last=False)),
        engine.save(workflow("w3", "a"), part=part(2, "l1", last=True)),
        engine.save(workflow("w2", "a"), part=part(1, "l2", last=True)),
    )

    details = [one.details for one in outcomes if isinstance(one, CommandApplied)]
    first, second = (ListCompared.model_validate(one) for one in details[1:])
    assert details[0] is None
    assert [one.workflow_id for one in first.vanished] == ["w2"]
    assert [one.workflow_id for one in first.missing] == ["w3"]
    assert sorted(one.workflow_id for one in second.vanished) == ["w1", "w3"]
    assert second.missing == ()
    holding = await world.holding()
    assert (holding.count, holding.vanished_count, holding.is_named_since) == (1, 2, True)


async def test_what_a_list_left_out_is_named_by_the_next_one_too_beyond_the_first_hundred(
    world: World,
) -> None:
    engine = await world.engine()
    await world.account()
    await world.account("chat")
    names = [f"w{number:03}" for number in range(120)]
    await world.tell(engine.save(*(workflow(one, "a") for one in names)))
    await world.tell(engine.save(workflow("c1", "a", account_id="chat")))

    async def compare(scope: str) -> tuple[list[str], int]:
        part = ListPart(id=scope, scope=scope, part=1, last=True)
        outcome = await world.answer(engine.save(part=part))
        assert isinstance(outcome, CommandApplied)
        found = ListCompared.model_validate(outcome.details)
        return [one.workflow_id for one in found.vanished], found.vanished_count

    first = await compare("mail")
    await world.tell(engine.delete(*names[:100]))
    second = await compare("mail")
    everything = await compare("everything")

    assert first == (names[:100], 120)
    assert second == (names[100:], 20)
    assert everything == (["c1", *names[100:]], 21)


async def test_a_restart_with_an_unchanged_list_asks_for_nothing(world: World) -> None:
    engine = await world.engine()
    await world.account()
    await world.tell(engine.save(workflow("w1", "a")))
    same = await world.holding()

    outcome = await world.answer(engine.begin(same.count, f"{same.digest:064x}"))
    other = await world.answer(engine.begin(same.count + 1, f"{same.digest:064x}"))

    assert isinstance(outcome, CommandApplied)
    assert isinstance(other, CommandApplied)
    assert EpochBegun.model_validate(outcome.details) == EpochBegun(list_wanted=False)
    assert EpochBegun.model_validate(other.details) == EpochBegun(list_wanted=True)


async def test_what_is_out_of_place_changes_nothing_and_is_told_the_place(world: World) -> None:
    engine = await world.engine()
    await world.account()
    save = engine.save(workflow("w1", "a")).command

    outcome = await world.answer(engine.at(save, 1, 3))

    assert isinstance(outcome, CommandRefused)
    assert outcome.reason == "out_of_place"
    assert OutOfPlace.model_validate(outcome.details) == OutOfPlace(epoch=1, number=1)
    assert isinstance(await world.answer(engine.at(save, 1, 2)), CommandApplied)


async def test_a_number_is_taken_whatever_the_outcome(world: World) -> None:
    engine = await world.engine()
    await world.account()
    out = workflow("w1", "a", account_id="chat")
    scope = ListPart(id="l1", scope="mail", part=1, last=True)

    outcomes = await world.answers(
        engine.save(out, part=scope),
        engine.confirm(1, TWO),
        engine.delete("none"),
        engine.save(workflow("w1", "a")),
    )

    assert [getattr(one, "reason", "applied") for one in outcomes] == [
        "out_of_scope",
        "list_differs",
        "applied",
        "applied",
    ]


async def test_another_engine_and_a_person_take_no_number(world: World) -> None:
    engine, other = await world.engine("e1"), await world.engine("e2")
    await world.account()
    save = engine.save(workflow("w1", "a")).command

    assert await world.refusal(other.at(save, 1, 2)) == "not_this_engine"
    assert await world.refusal(by_person(save, at=utc_now())) == "not_this_engine"
    assert isinstance(await world.answer(engine.at(save, 1, 2)), CommandApplied)


async def test_a_confirmation_is_held_for_its_receipt_and_the_log_waits_behind_it(
    world: World,
) -> None:
    engine = await world.engine()
    await world.account()
    await world.tell(engine.save(workflow("w1", "a")))
    confirm, behind = engine.confirm(1, {"w1": ("a",)}), engine.save(workflow("w2", "a"))

    batch = await world.tell(confirm, behind)
    assert [(one.turn.asked, type(one.cause)) for one in batch.held] == [
        (confirm, NotYetKnown),
        (behind, type(None)),
    ]

    outcomes = await world.answers(fetched(version=1), confirm, behind)
    assert [type(one) for one in outcomes] == [CommandApplied, CommandApplied]


async def test_a_confirmation_whose_receipt_never_comes_is_refused_and_takes_its_number(
    world: World,
) -> None:
    engine = await world.engine()
    await world.account()
    await world.tell(engine.save(workflow("w1", "a")))
    confirm, behind = engine.confirm(1, {"w1": ("a",)}), engine.save(workflow("w2", "a"))

    batch = await turns(world, Turn(confirm, has_waited=True), Turn(behind))

    assert [getattr(one, "reason", "applied") for _, one in batch.answers] == [
        "receipt_unknown",
        "applied",
    ]


async def test_dropped_commands_take_their_numbers(world: World) -> None:
    engine = await world.engine()
    await world.account()
    commands = [
        engine.save(workflow("w1", "a")),
        engine.delete("w1"),
        engine.confirm(1),
        engine.save(workflow("w2", "a")),
    ]

    batch = await turns(
        world, *(Turn(one, is_dropped=True) for one in commands[:3]), Turn(commands[3])
    )

    reasons = [getattr(one, "reason", "applied") for _, one in batch.answers]
    assert reasons == ["dropped", "dropped", "dropped", "applied"]


async def turns(world: World, *given: Turn) -> Batch:
    batch = Batch()
    async with world.database.writer.begin() as connection:
        await apply_commands(connection, handlers, given, batch)
    return batch


async def test_receipts_of_retired_versions_are_forgotten(world: World) -> None:
    await world.account()
    await world.tell(*(fetched(version=one) for one in (3, 1, 2)))

    await world.account("mail", 3, unretired=[2])

    query = select(ReceiptRow.version).where(ReceiptRow.brand_id == "acme")
    async with world.database.writer.connect() as connection:
        kept = (await connection.scalars(query)).all()
    assert sorted(kept) == [2, 3]
