"""What is remembered in a process, and when it is not believed any more."""

from dataclasses import dataclass, field

import pytest

from services.access.queries.changes import Changes, Snapshot
from services.access.remembering.memory import TRUSTED_SECONDS, Memory, Question, Remembered

YES = Remembered(b"{}", allowed=True, until=None)


def use(member: str, account_id: str = "mail") -> Question:
    return Question(member, "use", account_id, None)


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Looks:
    """A memory, and looks at a database in which transactions come and go."""

    clock: Clock = field(default_factory=Clock)
    memory: Memory = field(init=False)
    most: int = 100

    def __post_init__(self) -> None:
        self.memory = Memory(self.most, self.clock)

    def look(
        self,
        xmin: int,
        *changed: str,
        revision: int = 0,
        xid: int = 0,
        began: float | None = None,
    ) -> None:
        """Find that all transactions below `xmin` have ended; the look's own id is `xid`."""
        snapshot = Snapshot(f"{xmin}:{xmin}:")
        doubted = self.memory.doubted
        self.memory.confirm(
            Changes(snapshot, xid or xmin, revision, changed),
            began=self.clock.now if began is None else began,
            doubted=doubted,
        )

    def remember(self, *questions: Question, brand: str = "acme") -> None:
        view = self.memory.view(brand)
        assert view is not None
        self.memory.add(view, dict.fromkeys(questions, YES), {})

    def knows(self, question: Question, brand: str = "acme") -> bool:
        view = self.memory.view(brand)
        return view is not None and question in view.brand.decisions


@pytest.fixture
def looks() -> Looks:
    looks = Looks()
    looks.look(10)
    looks.remember(use("ada"))
    return looks


def test_before_the_first_look_nothing_is_known() -> None:
    assert Memory(100).view("acme") is None


def test_what_did_not_change_stays_as_long_as_somebody_looks(looks: Looks) -> None:
    for number in range(100):
        looks.clock.now += TRUSTED_SECONDS * 0.9
        looks.look(11 + number, "other")
        assert looks.knows(use("ada"))


def test_without_a_look_in_time_nothing_is_believed_until_the_next(looks: Looks) -> None:
    looks.clock.now += TRUSTED_SECONDS

    assert looks.memory.view("acme") is None
    looks.look(11)
    assert looks.knows(use("ada"))


def test_a_look_counts_from_when_it_began(looks: Looks) -> None:
    looks.clock.now += TRUSTED_SECONDS
    looks.look(11, began=looks.clock.now - TRUSTED_SECONDS)

    assert looks.memory.view("acme") is None


def test_a_change_lets_go_of_the_brand_and_of_no_other(looks: Looks) -> None:
    looks.remember(use("ada"), brand="other")
    looks.look(11, "acme")

    assert not looks.knows(use("ada"))
    assert looks.knows(use("ada"), "other")


def test_what_was_read_before_a_change_is_not_remembered_after_it(looks: Looks) -> None:
    before = looks.memory.view("acme")
    assert before is not None
    looks.look(11, "acme")

    looks.memory.add(before, {use("bob"): YES}, {"bob": "member"})

    assert not looks.knows(use("bob"))
    after = looks.memory.view("acme")
    assert after is not None
    assert after.brand.listed == {}


def test_what_is_heard_of_is_doubted_until_a_look_that_began_later(looks: Looks) -> None:
    asked_before = looks.memory.doubted
    looks.memory.doubt(["acme"])
    looks.memory.confirm(
        Changes(Snapshot("11:11:"), 11, 0, ()), began=looks.clock.now, doubted=asked_before
    )
    assert looks.memory.view("acme") is None

    looks.look(12)

    assert looks.memory.view("acme") is not None
    assert not looks.knows(use("ada"))


def test_who_has_not_looked_for_long_begins_anew(looks: Looks) -> None:
    looks.clock.now += 61

    assert looks.memory.seen is None
    looks.look(99)
    assert not looks.knows(use("ada"))


def settled(looks: Looks) -> int:
    view = looks.memory.view("acme")
    assert view is not None
    return view.settled


def test_a_number_is_settled_when_all_have_ended_who_may_have_drawn_it() -> None:
    """At the first look transaction 15 is at work, and may have drawn any number up to 7."""
    looks = Looks()
    looks.look(15, revision=7, xid=16)
    assert settled(looks) == 0
    looks.look(15, revision=8, xid=17)
    looks.look(15, revision=9, xid=18)
    assert settled(looks) == 0
    looks.look(17, revision=9, xid=19)
    assert settled(looks) == 7
    looks.look(20, revision=9, xid=20)
    assert settled(looks) == 9


def test_where_nobody_is_at_work_a_number_is_settled_at_the_next_look() -> None:
    looks = Looks()
    for number, expected in enumerate((0, 7, 7)):
        looks.look(10 + number, revision=7, xid=10 + number)
        assert settled(looks) == expected


def test_as_much_is_remembered_as_was_set_and_the_newest_of_it() -> None:
    looks = Looks(most=100)
    looks.look(10)
    for number in range(1000):
        looks.remember(use(f"m{number}"))
        looks.remember(use("ada"), brand=f"b{number % 7}")
        assert sum(map(len, held(looks).values())) <= 100
    assert looks.knows(use("m999"))


def held(looks: Looks) -> dict[str, dict[Question, Remembered]]:
    found: dict[str, dict[Question, Remembered]] = {}
    for brand in ("acme", *(f"b{number}" for number in range(7))):
        view = looks.memory.view(brand)
        assert view is not None
        found[brand] = view.brand.decisions
    return found


def test_who_is_to_remember_nothing_does_not() -> None:
    looks = Looks(most=0)
    looks.look(10)

    assert looks.memory.view("acme") is None
