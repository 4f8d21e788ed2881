"""A page of documentation that is run: what it types, and what it says that is answered."""

import re
from dataclasses import dataclass

_FENCE = re.compile(r"^```(sh|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_ANYTHING = "…"


@dataclass(frozen=True, slots=True)
class Shown:
    """Commands, and lines of what they answer, with `…` for what is another one each time."""

    commands: str
    lines: tuple[str, ...]

    def missing_from(self, answer: str) -> list[str]:
        """Return the lines that the answer has not; how wide a column is does not count."""
        found = [" ".join(line.split()) for line in answer.splitlines()]
        return [
            line for line in self.lines if not any(_pattern(line).fullmatch(one) for one in found)
        ]


def shown_on(page: str) -> list[Shown]:
    """Return each block of commands with the block of lines that follows it, where one does."""
    found: list[Shown] = []
    for kind, text in _FENCE.findall(page):
        if kind == "sh":
            found.append(Shown(text, ()))
        else:
            lines = tuple(line for line in text.splitlines() if line.strip())
            found[-1] = Shown(found[-1].commands, lines)
    return found


def _pattern(line: str) -> re.Pattern[str]:
    parts = (re.escape(part) for part in " ".join(line.split()).split(_ANYTHING))
    return re.compile(".*".join(parts))
