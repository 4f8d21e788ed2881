"""The consumer on real Kafka and PostgreSQL: nothing lost, nothing twice, neighbours unharmed."""

from tests.transport.running import Given
from tests.waiting import eventually


async def test_commands_of_a_key_are_applied_in_their_order(given: Given) -> None:
    records = [given.line(f"n{n % 3}", f"line {n}") for n in range(60)]
    async with given.consuming():
        await given.send(*records)

        await eventually(lambda: _has(given, "n0", [f"line {n}" for n in range(0, 60, 3)]))
        await eventually(lambda: _has(given, "n1", [f"line {n}" for n in range(1, 60, 3)]))
        await eventually(lambda: _has(given, "n2", [f"line {n}" for n in range(2, 60, 3)]))


async def _has(given: Given, note_id: str, lines: list[str]) -> bool:
    assert await given.lines(note_id) == lines
    return True
